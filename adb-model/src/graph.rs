//! The graph that one value becomes: nodes, edges, and who is who.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use bytes::Bytes;
use uuid::Uuid;

use crate::{
    Image, ObjectKind, SetSpec, Value,
    embedding::check_vector,
    error::{ModelError, ModelErrorKind},
};

/// The property that tells models of one kind apart, as the Python SDK writes it.
pub const USER_TYPE: &str = "user_type";
/// The property that identifies objects which no field of the user's does: descriptors, and the
/// images of entities.
pub const OBJECT_ID: &str = "adb_id";
/// The property that identifies a connection.
pub const EDGE_ID: &str = "edge_id";

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

/// What makes a node the same node on the next run.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// The identifying property.
    pub property: &'static str,
    /// Its value.
    pub value: Value,
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
    /// Its other properties, in the order of the fields.
    pub properties: Vec<(&'static str, Value)>,
    /// The picture, for images.
    pub image: Option<Image>,
    /// The vector and what it hangs on, for descriptors.
    pub descriptor: Option<Descriptor>,
    /// Whether the database is known to hold it already: then nothing of it is sent.
    pub exists: bool,
}

impl Node {
    /// Whether identity is the property *and* `user_type` (all kinds but entities).
    #[must_use]
    pub fn is_typed(&self) -> bool {
        self.kind != ObjectKind::Entity
    }
}

/// The descriptor part of a node.
#[derive(Debug, Clone)]
pub struct Descriptor {
    /// Its set.
    pub set: SetSpec,
    /// The object that it describes.
    pub owner: NodeId,
    /// The components, once known.
    pub vector: Option<Arc<[f32]>>,
    /// What to make them from.
    pub source: Option<EmbedInput>,
}

/// What a vector is made from.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum EmbedInput {
    /// A picture.
    Image(Image),
    /// A text.
    Text(String),
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
    /// What identifies it: made from both ends' identities and the class, so the same edge gets
    /// the same id on every run.
    pub edge_id: Uuid,
}

