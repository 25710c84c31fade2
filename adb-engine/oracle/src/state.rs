//! What the database holds.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::{Value as Json, json};

use crate::{
    place::{Place, Unit},
    value::{Type, Value},
};

/// What an object is; the second half of a command's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Entity,
    Connection,
    Image,
    Blob,
    Video,
    Clip,
    Frame,
    BoundingBox,
    Polygon,
    DescriptorSet,
    Descriptor,
}

const KINDS: [(Kind, &str); 11] = [
    (Kind::Entity, "Entity"),
    (Kind::Connection, "Connection"),
    (Kind::Image, "Image"),
    (Kind::Blob, "Blob"),
    (Kind::Video, "Video"),
    (Kind::Clip, "Clip"),
    (Kind::Frame, "Frame"),
    (Kind::BoundingBox, "BoundingBox"),
    (Kind::Polygon, "Polygon"),
    (Kind::DescriptorSet, "DescriptorSet"),
    (Kind::Descriptor, "Descriptor"),
];

impl Kind {
    pub(crate) fn named(name: &str) -> Option<Self> {
        KINDS.into_iter().find(|(_, of)| *of == name).map(|(kind, _)| kind)
    }

    /// The class of all its objects, unless users name those.
    pub(crate) fn class(self) -> Option<String> {
        match self {
            Kind::Entity | Kind::Connection => None,
            _ => KINDS.into_iter().find(|(kind, _)| *kind == self).map(|(_, n)| format!("_{n}")),
        }
    }

    pub(crate) fn has_label(self) -> bool {
        matches!(
            self,
            Kind::Clip | Kind::Frame | Kind::BoundingBox | Kind::Polygon | Kind::Descriptor
        )
    }

    pub(crate) fn has_bytes(self) -> bool {
        matches!(self, Kind::Image | Kind::Blob | Kind::Video | Kind::Descriptor)
    }

    /// The parameter that names what it is a part of.
    pub(crate) fn container(self) -> Option<&'static str> {
        match self {
            Kind::BoundingBox | Kind::Polygon => Some("image_ref"),
            Kind::Clip | Kind::Frame => Some("video_ref"),
            _ => None,
        }
    }

    /// The class of the connection to its container or from its set, and that connection's place
    /// among the classes.
    fn own_connection(self) -> Option<(&'static str, u64)> {
        match self {
            Kind::Descriptor => Some(("_DescriptorSetToDescriptor", 1)),
            Kind::BoundingBox => Some(("_BoundingBoxToImage", 2)),
            Kind::Polygon => Some(("_PolygonToImage", 3)),
            Kind::Clip => Some(("_ClipToVideo", 4)),
            Kind::Frame => Some(("_FrameToVideo", 5)),
            _ => None,
        }
    }
}

/// What classes, properties and indexes are of: connections, or all else.
pub(crate) fn target(kind: Kind) -> &'static str {
    if kind == Kind::Connection { "connection" } else { "entity" }
}

/// An object, or a connection.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) kind: Kind,
    pub(crate) class: String,
    pub(crate) transaction: i64,
    pub(crate) properties: BTreeMap<String, Value>,
    pub(crate) label: Option<String>,
    pub(crate) bytes: Option<Bytes>,
    pub(crate) place: Option<Place>,
    /// What it is a part of; a descriptor's set.
    pub(crate) container: Option<u64>,
    pub(crate) set: Option<Set>,
    /// Of a connection.
    pub(crate) ends: Option<(u64, u64)>,
}

impl Object {
    pub(crate) fn new(kind: Kind, class: String) -> Self {
        Self {
            kind,
            class,
            transaction: 0,
            properties: BTreeMap::new(),
            label: None,
            bytes: None,
            place: None,
            container: None,
            set: None,
            ends: None,
        }
    }
}

/// What a descriptor set is beside its properties.
#[derive(Debug, Clone)]
pub(crate) struct Set {
    pub(crate) name: String,
    pub(crate) dimensions: usize,
    pub(crate) engines: Vec<String>,
    pub(crate) metrics: Vec<String>,
}

/// Something that can be found: an object, or the connection that it has to its container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item {
    /// Objects are numbered in the order of their making.
    pub(crate) object: u64,
    pub(crate) own_connection: bool,
}

impl Item {
    pub(crate) fn of(object: u64) -> Self {
        Self { object, own_connection: false }
    }
}

/// A connection, whether users made it or it is its object's own.
#[derive(Debug, Clone)]
pub(crate) struct Edge {
    pub(crate) item: Item,
    pub(crate) class: String,
    pub(crate) src: u64,
    pub(crate) dst: u64,
}

