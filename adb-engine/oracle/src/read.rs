//! From JSON to commands.

use adb_model::{Refusal, Request};
use serde_json::Value as Json;

use crate::{
    Wrong,
    body::{Body, reference, required},
    command::{
        Add, Batch, Command, Connect, Connected, Find, Guard, Index, Near, Order, Other,
        Properties, Select, Shape, Step, Target, Update,
    },
    constraint::Expr,
    place::{self, Place},
    state::{Kind, Set},
    value::Value,
};

/// All commands of a request; there is a blob for each that takes one, and none left.
pub(crate) fn commands(request: &Request) -> Result<Vec<(String, Command)>, Refusal> {
    let parsed: Vec<Json> = serde_json::from_slice(&request.commands)
        .map_err(|e| Refusal::error(None, e.to_string()))?;
    let mut commands = Vec::new();
    let mut blobs = request.blobs.len();
    for (i, json) in parsed.into_iter().enumerate() {
        let refused = |info: String| Refusal::error(Some(i), info);
        let (name, command) = command(json).map_err(|wrong| wrong.at(i))?;
        if command.takes_blob() {
            blobs = blobs.checked_sub(1).ok_or_else(|| refused("it takes a blob".to_owned()))?;
        }
        commands.push((name, command));
    }
    if blobs > 0 {
        return Err(Refusal::error(None, format!("{blobs} blobs too many")));
    }
    Ok(commands)
}

fn command(json: Json) -> Result<(String, Command), Wrong> {
    let one = match json {
        Json::Object(map) if map.len() == 1 => map.into_iter().next(),
        _ => None,
    };
    let (name, body) = one.ok_or_else(|| Wrong::new("a command is an object with one key"))?;
    let mut body = Body::new(body)?;
    let command = named(&name, &mut body)?;
    body.end()?;
    Ok((name, command))
}

fn named(name: &str, body: &mut Body) -> Result<Command, Wrong> {
    let kind = |verb: &str| name.strip_prefix(verb).and_then(Kind::named);
    if let Some(kind) = kind("Add") {
        return Ok(Command::Add(Box::new(add(kind, body)?)));
    }
    if let Some(kind) = kind("Find") {
        return Ok(Command::Find(Box::new(find(kind, body)?)));
    }
    if let Some(kind) = kind("Update") {
        return Ok(Command::Update(Box::new(update(kind, body)?)));
    }
    if let Some(kind) = kind("Delete") {
        return Ok(Command::Delete(kind, target(kind, body)?));
    }
    Ok(match name {
        "FindDescriptorBatch" => {
            let queries = body.count("n_descriptors")?.unwrap_or(1);
            let mut find = find(Kind::Descriptor, body)?;
            let near = required(find.near.as_mut(), "k_neighbors")?;
            near.queries = Some(queries);
            let shape = &find.shape;
            let figures = !shape.figures.is_empty() || !shape.group.is_empty();
            if queries == 0 || shape.batch.is_some() || shape.group_by_source || figures {
                return Err(Wrong::new("a batch of queries has no such form"));
            }
            Command::Find(Box::new(find))
        }
        "ClassifyDescriptor" => {
            let set = required(body.text("set")?, "set")?;
            Command::Classify(set, required(near(body)?, "k_neighbors")?)
        }
        "RegionIoU" => {
            let first = required(body.reference("roi_1")?, "roi_1")?;
            let other = match (body.reference("roi_2")?, place::rectangle("rectangle", body)?) {
                (Some(reference), None) => Other::Reference(reference),
                (None, Some(sides)) => {
                    Other::Rectangle(sides.map(|side| side.as_f64().unwrap_or_default()))
                }
                _ => return Err(Wrong::new("`roi_2` or `rectangle`")),
            };
            Command::Overlap(first, other)
        }
        "CreateIndex" => {
            let (index, newer) = index(body)?;
            Command::CreateIndex { index, newer }
        }
        "RemoveIndex" => Command::RemoveIndex(index(body)?.0),
        "GetIndexes" => {
            let target = body.text("target")?.or(body.text("index_type")?);
            if let Some(target) = &target {
                index_target(target)?;
            }
            Command::GetIndexes {
                target,
                class: body.text("class")?,
                property: body.text("property")?.or(body.text("property_key")?),
                kind: body.text("kind")?,
            }
        }
        "GetSchema" => {
            body.boolean("refresh")?;
            let (entities, connections) = match body.text("type")?.as_deref() {
                None | Some("both") => (true, true),
                Some("entities") => (true, false),
                Some("connections") => (false, true),
                Some(other) => return Err(Wrong::new(format!("`type` is not {other}"))),
            };
            Command::GetSchema { entities, connections }
        }
        "GetStatus" => Command::GetStatus,
        _ => return Err(Wrong::new(format!("there is no command `{name}`"))),
    })
}

