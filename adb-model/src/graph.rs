//! The graph that one value becomes: nodes, edges, and who is who.

use std::{borrow::Cow, collections::HashMap, fmt::Write as _, sync::Arc};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    Convention, FieldPlace, Geometry, MakeInput, MediaSource, NoFace, ObjectKind, Rect, SetSpec,
    Value,
    embedding::check_vector,
    error::{ModelError, ModelErrorKind},
};

/// The property that tells models of one kind apart, as the Python SDK writes it.
pub const USER_TYPE: &str = "user_type";
/// The property that identifies objects which no field of the user's does: descriptors, and the
/// images of entities.
pub const OBJECT_ID: &str = "adb_id";
/// The property that says which fields' children a maker has made, and which maker: `faces=…`, with
/// commas between. What it names is not made again.
pub const MADE: &str = "adb_made";
/// The property that identifies objects which are what their blob is: its hash, as [`content_id`]
/// makes it.
pub const CONTENT_ID: &str = "adb_sha256";
/// The property that identifies a connection.
pub const EDGE_ID: &str = "edge_id";
/// The property that says what an object was made from: see [`Node::content`].
pub const CONTENT: &str = "adb_content";
/// The property of a root that says which row it was made from: see [`RowNote`](crate::RowNote).
pub const ROW: &str = "adb_row";
/// The property that says which run of an ingestion added an object, or a connection.
pub const RUN: &str = "adb_run";

/// The property of a connection that names the field it stands for, as the Python SDK writes it.
pub const SOURCE_FIELD: &str = "source_field";
/// The property that identifies every object of the Python SDK's data models.
pub const SDK_ID: &str = "id";

/// A node's place in its [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId(pub(crate) usize);

