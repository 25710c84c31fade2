//! The Find commands.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
};

use rusqlite::OptionalExtension as _;
use serde_json::{Map, Value as Json, json};

use crate::{
    request::{
        fault::{Fail, Fault},
        find::{Classify, Find, Nearest, Select},
        kind::Kind,
        part::{Span, Unit},
        shape::{Batch, Shape},
    },
    store::{
        catalog::Class,
        format::class_id,
        memo::DescriptorSet,
        system::{FRAME_FRACTION, FRAME_MICROS, FRAME_NUMBER},
    },
    vectors::{
        Neighbour,
        cache::{Among, Search, SetState},
        components, is_approximate,
        metric::Metric,
    },
};

use super::{
    Run,
    among::Passing,
    body,
    change::not_unique,
    connected::Reached,
    filter::{Condition, Param},
    list::BlobAt,
    refs::{Found, Object},
    select::Selection,
    unique_id,
};

/// What a search by nearness goes by.
pub(super) struct Near {
    pub(super) set: Arc<DescriptorSet>,
    state: SetState,
    metric: Metric,
    k: usize,
    /// Whether neighbours are looked for before the constraints, or among what these leave.
    knn_first: bool,
    approximate: bool,
    /// One vector, or several one after another.
    query: Vec<f32>,
}

/// What a Find came upon, before it is shown.
pub(super) struct Matches {
    pub(super) objects: Vec<Object>,
    /// All matches, `limit` or not; known if they were counted.
    count: Option<usize>,
    /// Measures to the query, by row.
    distances: HashMap<i64, f32>,
    pub(super) ranked: bool,
    /// What the answer says of the batch.
    batch: Option<Json>,
    /// Aggregates, as members of the answer.
    figures: Map<String, Json>,
}

/// Whether descriptors of other sets than the one that a Find names are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sets {
    Named,
    /// Whoever asks does so himself.
    Any,
}

/// The neighbours of one query.
pub(super) struct Neighbours {
    /// The nearest first.
    pub(super) all: Vec<Neighbour>,
    /// Whether all that a Find asks for holds of them, and nothing is left to be looked up.
    pub(super) settled: bool,
}

/// The part of all matches that is looked at.
struct Window {
    offset: u64,
    /// Nothing for no end.
    limit: Option<u64>,
}