fn index_target(name: &str) -> Result<&'static str, Wrong> {
    match name {
        "entity" => Ok("entity"),
        "connection" => Ok("connection"),
        other => Err(Wrong::new(format!("an index is not on a {other}"))),
    }
}

/// An index, and whether it is named in the newer form.
fn index(body: &mut Body) -> Result<(Index, bool), Wrong> {
    let newer = body.text("target")?;
    let is_newer = newer.is_some();
    let older = body.text("index_type")?;
    let target = index_target(&required(newer.or(older), "index_type")?)?;
    let class = required(body.text("class")?, "class")?;
    let property = body.text("property")?.or(body.text("property_key")?);
    let property = required(property, "property_key")?;
    body.text("property_type")?;
    if body.text("kind")?.is_some_and(|kind| kind != "ordered") {
        return Err(Wrong::new("indexes are ordered"));
    }
    let kind = class.strip_prefix('_').and_then(Kind::named);
    let of_system = match property.as_str() {
        "_create_txn" => true,
        "_label" => target == "entity" && kind.is_some_and(Kind::has_label),
        "_name" => kind == Some(Kind::DescriptorSet),
        "_set_name" => kind == Some(Kind::Descriptor),
        name => !name.starts_with('_'),
    };
    if !of_system {
        return Err(Wrong::new(format!("`{property}` of `{class}` can't be indexed")));
    }
    Ok(((target, class, property), is_newer))
}

fn add(kind: Kind, body: &mut Body) -> Result<Add, Wrong> {
    let class = match kind.class() {
        Some(class) => class,
        None => user_name(required(body.text("class")?, "class")?)?,
    };
    let mut add = Add {
        kind,
        class,
        reference: body.reference("_ref")?,
        properties: properties(body)?,
        guard: match body.take("if_not_found") {
            Some(json) if json.is_number() => {
                let named = reference(&json).ok_or_else(|| Wrong::new("`if_not_found`"))?;
                Some(Guard::Reference(named))
            }
            Some(json) => Expr::read(&json)?.map(Guard::Like),
            None => None,
        },
        connect: None,
        label: None,
        place: None,
        container: None,
        set: None,
        into_set: None,
        ends: None,
    };
    match kind {
        Kind::Connection => {
            let src = required(body.reference("src")?, "src")?;
            add.ends = Some((src, required(body.reference("dst")?, "dst")?));
            return Ok(add);
        }
        Kind::DescriptorSet => add.set = Some(new_set(body)?),
        Kind::Descriptor => add.into_set = Some(required(body.text("set")?, "set")?),
        _ => {}
    }
    if kind.has_label() {
        add.label = body.text("label")?;
    }
    if let Some(parameter) = kind.container() {
        add.container = Some(required(body.reference(parameter)?, parameter)?);
        add.place = Some(required(Place::take(kind, body)?, "its place")?);
    }
    if let Some(json) = body.take("connect") {
        let mut inner = Body::new(json)?;
        let own = (kind == Kind::Descriptor).then(|| "_DescriptorConnection".to_owned());
        let class = match inner.text("class")? {
            Some(class) if Some(&class) == own.as_ref() => class,
            Some(class) => user_name(class)?,
            None => required(own, "connect.class")?,
        };
        add.connect = Some(Connect {
            reference: required(inner.reference("ref")?, "connect.ref")?,
            class,
            outward: direction(&mut inner)?.unwrap_or(true),
            properties: properties(&mut inner)?,
        });
        inner.end()?;
    }
    Ok(add)
}

