//! Comparing a graph with what is stored of it, object by object and edge by edge.

use serde_json::{Map, Value as Json};

use super::{
    UpsertError,
    difference::Difference,
    plan::{Change, Standing},
    stored::{Stored, StoredNode},
};
use crate::{
    FieldRole, Graph, MediaSource, ModelSchema, Node, NodeId, Relation, Value,
    content::same_source,
    error::{ModelError, ModelErrorKind},
    graph::{CONTENT, vector_bytes},
    probe::is_stored_as,
    query::plan::descriptors,
};

pub(super) struct Comparison<'a> {
    pub(super) stored: &'a Stored,
    pub(super) models: Vec<&'static ModelSchema>,
    pub(super) nodes: Vec<Standing>,
    pub(super) reused: Vec<NodeId>,
    pub(super) differences: Vec<Difference>,
}

impl Comparison<'_> {
    pub(super) fn node(
        &mut self,
        graph: &Graph,
        id: NodeId,
        node: &Node,
    ) -> Result<Standing, UpsertError> {
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

    pub(super) fn edges(&mut self, graph: &Graph) -> Vec<Option<Change>> {
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

pub(super) fn connection_id(connection: &Map<String, Json>) -> Option<&str> {
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
                    Err(ModelError::new(node.class.clone(), ModelErrorKind::unread(unread)).into())
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