/// Nodes and edges of one value; the root is first, a node comes before what hangs on it.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
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

    /// Says that the database holds a node already.
    pub fn mark_existing(&mut self, node: NodeId) {
        self.nodes[node.0].exists = true;
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

    /// Images that have to be sent or embedded, by where they come from.
    pub fn images_mut(&mut self) -> impl Iterator<Item = &mut Image> {
        self.nodes.iter_mut().filter(|n| !n.exists).flat_map(|n| {
            let input = n.descriptor.as_mut().filter(|d| d.vector.is_none()).and_then(|d| match d
                .source
                .as_mut()?
            {
                EmbedInput::Image(image) => Some(image),
                EmbedInput::Text(_) => None,
            });
            n.image.as_mut().into_iter().chain(input)
        })
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
        Ok(())
    }

    /// Bytes of blobs that sending this graph takes, where they are known.
    #[must_use]
    pub fn blob_bytes(&self) -> usize {
        self.nodes
            .iter()
            .filter(|n| !n.exists)
            .map(|n| match (&n.image, &n.descriptor) {
                (Some(Image::Bytes(b)), _) => b.len(),
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

/// Builds a [`Graph`]; the code that `#[derive(DataModel)]` writes calls it.
#[derive(Debug, Default)]
pub struct GraphBuilder {
    graph: Graph,
    seen: HashMap<(ObjectKind, Cow<'static, str>, String), NodeId>,
    edge_ids: std::collections::HashSet<Uuid>,
}

impl GraphBuilder {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node, or finds the one with the same kind, class and id.
    ///
    /// # Errors
    /// When the id is an empty text: every row without one would be the same object.
    pub fn enter(
        &mut self,
        kind: ObjectKind,
        class: &'static str,
        id_property: &'static str,
        id: Value,
    ) -> Result<Entered, ModelError> {
        if id == Value::String(String::new()) {
            return Err(ModelError::new(class, ModelErrorKind::EmptyId { field: id_property }));
        }
        let identity = Identity { property: id_property, value: id };
        Ok(self.enter_node(kind, Cow::Borrowed(class), identity))
    }

    fn enter_node(
        &mut self,
        kind: ObjectKind,
        class: Cow<'static, str>,
        identity: Identity,
    ) -> Entered {
        let key = (kind, class.clone(), identity.value.to_string());
        if let Some(&known) = self.seen.get(&key) {
            return Entered::Known(known);
        }
        let id = NodeId(self.graph.nodes.len());
        self.seen.insert(key, id);
        self.graph.nodes.push(Node {
            kind,
            class,
            identity,
            properties: Vec::new(),
            image: None,
            descriptor: None,
            exists: false,
        });
        Entered::New(id)
    }

    /// Adds a property.
    pub fn property(&mut self, node: NodeId, name: &'static str, value: Value) {
        self.graph.nodes[node.0].properties.push((name, value));
    }

    /// Adds an image: to an image node as its picture, to any other as an image of its own, joined
    /// by a connection with the field's name. Where the picture came from becomes a property.
    pub fn image(&mut self, node: NodeId, name: &'static str, image: &Image) {
        let holder = if self.graph.nodes[node.0].kind == ObjectKind::Image {
            node
        } else {
            let (class, identity) = self.part_of(node, name);
            match self.enter_node(ObjectKind::Image, class, identity) {
                Entered::Known(_) => return,
                Entered::New(child) => {
                    self.connect(node, child, name);
                    child
                }
            }
        };
        if let Some(origin) = image.origin() {
            self.property(holder, name, Value::String(origin));
        }
        self.graph.nodes[holder.0].image = Some(image.clone());
    }

    /// Adds a descriptor of `owner`. With neither a vector nor a source there is nothing to add:
    /// an optional picture that is absent has no embedding.
    ///
    /// # Errors
    /// When a given vector does not fit the set.
    pub fn descriptor(
        &mut self,
        owner: NodeId,
        field: &'static str,
        set: SetSpec,
        vector: Option<Arc<[f32]>>,
        source: Option<EmbedInput>,
    ) -> Result<(), ModelError> {
        if vector.is_none() && source.is_none() {
            return Ok(());
        }
        let (class, identity) = self.part_of(owner, field);
        if let Some(v) = &vector {
            check_vector(v, set.dimensions)
                .map_err(|e| ModelError::new(class.clone(), ModelErrorKind::Embedding(e)))?;
        }
        if let Entered::New(id) = self.enter_node(ObjectKind::Descriptor, class, identity) {
            self.graph.nodes[id.0].descriptor = Some(Descriptor { set, owner, vector, source });
        }
        Ok(())
    }

    /// Joins two nodes. The same edge twice is one edge.
    pub fn connect(&mut self, src: NodeId, dst: NodeId, class: &'static str) {
        let edge_id = edge_id(&self.graph.nodes[src.0], class, &self.graph.nodes[dst.0]);
        if self.edge_ids.insert(edge_id) {
            self.graph.edges.push(Edge { class, src, dst, edge_id });
        }
    }

    /// The finished graph.
    #[must_use]
    pub fn finish(self) -> Graph {
        self.graph
    }

    /// Class and identity of an object that belongs to a field of another: `Dish.look`, and
    /// `Dish/1/look`.
    fn part_of(&self, owner: NodeId, field: &str) -> (Cow<'static, str>, Identity) {
        let owner = &self.graph.nodes[owner.0];
        let value = Value::String(format!("{}/{}/{field}", owner.class, owner.identity.value));
        (format!("{}.{field}", owner.class).into(), Identity { property: OBJECT_ID, value })
    }
}

/// UUIDv5 over both ends and the class, each with its length before it, so that no two
/// different edges spell the same text.
fn edge_id(src: &Node, class: &str, dst: &Node) -> Uuid {
    use std::fmt::Write as _;
    let mut name = String::new();
    for part in [
        src.kind.command_suffix(),
        &src.class,
        &src.identity.value.to_string(),
        class,
        dst.kind.command_suffix(),
        &dst.class,
        &dst.identity.value.to_string(),
    ] {
        // Writing to a String can't fail.
        let _ = write!(name, "{}:{part}", part.len());
    }
    Uuid::new_v5(&EDGE_NAMESPACE, name.as_bytes())
}

/// Ours alone; changing it would double every edge of every database.
const EDGE_NAMESPACE: Uuid = Uuid::from_u128(0x8c0f_55b1_2b0d_4d9e_9a4c_6d1e_0a7b_3f21);

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
        match builder.enter(kind, class, "id", id.to_value().unwrap()).unwrap() {
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
                builder.connect(dish, rice, "Has");
            }
            builder.connect(rice, dish, "Has");
            builder.connect(dish, rice, "Wants");
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
        builder.connect(dish, rice, "Has");
        let id = builder.finish().edges()[0].edge_id.to_string();
        assert_eq!(id, "24ee15f6-6351-5370-998d-0081f512dd5c");
    }

    #[test]
    fn parts_are_named_for_owner_and_field() {
        let mut builder = GraphBuilder::new();
        let dish = node(&mut builder, ObjectKind::Entity, "Dish", 1);
        builder.image(dish, "photo", &Image::Path("a.png".into()));
        builder.descriptor(dish, "look", SET, None, Some(EmbedInput::Text("dal".into()))).unwrap();
        let graph = builder.finish();
        let parts: Vec<_> = graph.nodes()[1..]
            .iter()
            .map(|n| (&*n.class, n.identity.property, n.identity.value.to_string()))
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
        builder.image(dish, "photo", &Image::Bytes(Bytes::from_static(b"12345")));
        let source = Some(EmbedInput::Text("dal".into()));
        builder.descriptor(dish, "look", SET, None, source).unwrap();
        let mut graph = builder.finish();
        assert_eq!(graph.blob_bytes(), 5 + 512 * 4);
        graph.mark_existing(dish);
        assert_eq!(graph.blob_bytes(), 512 * 4);
    }
}