impl Run<'_> {
    pub(super) fn find(&mut self, find: &Find) -> Result<Map<String, Json>, Fail> {
        let reached = match &find.select.connected {
            Some(connected) => Some(self.reach(find.kind, connected)?),
            None => None,
        };
        let near = match &find.nearest {
            Some(nearest) => {
                let set = find.select.set.as_deref().unwrap_or_default();
                Some(self.near(set, nearest)?)
            }
            None => None,
        };
        if let (Some(near), Some(_)) = (&near, find.nearest.as_ref().and_then(|n| n.queries)) {
            return self.find_batch(find, near, reached.as_ref());
        }
        let neighbours = match &near {
            Some(near) => self.neighbours(find, near, reached.as_ref())?.pop(),
            None => None,
        };
        let matches = self.matches(find, reached.as_ref(), neighbours)?;
        let mut answer = body(&[]);
        self.answer(&mut answer, find, &matches, reached.as_ref())?;
        let found =
            Found { target: find.kind.target(), objects: matches.objects, ranked: matches.ranked };
        self.refs.define(find.reference, found)?;
        Ok(answer)
    }

    /// FindDescriptorBatch: a list for each query.
    fn find_batch(
        &mut self,
        find: &Find,
        near: &Near,
        reached: Option<&Reached>,
    ) -> Result<Map<String, Json>, Fail> {
        let shape = &find.shape;
        let (mut lists, mut all) = (Vec::new(), Vec::new());
        let (mut returned, mut count) = (0, 0);
        let first_blob = self.blobs_out.len();
        for neighbours in self.neighbours(find, near, reached)? {
            let matches = self.matches(find, reached, Some(neighbours))?;
            let blobs_from = self.blobs_out.len();
            if shape.blobs {
                self.take_blobs(find.kind, &matches.objects, shape)?;
            }
            if shape.lists() {
                let first = shape.blobs.then_some(BlobAt(blobs_from));
                let listed = self.list(&matches.objects, shape, &matches.distances, first)?;
                lists.push(Json::Array(listed));
            }
            returned += matches.objects.len();
            count += matches.count.unwrap_or(matches.objects.len());
            all.extend(matches.objects);
        }
        let mut answer = body(&[]);
        if self.blobs_out.len() > first_blob {
            answer.insert("blobs_start".to_owned(), json!(first_blob));
        }
        let shown = if shape.lists() || shape.blobs { returned } else { 0 };
        answer.insert("returned".to_owned(), json!(shown));
        if shape.count {
            answer.insert("count".to_owned(), json!(count));
        }
        if shape.lists() {
            answer.insert("entities".to_owned(), Json::Array(lists));
        }
        let mut seen = HashSet::new();
        all.retain(|object| seen.insert(*object));
        let found = Found { target: find.kind.target(), objects: all, ranked: true };
        self.refs.define(find.reference, found)?;
        Ok(answer)
    }

    /// ClassifyDescriptor: the label that most of the neighbours have; of equals, the nearest's.
    pub(super) fn classify(&mut self, classify: &Classify) -> Result<Map<String, Json>, Fail> {
        let near = self.near(&classify.set, &classify.nearest)?;
        let neighbours = self.search(&near, None)?.pop().unwrap_or_default();
        let mut votes: Vec<(String, usize)> = Vec::new();
        let mut select = self
            .store
            .conn
            .prepare_cached(&format!("SELECT label FROM c{} WHERE id = ?", class_id::DESCRIPTOR))?;
        for neighbour in neighbours {
            let label: Option<String> = select.query_row([neighbour.id], |row| row.get(0))?;
            let Some(label) = label else { continue };
            match votes.iter_mut().find(|(of, _)| *of == label) {
                Some((_, votes)) => *votes += 1,
                None => votes.push((label, 1)),
            }
        }
        // The first of the greatest; `max_by_key` would take the last.
        let most = votes.into_iter().rev().max_by_key(|(_, votes)| *votes);
        let label = most.map_or_else(|| "None".to_owned(), |(label, _)| label);
        Ok(body(&[("label", json!(label))]))
    }

    pub(super) fn matches(
        &mut self,
        find: &Find,
        reached: Option<&Reached>,
        neighbours: Option<Neighbours>,
    ) -> Result<Matches, Fail> {
        let shape = &find.shape;
        let neighbours = match neighbours {
            Some(Neighbours { all, settled: true })
                if shape.sort.is_empty() && !shape.aggregates() =>
            {
                return settled(find, &all);
            }
            other => other.map(|neighbours| neighbours.all),
        };
        let mut distances = HashMap::new();
        let mut ranks: Option<HashMap<i64, usize>> = None;
        let mut among: Option<Vec<i64>> = None;
        if let Some(neighbours) = neighbours {
            distances = neighbours.iter().map(|n| (n.id, n.distance)).collect();
            ranks = Some(neighbours.iter().enumerate().map(|(i, n)| (n.id, i)).collect());
            among = Some(neighbours.iter().map(|n| n.id).collect());
        } else if let Some(reached) = reached.filter(|r| r.ranked) {
            ranks = Some(reached.ranks());
        }
        let sets = Sets::Named;
        let chosen = self.selection(find.kind, &find.select, sets, reached, among.as_deref())?;
        let conn = &self.store.conn;
        let figures = match shape.aggregates() {
            true => chosen.figures(conn, shape)?,
            false => Map::new(),
        };
        let wants_objects = wants_objects(find);
        let bounded = shape.limit.is_some() || shape.offset > 0 || shape.batch.is_some();
        // Where nothing is asked for, counting tells at least whether the constraints can be held.
        let wants_count =
            shape.count || find.select.unique || shape.batch.is_some() || !wants_objects;
        let by_rank = ranks.filter(|_| shape.sort.is_empty());
        let mut count = None;
        if wants_count && (bounded || !wants_objects) {
            count = Some(chosen.count(conn)?);
        }
        let (window, batch) = window(shape, count.unwrap_or(0));
        let mut objects = Vec::new();
        let ranked = by_rank.is_some() || !shape.sort.is_empty();
        if wants_objects {
            objects = match by_rank {
                None => chosen.objects(conn, &shape.sort, window.limit, window.offset)?,
                Some(ranks) => {
                    let mut all = chosen.objects(conn, &[], None, 0)?;
                    count = Some(all.len());
                    all.sort_by_key(|o| ranks.get(&o.id).copied().unwrap_or(usize::MAX));
                    window.of(all.into_iter()).collect()
                }
            };
        }
        if find.select.unique && count.unwrap_or(objects.len()) > 1 {
            return Err(not_unique().into());
        }
        Ok(Matches { objects, count, distances, ranked, batch, figures })
    }

    /// The objects that fulfil everything but nearness; of those `among`, if there are any given.
    pub(super) fn selection(
        &self,
        kind: Kind,
        select: &Select,
        sets: Sets,
        reached: Option<&Reached>,
        among: Option<&[i64]>,
    ) -> Result<Selection, Fail> {
        let mut selection = Selection::default();
        let mut shared = self.conditions(kind, select, sets)?;
        if let Some(reached) = reached {
            shared.push(Condition::among("id", reached.targets()));
        }
        if let Some(ids) = among {
            shared.push(Condition::among("id", ids.iter().copied()));
        }
        for class in self.classes(kind, select) {
            selection.push(
                &self.store.conn,
                &class,
                select.constraints.as_ref(),
                shared.clone(),
            )?;
        }
        Ok(selection)
    }

    /// Those of a few rows for which everything holds but nearness and connections; both in ascending
    /// order.
    pub(super) fn rows_of(
        &self,
        kind: Kind,
        select: &Select,
        sets: Sets,
        ids: &[i64],
    ) -> Result<Vec<i64>, Fail> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut selection = Selection::default();
        let conditions = self.conditions(kind, select, sets)?;
        for class in self.classes(kind, select) {
            let constraints = select.constraints.as_ref();
            selection.push_unweighed(&class, constraints, conditions.clone());
        }
        selection.of(&self.store.conn, ids)
    }

    /// The classes that a Find looks into.
    fn classes(&self, kind: Kind, select: &Select) -> Vec<Arc<Class>> {
        let catalog = &self.store.catalog;
        let target = kind.target();
        match kind.traits().class.or(select.with_class.as_deref()) {
            Some(name) => catalog.class(target, name).into_iter().cloned().collect(),
            None => catalog.classes(target).cloned().collect(),
        }
    }

    /// What a Find asks for beside constraints, connections and nearness.
    fn conditions(&self, kind: Kind, select: &Select, sets: Sets) -> Result<Vec<Condition>, Fail> {
        let mut conditions = Vec::new();
        let text = |text: &str| Param::Value(text.to_owned().into());
        if let Some(name) = &select.with_name {
            conditions.push(Condition::new("name = ?", [text(name)]));
        }
        if let Some(label) = &select.with_label {
            conditions.push(Condition::new("label = ?", [text(label)]));
        }
        if let (Some(set), Sets::Named) = (&select.set, sets) {
            let set = self.set(set)?;
            conditions.push(Condition::is("set_id", set.id));
        }
        if let Some(reference) = select.within {
            let containers = self.refs.ends(reference)?;
            conditions.push(Condition::among("container", containers.objects.iter().map(|o| o.id)));
        }
        if let Some(rectangle) = &select.in_rectangle {
            let [x, y, width, height] = rectangle.extent();
            let bounds = [x, y, x + width, y + height].map(|n| Param::Value(n.into()));
            conditions.push(Condition::new(
                "(x >= ? AND y >= ? AND x + width <= ? AND y + height <= ?)",
                bounds,
            ));
        }
        if let Some(span) = &select.in_span {
            conditions.push(in_span(kind, span));
        }
        if let Some(url) = &select.with_url {
            conditions.push(Condition::new("url = ?", [text(url)]));
        }
        for (end, reference) in [("src", select.src), ("dst", select.dst)] {
            if let Some(reference) = reference {
                let ends = self.refs.ends(reference)?;
                conditions.push(Condition::among(end, ends.objects.iter().map(|o| o.id)));
            }
        }
        Ok(conditions)
    }

    /// What a search goes by: the set, the measure, and the command's blob.
    pub(super) fn near(&mut self, name: &str, nearest: &Nearest) -> Result<Near, Fail> {
        let set = self.set(name)?;
        let metric = metric(&set, name, nearest)?;
        let state = match set.state.get() {
            Some(state) => *state,
            None => {
                let state = SetState::read(&self.store.conn, set.id)?;
                *set.state.get_or_init(|| state)
            }
        };
        let engine = nearest.engine.as_ref().or(set.engines.first());
        let blob = self.blob()?;
        let queries = nearest.queries.unwrap_or(1);
        let query = check_vector(&blob, set.dimensions.saturating_mul(queries))?;
        Ok(Near {
            metric,
            k: usize::try_from(nearest.k).unwrap_or(usize::MAX),
            knn_first: nearest.knn_first,
            approximate: engine.is_some_and(|engine| is_approximate(engine)),
            query,
            state,
            set,
        })
    }

    /// The neighbours of each query, of all in the set or of those that the Find is about.
    fn neighbours(
        &self,
        find: &Find,
        near: &Near,
        reached: Option<&Reached>,
    ) -> Result<Vec<Neighbours>, Fail> {
        let unfiltered = find.select.wants_whole_set() && reached.is_none();
        let all = match near.knn_first || unfiltered {
            true => self.search(near, None)?,
            false => self.search(near, Some(&Passing::new(self, near.set.id, find, reached)?))?,
        };
        let settled = unfiltered || !near.knn_first;
        Ok(all.into_iter().map(|all| Neighbours { all, settled }).collect())
    }

    pub(super) fn search(
        &self,
        near: &Near,
        among: Option<&dyn Among>,
    ) -> Result<Vec<Vec<Neighbour>>, Fail> {
        let search = Search {
            set: near.set.id,
            state: near.state,
            dimensions: near.set.dimensions,
            queries: &near.query,
            metric: near.metric,
            k: near.k,
            approximate: near.approximate,
            among,
        };
        // A writer sees what it has not committed; a reader never does.
        let committed = self.sequence.is_none();
        self.vectors.search(&self.store.conn, &search, committed)
    }

    /// A descriptor set by name.
    pub(super) fn set(&self, name: &str) -> Result<Arc<DescriptorSet>, Fail> {
        if let Some(set) = self.store.memo.as_ref().and_then(|memo| memo.set(name)) {
            return Ok(set);
        }
        let found = self
            .store
            .conn
            .prepare_cached(&format!(
                "SELECT id, dimensions, metrics, engines FROM c{} WHERE name = ?",
                class_id::DESCRIPTOR_SET
            ))?
            .query_row([name], |row| {
                let names = |text: String| serde_json::from_str(&text).unwrap_or_default();
                let dimensions: i64 = row.get(1)?;
                Ok(DescriptorSet {
                    id: row.get(0)?,
                    dimensions: usize::try_from(dimensions).unwrap_or(0),
                    metrics: names(row.get(2)?),
                    engines: names(row.get(3)?),
                    state: OnceLock::new(),
                })
            })
            .optional()?;
        let Some(found) = found.map(Arc::new) else {
            let fault = Fault::new(format!("there is no descriptor set `{name}`"));
            return Err(fault.code("no_set").into());
        };
        if let Some(memo) = &self.store.memo {
            memo.keep_set(name, &found);
        }
        Ok(found)
    }

    pub(super) fn answer(
        &mut self,
        answer: &mut Map<String, Json>,
        find: &Find,
        matches: &Matches,
        reached: Option<&Reached>,
    ) -> Result<(), Fail> {
        let shape = &find.shape;
        let objects = &matches.objects;
        let first_blob = self.blobs_out.len();
        let has_blobs = shape.blobs && !objects.is_empty();
        if has_blobs {
            self.take_blobs(find.kind, objects, shape)?;
            answer.insert("blobs_start".to_owned(), json!(first_blob));
        }
        let lists = shape.lists();
        let returned = if lists || has_blobs { objects.len() } else { 0 };
        answer.insert("returned".to_owned(), json!(returned));
        if shape.count && shape.group.is_empty() {
            let count = matches.count.unwrap_or(objects.len());
            answer.insert("count".to_owned(), json!(count));
        }
        answer.extend(matches.figures.clone());
        if let Some(batch) = &matches.batch {
            answer.insert("batch".to_owned(), batch.clone());
        }
        let grouped = reached.filter(|_| shape.group_by_source);
        if grouped.is_some() {
            answer.insert("group_by_source".to_owned(), json!(true));
        }
        if !lists || objects.is_empty() {
            return Ok(());
        }
        let first_blob = has_blobs.then_some(BlobAt(first_blob));
        let listed = self.list(objects, shape, &matches.distances, first_blob)?;
        let listed = match grouped {
            Some(reached) => group(reached, objects, &listed),
            None => Json::Array(listed),
        };
        let key = if find.kind == Kind::Connection { "connections" } else { "entities" };
        answer.insert(key.to_owned(), listed);
        Ok(())
    }
}