fn new_set(body: &mut Body) -> Result<Set, Wrong> {
    let name = required(body.text("name")?, "name")?;
    let dimensions = required(body.count("dimensions")?, "dimensions")?;
    if name.is_empty() || !(1..=1 << 20).contains(&dimensions) {
        return Err(Wrong::new("a set has a name, and dimensions up to 2^20"));
    }
    let engines = body.texts("engine")?.filter(|all| !all.is_empty());
    let metrics = body.texts("metric")?.filter(|all| !all.is_empty());
    let metrics = metrics.unwrap_or_else(|| vec!["L2".to_owned()]);
    metrics.iter().try_for_each(|metric| check_metric(metric))?;
    let engines = engines.unwrap_or_else(|| vec!["Flat".to_owned()]);
    Ok(Set {
        name,
        dimensions: dimensions as usize,
        engines: engines.into_iter().map(engine).collect(),
        metrics,
    })
}

/// Engines had other names once.
fn engine(name: String) -> String {
    match name.as_str() {
        "FaissFlat" => "Flat".to_owned(),
        "FaissIVFFlat" => "IVF".to_owned(),
        _ => name,
    }
}

fn check_metric(name: &str) -> Result<(), Wrong> {
    match name {
        "L2" | "IP" | "CS" => Ok(()),
        other => Err(Wrong::new(format!("there is no metric {other}"))),
    }
}

/// Names that users may give: 1 to 64 bytes, no underscore first.
fn user_name(name: String) -> Result<String, Wrong> {
    if name.is_empty() || name.starts_with('_') || name.len() > 64 {
        return Err(Wrong::new(format!("`{name}` can't be a name")));
    }
    Ok(name)
}

fn properties(body: &mut Body) -> Result<Properties, Wrong> {
    let map = match body.take("properties") {
        None => return Ok(Properties::new()),
        Some(Json::Object(map)) => map,
        Some(other) => return Err(Wrong::new(format!("`properties` is no object: {other}"))),
    };
    let mut properties = Properties::new();
    for (key, json) in map {
        let key = user_name(key)?;
        if let Some(value) = Value::read(&json).map_err(Wrong::new)? {
            properties.insert(key, value);
        }
    }
    Ok(properties)
}

/// Whether `direction` is `out`.
fn direction(body: &mut Body) -> Result<Option<bool>, Wrong> {
    match body.text("direction")?.as_deref() {
        None => Ok(None),
        Some("out") => Ok(Some(true)),
        Some("in") => Ok(Some(false)),
        Some(other) => Err(Wrong::new(format!("no direction: {other}"))),
    }
}

fn find(kind: Kind, body: &mut Body) -> Result<Find, Wrong> {
    let select = select(kind, body)?;
    let near = if kind == Kind::Descriptor { near(body)? } else { None };
    if near.is_some() && select.set.is_none() {
        return Err(Wrong::new("`k_neighbors` needs a `set`"));
    }
    Ok(Find { kind, reference: body.reference("_ref")?, select, near, shape: shape(kind, body)? })
}

fn near(body: &mut Body) -> Result<Option<Near>, Wrong> {
    let k = body.count("k_neighbors")?;
    let closest = body.count("k_closest")?;
    let metric = body.text("metric")?;
    if let Some(metric) = &metric {
        check_metric(metric)?;
    }
    let engine = body.text("engine")?.map(engine);
    let knn_first = body.boolean("knn_first")?;
    let early = body.boolean("knnfirst")?;
    body.boolean("indexed_results_only")?;
    match k.or(closest) {
        None => Ok(None),
        Some(0) => Err(Wrong::new("no neighbours")),
        Some(k) => {
            let knn_first = knn_first.or(early).unwrap_or(true);
            Ok(Some(Near { k, engine, metric, knn_first, queries: None }))
        }
    }
}

