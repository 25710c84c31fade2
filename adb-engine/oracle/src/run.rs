//! Commands, one after another.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use crate::{
    Wrong,
    command::{Add, Command, Connect, Guard, Other, Properties, Target, Update},
    state::{Item, Kind, Object, State, target},
};

pub(crate) type Answer = Map<String, Json>;

/// What a reference names.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    /// `entity` or `connection`.
    pub(crate) target: &'static str,
    pub(crate) items: Vec<Item>,
    /// Whether their order says something.
    pub(crate) ranked: bool,
}

/// A request under way.
pub(crate) struct Run<'a> {
    pub(crate) state: &'a mut State,
    /// Nothing where a Delete took the objects.
    references: HashMap<u64, Option<Named>>,
    blobs_in: std::vec::IntoIter<Bytes>,
    pub(crate) blobs_out: Vec<Bytes>,
}

/// Status 0 and these.
pub(crate) fn done(fields: Json) -> Answer {
    let mut answer = Answer::new();
    answer.insert("status".to_owned(), json!(0));
    if let Json::Object(fields) = fields {
        answer.extend(fields);
    }
    answer
}

impl<'a> Run<'a> {
    pub(crate) fn new(state: &'a mut State, blobs: Vec<Bytes>) -> Self {
        Self {
            state,
            references: HashMap::new(),
            blobs_in: blobs.into_iter(),
            blobs_out: Vec::new(),
        }
    }

    pub(crate) fn into_blobs(self) -> Vec<Bytes> {
        self.blobs_out
    }

    pub(crate) fn command(&mut self, command: &Command) -> Result<Answer, Wrong> {
        match command {
            Command::Add(add) if add.kind == Kind::Connection => self.add_connection(add),
            Command::Add(add) => self.add(add),
            Command::Find(find) => self.find(find),
            Command::Update(update) => self.update(update),
            Command::Delete(kind, target) => self.delete(*kind, target),
            Command::Classify(set, near) => self.classify(set, near),
            Command::Overlap(first, other) => self.overlap(*first, other),
            Command::CreateIndex { index, newer } => self.create_index(index, *newer),
            Command::RemoveIndex(index) => self.remove_index(index),
            Command::GetIndexes { target, class, property, kind } => {
                Ok(self.indexes([target, class, property, kind]))
            }
            Command::GetSchema { entities, connections } => {
                Ok(self.schema(*entities, *connections))
            }
            Command::GetStatus => Ok(done(json!({"info": "OK"}))),
        }
    }

    pub(crate) fn blob(&mut self) -> Result<Bytes, Wrong> {
        self.blobs_in.next().ok_or_else(|| Wrong::new("no blob is left"))
    }

    pub(crate) fn named(&self, reference: u64) -> Result<&Named, Wrong> {
        match self.references.get(&reference) {
            Some(Some(named)) => Ok(named),
            _ => Err(Wrong::new(format!("the reference {reference} names nothing"))),
        }
    }

    /// What can be connected to something.
    pub(crate) fn ends(&self, reference: u64) -> Result<&Named, Wrong> {
        let named = self.named(reference)?;
        if named.target != "entity" {
            return Err(Wrong::new("connections can't be connected"));
        }
        Ok(named)
    }

    fn some_ends(&self, reference: u64) -> Result<Vec<Item>, Wrong> {
        let items = self.ends(reference)?.items.clone();
        if items.is_empty() {
            return Err(Wrong::new("nothing to connect"));
        }
        Ok(items)
    }

    pub(crate) fn define(&mut self, reference: Option<u64>, named: Named) -> Result<(), Wrong> {
        let Some(reference) = reference else { return Ok(()) };
        match self.references.insert(reference, Some(named)) {
            None => Ok(()),
            Some(_) => Err(Wrong::new(format!("the reference {reference} is defined twice"))),
        }
    }

    fn define_all(
        &mut self,
        reference: Option<u64>,
        kind: Kind,
        items: Vec<Item>,
    ) -> Result<(), Wrong> {
        self.define(reference, Named { target: target(kind), items, ranked: false })
    }