/// The measure of a search, and a check that the set has it.
fn metric(set: &DescriptorSet, name: &str, nearest: &Nearest) -> Result<Metric, Fault> {
    if let Some(engine) = &nearest.engine
        && !set.engines.contains(engine)
    {
        return Err(Fault::new(format!(
            "the set `{name}` has no engine \"{engine}\"; it has {}",
            set.engines.join(", ")
        )));
    }
    let default = set.metrics.first().map_or(Ok(Metric::L2), |m| Metric::parse(m))?;
    let metric = nearest.metric.unwrap_or(default);
    if set.metrics.iter().any(|m| m == metric.name()) {
        return Ok(metric);
    }
    Err(Fault::new(format!(
        "the set `{name}` has no metric \"{}\"; it has {}",
        metric.name(),
        set.metrics.join(", ")
    )))
}

/// What a Find is about when all that it asks for holds of these.
fn settled(find: &Find, neighbours: &[Neighbour]) -> Result<Matches, Fail> {
    if find.select.unique && neighbours.len() > 1 {
        return Err(not_unique().into());
    }
    let (window, batch) = window(&find.shape, neighbours.len());
    let all = neighbours.iter().map(|n| Object { class: class_id::DESCRIPTOR, id: n.id });
    Ok(Matches {
        objects: if wants_objects(find) { window.of(all).collect() } else { Vec::new() },
        count: Some(neighbours.len()),
        distances: neighbours.iter().map(|n| (n.id, n.distance)).collect(),
        ranked: true,
        batch,
        figures: Map::new(),
    })
}

