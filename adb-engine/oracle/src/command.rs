//! Commands whose parameters make sense by themselves.

use std::collections::BTreeMap;

use crate::{
    constraint::Expr,
    place::Place,
    state::{Kind, Set},
    value::Value,
};

/// A command, as [`crate::read`] makes it.
#[derive(Debug)]
pub(crate) enum Command {
    Add(Box<Add>),
    Find(Box<Find>),
    Update(Box<Update>),
    Delete(Kind, Target),
    Classify(String, Near),
    Overlap(u64, Other),
    CreateIndex {
        index: Index,
        newer: bool,
    },
    RemoveIndex(Index),
    GetIndexes {
        target: Option<String>,
        class: Option<String>,
        property: Option<String>,
        kind: Option<String>,
    },
    GetSchema {
        entities: bool,
        connections: bool,
    },
    GetStatus,
}

impl Command {
    pub(crate) fn takes_blob(&self) -> bool {
        match self {
            Command::Add(add) => add.kind.has_bytes(),
            Command::Find(find) => find.near.is_some(),
            Command::Classify(..) => true,
            _ => false,
        }
    }
}

/// What a region is compared with.
#[derive(Debug)]
pub(crate) enum Other {
    Reference(u64),
    /// x, y, width, height.
    Rectangle([f64; 4]),
}

pub(crate) type Index = (&'static str, String, String);
pub(crate) type Properties = BTreeMap<String, Value>;

#[derive(Debug)]
pub(crate) struct Add {
    pub(crate) kind: Kind,
    pub(crate) class: String,
    pub(crate) reference: Option<u64>,
    pub(crate) properties: Properties,
    pub(crate) guard: Option<Guard>,
    pub(crate) connect: Option<Connect>,
    pub(crate) label: Option<String>,
    pub(crate) place: Option<Place>,
    pub(crate) container: Option<u64>,
    /// A set to be made.
    pub(crate) set: Option<Set>,
    /// The set that a descriptor goes into.
    pub(crate) into_set: Option<String>,
    /// Of a connection.
    pub(crate) ends: Option<(u64, u64)>,
}

#[derive(Debug)]
pub(crate) enum Guard {
    Like(Expr),
    Reference(u64),
}

#[derive(Debug)]
pub(crate) struct Connect {
    pub(crate) reference: u64,
    pub(crate) class: String,
    pub(crate) outward: bool,
    pub(crate) properties: Properties,
}

#[derive(Debug)]
pub(crate) struct Find {
    pub(crate) kind: Kind,
    pub(crate) reference: Option<u64>,
    pub(crate) select: Select,
    pub(crate) near: Option<Near>,
    pub(crate) shape: Shape,
}

#[derive(Debug)]
pub(crate) struct Select {
    pub(crate) class: Option<String>,
    pub(crate) constraints: Option<Expr>,
    pub(crate) connected: Option<Connected>,
    pub(crate) name: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) set: Option<String>,
    pub(crate) within: Option<u64>,
    /// A rectangle or a span.
    pub(crate) inside: Option<Place>,
    pub(crate) url: Option<String>,
    pub(crate) src: Option<u64>,
    pub(crate) dst: Option<u64>,
    pub(crate) unique: bool,
}

#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) all: bool,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) reference: u64,
    pub(crate) class: Option<String>,
    /// Whether the connection starts at the reference; nothing for either way.
    pub(crate) outward: Option<bool>,
    pub(crate) constraints: Option<Expr>,
}

#[derive(Debug)]
pub(crate) struct Near {
    pub(crate) k: u64,
    pub(crate) engine: Option<String>,
    pub(crate) metric: Option<String>,
    pub(crate) knn_first: bool,
    /// FindDescriptorBatch: how many vectors.
    pub(crate) queries: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Shape {
    pub(crate) list: Vec<String>,
    pub(crate) all_properties: bool,
    pub(crate) count: bool,
    pub(crate) unique_ids: bool,
    pub(crate) flags: Vec<&'static str>,
    pub(crate) blobs: bool,
    pub(crate) group_by_source: bool,
    pub(crate) sort: Vec<(String, Order)>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: u64,
    pub(crate) batch: Option<Batch>,
    /// (sum, avg, min or max; the property)
    pub(crate) figures: Vec<(&'static str, String)>,
    pub(crate) group: Vec<String>,
}

#[derive(Debug)]
pub(crate) enum Order {
    Ascending,
    Descending,
    Sequence(Vec<Value>),
}

#[derive(Debug)]
pub(crate) enum Batch {
    Totals,
    Size(u64, u64),
    Pieces(u64, u64),
    Range(u64, u64),
}

#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) kind: Kind,
    pub(crate) target: Target,
    pub(crate) properties: Properties,
    pub(crate) remove: Vec<String>,
    pub(crate) label: Option<String>,
    pub(crate) place: Option<Place>,
}

#[derive(Debug)]
pub(crate) enum Target {
    Reference(u64),
    Like(Box<Select>),
}
