//! What has to be done so that the database holds a value as it is.

use std::{collections::HashSet, fmt, sync::Arc};

use serde_json::{Map, Value as Json};

use super::{
    UpsertError,
    stored::{Stored, StoredNode},
};
use crate::{
    EmbedderIdentity, FieldRole, Geometry, Graph, MediaSource, ModelSchema, Node, NodeId,
    ObjectKind, Relation, SetSpec, Value,
    content::same_source,
    error::{ModelError, ModelErrorKind},
    graph::{CONTENT, ROW, RUN, vector_bytes},
    probe::is_stored_as,
    query::plan::descriptors,
};

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was not there.
    Added,
    /// It was there, and is otherwise now: the object itself, what belongs to it, or what it is
    /// connected to.
    Updated,
    /// It was there as it is: nothing was written.
    Unchanged,
}

/// One respect in which a database holds a value otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// An object is missing.
    Missing {
        /// Its class.
        class: String,
    },
    /// A property has another value, or none, or is there and should not be.
    Property {
        /// The object's class.
        class: String,
        /// The property.
        property: &'static str,
    },
    /// A part lies elsewhere, or has another label.
    Place {
        /// The part's class.
        class: String,
    },
    /// The bytes of a picture, a video or a file: it is replaced.
    Media {
        /// Its class.
        class: String,
    },
    /// A vector was made from something else, or by another embedder, or is another one.
    Vector {
        /// The class of the descriptor: model and field, such as `Dish.look`.
        class: String,
        /// Whether it has to be made anew; else the caller gave it.
        embed: bool,
    },
    /// A connection is missing, or has other properties.
    Connection {
        /// Its class.
        class: &'static str,
    },
    /// A connection holds no longer.
    ConnectionGone {
        /// Its class.
        class: &'static str,
    },
    /// A region, clip, frame, picture or vector is there that the value no longer has.
    Gone {
        /// What it is.
        kind: ObjectKind,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Missing { class } => write!(f, "`{class}` is to be added"),
            Difference::Property { class, property } => {
                write!(f, "`{class}.{property}` is another")
            }
            Difference::Place { class } => write!(f, "`{class}` lies elsewhere, or is labelled so"),
            Difference::Media { class } => write!(f, "`{class}` has other bytes: it is replaced"),
            Difference::Vector { class, embed: true } => {
                write!(f, "`{class}` was made from something else: it is embedded again")
            }
            Difference::Vector { class, embed: false } => {
                write!(f, "`{class}` is another vector")
            }
            Difference::Connection { class } => write!(f, "a connection `{class}` is to be made"),
            Difference::ConnectionGone { class } => {
                write!(f, "a connection `{class}` holds no longer")
            }
            Difference::Gone { kind } => {
                write!(f, "a {} is there no longer", kind.command_suffix())
            }
        }
    }
}

/// What an object, or a connection, is to become.
#[derive(Debug, Clone, Default)]
pub(super) struct Change {
    pub(super) set: Vec<(&'static str, Value)>,
    pub(super) remove: Vec<&'static str>,
    pub(super) geometry: Option<Geometry>,
    pub(super) label: Option<String>,
}

impl Change {
    pub(super) fn is_nothing(&self) -> bool {
        self.set.is_empty()
            && self.remove.is_empty()
            && self.geometry.is_none()
            && self.label.is_none()
    }
}

/// How an object stands.
#[derive(Debug)]
pub(super) enum Standing {
    /// It is not there.
    New,
    /// It is there as it is here.
    Same,
    /// Some of its properties are others.
    Changed(Change),
    /// It is deleted and added anew: its bytes, its vector, or what it is a part of are others.
    Anew,
}

/// What to do: made by [`Stored::plan`], carried out by [`Plan::complete`] and
/// [`Lowering::push_upsert`](crate::Lowering::push_upsert).
#[derive(Debug)]
pub struct Plan {
    pub(super) nodes: Vec<Standing>,
    /// Nothing where the edge is to be made.
    pub(super) edges: Vec<Option<Change>>,
    pub(super) gone: Vec<(ObjectKind, String)>,
    pub(super) gone_edges: Vec<(&'static str, String)>,
    /// Vectors that stay, although what they describe is added anew.
    pub(super) reused: Vec<NodeId>,
    pub(super) unique_ids: Vec<Option<String>>,
    /// Of edges of the graph that are there.
    pub(super) edge_unique_ids: Vec<String>,
    /// Everything else that hangs on what is added anew.
    pub(super) carried: super::replace::Carried,
    /// What is noted on the root of its row.
    noted: Option<String>,
    differences: Vec<Difference>,
}

impl Plan {
    /// What became of the value, once the plan is carried out.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.nodes.first() {
            Some(Standing::New) => Outcome::Added,
            _ if self.differences.is_empty() => Outcome::Unchanged,
            _ => Outcome::Updated,
        }
    }