/// Whether it matters which objects are found, not just how many.
fn wants_objects(find: &Find) -> bool {
    let shape = &find.shape;
    (shape.lists() || shape.blobs || find.reference.is_some())
        && !matches!(shape.batch, Some(Batch::Totals))
}

impl Window {
    fn of<T>(&self, all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        let whole = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        all.skip(whole(self.offset)).take(self.limit.map_or(usize::MAX, whole))
    }
}

/// Which part of `count` matches a Find is about, and what the answer says of it.
fn window(shape: &Shape, count: usize) -> (Window, Option<Json>) {
    let Some(batch) = &shape.batch else {
        return (Window { offset: shape.offset, limit: shape.limit }, None);
    };
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    let total = count.saturating_sub(shape.offset).min(shape.limit.unwrap_or(u64::MAX));
    let (start, length, id) = match *batch {
        Batch::Totals => {
            return (Window { offset: 0, limit: Some(0) }, Some(json!({"total_elements": total})));
        }
        Batch::OfSize { size, id } => (id.saturating_mul(size), size, Some(id)),
        Batch::OfPieces { pieces, id } => {
            let size = total.div_ceil(pieces);
            (id.saturating_mul(size), size, Some(id))
        }
        Batch::Range(start, end) => (start, end.saturating_sub(start), None),
    };
    let start = start.min(total);
    let end = start.saturating_add(length).min(total);
    let mut shown = Map::new();
    shown.insert("total_elements".to_owned(), json!(total));
    if let Some(id) = id {
        shown.insert("batch_id".to_owned(), json!(id));
    }
    shown.insert("start".to_owned(), json!(start));
    shown.insert("end".to_owned(), json!(end));
    let offset = shape.offset.saturating_add(start);
    (Window { offset, limit: Some(end - start) }, Some(Json::Object(shown)))
}

