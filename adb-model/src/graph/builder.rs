//! Building a graph, field by field: what the code that `#[derive(DataModel)]` writes calls.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    fmt::Write as _,
    sync::Arc,
};

use uuid::Uuid;

use super::{
    Descriptor, Edge, EmbedInput, Graph, Identity, MADE, Node, NodeId, OBJECT_ID, Relation,
    SOURCE_FIELD, ToMake,
    identity::{
        MADE_NAMESPACE, content_id, content_identity, edge_id, part_class, part_identity, spell,
    },
};
use crate::{
    Convention, Geometry, MediaSource, ModelError, ModelErrorKind, ObjectKind, SetSpec, Value,
    embedding::check_vector,
};

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

/// Room for so many is made at once.
const USUAL_PROPERTIES: usize = 8;

/// Builds a [`Graph`]; the code that `#[derive(DataModel)]` writes calls it.
#[derive(Debug, Default)]
pub struct GraphBuilder {
    graph: Graph,
    row: Option<Uuid>,
    rows_entered: u64,
    /// Where nodes are, once there are more than a look at each of them is good for.
    seen: HashMap<(ObjectKind, Cow<'static, str>, String), NodeId>,
    edge_ids: HashSet<Uuid>,
    /// Classes of descriptors that do not follow from model and field.
    descriptor_classes: Vec<(NodeId, &'static str, &'static str)>,
    /// How many children a field of a node has so far.
    children: HashMap<(NodeId, &'static str), usize>,
}

impl Graph {
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
}

impl GraphBuilder {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One for a row of a source, so that objects without an id of their own get one from the row:
    /// see [`row_identity`](super::row_identity).
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
        let entered = self.enter_node(kind, Cow::Borrowed(class), Identity::new(id));
        if let Entered::New(node) = entered {
            self.graph.nodes[node.0].properties.reserve(USUAL_PROPERTIES);
        }
        Ok(entered)
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
        if self.graph.nodes.is_empty() {
            // Most often it is the only one, and large.
            self.graph.nodes.reserve_exact(1);
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