    fn add(&mut self, add: &Add) -> Result<Answer, Wrong> {
        let blob = if add.kind.has_bytes() { Some(self.blob()?) } else { None };
        let set = match &add.into_set {
            Some(name) => {
                let (number, set) = self.state.set(name).ok_or_else(|| no_set(name))?;
                Some((number, set.dimensions))
            }
            None => None,
        };
        let container = match add.container {
            Some(reference) => Some(self.container(add.kind, reference)?),
            None => None,
        };
        if let Some(connect) = &add.connect {
            self.ends(connect.reference)?;
        }
        let mut existing = match &add.guard {
            Some(guard) => self.existing(add, guard, |object| {
                set.is_none_or(|(number, _)| object.container == Some(number))
            })?,
            None => None,
        };
        if let Some(new) = &add.set {
            existing = existing.or(self.state.set(&new.name).map(|(number, _)| Item::of(number)));
        }
        if let Some(existing) = existing {
            self.define_all(add.reference, add.kind, vec![existing])?;
            let info = if add.kind == Kind::Image { "Image exists!" } else { "Object Exists!" };
            return Ok(done(json!({"status": 2, "info": info})));
        }
        if let (Some((_, dimensions)), Some(blob)) = (set, &blob) {
            components(blob, dimensions)?;
        }
        if let (Kind::Image, Some(blob)) = (add.kind, &blob)
            && !is_image(blob)
        {
            return Err(Wrong::new("the blob is no image"));
        }
        let mut object = Object::new(add.kind, add.class.clone());
        object.properties = self.typed(add.kind, &add.class, &add.properties)?;
        object.label.clone_from(&add.label);
        object.place.clone_from(&add.place);
        object.bytes = blob;
        object.container = container.or(set.map(|(number, _)| number));
        object.set.clone_from(&add.set);
        let number = self.state.add(object);
        if let Some(connect) = &add.connect {
            self.connect(number, connect)?;
        }
        self.define_all(add.reference, add.kind, vec![Item::of(number)])?;
        Ok(done(json!({})))
    }

    fn connect(&mut self, number: u64, connect: &Connect) -> Result<(), Wrong> {
        for other in self.some_ends(connect.reference)? {
            let ends = match connect.outward {
                true => (number, other.object),
                false => (other.object, number),
            };
            self.join(&connect.class, ends, &connect.properties)?;
        }
        Ok(())
    }

    fn join(
        &mut self,
        class: &str,
        ends: (u64, u64),
        properties: &Properties,
    ) -> Result<Item, Wrong> {
        let mut edge = Object::new(Kind::Connection, class.to_owned());
        edge.properties = self.typed(Kind::Connection, class, properties)?;
        edge.ends = Some(ends);
        Ok(Item::of(self.state.add(edge)))
    }

    fn add_connection(&mut self, add: &Add) -> Result<Answer, Wrong> {
        let (src, dst) = add.ends.unwrap_or_default();
        let (sources, targets) = (self.some_ends(src)?, self.some_ends(dst)?);
        let (mut edges, mut made) = (Vec::new(), false);
        for source in &sources {
            for target in &targets {
                let ends = (source.object, target.object);
                let existing = match &add.guard {
                    Some(guard) => self.existing(add, guard, |edge| edge.ends == Some(ends))?,
                    None => None,
                };
                edges.push(match existing {
                    Some(edge) => edge,
                    None => {
                        made = true;
                        self.join(&add.class, ends, &add.properties)?
                    }
                });
            }
        }
        self.define_all(add.reference, Kind::Connection, edges)?;
        Ok(match made {
            true => done(json!({})),
            false => done(json!({"status": 2, "info": "Object Exists!"})),
        })
    }

    /// The first that a guard finds, among objects of the class that are `near`.
    fn existing(
        &self,
        add: &Add,
        guard: &Guard,
        near: impl Fn(&Object) -> bool,
    ) -> Result<Option<Item>, Wrong> {
        match guard {
            Guard::Reference(reference) => {
                let named = self.named(*reference)?;
                if named.target != target(add.kind) {
                    return Err(Wrong::new("the reference names other things"));
                }
                Ok(named.items.first().copied())
            }
            Guard::Like(expr) => {
                let mut all = self.state.objects.iter();
                let found = all.find(|(number, object)| {
                    let item = Item::of(**number);
                    object.kind == add.kind
                        && object.class == add.class
                        && near(object)
                        && expr.holds(&|name| self.state.property(item, name))
                });
                Ok(found.map(|(number, _)| Item::of(*number)))
            }
        }
    }

    /// The one image or video that a part is to be in.
    fn container(&self, kind: Kind, reference: u64) -> Result<u64, Wrong> {
        let named = self.named(reference)?;
        let [item] = named.items[..] else { return Err(Wrong::new("not exactly one")) };
        let fits = match self.state.kind(item) {
            Kind::Image | Kind::Frame => kind.container() == Some("image_ref"),
            Kind::Video => kind.container() == Some("video_ref"),
            _ => false,
        };
        if fits { Ok(item.object) } else { Err(Wrong::new("it can't contain that")) }
    }

    /// Properties, if their types are those that the class has. New ones get their type, and so do
    /// those that no object has any more.
    fn typed(
        &mut self,
        kind: Kind,
        class: &str,
        properties: &Properties,
    ) -> Result<Properties, Wrong> {
        for (key, value) in properties {
            let column = (target(kind), class.to_owned(), key.clone());
            let used = self.state.objects.values().any(|object| {
                target(object.kind) == target(kind)
                    && object.class == class
                    && object.properties.contains_key(key)
            });
            if !used {
                self.state.types.insert(column.clone(), value.kind());
            }
            let found = self.state.types[&column];
            if found != value.kind() {
                return Err(Wrong::new(format!("`{class}.{key}` is a {}", found.name())));
            }
        }
        Ok(properties.clone())
    }