impl NodeId {
    /// The index into [`Graph::nodes`].
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// What makes a node the same node on the next run: one property, or several together.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity(Vec<(&'static str, Value)>);

impl Identity {
    /// Properties that identify an object together; at least one.
    #[must_use]
    pub fn new(parts: Vec<(&'static str, Value)>) -> Self {
        debug_assert!(!parts.is_empty(), "the macro refuses models without an id");
        Self(parts)
    }

    /// The identifying properties.
    #[must_use]
    pub fn parts(&self) -> &[(&'static str, Value)] {
        &self.0
    }

    /// Identity as text: the value, if it is one; else each with its length before it, so that no
    /// two different identities spell the same.
    #[must_use]
    pub fn text(&self) -> String {
        match self.0.as_slice() {
            [(_, value)] => value.to_string(),
            several => {
                let texts: Vec<String> = several.iter().map(|(_, v)| v.to_string()).collect();
                spell(texts.iter().map(String::as_str))
            }
        }
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
    /// What it was made from, kept beside it as [`CONTENT`]: of media the SHA-256 of the bytes; of
    /// a descriptor that of its source and the beginning of its embedder's hash. By it a later
    /// [`upsert`](crate::upsert) sees what has changed without reading a picture from the database.
    /// Known once [`Graph::mark_contents`] has run; a vector that the caller gave has none.
    pub content: Option<String>,
    /// What is noted on it of the row that it is the root of, kept beside it as [`ROW`].
    pub row: Option<String>,
    /// The run that adds it, kept beside it as [`RUN`].
    pub run: Option<Arc<str>>,
    /// Whether the database is known to hold it already: then nothing of it is sent.
    pub exists: bool,
    /// The database's own id of it, where it was found by that and not by its identity.
    pub unique_id: Option<String>,
    /// What the database is known to say of children that were made: [`MADE`].
    pub made_before: Option<String>,
    /// Whether its identity is the hash of a blob that has not been read.
    pending: bool,
    /// The node, and the field of it, that it belongs to: its identity is made from both.
    part_of: Option<(NodeId, &'static str)>,
}

impl Node {
    /// Whether identity is the property *and* `user_type`: all kinds but entities, unless the
    /// model says otherwise.
    #[must_use]
    pub fn is_typed(&self) -> bool {
        self.typed
    }

    /// Whether its identity is the hash of its blob, and that has not been read: see
    /// [`Graph::identify`].
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
    /// The run that adds it, kept beside it as [`RUN`].
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

/// Nodes and edges of one value; the root is first, a node comes before what hangs on it.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    to_make: Vec<ToMake>,
    /// How many nodes the database has been asked for.
    pub(crate) probed: usize,
}

impl Graph {
    /// The nodes; the first is the root.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The edges.
    #[must_use]
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The root: the value's own object.
    #[must_use]
    pub fn root(&self) -> Option<&Node> {
        self.nodes.first()
    }

    /// Children that are still to be made.
    #[must_use]
    pub fn to_make(&self) -> &[ToMake] {
        &self.to_make
    }

    /// Opens the graph again, for children that are still to be made: see
    /// [`GraphBuilder::next_to_make`].
    #[must_use]
    pub fn reopen(self) -> GraphBuilder {
        GraphBuilder {
            edge_ids: self.edges.iter().map(|e| e.edge_id).collect(),
            graph: self,
            ..GraphBuilder::default()
        }
    }

    /// Says that the database holds a node, and what that says of children that were made: these
    /// are not made again.
    pub(crate) fn mark_made(&mut self, node: NodeId, made: &str) {
        self.to_make.retain(|task| {
            let is_made = |m: &str| m.split_once('=').is_some_and(|(f, _)| f == task.at.field);
            task.owner != node || !made.split(',').any(is_made)
        });
        self.nodes[node.0].made_before = Some(made.to_owned());
    }

    /// Says that the database holds a node already.
    pub fn mark_existing(&mut self, node: NodeId) {
        self.nodes[node.0].exists = true;
    }

    /// Says that a node was found in the database under its id there, with its blob if that was
    /// fetched, and that the nodes which there are by now need not be looked up.
    pub(crate) fn stored(&mut self, node: NodeId, unique_id: &str, blob: Option<MediaSource>) {
        let there = &mut self.nodes[node.0];
        there.exists = true;
        there.unique_id = Some(unique_id.to_owned());
        there.media = blob;
        self.probed = self.nodes.len();
    }

    /// Gives a node the identity that it has in the database, and what hangs on it the identities
    /// that follow from it.
    pub(crate) fn adopt(&mut self, node: NodeId, identity: Identity) {
        self.nodes[node.0].identity = identity;
        self.nodes[node.0].pending = false;
        let owner = self.nodes[node.0].clone();
        for part in &mut self.nodes {
            if let Some((of, field)) = part.part_of
                && of == node
                && owner.convention.is_own()
            {
                part.identity = part_identity(&owner, field);
            }
        }
        for edge in &mut self.edges {
            if edge.src == node || edge.dst == node {
                let (src, dst) = (&self.nodes[edge.src.0], &self.nodes[edge.dst.0]);
                edge.edge_id = edge_id(src, edge.class, dst, edge.field);
            }
        }
    }

    pub(crate) fn node_mut(&mut self, node: NodeId) -> &mut Node {
        &mut self.nodes[node.0]
    }

    pub(crate) fn edges_mut(&mut self) -> &mut [Edge] {
        &mut self.edges
    }

    /// Whether it is a part, or the vector of a part, that has no id of its own: one from its row,
    /// which is another when the row stands elsewhere in its source.
    pub(crate) fn is_of_row(&self, id: NodeId) -> bool {
        let node = &self.nodes[id.0];
        match node.descriptor.as_ref().and_then(|d| d.owner) {
            Some(owner) if owner != id => self.is_of_row(owner),
            _ => node.container.is_some() && matches!(node.identity.parts(), [(OBJECT_ID, _)]),
        }
    }

    /// Says which run adds what of this graph is not there yet.
    pub fn of_run(&mut self, run: &Arc<str>) {
        for node in &mut self.nodes {
            node.run = Some(run.clone());
        }
        for edge in &mut self.edges {
            edge.run = Some(run.clone());
        }
    }

    /// Notes on the root which row it is made from: see [`RowNote`](crate::RowNote).
    pub fn note_row(&mut self, note: String) {
        if let Some(root) = self.nodes.first_mut() {
            root.row = Some(note);
        }
    }

    /// All media of the graph: those that are stored, those that vectors are to be made from, and
    /// those that children are to be made from. One may come several times.
    pub fn media(&self) -> impl Iterator<Item = &MediaSource> {
        let of_nodes = self.nodes.iter().flat_map(|n| {
            let input = n.descriptor.as_ref().filter(|d| d.vector.is_none());
            let input = input.and_then(|d| match d.source.as_ref()? {
                EmbedInput::Image(image)
                | EmbedInput::Region(image, _)
                | EmbedInput::Face(image, _) => Some(image),
                EmbedInput::Text(_) | EmbedInput::OwnRegion => None,
            });
            n.media.as_ref().into_iter().chain(input)
        });
        of_nodes.chain(self.to_make.iter().filter_map(|task| match &task.input {
            MakeInput::Media(media) => Some(media),
            MakeInput::Text(_) => None,
        }))
    }

    /// Says that the database holds an edge already.
    pub(crate) fn mark_edge_existing(&mut self, edge: usize) {
        self.edges[edge].exists = true;
    }

    /// Whether an object's identity is the hash of a blob that nobody has read yet.
    #[must_use]
    pub fn is_unidentified(&self) -> bool {
        self.nodes.iter().any(Node::is_unidentified)
    }

    /// Reads the blobs whose hashes are identities, and gives these objects, their parts and their
    /// connections their identities. A blob that is wanted elsewhere in the graph, too, is put
    /// there, and not read again.
    ///
    /// # Errors
    /// Those of `read`; the graph then remains unidentified.
    pub fn identify<E>(
        &mut self,
        mut read: impl FnMut(&MediaSource) -> Result<Bytes, E>,
    ) -> Result<(), E> {
        if !self.is_unidentified() {
            return Ok(());
        }
        for i in 0..self.nodes.len() {
            let Some(source) = self.nodes[i].media.clone().filter(|_| self.nodes[i].pending) else {
                continue;
            };
            let bytes = read(&source)?;
            for media in self.media_mut().filter(|media| **media == source) {
                *media = MediaSource::Bytes(bytes.clone());
            }
            self.nodes[i].identity = content_identity(content_id(&bytes));
            self.nodes[i].pending = false;
        }
        // An owner comes before its parts.
        for i in 0..self.nodes.len() {
            if let Some((owner, field)) = self.nodes[i].part_of {
                self.nodes[i].identity = part_identity(&self.nodes[owner.0], field);
            }
        }
        for edge in &mut self.edges {
            let (src, dst) = (&self.nodes[edge.src.0], &self.nodes[edge.dst.0]);
            edge.edge_id = edge_id(src, edge.class, dst, edge.field);
        }
        Ok(())
    }

    /// Ids of all nodes.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId)
    }

    /// Descriptors that have no vector yet and are not in the database, with what to make it from.
    ///
    /// # Errors
    /// When a vector is neither given nor can be made.
    pub fn wanted(&self) -> Result<Vec<(NodeId, SetSpec, &EmbedInput)>, ModelError> {
        let mut wanted = Vec::new();
        for (i, node) in self.nodes.iter().enumerate() {
            let Some(d) = &node.descriptor else { continue };
            if d.vector.is_some() || node.exists {
                continue;
            }
            match &d.source {
                Some(input) => wanted.push((NodeId(i), d.set, input)),
                None => {
                    return Err(ModelError::new(
                        node.class.clone(),
                        ModelErrorKind::NoVector { set: d.set.name },
                    ));
                }
            }
        }
        Ok(wanted)
    }

    /// Media that have to be sent or embedded, by where they come from.
    pub fn media_mut(&mut self) -> impl Iterator<Item = &mut MediaSource> {
        self.nodes.iter_mut().filter(|n| !n.exists).flat_map(|n| {
            let input = n.descriptor.as_mut().filter(|d| d.vector.is_none()).and_then(|d| match d
                .source
                .as_mut()?
            {
                EmbedInput::Image(image)
                | EmbedInput::Region(image, _)
                | EmbedInput::Face(image, _) => Some(image),
                EmbedInput::Text(_) | EmbedInput::OwnRegion => None,
            });
            n.media.as_mut().into_iter().chain(input)
        })
    }

    /// What is still to be read, each with what it is: of an object its kind; what a descriptor is
    /// made from is an image.
    pub fn unread(&self) -> impl Iterator<Item = (ObjectKind, &MediaSource)> {
        self.nodes.iter().filter(|n| !n.exists).flat_map(|n| {
            let input = n.descriptor.as_ref().filter(|d| d.vector.is_none()).and_then(|d| match d
                .source
                .as_ref()?
            {
                EmbedInput::Image(image)
                | EmbedInput::Region(image, _)
                | EmbedInput::Face(image, _) => Some((ObjectKind::Image, image)),
                EmbedInput::Text(_) | EmbedInput::OwnRegion => None,
            });
            n.media.as_ref().map(|media| (n.kind, media)).into_iter().chain(input)
        })
    }

    /// The blobs whose hashes are identities, and that nobody has read yet, each with what it is.
    pub fn unidentified(&self) -> impl Iterator<Item = (ObjectKind, &MediaSource)> {
        let pending = self.nodes.iter().filter(|n| n.pending);
        pending.filter_map(|n| n.media.as_ref().map(|media| (n.kind, media)))
    }

    /// Puts a made vector in its place.
    ///
    /// # Errors
    /// When it does not fit the set.
    ///
    /// # Panics
    /// When `node` is not a descriptor: ids come from [`Graph::wanted`].
    pub fn fill(&mut self, node: NodeId, vector: Vec<f32>) -> Result<(), ModelError> {
        let node = &mut self.nodes[node.0];
        #[expect(clippy::expect_used, reason = "stated above")]
        let descriptor = node.descriptor.as_mut().expect("ids come from Graph::wanted");
        check_vector(&vector, descriptor.set.dimensions)
            .map_err(|e| ModelError::new(node.class.clone(), ModelErrorKind::Embedding(e)))?;
        descriptor.vector = Some(vector.into());
        descriptor.made = true;
        Ok(())
    }

    /// Leaves a descriptor out, since there is nothing to make its vector from; answers whether it
    /// can be: an object that is a descriptor itself can't be without its vector.
    pub fn leave_out(&mut self, node: NodeId) -> bool {
        if self.nodes[node.0].descriptor.as_ref().is_none_or(|d| d.owner.is_none()) {
            return false;
        }
        self.nodes[node.0].exists = true;
        for edge in self.edges.iter_mut().filter(|e| e.src == node || e.dst == node) {
            edge.exists = true;
        }
        true
    }

    /// Bytes of blobs that sending this graph takes, where they are known.
    #[must_use]
    pub fn blob_bytes(&self) -> usize {
        self.nodes
            .iter()
            .filter(|n| !n.exists)
            .map(|n| match (&n.media, &n.descriptor) {
                (Some(media), _) => media.loaded().map_or(0, Bytes::len),
                (_, Some(d)) => d.set.dimensions * size_of::<f32>(),
                _ => 0,
            })
            .sum()
    }
}

/// Whether a node was there before: what [`GraphBuilder::enter`] answers.
#[derive(Debug, Clone, Copy)]
pub enum Entered {
    /// A new node: now add its fields.
    New(NodeId),
    /// It is in the graph already (a shared child, a cycle): nothing more to add.
    Known(NodeId),
}

/// Nodes that are looked at one by one: cheaper than a key of its own for each.
const FEW: usize = 24;

/// Builds a [`Graph`]; the code that `#[derive(DataModel)]` writes calls it.
#[derive(Debug, Default)]
pub struct GraphBuilder {
    graph: Graph,
    row: Option<Uuid>,
    rows_entered: u64,
    /// Where nodes are, once there are more than a look at each of them is good for.
    seen: HashMap<(ObjectKind, Cow<'static, str>, String), NodeId>,
    edge_ids: std::collections::HashSet<Uuid>,
    /// Classes of descriptors that do not follow from model and field.
    descriptor_classes: Vec<(NodeId, &'static str, &'static str)>,
    /// How many children a field of a node has so far.
    children: HashMap<(NodeId, &'static str), usize>,
}

impl GraphBuilder {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One for a row of a source, so that objects without an id of their own get one from the row:
    /// see [`row_identity`].
    #[must_use]
    pub fn for_row(row: Uuid) -> Self {
        Self { row: Some(row), ..Self::default() }
    }

    /// Adds a node, or finds the one with the same kind, class and id.
    ///
    /// # Errors
    /// When an id is an empty text: every row without one would be the same object.
    pub fn enter(
        &mut self,
        kind: ObjectKind,
        class: &'static str,
        id: Vec<(&'static str, Value)>,
    ) -> Result<Entered, ModelError> {
        if let Some((field, _)) = id.iter().find(|(_, v)| *v == Value::String(String::new())) {
            return Err(ModelError::new(class, ModelErrorKind::EmptyId { field }));
        }
        Ok(self.enter_node(kind, Cow::Borrowed(class), Identity::new(id)))
    }

    /// Adds a node whose id is made from the row that it came with, and from its place in it.
    ///
    /// # Errors
    /// When the value came with no row: then two runs could not find the same object.
    pub fn enter_row(
        &mut self,
        kind: ObjectKind,
        class: &'static str,
    ) -> Result<Entered, ModelError> {
        let row = self.row.ok_or_else(|| ModelError::new(class, ModelErrorKind::NoRow))?;
        self.rows_entered += 1;
        let name = spell([class, &self.rows_entered.to_string()]);
        let id = Uuid::new_v5(&row, name.as_bytes()).to_string();
        let identity = Identity::new(vec![(OBJECT_ID, Value::String(id))]);
        Ok(self.enter_node(kind, Cow::Borrowed(class), identity))
    }

    /// Adds a node that is identified by its blob: the same bytes are the same object. Where they
    /// have not been read, [`Graph::identify`] completes it, and until then the same path or
    /// address is the same object.
    ///
    /// # Errors
    /// When there are no media: the macro asks for a field that holds them.
    pub fn enter_content(
        &mut self,
        kind: ObjectKind,
        class: &'static str,
        media: Option<&MediaSource>,
    ) -> Result<Entered, ModelError> {
        let media = media.ok_or_else(|| ModelError::new(class, ModelErrorKind::NoContent))?;
        let loaded = media.loaded();
        let id = match (loaded, media) {
            (Some(bytes), _) => content_id(bytes),
            (None, MediaSource::Stored(unique_id)) => unique_id.clone(),
            (None, other) => other.origin().unwrap_or_default(),
        };
        let entered = self.enter_node(kind, Cow::Borrowed(class), content_identity(id));
        if let Entered::New(node) = entered {
            self.graph.nodes[node.0].pending = loaded.is_none();
        }
        Ok(entered)
    }

    /// Says that an object bears no `user_type`: its identity alone tells it from others of its
    /// kind.
    pub fn untyped(&mut self, node: NodeId) {
        self.graph.nodes[node.0].typed = false;
    }

    fn known(&mut self, kind: ObjectKind, class: &str, identity: &Identity) -> Option<NodeId> {
        if self.graph.nodes.len() <= FEW {
            let same = |n: &Node| n.kind == kind && n.class == class && n.identity == *identity;
            return self.graph.nodes.iter().position(same).map(NodeId);
        }
        if self.seen.is_empty() {
            for (i, n) in self.graph.nodes.iter().enumerate() {
                self.seen.insert((n.kind, n.class.clone(), n.identity.text()), NodeId(i));
            }
        }
        self.seen.get(&(kind, class.to_owned().into(), identity.text())).copied()
    }

    fn enter_node(
        &mut self,
        kind: ObjectKind,
        class: Cow<'static, str>,
        identity: Identity,
    ) -> Entered {
        if let Some(known) = self.known(kind, &class, &identity) {
            return Entered::Known(known);
        }
        let id = NodeId(self.graph.nodes.len());
        if !self.seen.is_empty() {
            self.seen.insert((kind, class.clone(), identity.text()), id);
        }
        self.graph.nodes.push(Node {
            typed: kind != ObjectKind::Entity,
            kind,
            class,
            identity,
            convention: Convention::Adb,
            properties: Vec::new(),
            media: None,
            descriptor: None,
            geometry: None,
            container: None,
            label: None,
            content: None,
            row: None,
            run: None,
            exists: false,
            unique_id: None,
            made_before: None,
            pending: false,
            part_of: None,
        });
        Entered::New(id)
    }

    /// Says how a node's model names things; before anything else is added to it.
    pub fn convention(&mut self, node: NodeId, convention: Convention) {
        self.graph.nodes[node.0].convention = convention;
    }

    /// Gives the descriptors of a field their class; before they are added.
    pub fn descriptor_class(&mut self, owner: NodeId, field: &'static str, class: &'static str) {
        self.descriptor_classes.push((owner, field, class));
    }

    /// Adds, or finds, the object that belongs to a field of another: `Dish/1/look` of the class
    /// `Dish.look`, or of the class that the field's descriptors were given.
    fn enter_part(&mut self, kind: ObjectKind, owner: NodeId, field: &'static str) -> Entered {
        let named = self.descriptor_classes.iter().find(|(o, f, _)| (*o, *f) == (owner, field));
        let of = &self.graph.nodes[owner.0];
        let class = match named {
            Some((.., class)) => Cow::Borrowed(*class),
            None => part_class(&of.class, field).into(),
        };
        let identity = part_identity(of, field);
        let entered = self.enter_node(kind, class, identity);
        if let Entered::New(node) = entered {
            self.graph.nodes[node.0].part_of = Some((owner, field));
        }
        entered
    }

    /// A node's properties, to add more of them.
    pub fn properties(&mut self, node: NodeId) -> &mut Vec<(&'static str, Value)> {
        &mut self.graph.nodes[node.0].properties
    }

    /// Adds a property.
    pub fn property(&mut self, node: NodeId, name: &'static str, value: Value) {
        self.graph.nodes[node.0].properties.push((name, value));
    }

    /// Adds media: to a node of their own kind as its blob, to any other as an object of its own,
    /// joined by a connection with the field's name. Where they came from becomes a property.
    pub fn media(
        &mut self,
        node: NodeId,
        kind: ObjectKind,
        name: &'static str,
        media: &MediaSource,
    ) {
        let holder = if self.graph.nodes[node.0].kind == kind {
            node
        } else {
            match self.enter_part(kind, node, name) {
                Entered::Known(_) => return,
                Entered::New(child) => {
                    self.connect(node, child, name, Vec::new());
                    child
                }
            }
        };
        if let Some(origin) = media.origin()
            && self.graph.nodes[node.0].convention.is_own()
        {
            self.property(holder, name, Value::String(origin));
        }
        self.graph.nodes[holder.0].media = Some(media.clone());
    }

    /// Notes children that a maker is to make.
    pub fn to_make(&mut self, task: ToMake) {
        self.graph.to_make.push(task);
    }

    /// Takes out one thing that is still to be made. Its children are to be added next; that ends
    /// in [`GraphBuilder::made`].
    ///
    /// Children without an id of their own get one from the owner's identity, the field and their
    /// number, so that making them anew makes the same objects.
    pub fn next_to_make(&mut self) -> Option<ToMake> {
        let task = self.graph.to_make.pop()?;
        let owner = &self.graph.nodes[task.owner.0];
        let suffix = owner.kind.command_suffix();
        let name = spell([suffix, &owner.class, &owner.identity.text(), task.at.field]);
        self.row = Some(Uuid::new_v5(&MADE_NAMESPACE, name.as_bytes()));
        self.rows_entered = 0;
        Some(task)
    }

    /// Notes on the owner that its children have been made.
    pub fn made(&mut self, task: &ToMake) {
        let owner = &mut self.graph.nodes[task.owner.0];
        let place = match owner.properties.iter().position(|(name, _)| *name == MADE) {
            Some(place) => place,
            None => {
                let before = owner.made_before.clone().unwrap_or_default();
                owner.properties.push((MADE, Value::String(before)));
                owner.properties.len() - 1
            }
        };
        if let (_, Value::String(made)) = &mut owner.properties[place] {
            if !made.is_empty() {
                made.push(',');
            }
            // Writing to a String can't fail.
            let _ = write!(made, "{}={}", task.at.field, task.maker);
        }
    }

    /// Says where a part lies in its container.
    pub fn geometry(&mut self, node: NodeId, geometry: Geometry) {
        self.graph.nodes[node.0].geometry = Some(geometry);
    }

    /// Gives a node its label; a vector gets that of the field that [`descriptor`] was told.
    ///
    /// [`descriptor`]: GraphBuilder::descriptor
    pub fn label(&mut self, node: NodeId, label: String) {
        self.graph.nodes[node.0].label = Some(label);
    }

    /// Joins a child to what holds it.
    pub fn relate(
        &mut self,
        parent: NodeId,
        child: NodeId,
        relation: Relation,
        properties: Vec<(&'static str, Value)>,
    ) {
        match relation {
            Relation::Connection(class) => self.connect(parent, child, class, properties),
            Relation::Reversed(class) => self.connect(child, parent, class, properties),
            Relation::Part => {
                let child = &mut self.graph.nodes[child.0];
                match &mut child.descriptor {
                    // It comes with one connection: to the first that it hangs on.
                    Some(descriptor) => {
                        descriptor.owner.get_or_insert(parent);
                    }
                    None => child.container = Some(parent),
                }
            }
            Relation::ByField { field, many } => self.connect_by_field(parent, child, field, many),
        }
    }

    /// Adds a descriptor of `owner`, or makes `owner` one if its model is of descriptors; answers
    /// which node it is. With neither a vector nor a source there is nothing to add: an optional
    /// picture that is absent has no embedding.
    ///
    /// # Errors
    /// When a given vector does not fit the set; when an object that is a descriptor has neither.
    pub fn descriptor(
        &mut self,
        owner: NodeId,
        field: &'static str,
        set: SetSpec,
        vector: Option<Arc<[f32]>>,
        source: Option<EmbedInput>,
    ) -> Result<Option<NodeId>, ModelError> {
        let of = &self.graph.nodes[owner.0];
        let is_own = of.kind == ObjectKind::Descriptor;
        let fault = |kind| Err(ModelError::new(part_class(&of.class, field), kind));
        match &vector {
            Some(v) => {
                if let Err(e) = check_vector(v, set.dimensions) {
                    return fault(ModelErrorKind::Embedding(e));
                }
            }
            None if source.is_some() => {}
            None if is_own => return fault(ModelErrorKind::NoVector { set: set.name }),
            None => return Ok(None),
        }
        let by_edge = !of.convention.is_own();
        if is_own {
            let descriptor = Descriptor {
                set,
                owner: None,
                by_edge,
                vector,
                made: false,
                guarded_by_set: false,
                source,
            };
            self.graph.nodes[owner.0].descriptor = Some(descriptor);
            return Ok(Some(owner));
        }
        Ok(Some(match self.enter_part(ObjectKind::Descriptor, owner, field) {
            Entered::Known(id) => id,
            Entered::New(id) => {
                let descriptor = Descriptor {
                    set,
                    owner: Some(owner),
                    by_edge,
                    vector,
                    made: false,
                    guarded_by_set: false,
                    source,
                };
                self.graph.nodes[id.0].descriptor = Some(descriptor);
                if by_edge {
                    self.connect_by_field(owner, id, field, false);
                }
                id
            }
        }))
    }

    /// Adds a descriptor to a set beside the one that it is a copy of, with the identity that it has
    /// there; its class too, if it has one.
    pub(crate) fn copied_descriptor(
        &mut self,
        owner: NodeId,
        class: Option<&'static str>,
        id: String,
        set: SetSpec,
        source: EmbedInput,
    ) -> NodeId {
        let identity = Identity::new(vec![(OBJECT_ID, Value::String(id))]);
        let class_of = Cow::Borrowed(class.unwrap_or_default());
        let (Entered::New(node) | Entered::Known(node)) =
            self.enter_node(ObjectKind::Descriptor, class_of, identity);
        let there = &mut self.graph.nodes[node.0];
        there.typed = class.is_some();
        there.descriptor = Some(Descriptor {
            set,
            owner: Some(owner),
            by_edge: false,
            vector: None,
            made: false,
            guarded_by_set: true,
            source: Some(source),
        });
        node
    }

    /// Joins a copied descriptor to its owner by a connection that names its field.
    pub(crate) fn connect_copied(
        &mut self,
        owner: NodeId,
        descriptor: NodeId,
        class: &'static str,
        field: String,
    ) {
        if let Some(d) = &mut self.graph.nodes[descriptor.0].descriptor {
            d.by_edge = true;
        }
        let properties = vec![(SOURCE_FIELD, Value::String(field))];
        self.connect(owner, descriptor, class, properties);
    }

    /// Joins two nodes. The same edge twice is one edge: its first properties count.
    pub fn connect(
        &mut self,
        src: NodeId,
        dst: NodeId,
        class: &'static str,
        properties: Vec<(&'static str, Value)>,
    ) {
        let edge_id = edge_id(&self.graph.nodes[src.0], class, &self.graph.nodes[dst.0], None);
        if self.edge_ids.insert(edge_id) {
            let edge = Edge {
                class,
                src,
                dst,
                properties,
                edge_id,
                field: None,
                run: None,
                exists: false,
            };
            self.graph.edges.push(edge);
        }
    }

    /// Joins a child by a connection of its own class.
    fn connect_by_field(&mut self, src: NodeId, dst: NodeId, field: &'static str, many: bool) {
        // Classes of models are static, and so are those that are given to descriptors.
        let Cow::Borrowed(class) = self.graph.nodes[dst.0].class else { return };
        let place = self.children.entry((src, field)).or_default();
        let source_field = if many { format!("{field}[{place}]") } else { field.to_owned() };
        *place += 1;
        let ends = (&self.graph.nodes[src.0], &self.graph.nodes[dst.0]);
        let edge_id = edge_id(ends.0, class, ends.1, Some(field));
        if self.edge_ids.insert(edge_id) {
            let properties = vec![(SOURCE_FIELD, Value::String(source_field))];
            let field = Some(field);
            self.graph.edges.push(Edge {
                class,
                src,
                dst,
                properties,
                edge_id,
                field,
                run: None,
                exists: false,
            });
        }
    }

    /// The finished graph.
    #[must_use]
    pub fn finish(mut self) -> Graph {
        for i in 0..self.graph.nodes.len() {
            if let Some(region) = self.own_region(i)
                && let Some(d) = &mut self.graph.nodes[i].descriptor
            {
                d.source = Some(region);
            }
        }
        self.graph
    }

    /// The part of a picture that a descriptor of [`EmbedInput::OwnRegion`] is made from.
    fn own_region(&self, node: usize) -> Option<EmbedInput> {
        let descriptor = self.graph.nodes[node].descriptor.as_ref()?;
        if descriptor.source != Some(EmbedInput::OwnRegion) {
            return None;
        }
        let owner = &self.graph.nodes[descriptor.owner?.0];
        let container = &self.graph.nodes[owner.container?.0];
        match (&owner.geometry, &container.media) {
            (Some(Geometry::Rect(rect)), Some(media)) => {
                Some(EmbedInput::Region(media.clone(), *rect))
            }
            _ => None,
        }
    }
}

/// Identity of an object that belongs to a field of another, in the convention of that one's model:
/// `Dish/1/look`.
fn part_identity(owner: &Node, field: &str) -> Identity {
    let value = Value::String(format!("{}/{}/{field}", owner.class, owner.identity.text()));
    let property = match owner.convention {
        Convention::Adb => OBJECT_ID,
        Convention::PythonSdk => SDK_ID,
    };
    Identity::new(vec![(property, value)])
}

fn content_identity(id: String) -> Identity {
    Identity::new(vec![(CONTENT_ID, Value::String(id))])
}

/// What identifies an object by its blob: the SHA-256 of its bytes, in hexadecimal.
///
/// ```
/// let id = adb_model::graph::content_id(b"abc");
/// assert!(id.starts_with("ba7816bf8f01cfea") && id.len() == 64);
/// ```
#[must_use]
pub fn content_id(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The class of objects that belong to a field of another's: `Dish.look`.
pub(crate) fn part_class(owner: &str, field: &str) -> String {
    format!("{owner}.{field}")
}

/// Identity of a row that has none of its own: UUIDv5 over the source's name, the row's number and
/// what it says. The same on every run, and another one for an equal row elsewhere.
#[must_use]
pub fn row_identity(source: &str, row: u64, text: &[u8]) -> Uuid {
    let mut name = spell([source, &row.to_string()]).into_bytes();
    name.extend_from_slice(text);
    Uuid::new_v5(&ROW_NAMESPACE, &name)
}

/// UUIDv5 over both ends, the class, and the field where that tells two edges apart.
fn edge_id(src: &Node, class: &str, dst: &Node, field: Option<&str>) -> Uuid {
    let (from, to) = (src.identity.text(), dst.identity.text());
    let ends = [
        src.kind.command_suffix(),
        &src.class,
        &from,
        class,
        dst.kind.command_suffix(),
        &dst.class,
        &to,
    ];
    let name = spell(ends.into_iter().chain(field));
    Uuid::new_v5(&EDGE_NAMESPACE, name.as_bytes())
}

/// Texts, each with its length before it, so that no two different lists spell the same.
fn spell<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut spelled = String::with_capacity(128);
    for text in texts {
        // Writing to a String can't fail.
        let _ = write!(spelled, "{}:{text}", text.len());
    }
    spelled
}

/// Ours alone; changing it would double every edge of every database.
const EDGE_NAMESPACE: Uuid = Uuid::from_u128(0x8c0f_55b1_2b0d_4d9e_9a4c_6d1e_0a7b_3f21);

/// Ours alone; changing it would double every child that a maker made and that has no id.
const MADE_NAMESPACE: Uuid = Uuid::from_u128(0xb1d6_4f0e_7c35_4a8b_9e62_05d7_4e1f_c3a8);

/// Ours alone; changing it would double every object whose id comes from its row.
const ROW_NAMESPACE: Uuid = Uuid::from_u128(0x5e7b_0c52_90aa_4d0f_8d2b_3f41_77c1_a9d6);

/// Little-endian binary32, as the wire has vectors.
#[must_use]
pub fn vector_bytes(vector: &[f32]) -> Bytes {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClipVitB16, Embedding, Engine, Metric, Property as _};

    const SET: SetSpec = SetSpec::new::<ClipVitB16>("looks", Metric::Cosine, Engine::Flat);

    fn node(builder: &mut GraphBuilder, kind: ObjectKind, class: &'static str, id: u64) -> NodeId {
        match builder.enter(kind, class, vec![("id", id.to_value().unwrap())]).unwrap() {
            Entered::New(id) | Entered::Known(id) => id,
        }
    }

    #[test]
    fn kind_class_and_id_together_are_who_is_who() {
        let mut builder = GraphBuilder::new();
        let dish = node(&mut builder, ObjectKind::Entity, "Dish", 1);
        assert_eq!(node(&mut builder, ObjectKind::Entity, "Dish", 1), dish);
        assert_ne!(node(&mut builder, ObjectKind::Entity, "Dish", 2), dish);
        assert_ne!(node(&mut builder, ObjectKind::Entity, "Drink", 1), dish);
        assert_ne!(node(&mut builder, ObjectKind::Image, "Dish", 1), dish);
        assert_eq!(builder.finish().nodes().len(), 4);
    }

    #[test]
    fn the_same_edge_twice_is_one_and_has_the_same_id_on_every_run() {
        let edges = |times: usize| {
            let mut builder = GraphBuilder::new();
            let dish = node(&mut builder, ObjectKind::Image, "Dish", 1);
            let rice = node(&mut builder, ObjectKind::Entity, "Ingredient", 2);
            for _ in 0..times {
                builder.connect(dish, rice, "Has", Vec::new());
            }
            builder.connect(rice, dish, "Has", Vec::new());
            builder.connect(dish, rice, "Wants", Vec::new());
            builder.finish().edges().iter().map(|e| e.edge_id).collect::<Vec<_>>()
        };
        let ids = edges(1);
        assert_eq!(ids, edges(2));
        assert_eq!(ids.len(), 3);
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    }

    #[test]
    fn edge_ids_are_those_of_the_databases_that_exist() {
        let mut builder = GraphBuilder::new();
        let dish = node(&mut builder, ObjectKind::Image, "Dish", 1);
        let rice = node(&mut builder, ObjectKind::Entity, "Ingredient", 2);
        builder.connect(dish, rice, "Has", Vec::new());
        let id = builder.finish().edges()[0].edge_id.to_string();
        assert_eq!(id, "24ee15f6-6351-5370-998d-0081f512dd5c");
    }

    #[test]
    fn parts_are_named_for_owner_and_field() {
        let mut builder = GraphBuilder::new();
        let dish = node(&mut builder, ObjectKind::Entity, "Dish", 1);
        builder.media(dish, ObjectKind::Image, "photo", &MediaSource::from_text("a.png"));
        builder.descriptor(dish, "look", SET, None, Some(EmbedInput::Text("dal".into()))).unwrap();
        let graph = builder.finish();
        let parts: Vec<_> = graph.nodes()[1..]
            .iter()
            .map(|n| (&*n.class, n.identity.parts()[0].0, n.identity.text()))
            .collect();
        assert_eq!(
            parts,
            [
                ("Dish.photo", OBJECT_ID, "Dish/1/photo".to_owned()),
                ("Dish.look", OBJECT_ID, "Dish/1/look".to_owned()),
            ]
        );
        // A descriptor's edge comes with it; a picture's does not.
        assert_eq!(graph.edges().len(), 1);
        assert_eq!(graph.nodes()[1].properties, [("photo", Value::from("a.png"))]);
    }

    #[test]
    fn a_vector_that_does_not_fit_is_refused_when_it_is_added() {
        let mut builder = GraphBuilder::new();
        let dish = node(&mut builder, ObjectKind::Entity, "Dish", 1);
        let given = Embedding::from([1.0, 2.0]).shared();
        let error = builder.descriptor(dish, "look", SET, given, None).unwrap_err();
        assert_eq!(error.to_string(), "the vector has 2 components, its set takes 512 (Dish.look)");
    }

    #[test]
    fn neither_vector_nor_source_is_no_descriptor() {
        let mut builder = GraphBuilder::new();
        let dish = node(&mut builder, ObjectKind::Entity, "Dish", 1);
        builder.descriptor(dish, "look", SET, None, None).unwrap();
        assert_eq!(builder.finish().nodes().len(), 1);
    }

    #[test]
    fn wanted_are_vectors_that_are_neither_there_nor_given() {
        let mut builder = GraphBuilder::new();
        for id in 0..3 {
            let dish = node(&mut builder, ObjectKind::Entity, "Dish", id);
            let given = (id == 0).then(|| Arc::from([0.5; 512].as_slice()));
            let source = Some(EmbedInput::Text(format!("dish {id}")));
            builder.descriptor(dish, "look", SET, given, source).unwrap();
        }
        let mut graph = builder.finish();
        assert_eq!(graph.wanted().unwrap().len(), 2);
        let there = graph.node_ids().nth(3).unwrap();
        graph.mark_existing(there);
        let wanted = graph.wanted().unwrap();
        assert_eq!(wanted.len(), 1);
        assert_eq!(*wanted[0].2, EmbedInput::Text("dish 2".into()));
    }

    #[test]
    fn blob_bytes_count_what_is_sent() {
        let mut builder = GraphBuilder::new();
        let dish = node(&mut builder, ObjectKind::Image, "Dish", 1);
        let photo = MediaSource::Bytes(Bytes::from_static(b"12345"));
        builder.media(dish, ObjectKind::Image, "photo", &photo);
        let source = Some(EmbedInput::Text("dal".into()));
        builder.descriptor(dish, "look", SET, None, source).unwrap();
        let mut graph = builder.finish();
        assert_eq!(graph.blob_bytes(), 5 + 512 * 4);
        graph.mark_existing(dish);
        assert_eq!(graph.blob_bytes(), 512 * 4);
    }

    /// A page whose chunks and pictures are still to be made.
    fn page(row: u128) -> Graph {
        let mut builder = GraphBuilder::for_row(Uuid::from_u128(row));
        let owner = node(&mut builder, ObjectKind::Entity, "Page", 1);
        for field in ["pictures", "chunks"] {
            builder.to_make(ToMake {
                owner,
                at: FieldPlace { model: "Page", field, property: field },
                relation: Relation::Connection("Has"),
                maker: "splitter",
                input: MakeInput::Text("one two".into()),
            });
        }
        builder.finish()
    }

    /// Makes two chunks for each thing that is to be made.
    fn make(graph: Graph) -> Graph {
        let mut builder = graph.reopen();
        while let Some(task) = builder.next_to_make() {
            for _ in 0..2 {
                let Entered::New(child) = builder.enter_row(ObjectKind::Entity, "Chunk").unwrap()
                else {
                    unreachable!("each is another")
                };
                builder.relate(task.owner, child, task.relation, Vec::new());
            }
            builder.made(&task);
        }
        builder.finish()
    }

    #[test]
    fn made_children_have_ids_of_their_owner_field_and_number() {
        let ids = |row| {
            let graph = make(page(row));
            graph.nodes()[1..].iter().map(|n| n.identity.text()).collect::<Vec<_>>()
        };
        let mut first = ids(1);
        assert_eq!(first, ids(2), "the row is no part of them");
        first.sort();
        first.dedup();
        assert_eq!(first.len(), 4);
        let graph = make(page(1));
        assert_eq!(graph.edges().len(), 4);
        let made = Value::from("chunks=splitter,pictures=splitter");
        assert_eq!(graph.nodes()[0].properties, [(MADE, made)]);
    }

    #[test]
    fn what_was_made_before_is_not_made_again_and_what_was_not_is_noted() {
        let mut graph = page(1);
        let root = graph.node_ids().next().unwrap();
        graph.mark_existing(root);
        graph.mark_made(root, "chunks=other");
        let left: Vec<&str> = graph.to_make().iter().map(|task| task.at.field).collect();
        assert_eq!(left, ["pictures"]);
        let graph = make(graph);
        let mut lowering = crate::Lowering::new();
        lowering.push(&graph).unwrap();
        let request = lowering.finish();
        let text = std::str::from_utf8(&request.commands).unwrap();
        let note = r#"{"UpdateEntity":{"ref":1,"properties":{"adb_made":"chunks=other,pictures=splitter"}}}"#;
        assert!(text.contains(note), "{text}");
        assert!(text.starts_with(r#"[{"FindEntity":{"_ref":1,"with_class":"Page""#), "{text}");
    }

    #[test]
    fn a_graph_is_not_written_before_its_children_are_made() {
        let error = crate::Lowering::new().push(&page(1)).unwrap_err();
        assert_eq!(error.place(), "Page.pictures");
        assert!(error.to_string().contains("have not been made by `splitter`"), "{error}");
    }
}