fn select(kind: Kind, body: &mut Body) -> Result<Select, Wrong> {
    let named = matches!(kind, Kind::Entity | Kind::Connection);
    let media = matches!(kind, Kind::Image | Kind::Blob | Kind::Video);
    let mut select = Select {
        class: if named { body.text("with_class")? } else { kind.class() },
        constraints: body.take("constraints").map_or(Ok(None), |json| Expr::read(&json))?,
        connected: None,
        name: None,
        label: if kind.has_label() { body.text("with_label")? } else { None },
        set: None,
        within: None,
        inside: None,
        url: if media { body.text("with_url")? } else { None },
        src: None,
        dst: None,
        unique: body.flag("unique")?,
    };
    match kind {
        Kind::Connection => {
            select.src = body.reference("src")?;
            select.dst = body.reference("dst")?;
            return Ok(select);
        }
        Kind::DescriptorSet => select.name = body.text("with_name")?,
        Kind::Descriptor => select.set = body.text("set")?,
        Kind::BoundingBox | Kind::Polygon => {
            select.inside = place::rectangle("in_rectangle", body)?.map(Place::Rect);
        }
        Kind::Clip | Kind::Frame => select.inside = place::span("in_", body)?,
        _ => {}
    }
    if let Some(parameter) = kind.container() {
        select.within = body.reference(parameter)?;
    }
    if let Some(json) = body.take("is_connected_to") {
        if select.within.is_some() {
            return Err(Wrong::new("the container and `is_connected_to` exclude each other"));
        }
        select.connected = Some(connected(json)?);
    }
    Ok(select)
}

fn connected(json: Json) -> Result<Connected, Wrong> {
    let mut body = Body::new(json)?;
    let (all, any) = (body.take("all"), body.take("any"));
    let (all, steps) = match (all, any) {
        (None, None) => (true, vec![step(&mut body)?]),
        (Some(Json::Array(steps)), None) => (true, each_step(steps)?),
        (None, Some(Json::Array(steps))) => (false, each_step(steps)?),
        _ => return Err(Wrong::new("`all` or `any`, with a list")),
    };
    body.end()?;
    if steps.is_empty() {
        return Err(Wrong::new("no steps"));
    }
    Ok(Connected { all, steps })
}

fn each_step(steps: Vec<Json>) -> Result<Vec<Step>, Wrong> {
    let read = |json| {
        let mut body = Body::new(json)?;
        let step = step(&mut body)?;
        body.end()?;
        Ok(step)
    };
    steps.into_iter().map(read).collect()
}

fn step(body: &mut Body) -> Result<Step, Wrong> {
    Ok(Step {
        reference: required(body.reference("ref")?, "ref")?,
        class: body.text("connection_class")?.or(body.text("class")?),
        outward: direction(body)?,
        constraints: body.take("constraints").map_or(Ok(None), |json| Expr::read(&json))?,
    })
}

/// Flags, and what each shows.
pub(crate) fn flags(kind: Kind) -> &'static [(&'static str, &'static str)] {
    match kind {
        Kind::Image | Kind::Blob | Kind::Video => &[("urls", "_url")],
        Kind::Clip | Kind::Frame => &[("labels", "_label")],
        Kind::BoundingBox => {
            &[("labels", "_label"), ("coordinates", "_coordinates"), ("areas", "_area")]
        }
        Kind::Polygon => &[
            ("labels", "_label"),
            ("vertices", "_vertices"),
            ("bounds", "_bounds"),
            ("areas", "_area"),
        ],
        Kind::DescriptorSet => &[
            ("engines", "_engines"),
            ("metrics", "_metrics"),
            ("dimensions", "_dimensions"),
            ("counts", "_count"),
        ],
        Kind::Descriptor => &[("labels", "_label"), ("distances", "_distance")],
        Kind::Entity | Kind::Connection => &[],
    }
}