/// Clips and frames that lie wholly in a stretch.
fn in_span(kind: Kind, span: &Span) -> Condition {
    let ends = [Param::Value(span.start.clone()), Param::Value(span.stop.clone())];
    if kind == Kind::Frame {
        let position = match span.unit {
            Unit::Frames => FRAME_NUMBER,
            Unit::Offset => FRAME_MICROS,
            Unit::Fraction => FRAME_FRACTION,
        };
        return Condition::new(format!("({position} BETWEEN ? AND ?)"), ends);
    }
    let unit = span.unit.number();
    Condition::new(format!("(range_type = {unit} AND range_start >= ? AND range_stop <= ?)"), ends)
}

/// The components of a vector of the right length, all of them finite.
pub(super) fn check_vector(bytes: &[u8], dimensions: usize) -> Result<Vec<f32>, Fault> {
    let expected = dimensions.saturating_mul(4);
    if bytes.len() != expected {
        return Err(Fault::new(format!(
            "the vector has {} bytes, its set takes {expected} ({dimensions} components of 4 bytes)",
            bytes.len(),
        ))
        .code("bad_vector"));
    }
    let vector: Vec<f32> = components(bytes).collect();
    match vector.iter().position(|x| !x.is_finite()) {
        None => Ok(vector),
        Some(i) => Err(Fault::new(format!("component {i} of the vector is not a finite number"))
            .code("bad_vector")),
    }
}

/// The listed objects under the unique ids of those that led to them.
fn group(reached: &Reached, objects: &[Object], listed: &[Json]) -> Json {
    let position: HashMap<i64, usize> =
        objects.iter().enumerate().map(|(i, o)| (o.id, i)).collect();
    let mut groups: Vec<(Object, Vec<usize>)> = Vec::new();
    // Under `any`, a source comes again with each step that leads on from it.
    let mut place: HashMap<Object, usize> = HashMap::new();
    for (source, target) in &reached.pairs {
        let Some(&i) = position.get(target) else { continue };
        let at = *place.entry(*source).or_insert(groups.len());
        match groups.get_mut(at) {
            Some((_, members)) => members.push(i),
            None => groups.push((*source, vec![i])),
        }
    }
    let groups = groups.into_iter().map(|(source, mut members)| {
        members.sort_unstable();
        let members = members.into_iter().map(|i| listed[i].clone()).collect();
        (unique_id(source.class, source.id), Json::Array(members))
    });
    Json::Object(groups.collect())
}
