//! The Add commands.

use std::{rc::Rc, sync::Arc};

use bytes::Bytes as Blob;
use rusqlite::{OptionalExtension as _, ToSql, params_from_iter, types::Value as Sql};
use serde_json::{Map, Value as Json, json};

use crate::{
    error::ErrorKind,
    media::picture::is_image,
    request::{
        add::{Add, AddConnection, Connect, Detail, Direction, Guard, NewMedia, NewSet, Ready},
        fault::{Fail, Fault},
        kind::{Bytes, Kind, Within},
    },
    store::{
        catalog::{Class, MAX_PROPERTIES, Target, Unfit},
        format::class_id,
        insert::InsertPlan,
        memo::DescriptorSet,
        value::Typed,
    },
};

use super::{
    AddedTo, Run, Sequence, body,
    filter::Condition,
    near::check_vector,
    refs::{Found, Object},
    select::Selection,
};

/// Connections that one command may make: two large sets would fill any disk.
const MAX_EDGES: usize = 1_000_000;

impl Run<'_> {
    pub(super) fn add(&mut self, add: &Add) -> Result<Map<String, Json>, Fail> {
        // A blob belongs to its command whether it is stored or not.
        let blob = if add.takes_blob() { Some(self.blob()?) } else { None };
        let name = match &add.detail {
            Detail::Entity { class } => class.as_str(),
            _ => add.kind.traits().class.unwrap_or_default(),
        };
        let set = match &add.detail {
            Detail::Descriptor { set, .. } => Some(self.set_to_add_to(set)?),
            _ => None,
        };
        let container = match &add.detail {
            Detail::Part { container, .. } => Some(self.container(add.kind, *container)?),
            _ => None,
        };
        if let Some(connect) = &add.connect {
            // What it names must make sense even where a guard leaves it unused.
            self.refs.ends(connect.reference)?;
        }
        let within: Vec<Condition> =
            set.iter().map(|(id, _)| Condition::is("set_id", *id)).collect();
        let mut existing = match &add.guard {
            Some(guard) => self.existing(Target::Entity, name, guard, within)?,
            None => None,
        };
        if let (None, Detail::DescriptorSet(new)) = (existing, &add.detail) {
            // A name is a guard in itself.
            existing = self.set_object(&new.name)?;
        }
        if let Some(object) = existing {
            self.define(add.reference, Target::Entity, vec![object])?;
            return Ok(exists(add.kind));
        }
        let mut system: Vec<(&str, Sql)> = Vec::new();
        let mut bytes = blob;
        match &add.detail {
            Detail::Entity { .. } => {}
            Detail::Media(media) => {
                let (made, columns) = media_columns(add.kind, bytes, media)?;
                bytes = Some(made);
                system = columns;
            }
            Detail::Descriptor { label, .. } => {
                let (set, dimensions) = set.unwrap_or_default();
                if let Some(blob) = &bytes {
                    check_vector(blob, dimensions)?;
                }
                system = vec![("set_id", set.into()), ("label", label.clone().into())];
            }
            Detail::DescriptorSet(new) => system = set_columns(new),
            Detail::Part { label, placement, .. } => {
                system = placement.columns();
                system.push(("label", label.clone().into()));
            }
        }
        if let Some(container) = container {
            system.push(("container", container.id.into()));
            system.push(("container_class", container.class.into()));
        }
        let object = self.insert(Target::Entity, name, &system, &add.properties)?;
        if let (Bytes::Stored(what), Some(bytes)) = (add.kind.traits().bytes, bytes) {
            self.store.insert_bytes(what, object.id, &bytes)?;
        }
        if let Some(connect) = &add.connect {
            self.connect(object, connect)?;
        }
        self.define(add.reference, Target::Entity, vec![object])?;
        Ok(body(&[]))
    }

    /// Id and dimensions of a set.
    fn set_to_add_to(&mut self, name: &str) -> Result<(i64, usize), Fail> {
        if let Some(AddedTo { name: last, id, dimensions }) = &self.added_to
            && last == name
        {
            return Ok((*id, *dimensions));
        }
        let DescriptorSet { id, dimensions, .. } = *self.set(name)?;
        self.added_to = Some(AddedTo { name: name.to_owned(), id, dimensions });
        Ok((id, dimensions))
    }

    pub(super) fn add_connection(
        &mut self,
        add: &AddConnection,
    ) -> Result<Map<String, Json>, Fail> {
        let (sources, targets) = (self.refs.some_ends(add.src)?, self.refs.some_ends(add.dst)?);
        check_edges(sources.objects.len(), targets.objects.len())?;
        let (mut edges, mut made) = (Vec::new(), false);
        for source in &sources.objects {
            for target in &targets.objects {
                let between =
                    vec![Condition::is("src", source.id), Condition::is("dst", target.id)];
                let existing = match &add.guard {
                    Some(guard) => self.existing(Target::Connection, &add.class, guard, between)?,
                    None => None,
                };
                edges.push(match existing {
                    Some(edge) => edge,
                    None => {
                        made = true;
                        self.insert_edge(&add.class, *source, *target, &add.properties)?
                    }
                });
            }
        }
        self.define(add.reference, Target::Connection, edges)?;
        Ok(if made { body(&[]) } else { exists(Kind::Connection) })
    }

    /// Whether an Add would find its object there, as far as that can be told before the request's
    /// earlier commands have run.
    pub(crate) fn has(&self, add: &Add) -> Result<bool, Fail> {
        let Some(guard @ Guard::Like(_)) = &add.guard else { return Ok(false) };
        let class = add.kind.traits().class.unwrap_or_default();
        Ok(self.existing(Target::Entity, class, guard, Vec::new())?.is_some())
    }

    /// What a part of this kind is to be a part of.
    fn container(&self, kind: Kind, reference: u32) -> Result<Object, Fail> {
        let found = self.refs.get(reference)?;
        let Some(within) = &kind.traits().within else {
            return Err(Fault::new("it is not part of anything").into());
        };
        let wrong = |what: String| {
            let Within { parameter, what: wanted, .. } = within;
            Fault::new(format!(
                "`{parameter}` must name exactly one {wanted}, and {reference} names {what}"
            ))
        };
        let [object] = found.objects.as_slice() else {
            return Err(wrong(format!("{} objects", found.objects.len())).into());
        };
        if found.target != Target::Entity || !within.classes.contains(&object.class) {
            return Err(wrong("something else".to_owned()).into());
        }
        Ok(*object)
    }

    fn define(
        &mut self,
        reference: Option<u32>,
        target: Target,
        objects: Vec<Object>,
    ) -> Result<(), Fault> {
        self.refs.define(reference, Found { target, objects, ranked: false })
    }

    /// The first object that a guard finds.
    fn existing(
        &self,
        target: Target,
        class: &str,
        guard: &Guard,
        within: Vec<Condition>,
    ) -> Result<Option<Object>, Fail> {
        let expr = match guard {
            Guard::Reference(reference) => {
                let found: Rc<Found> = self.refs.get(*reference)?;
                if found.target != target {
                    return Err(Fault::new(format!(
                        "the reference {reference} of `if_not_found` names no {}",
                        match target {
                            Target::Entity => "objects but connections",
                            Target::Connection => "connections",
                        }
                    ))
                    .into());
                }
                return Ok(found.objects.first().copied());
            }
            Guard::Like(expr) => expr,
        };
        let Some(class) = self.store.catalog.class(target, class) else { return Ok(None) };
        let mut selection = Selection::default();
        selection.push(&self.store.conn, class, Some(expr), within)?;
        Ok(selection.objects(&self.store.conn, &[], Some(1), 0)?.first().copied())
    }

    fn set_object(&self, name: &str) -> Result<Option<Object>, Fail> {
        let class = class_id::DESCRIPTOR_SET;
        let id = self
            .store
            .conn
            .prepare_cached(&format!("SELECT id FROM c{class} WHERE name = ?"))?
            .query_row([name], |row| row.get(0))
            .optional()?;
        Ok(id.map(|id| Object { class, id }))
    }

    /// The class with a column for each of these properties.
    pub(super) fn ready_class(
        &mut self,
        target: Target,
        name: &str,
        properties: &[(String, Typed)],
    ) -> Result<Arc<Class>, Fail> {
        let store = &mut *self.store;
        let mut class = match store.catalog.class(target, name) {
            Some(class) => class.clone(),
            None => Arc::make_mut(&mut store.catalog).ensure_class(&store.conn, target, name)?,
        };
        for (key, value) in properties {
            if class.property(key).is_some_and(|p| p.kind == value.kind) {
                continue;
            }
            let catalog = Arc::make_mut(&mut store.catalog);
            class = match catalog.ensure_property(&store.conn, &class, key, value.kind) {
                Ok(class) => class,
                Err(Unfit::Store(e)) => return Err(e.into()),
                Err(Unfit::Type(there)) => {
                    return Err(Fault::new(format!(
                        "the property `{key}` of `{name}` is a {there}, not a {}; store it under another name, or as a {there}",
                        value.kind
                    ))
                    .code("type_mismatch")
                    .into());
                }
                Err(Unfit::TooMany) => {
                    return Err(Fault::new(format!(
                        "`{name}` has {MAX_PROPERTIES} properties, and there is no room for `{key}`; put some of them into one JSON property"
                    ))
                    .code("too_many_properties")
                    .into());
                }
            };
        }
        Ok(class)
    }

    /// Adds a row, and what its class lacks for it.
    fn insert(
        &mut self,
        target: Target,
        name: &str,
        system: &[(&str, Sql)],
        properties: &[(String, Typed)],
    ) -> Result<Object, Fail> {
        let planned = self.store.catalog.class(target, name).and_then(|class| {
            let plan = self.store.inserts.get(&class.id)?;
            plan.fits(class, system, properties).then(|| (class.id, plan.sql.clone()))
        });
        let (class, sql) = match planned {
            Some(planned) => planned,
            None => {
                let class = self.ready_class(target, name, properties)?;
                let plan = InsertPlan::new(&class, system, properties)?;
                let sql = plan.sql.clone();
                self.store.inserts.insert(class.id, plan);
                (class.id, sql)
            }
        };
        let Sequence { object: id, transaction } = self.next()?;
        let mut values: Vec<&dyn ToSql> = Vec::with_capacity(2 + system.len() + properties.len());
        values.extend([&id as &dyn ToSql, &transaction]);
        values.extend(system.iter().map(|(_, value)| value as &dyn ToSql));
        values.extend(properties.iter().map(|(_, value)| &value.value as &dyn ToSql));
        self.store.conn.prepare_cached(&sql)?.execute(params_from_iter(values))?;
        Ok(Object { class, id })
    }

    /// The next object's id, and this transaction's number.
    fn next(&mut self) -> Result<Sequence, ErrorKind> {
        let sequence = self.sequence.as_deref_mut().ok_or(ErrorKind::ReadOnly)?;
        sequence.object += 1;
        Ok(*sequence)
    }

    fn connect(&mut self, object: Object, connect: &Connect) -> Result<(), Fail> {
        let others = self.refs.some_ends(connect.reference)?;
        for other in &others.objects {
            let (src, dst) = match connect.direction {
                Direction::Out => (object, *other),
                Direction::In => (*other, object),
            };
            self.insert_edge(&connect.class, src, dst, &connect.properties)?;
        }
        Ok(())
    }

    fn insert_edge(
        &mut self,
        class: &str,
        src: Object,
        dst: Object,
        properties: &[(String, Typed)],
    ) -> Result<Object, Fail> {
        let system: [(&str, Sql); 4] = [
            ("src", src.id.into()),
            ("src_class", src.class.into()),
            ("dst", dst.id.into()),
            ("dst_class", dst.class.into()),
        ];
        self.insert(Target::Connection, class, &system, properties)
    }
}