    /// Whether nothing has to be written at all: neither does something differ, nor is another row
    /// to be noted on the root.
    #[must_use]
    pub fn is_nothing(&self, graph: &Graph) -> bool {
        self.differences.is_empty() && graph.root().is_none_or(|root| self.note(root).is_none())
    }

    /// What is to be noted on a node that is there, if that is something else than before.
    pub(super) fn note<'n>(&self, node: &'n Node) -> Option<&'n str> {
        node.row.as_deref().filter(|row| self.noted.as_deref() != Some(row))
    }

    /// Leaves a descriptor out, since there is nothing to make its vector from; one that is there
    /// and was to be replaced goes. Answers whether it can be, as [`Graph::leave_out`] does.
    pub fn leave_out(&mut self, graph: &mut Graph, node: NodeId) -> bool {
        if !graph.leave_out(node) {
            return false;
        }
        match std::mem::replace(&mut self.nodes[node.index()], Standing::Same) {
            Standing::New => {
                let class = &graph.nodes()[node.index()].class;
                let missing =
                    |d: &Difference| matches!(d, Difference::Missing { class: c } if c == class);
                if let Some(at) = self.differences.iter().position(missing) {
                    self.differences.remove(at);
                }
            }
            Standing::Anew => {
                if let Some(Some(id)) = self.unique_ids.get(node.index()) {
                    self.gone.push((ObjectKind::Descriptor, id.clone()));
                }
            }
            Standing::Same | Standing::Changed(_) => {}
        }
        for (edge, change) in graph.edges().iter().zip(&mut self.edges) {
            if edge.src == node || edge.dst == node {
                if change.is_none() {
                    let connection = |d: &Difference| matches!(d, Difference::Connection { class } if *class == edge.class);
                    if let Some(at) = self.differences.iter().position(connection) {
                        self.differences.remove(at);
                    }
                }
                *change = Some(Change::default());
            }
        }
        true
    }

    /// In which respects the database holds the value otherwise; nothing where there is nothing to
    /// do.
    #[must_use]
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// Whether an object is deleted and added anew. Then the plan must be carried out before
    /// anyone else connects something to it: [`complete`](Plan::complete) keeps the connections
    /// that there are when it runs.
    #[must_use]
    pub fn replaces(&self) -> bool {
        let anew = |s: &Standing| matches!(s, Standing::Anew);
        self.nodes.iter().any(anew)
    }
}

