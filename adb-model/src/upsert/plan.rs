//! What has to be done so that the database holds a value as it is.

use std::{collections::HashSet, sync::Arc};

use serde_json::{Map, Value as Json};

use super::{
    UpsertError,
    comparison::{Comparison, connection_id},
    difference::Difference,
    replace::Carried,
    stored::Stored,
};
use crate::{
    EmbedderIdentity, Geometry, Graph, MediaSource, ModelSchema, Node, NodeId, ObjectKind, SetSpec,
    Value,
    graph::{ROW, RUN},
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
    pub(super) carried: Carried,
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
            carried: Carried::default(),
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

/// The run that added an object, or a connection.
fn run_of(properties: &Map<String, Json>) -> Option<Arc<str>> {
    properties.get(RUN)?.as_str().map(Arc::from)
}