/// (target, class, property)
pub(crate) type Column = (&'static str, String, String);

/// All that a database holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) objects: BTreeMap<u64, Object>,
    last: u64,
    transaction: i64,
    pub(crate) types: BTreeMap<Column, Type>,
    /// Users' classes, in the order in which they were first seen.
    classes: Vec<(&'static str, String)>,
    pub(crate) indexes: BTreeSet<Column>,
}

impl State {
    pub(crate) fn begin(&mut self) {
        self.transaction += 1;
    }

    pub(crate) fn add(&mut self, mut object: Object) -> u64 {
        self.last += 1;
        object.transaction = self.transaction;
        let class = (target(object.kind), object.class.clone());
        if !self.classes.contains(&class) {
            self.classes.push(class);
        }
        self.objects.insert(self.last, object);
        self.last
    }

    /// How old a class is: the system's first.
    pub(crate) fn age(&self, target: &str, class: &str) -> usize {
        const SYSTEM: [&str; 9] = [
            "_Image",
            "_Blob",
            "_DescriptorSet",
            "_Descriptor",
            "_Video",
            "_Clip",
            "_Frame",
            "_BoundingBox",
            "_Polygon",
        ];
        let system = SYSTEM.iter().position(|name| *name == class);
        system.unwrap_or_else(|| {
            let own = self.classes.iter().position(|(t, name)| *t == target && name == class);
            SYSTEM.len() + own.unwrap_or(usize::MAX / 2)
        })
    }

    pub(crate) fn kind(&self, item: Item) -> Kind {
        match self.objects.get(&item.object) {
            Some(object) if !item.own_connection => object.kind,
            _ => Kind::Connection,
        }
    }

    pub(crate) fn class(&self, item: Item) -> String {
        match self.objects.get(&item.object) {
            Some(object) if item.own_connection => {
                object.kind.own_connection().map_or_else(String::new, |(name, _)| name.to_owned())
            }
            Some(object) => object.class.clone(),
            None => String::new(),
        }
    }

    /// Three numbers with dots between; what they are is nobody's business.
    pub(crate) fn unique_id(&self, item: Item) -> String {
        let place = match self.objects.get(&item.object) {
            Some(object) if item.own_connection => {
                object.kind.own_connection().map_or(0, |(_, place)| place)
            }
            _ => 0,
        };
        format!("{}.{place}.9", item.object)
    }

    /// Every connection, in the order of making.
    pub(crate) fn edges(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        for (&number, object) in &self.objects {
            if let Some((src, dst)) = object.ends {
                let class = object.class.clone();
                edges.push(Edge { item: Item::of(number), class, src, dst });
            }
            let item = Item { object: number, own_connection: true };
            if let Some((src, dst)) = self.ends(item) {
                edges.push(Edge { item, class: self.class(item), src, dst });
            }
        }
        edges
    }

    /// What a connection joins.
    fn ends(&self, item: Item) -> Option<(u64, u64)> {
        let object = self.objects.get(&item.object)?;
        match (item.own_connection, object.kind) {
            (false, _) => object.ends,
            (true, Kind::Descriptor) => Some((object.container?, item.object)),
            (true, _) => Some((item.object, object.container?)),
        }
    }

    /// The descriptor set of a name.
    pub(crate) fn set(&self, name: &str) -> Option<(u64, &Set)> {
        self.objects
            .iter()
            .filter_map(|(number, object)| Some((*number, object.set.as_ref()?)))
            .find(|(_, set)| set.name == name)
    }

    /// What an object has under a name, the system's or the user's.
    pub(crate) fn property(&self, item: Item, name: &str) -> Option<Value> {
        let object = self.objects.get(&item.object)?;
        if name == "_uniqueid" {
            return Some(Value::Text(self.unique_id(item)));
        }
        if name == "_create_txn" {
            return Some(Value::Int(object.transaction));
        }
        if item.own_connection || object.kind == Kind::Connection {
            let (src, dst) = self.ends(item)?;
            match name {
                "_src" => return Some(Value::Text(self.unique_id(Item::of(src)))),
                "_dst" => return Some(Value::Text(self.unique_id(Item::of(dst)))),
                _ if item.own_connection => return None,
                _ => {}
            }
        }
        self.system_property(item.object, object, name)
            .or_else(|| object.properties.get(name).cloned())
    }

    fn system_property(&self, number: u64, object: &Object, name: &str) -> Option<Value> {
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        if let Some(set) = &object.set {
            let members = || self.objects.values().filter(|o| o.container == Some(number)).count();
            match name {
                "_name" => return text(&set.name),
                "_dimensions" => return Some(Value::Int(set.dimensions as i64)),
                "_engines" => return Some(Value::Json(json!(set.engines))),
                "_metrics" => return Some(Value::Json(json!(set.metrics))),
                "_count" => return Some(Value::Int(members() as i64)),
                _ => {}
            }
        }
        if name == "_label" {
            return object.label.as_deref().and_then(text);
        }
        if name == "_set_name" && object.kind == Kind::Descriptor {
            let set = self.objects.get(&object.container?)?.set.as_ref()?;
            return text(&set.name);
        }
        let place = object.place.as_ref()?;
        let number = |x: f64| match x {
            whole if whole.fract() == 0.0 => Value::Int(whole as i64),
            other => Value::Float(other),
        };
        match (name, place) {
            ("_area", _) => place.area().map(number),
            ("_coordinates", Place::Rect([x, y, width, height])) => {
                Some(Value::Json(json!({"x": x, "y": y, "width": width, "height": height})))
            }
            ("_vertices", Place::Rings(rings)) => Some(Value::Json(json!(rings))),
            ("_bounds", Place::Rings(_)) => {
                let [x, y, width, height] = place.extent()?.map(|n| number(n).show());
                Some(Value::Json(json!({"x": x, "y": y, "width": width, "height": height})))
            }
            ("_range_type", Place::Span(unit, ..)) => Some(Value::Int(unit.number())),
            ("_range_start", Place::Span(_, start, _)) => Some(start.clone()),
            ("_range_stop", Place::Span(_, _, stop)) => Some(stop.clone()),
            (_, Place::Span(unit, start, stop)) => {
                let key = match unit {
                    Unit::Frames => "_frame_number_range",
                    Unit::Fraction => "_time_fraction_range",
                    Unit::Offset => "_time_offset_range",
                };
                let range = json!({"start": unit.show(start), "stop": unit.show(stop)});
                (name == key).then_some(Value::Json(range))
            }
            ("_frame_number", Place::Moment(Unit::Frames, at))
            | ("_time_fraction", Place::Moment(Unit::Fraction, at)) => Some(at.clone()),
            ("_time_offset", Place::Moment(Unit::Offset, at)) => match Unit::Offset.show(at) {
                Json::String(shown) => Some(Value::Text(shown)),
                _ => None,
            },
            _ => None,
        }
    }
}