impl Stored {
    /// Compares a graph, whose media have been read as far as they are given, with what the
    /// database holds of it.
    ///
    /// Marks what need not be sent, so that [`Graph::wanted`] tells the vectors that have to be
    /// made. What the value says of the root and its parts holds to the letter: properties and
    /// children that it lacks are removed. Children that others may share get what it says, and
    /// keep what it does not say.
    ///
    /// Media that have not been read are taken for unchanged if they come from where the stored
    /// ones came from.
    ///
    /// `embedder` answers who fills a set, where that is known.
    ///
    /// # Errors
    /// When media that are needed have not been read.
    pub fn plan<'e>(
        &self,
        graph: &mut Graph,
        schema: &'static ModelSchema,
        embedder: impl Fn(&SetSpec) -> Option<&'e EmbedderIdentity>,
    ) -> Result<Plan, UpsertError> {
        graph.mark_contents_with(embedder, &self.unread(graph));
        let mut comparison = Comparison {
            stored: self,
            models: schema.reachable(),
            nodes: Vec::with_capacity(graph.nodes().len()),
            reused: Vec::new(),
            differences: Vec::new(),
        };
        for (id, node) in graph.node_ids().zip(graph.nodes()) {
            let standing = comparison.node(graph, id, node)?;
            comparison.nodes.push(standing);
        }
        let edges = comparison.edges(graph);
        let Comparison { nodes, reused, mut differences, .. } = comparison;
        let (gone, gone_edges) = self.no_longer(&mut differences);
        for (id, standing) in graph.node_ids().zip(&nodes) {
            let sent = matches!(standing, Standing::New | Standing::Anew);
            graph.node_mut(id).exists = !sent || reused.contains(&id);
            // What is added anew was added by the run that added it first.
            if let (Standing::Anew, Some(stored)) = (standing, &self.nodes[id.index()]) {
                graph.node_mut(id).run = run_of(&stored.properties);
            }
        }
        for (edge, stored) in graph.edges_mut().iter_mut().zip(&self.edges) {
            if let Some(stored) = stored {
                edge.run = run_of(stored);
            }
        }
        let edge_unique_ids = self.edges.iter().flatten().filter_map(connection_id);
        let unique_ids = self.nodes.iter().map(|n| n.as_ref().map(|n| n.unique_id.clone()));
        Ok(Plan {
            nodes,
            edges,
            gone,
            gone_edges,
            reused,
            unique_ids: unique_ids.collect(),
            edge_unique_ids: edge_unique_ids.map(str::to_owned).collect(),
            carried: super::replace::Carried::default(),
            noted: self.noted(),
            differences,
        })
    }

    fn noted(&self) -> Option<String> {
        let root = self.nodes.first()?.as_ref()?;
        root.properties.get(ROW)?.as_str().map(str::to_owned)
    }

    /// Media that have not been read, and what is known of them.
    fn unread(&self, graph: &Graph) -> Vec<(MediaSource, String)> {
        let nodes = graph.nodes().iter().zip(&self.nodes);
        nodes
            .filter_map(|(node, stored)| {
                let media = node.media.as_ref().filter(|m| m.loaded().is_none())?;
                Some((media.clone(), stored.as_ref()?.content.clone()?))
            })
            .collect()
    }

    #[expect(clippy::type_complexity, reason = "two lists, each named where it goes")]
    fn no_longer(
        &self,
        differences: &mut Vec<Difference>,
    ) -> (Vec<(ObjectKind, String)>, Vec<(&'static str, String)>) {
        let gone: Vec<_> = self.gone().map(|o| (o.kind, o.unique_id.clone())).collect();
        differences.extend(gone.iter().map(|(kind, _)| Difference::Gone { kind: *kind }));
        let here: HashSet<&str> = self.edges.iter().flatten().filter_map(connection_id).collect();
        let gone_edges: Vec<_> =
            self.owned_edges.iter().filter(|(_, id)| !here.contains(&**id)).cloned().collect();
        differences
            .extend(gone_edges.iter().map(|(class, _)| Difference::ConnectionGone { class }));
        (gone, gone_edges)
    }
}

struct Comparison<'a> {
    stored: &'a Stored,
    models: Vec<&'static ModelSchema>,
    nodes: Vec<Standing>,
    reused: Vec<NodeId>,
    differences: Vec<Difference>,
}