fn shape(kind: Kind, body: &mut Body) -> Result<Shape, Wrong> {
    let mut shape = Shape { unique_ids: body.flag("uniqueids")?, ..Shape::default() };
    for (flag, property) in flags(kind) {
        if body.flag(flag)? {
            shape.flags.push(property);
        }
    }
    shape.blobs = kind.has_bytes() && body.flag("blobs")?;
    shape.group_by_source = body.flag("group_by_source")?;
    shape.limit = body.count("limit")?;
    shape.offset = body.count("offset")?.unwrap_or(0);
    shape.batch = body.take("batch").map(batch).transpose()?;
    let mut sort = body.take("sort");
    if let Some(results) = body.take("results") {
        let mut results = Body::new(results)?;
        shape.list = results.texts("list")?.unwrap_or_default();
        shape.all_properties = results.flag("all_properties")?;
        shape.count = results.flag("count")?;
        shape.group_by_source |= results.flag("group_by_source")?;
        let limit = results.count("limit")?;
        shape.limit = shape.limit.or(limit);
        let inner = results.take("sort");
        sort = sort.or(inner);
        for (key, shown) in [("sum", "sum"), ("average", "avg"), ("min", "min"), ("max", "max")] {
            let properties = results.texts(key)?.unwrap_or_default();
            shape.figures.extend(properties.into_iter().map(|property| (shown, property)));
        }
        shape.group = results.texts("group")?.unwrap_or_default();
        results.end()?;
    }
    match sort {
        None => {}
        Some(Json::Array(keys)) => {
            shape.sort = keys.into_iter().map(sort_key).collect::<Result<_, _>>()?;
        }
        Some(one) => shape.sort = vec![sort_key(one)?],
    }
    let figures = !shape.figures.is_empty() || !shape.group.is_empty();
    if shape.group_by_source && (shape.batch.is_some() || figures) {
        return Err(Wrong::new("`group_by_source` goes neither with batches nor with figures"));
    }
    Ok(shape)
}

fn sort_key(json: Json) -> Result<(String, Order), Wrong> {
    if let Json::String(key) = json {
        return Ok((key, Order::Ascending));
    }
    let mut body = Body::new(json)?;
    let key = required(body.text("key")?, "key")?;
    let order = match (body.text("order")?.as_deref(), body.take("sequence")) {
        (None | Some("ascending"), None) => Order::Ascending,
        (Some("descending"), None) => Order::Descending,
        (None, Some(Json::Array(values))) => {
            let read = |json: &Json| {
                let value = Value::read(json).map_err(Wrong::new)?;
                value.ok_or_else(|| Wrong::new("null in a sequence"))
            };
            Order::Sequence(values.iter().map(read).collect::<Result<_, _>>()?)
        }
        _ => return Err(Wrong::new("no order")),
    };
    body.end()?;
    Ok((key, order))
}

fn batch(json: Json) -> Result<Batch, Wrong> {
    let mut body = Body::new(json)?;
    let (size, pieces) = (body.count("batch_size")?, body.count("batches")?);
    let (id, range) = (body.count("batch_id")?, body.take("range"));
    body.end()?;
    match (size, pieces, id, range) {
        (None, None, None, None) => Ok(Batch::Totals),
        (Some(size), None, id, None) if size > 0 => Ok(Batch::Size(size, id.unwrap_or(0))),
        (None, Some(pieces), id, None) if pieces > 0 => Ok(Batch::Pieces(pieces, id.unwrap_or(0))),
        (None, None, None, Some(Json::Array(ends))) if ends.len() == 2 => {
            match (ends[0].as_u64(), ends[1].as_u64()) {
                (Some(start), Some(end)) => Ok(Batch::Range(start, end)),
                _ => Err(Wrong::new("a range of other than numbers")),
            }
        }
        _ => Err(Wrong::new("no such batch")),
    }
}

fn target(kind: Kind, body: &mut Body) -> Result<Target, Wrong> {
    let select = select(kind, body)?;
    Ok(match body.reference("ref")? {
        Some(reference) => Target::Reference(reference),
        None => Target::Like(Box::new(select)),
    })
}

fn update(kind: Kind, body: &mut Body) -> Result<Update, Wrong> {
    let target = target(kind, body)?;
    let properties = properties(body)?;
    let remove = body.texts("remove_props")?.unwrap_or_default();
    if remove.iter().any(|key| key.starts_with('_') || properties.contains_key(key)) {
        return Err(Wrong::new("that can't be removed"));
    }
    let label = if kind.has_label() { body.text("label")? } else { None };
    let place = Place::take(kind, body)?;
    Ok(Update { kind, target, properties, remove, label, place })
}