fn check_edges(sources: usize, targets: usize) -> Result<(), Fault> {
    match sources.checked_mul(targets) {
        Some(n) if n <= MAX_EDGES => Ok(()),
        _ => Err(Fault::new(format!(
            "{sources} × {targets} connections are more than the {MAX_EDGES} that one command may make"
        ))),
    }
}

fn exists(kind: Kind) -> Map<String, Json> {
    let mut answer = body(&[("info", json!(kind.exists_info()))]);
    answer.insert("status".to_owned(), json!(2));
    answer
}

/// A set's own columns.
fn set_columns(new: &NewSet) -> Vec<(&'static str, Sql)> {
    let metrics: Vec<&str> = new.metrics.iter().map(|m| m.name()).collect();
    let dimensions = i64::try_from(new.dimensions).unwrap_or(i64::MAX);
    vec![
        ("name", new.name.clone().into()),
        ("dimensions", dimensions.into()),
        ("engines", json!(new.engines).to_string().into()),
        ("metrics", json!(metrics).to_string().into()),
    ]
}

/// Columns beside those of users' properties, and what is to be in them.
type Columns = Vec<(&'static str, Sql)>;

/// The bytes to be stored of an image, a blob or a video, and what is stored beside them.
fn media_columns(
    kind: Kind,
    blob: Option<Blob>,
    media: &NewMedia,
) -> Result<(Blob, Columns), Fail> {
    let mut columns = Columns::new();
    let bytes = match &media.ready {
        Ready::AsTheyCame => blob.ok_or_else(|| Fault::new("it has no blob"))?,
        Ready::Made(bytes, facts) => {
            if let Some(facts) = facts {
                columns = vec![
                    ("fps", facts.fps.into()),
                    ("frame_count", i64::try_from(facts.frames).unwrap_or(i64::MAX).into()),
                    ("frame_width", facts.width.into()),
                    ("frame_height", facts.height.into()),
                    ("duration_us", facts.duration_us.into()),
                ];
            }
            bytes.clone()
        }
        Ready::Failed(fault) => return Err(fault.clone().into()),
        Ready::NotNeeded => return Err(ErrorKind::Overtaken.into()),
    };
    if kind == Kind::Image && !is_image(&bytes) {
        let what = match &media.url {
            Some(url) => format!("what `{url}` gives"),
            None => "the blob".to_owned(),
        };
        return Err(Fault::new(format!(
            "{what} is not an image: it begins like none of JPEG, PNG, GIF, WebP, TIFF, BMP"
        ))
        .code("bad_image")
        .into());
    }
    if let Some(url) = &media.url {
        columns.push(("url", url.clone().into()));
    }
    Ok((bytes, columns))
}