impl Comparison<'_> {
    fn node(&mut self, graph: &Graph, id: NodeId, node: &Node) -> Result<Standing, UpsertError> {
        let class = || node.class.clone().into_owned();
        let Some(stored) = &self.stored.nodes[id.index()] else {
            self.differences.push(Difference::Missing { class: class() });
            return Ok(Standing::New);
        };
        if let Some(descriptor) = &node.descriptor {
            if self.vector_differs(graph, node, stored, descriptor.owner) {
                let embed = descriptor.vector.is_none() || descriptor.made;
                self.differences.push(Difference::Vector { class: class(), embed });
                return Ok(Standing::Anew);
            }
            let owner = descriptor.owner.and_then(|owner| self.nodes.get(owner.index()));
            if owner.is_some_and(|s| matches!(s, Standing::Anew)) {
                self.reused.push(id);
                return Ok(Standing::Anew);
            }
        }
        let in_what_is_anew = node
            .container
            .and_then(|c| self.nodes.get(c.index()))
            .is_some_and(|s| matches!(s, Standing::Anew));
        if in_what_is_anew {
            return Ok(Standing::Anew);
        }
        if media_differ(node, stored)? {
            self.differences.push(Difference::Media { class: class() });
            return Ok(Standing::Anew);
        }
        let mut change = properties(&node.properties, &stored.properties);
        if self.is_owned(graph, id) {
            change.remove = self.absent(node, stored);
        }
        let touched = change.set.iter().map(|(p, _)| *p).chain(change.remove.iter().copied());
        for property in touched {
            self.differences.push(Difference::Property { class: class(), property });
        }
        if let (true, Some(content)) = (stored.content_is_new, &stored.content) {
            change.set.push((CONTENT, Value::String(content.clone())));
            self.differences.push(Difference::Property { class: class(), property: CONTENT });
        }
        let label = stored.properties.get("_label").and_then(Json::as_str);
        let label = label.filter(|label| *label != "None");
        let geometry = node.geometry.as_ref().filter(|g| !g.is_stored_as(&stored.properties));
        if label != node.label.as_deref() || geometry.is_some() {
            self.differences.push(Difference::Place { class: class() });
            if node.descriptor.is_some() || (node.label.is_none() && label.is_some()) {
                // No command takes a label away, and none changes that of a vector.
                return Ok(Standing::Anew);
            }
            change.label.clone_from(&node.label);
            change.geometry = geometry.cloned();
        }
        Ok(if change.is_nothing() { Standing::Same } else { Standing::Changed(change) })
    }

    /// Whether a vector must be another one.
    fn vector_differs(
        &self,
        graph: &Graph,
        node: &Node,
        stored: &StoredNode,
        owner: Option<NodeId>,
    ) -> bool {
        let Some(descriptor) = &node.descriptor else { return false };
        if let Some(given) = descriptor.vector.as_ref().filter(|_| !descriptor.made) {
            return stored.vector.as_ref().is_none_or(|there| *there != vector_bytes(given));
        }
        match (&stored.content, &node.content) {
            (Some(there), Some(here)) => !same_source(there, here),
            // What it is made from has not been read, and is taken for unchanged.
            (_, None) => false,
            // Nobody noted what it was made from: then from what its owner has.
            (None, Some(_)) => match owner {
                Some(owner) => self.source_changed(graph, node, owner.index()),
                None => self.own_source_changed(node, stored),
            },
        }
    }

    /// The same, where the object is the descriptor.
    fn own_source_changed(&self, node: &Node, stored: &StoredNode) -> bool {
        let Some(model) = self.model(node) else { return true };
        let from = model.own_vector().and_then(|(field, _)| match field.role {
            FieldRole::Embedding { from, .. } => from,
            _ => None,
        });
        let from = from.and_then(|from| model.fields.iter().find(|f| f.name == from));
        from.is_none_or(|from| {
            let change = properties(&node.properties, &stored.properties);
            change.set.iter().any(|(property, _)| *property == from.property)
        })
    }

    fn source_changed(&self, graph: &Graph, node: &Node, owner: usize) -> bool {
        let of = &graph.nodes()[owner];
        let Some(model) = self.model(of) else { return true };
        let mut embeddings =
            model.fields.iter().filter(|f| matches!(f.role, FieldRole::Embedding { .. }));
        let field = embeddings.find(|f| descriptors(model, f).1 == node.class);
        let Some(FieldRole::Embedding { from: Some(from), .. }) = field.map(|f| f.role) else {
            return true;
        };
        let from = model.fields.iter().find(|f| f.name == from);
        match (from, self.nodes.get(owner)) {
            (Some(from), Some(Standing::Changed(change))) => {
                change.geometry.is_some() || change.set.iter().any(|(p, _)| *p == from.property)
            }
            (Some(_), Some(Standing::Same)) => false,
            // The picture, or that of which this is a part, is another one.
            _ => true,
        }
    }

    fn model(&self, node: &Node) -> Option<&'static ModelSchema> {
        let same = |m: &&&ModelSchema| m.kind == node.kind && m.class == node.class;
        self.models.iter().find(same).copied()
    }

    /// Whether it is the root or a part of it.
    fn is_owned(&self, graph: &Graph, id: NodeId) -> bool {
        let mut id = id;
        while id.index() > 0 {
            let node = &graph.nodes()[id.index()];
            match node.container.or(node.descriptor.as_ref().and_then(|d| d.owner)) {
                Some(of) => id = of,
                None => return false,
            }
        }
        true
    }

    /// Properties of the model that the object has and the value lacks.
    fn absent(&self, node: &Node, stored: &StoredNode) -> Vec<&'static str> {
        let fields = self.model(node).map_or(&[][..], |m| m.fields);
        let properties = fields.iter().filter(|f| matches!(f.role, FieldRole::Property { .. }));
        properties
            .map(|f| f.property)
            .filter(|p| node.properties.iter().all(|(here, _)| here != p))
            .filter(|p| stored.properties.get(*p).is_some_and(|v| !v.is_null()))
            .collect()
    }

    fn edges(&mut self, graph: &Graph) -> Vec<Option<Change>> {
        let mut edges = Vec::with_capacity(graph.edges().len());
        for (edge, stored) in graph.edges().iter().zip(&self.stored.edges) {
            let anew = |end: NodeId| matches!(self.nodes[end.index()], Standing::Anew);
            let change = stored.as_ref().map(|stored| {
                if edge.field.is_some() {
                    // The place in the list may be another one.
                    return Change::default();
                }
                let mut change = properties(&edge.properties, stored);
                let owned = self.is_owned(graph, edge.src) || self.is_owned(graph, edge.dst);
                if owned {
                    change.remove = self.absent_of_edge(edge.class, &edge.properties, stored);
                }
                change
            });
            if change.as_ref().is_none_or(|c| !c.is_nothing()) {
                self.differences.push(Difference::Connection { class: edge.class });
            }
            // With its end it goes, and is made anew.
            let ends_anew = anew(edge.src) || anew(edge.dst);
            edges.push(change.filter(|_| !ends_anew));
        }
        edges
    }

    fn absent_of_edge(
        &self,
        class: &str,
        here: &[(&'static str, Value)],
        stored: &Map<String, Json>,
    ) -> Vec<&'static str> {
        let fields = self.models.iter().flat_map(|m| m.fields).find_map(|f| match f.role {
            FieldRole::Children {
                relation: Relation::Connection(of) | Relation::Reversed(of),
                edge,
                ..
            } if of == class => Some(edge),
            _ => None,
        });
        let properties = fields.unwrap_or_default().iter().map(|f| f.property);
        properties
            .filter(|p| here.iter().all(|(name, _)| name != p))
            .filter(|p| stored.get(*p).is_some_and(|v| !v.is_null()))
            .collect()
    }
}

