//! The graph that one value becomes: nodes, edges, and who is who.

mod builder;
mod identity;
mod node;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    MakeInput, MediaSource, ModelError, ModelErrorKind, ObjectKind, SetSpec,
    embedding::check_vector,
};

pub use crate::embedding::vector_bytes;
pub use builder::{Entered, GraphBuilder};
pub(crate) use identity::part_class;
pub use identity::{Identity, content_id, row_identity};
use identity::{content_identity, edge_id, part_identity};
pub(crate) use node::is_of_field;
pub use node::{Descriptor, Edge, EmbedInput, Node, NodeId, Relation, ToMake};

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