    fn update(&mut self, update: &Update) -> Result<Answer, Wrong> {
        let items = self.targets(update.kind, &update.target)?;
        for item in &items {
            if item.own_connection {
                return Err(Wrong::new("an object's own connection stays as it is"));
            }
            let Some(object) = self.state.objects.get(&item.object) else { continue };
            let (kind, class) = (object.kind, object.class.clone());
            let properties = self.typed(kind, &class, &update.properties)?;
            let Some(object) = self.state.objects.get_mut(&item.object) else { continue };
            object.properties.extend(properties);
            object.properties.retain(|key, _| !update.remove.contains(key));
            if update.label.is_some() {
                object.label.clone_from(&update.label);
            }
            if update.place.is_some() {
                object.place.clone_from(&update.place);
            }
        }
        Ok(done(json!({"count": items.len()})))
    }

    fn targets(&self, kind: Kind, target: &Target) -> Result<Vec<Item>, Wrong> {
        match target {
            Target::Reference(reference) => {
                let named = self.named(*reference)?;
                let fits = |item: &Item| match kind {
                    Kind::Entity => self.state.kind(*item) != Kind::Connection,
                    kind => self.state.kind(*item) == kind,
                };
                let right = named.target == crate::state::target(kind);
                if !right || !named.items.iter().all(fits) {
                    return Err(Wrong::new("the reference names objects of another kind"));
                }
                Ok(named.items.clone())
            }
            Target::Like(select) => {
                let reached = self.reached(select)?;
                let items = self.selected(kind, select, reached.as_ref(), None)?;
                if select.unique && items.len() > 1 {
                    return Err(Wrong::not_unique());
                }
                Ok(items)
            }
        }
    }

    fn delete(&mut self, kind: Kind, target: &Target) -> Result<Answer, Wrong> {
        let mut items = self.targets(kind, target)?;
        items.retain(|item| !item.own_connection);
        if let Target::Reference(reference) = target {
            self.references.insert(*reference, None);
        }
        let mut gone: BTreeSet<u64> = items.iter().map(|item| item.object).collect();
        // Parts go with what contains them, and their parts with them; then the connections.
        loop {
            let more = self.state.objects.iter().filter(|(number, object)| {
                let ends = object.ends.iter().flat_map(|(src, dst)| [src, dst]);
                let mut leans_on = object.container.iter().chain(ends);
                !gone.contains(number) && leans_on.any(|number| gone.contains(number))
            });
            let more: Vec<u64> = more.map(|(number, _)| *number).collect();
            if more.is_empty() {
                break;
            }
            gone.extend(more);
        }
        self.state.objects.retain(|number, _| !gone.contains(number));
        for named in self.references.values_mut().flatten() {
            named.items.retain(|item| !gone.contains(&item.object));
        }
        Ok(done(json!({"count": items.len()})))
    }

    fn overlap(&self, first: u64, other: &Other) -> Result<Answer, Wrong> {
        let boxes = |reference: u64| -> Result<Vec<[f64; 4]>, Wrong> {
            let extent = |item: &Item| match self.state.kind(*item) {
                Kind::BoundingBox => self.state.objects[&item.object].place.as_ref()?.extent(),
                _ => None,
            };
            let all: Option<Vec<_>> = self.named(reference)?.items.iter().map(extent).collect();
            all.ok_or_else(|| Wrong::new("not only boxes"))
        };
        let first = boxes(first)?;
        let second = match other {
            Other::Reference(reference) => boxes(*reference)?,
            Other::Rectangle(sides) => vec![*sides],
        };
        let overlap = |a: &[f64; 4], b: &[f64; 4]| {
            let common = |i: usize| (a[i] + a[i + 2]).min(b[i] + b[i + 2]) - a[i].max(b[i]);
            let both = common(0).max(0.0) * common(1).max(0.0);
            both / (a[2] * a[3] + b[2] * b[3] - both)
        };
        let rows: Vec<Vec<f64>> =
            first.iter().map(|a| second.iter().map(|b| overlap(a, b)).collect()).collect();
        Ok(done(json!({"IoU": rows})))
    }
}

pub(crate) fn no_set(name: &str) -> Wrong {
    Wrong::new(format!("there is no descriptor set `{name}`"))
}

/// A vector's components: little-endian binary32, all finite.
pub(crate) fn components(blob: &[u8], dimensions: usize) -> Result<Vec<f32>, Wrong> {
    let (all, rest) = blob.as_chunks::<4>();
    let all: Vec<f32> = all.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    if all.len() != dimensions || !rest.is_empty() || all.iter().any(|x| !x.is_finite()) {
        return Err(Wrong::new(format!("a vector of {dimensions} finite components is wanted")));
    }
    Ok(all)
}

/// Images begin so; this does not look further.
fn is_image(blob: &[u8]) -> bool {
    let starts: [&[u8]; 6] =
        [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*", b"BM"];
    starts.iter().any(|start| blob.starts_with(start))
        || (blob.starts_with(b"RIFF") && blob.get(8..12) == Some(b"WEBP"))
}