/// The run that added an object, or a connection.
fn run_of(properties: &Map<String, Json>) -> Option<Arc<str>> {
    properties.get(RUN)?.as_str().map(Arc::from)
}

fn connection_id(connection: &Map<String, Json>) -> Option<&str> {
    connection.get("_uniqueid")?.as_str()
}

/// Whether an object's bytes are others than those that are stored.
fn media_differ(node: &Node, stored: &StoredNode) -> Result<bool, UpsertError> {
    let Some(media) = &node.media else { return Ok(false) };
    match (media, &node.content) {
        (MediaSource::Bytes(_), here) => Ok(here.is_none() || *here != stored.content),
        (MediaSource::Stored(_), _) => Ok(false),
        (unread, _) => {
            let origin = unread.origin().unwrap_or_default();
            let from_there = stored.properties.values().any(|v| v.as_str() == Some(&origin));
            match from_there {
                true => Ok(false),
                false => {
                    Err(ModelError::new(node.class.clone(), ModelErrorKind::Unread(origin)).into())
                }
            }
        }
    }
}

fn properties(here: &[(&'static str, Value)], stored: &Map<String, Json>) -> Change {
    let set = here
        .iter()
        .filter(|(name, value)| !is_stored_as(value, stored.get(*name).unwrap_or(&Json::Null)));
    Change { set: set.cloned().collect(), ..Change::default() }
}
