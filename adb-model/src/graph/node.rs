//! What a graph is made of: objects, the connections between them, and children still to be made.

use std::{borrow::Cow, sync::Arc};

use uuid::Uuid;

use super::Identity;
use crate::{
    Convention, FieldPlace, Geometry, MakeInput, MediaSource, NoFace, ObjectKind, Rect, SetSpec,
    Value,
};

/// A node's place in its [`Graph`](super::Graph).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId(pub(crate) usize);

impl NodeId {
    /// The index into [`Graph::nodes`](super::Graph::nodes).
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// An object to be.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it is.
    pub kind: ObjectKind,
    /// Entity class, or `user_type` of other kinds.
    pub class: Cow<'static, str>,
    /// What identifies it, together with its class.
    pub identity: Identity,
    /// How its model names things.
    pub convention: Convention,
    /// Its other properties, in the order of the fields.
    pub properties: Vec<(&'static str, Value)>,
    /// The blob, for images, videos and blobs.
    pub media: Option<MediaSource>,
    /// The vector and what it hangs on, for descriptors.
    pub descriptor: Option<Descriptor>,
    /// Where it lies in its container, for regions, clips and frames.
    pub geometry: Option<Geometry>,
    /// The image or video that it is a part of, for regions, clips and frames.
    pub container: Option<NodeId>,
    /// Its label, for kinds that have one.
    pub label: Option<String>,
    /// Whether `user_type` is a part of its identity: see [`Node::is_typed`].
    pub typed: bool,
    /// What it was made from, kept beside it as [`CONTENT`](super::CONTENT): of media the SHA-256
    /// of the bytes; of a descriptor that of its source and the beginning of its embedder's hash.
    /// By it a later [`upsert`](crate::upsert) sees what has changed without reading a picture from
    /// the database. Known once [`Graph::mark_contents`](super::Graph::mark_contents) has run; a
    /// vector that the caller gave has none.
    pub content: Option<String>,
    /// What is noted on it of the row that it is the root of, kept beside it as [`ROW`](super::ROW).
    pub row: Option<String>,
    /// The run that adds it, kept beside it as [`RUN`](super::RUN).
    pub run: Option<Arc<str>>,
    /// Whether the database is known to hold it already: then nothing of it is sent.
    pub exists: bool,
    /// The database's own id of it, where it was found by that and not by its identity.
    pub unique_id: Option<String>,
    /// What the database is known to say of children that were made: [`MADE`](super::MADE).
    pub made_before: Option<String>,
    /// Whether its identity is the hash of a blob that has not been read.
    pub(super) pending: bool,
    /// The node, and the field of it, that it belongs to: its identity is made from both.
    pub(super) part_of: Option<(NodeId, &'static str)>,
}

impl Node {
    /// Whether identity is the property *and* `user_type`: all kinds but entities, unless the
    /// model says otherwise.
    #[must_use]
    pub fn is_typed(&self) -> bool {
        self.typed
    }

    /// Whether its identity is the hash of its blob, and that has not been read: see
    /// [`Graph::identify`](super::Graph::identify).
    #[must_use]
    pub fn is_unidentified(&self) -> bool {
        self.pending
    }
}

/// The descriptor part of a node.
#[derive(Debug, Clone)]
pub struct Descriptor {
    /// Its set.
    pub set: SetSpec,
    /// The object that it describes; nothing if it stands for itself.
    pub owner: Option<NodeId>,
    /// Whether an edge of the graph joins the two; else the descriptor's own command does.
    pub by_edge: bool,
    /// The components, once known.
    pub vector: Option<Arc<[f32]>>,
    /// Whether they were made from the source, and not given.
    pub made: bool,
    /// Whether its guard names the set as well: another set of the database has a descriptor of
    /// the same identity, and servers need not tell the two apart.
    pub guarded_by_set: bool,
    /// What to make them from.
    pub source: Option<EmbedInput>,
}

/// What a vector is made from.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum EmbedInput {
    /// A picture.
    Image(MediaSource),
    /// A part of a picture.
    Region(MediaSource, Rect),
    /// The largest face of a picture; the second says what is to be done if there is none.
    Face(MediaSource, NoFace),
    /// A text.
    Text(String),
    /// The owner's own part of the picture that contains it; known once the graph is whole.
    OwnRegion,
}

/// How a model and what it is connected to are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Relation {
    /// By a connection of this class, from the model to the child.
    Connection(&'static str),
    /// By a connection of this class, from the child to the model.
    Reversed(&'static str),
    /// The child is a part of the model: a region of an image, a clip or frame of a video.
    Part,
    /// By a connection of the child's class, from the model to the child, whose `source_field`
    /// names the field: see [`Convention::PythonSdk`].
    ByField {
        /// The field, as the database has it.
        field: &'static str,
        /// Whether it is a list: then the name has the place behind it, `hands[0]`.
        many: bool,
    },
}

impl Relation {
    /// The connection's class, for children of the class `child`; nothing for parts.
    #[must_use]
    pub fn class(self, child: &str) -> Option<&str> {
        match self {
            Relation::Connection(class) | Relation::Reversed(class) => Some(class),
            Relation::Part => None,
            Relation::ByField { .. } => Some(child),
        }
    }
}

/// Whether a connection's `source_field` names this field.
pub(crate) fn is_of_field(source_field: &str, field: &str) -> bool {
    source_field.split('[').next() == Some(field)
}

/// A connection of the user's. (What joins a descriptor to its owner comes with the descriptor.)
#[derive(Debug, Clone)]
pub struct Edge {
    /// Its class.
    pub class: &'static str,
    /// Where it starts.
    pub src: NodeId,
    /// Where it ends.
    pub dst: NodeId,
    /// Its properties.
    pub properties: Vec<(&'static str, Value)>,
    /// What identifies it: made from both ends' identities and the class, so the same edge gets
    /// the same id on every run.
    pub edge_id: Uuid,
    /// The field that it stands for, where its `source_field` names one.
    pub field: Option<&'static str>,
    /// The run that adds it, kept beside it as [`RUN`](super::RUN).
    pub run: Option<Arc<str>>,
    /// Whether the database is known to hold it already: then nothing of it is sent.
    pub exists: bool,
}

/// Children that are still to be made: see [`ChildMaker`](crate::ChildMaker).
#[derive(Debug, Clone)]
pub struct ToMake {
    /// The object that they hang on.
    pub owner: NodeId,
    /// The field that declares them.
    pub at: FieldPlace,
    /// How they are joined to it.
    pub relation: Relation,
    /// The maker's name.
    pub maker: &'static str,
    /// What to make them from.
    pub input: MakeInput,
}
