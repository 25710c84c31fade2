//! From a plan to commands.

use std::ops::Range;

use serde_json::{Map, Value as Json, json};

use super::{
    plan::{Change, Plan, Standing},
    replace::End,
};
use crate::{
    Constraint, Dialect, Edge, Graph, Lowering, Node, NodeId, ObjectKind,
    error::ModelError,
    graph::{EDGE_ID, ROW, USER_TYPE},
    lower::{all_is_made, check_label, edges_by_later_end, reference},
    probe::all_of,
};

impl Lowering {
    /// Appends what a plan has to do: first what goes, then what changes, then what is added.
    ///
    /// What is added anew is deleted by its identity before, so that the request does the same
    /// when it is sent again. No command at all where nothing differs.
    ///
    /// # Errors
    /// When an image has not been read, or a vector is missing; the request is then unchanged.
    pub fn push_upsert(&mut self, graph: &Graph, plan: &Plan) -> Result<Range<usize>, ModelError> {
        all_is_made(graph)?;
        self.all_or_nothing(|lowering| {
            lowering.delete(graph, plan);
            lowering.update(graph, plan)?;
            let nodes = lowering.add_new(graph, plan)?;
            lowering.restore(plan, nodes);
            Ok(())
        })
    }

    fn delete(&mut self, graph: &Graph, plan: &Plan) {
        let dialect = self.dialect();
        let by_id = |property: &'static str, ids: &[&str]| {
            let ids = ids.iter().map(|id| (*id).into());
            Constraint::one_of(property, ids).to_json(dialect)
        };
        for (class, ids) in grouped(plan.gone_edges.iter().map(|(c, id)| (*c, id.as_str()))) {
            let constraints = by_id("_uniqueid", &ids);
            let body = json!({ "with_class": class, "constraints": constraints });
            self.command("Delete", "Connection", &body);
        }
        // What hangs on a thing was found after it.
        let gone = plan.gone.iter().rev().map(|(kind, id)| (*kind, id.as_str()));
        for (kind, ids) in grouped(gone) {
            let body = json!({ "constraints": by_id("_uniqueid", &ids) });
            self.command("Delete", kind.command_suffix(), &body);
        }
        self.delete_carried(graph, plan);
        for (node, standing) in graph.nodes().iter().zip(&plan.nodes).rev() {
            if let Standing::Anew = standing {
                let body = Json::Object(named(node, dialect));
                self.command("Delete", node.kind.command_suffix(), &body);
            }
        }
    }

    /// Vectors that are carried over have no identity that we know: they go as what hangs on their
    /// owner, so that a request that is sent again finds those that it added before.
    fn delete_carried(&mut self, graph: &Graph, plan: &Plan) {
        let mut owners: Vec<NodeId> = plan.carried.descriptors.iter().map(|d| d.owner).collect();
        owners.dedup();
        for owner in owners {
            let (near, found) = (self.base(), self.base() + 1);
            self.take_references(2);
            let node = &graph.nodes()[owner.index()];
            let mut body = named(node, self.dialect());
            body.insert("_ref".to_owned(), near.into());
            self.command("Find", node.kind.command_suffix(), &body.into());
            let mut body = json!({ "_ref": found, "is_connected_to": {"ref": near} });
            // Some are joined by connections of the user's, and stay.
            if !plan.carried.ends.is_empty() {
                let others = Constraint::OneOf {
                    property: "_uniqueid".into(),
                    values: plan.carried.ends.iter().map(|(_, id)| id.as_str().into()).collect(),
                    negated: true,
                };
                body["constraints"] = others.to_json(self.dialect());
            }
            self.command("Find", "Descriptor", &body);
            self.command("Delete", "Descriptor", &json!({ "ref": found }));
        }
    }

    fn update(&mut self, graph: &Graph, plan: &Plan) -> Result<(), ModelError> {
        let dialect = self.dialect();
        for (node, standing) in graph.nodes().iter().zip(&plan.nodes) {
            let nothing = Change::default();
            let change = match standing {
                Standing::Changed(change) => change,
                Standing::Same if plan.note(node).is_some() => &nothing,
                _ => continue,
            };
            if let Some(label) = &change.label {
                check_label(node, label)?;
            }
            let mut body = named(node, dialect);
            set(&mut body, change);
            if let Some(row) = plan.note(node) {
                let properties = body.entry("properties").or_insert_with(|| json!({}));
                properties[ROW] = row.into();
            }
            self.command("Update", node.kind.command_suffix(), &body.into());
        }
        for (edge, change) in graph.edges().iter().zip(&plan.edges) {
            let Some(change) = change.as_ref().filter(|c| !c.is_nothing()) else { continue };
            let by_id = Constraint::equal(EDGE_ID, edge.edge_id.to_string());
            let mut body = Map::new();
            body.insert("with_class".to_owned(), edge.class.into());
            body.insert("constraints".to_owned(), by_id.to_json(dialect));
            set(&mut body, change);
            self.command("Update", "Connection", &body.into());
        }
        Ok(())
    }

    /// Answers where the nodes' references begin.
    fn add_new(&mut self, graph: &Graph, plan: &Plan) -> Result<u32, ModelError> {
        let base = self.base();
        self.take_references(graph.nodes().len());
        let new_edges = || graph.edges().iter().zip(&plan.edges).filter(|(_, e)| e.is_none());
        let mut is_end = vec![false; graph.nodes().len()];
        for (Edge { src, dst, .. }, _) in new_edges() {
            is_end[src.index()] = true;
            is_end[dst.index()] = true;
        }
        for (node, standing) in graph.nodes().iter().zip(&plan.nodes) {
            if let Standing::New | Standing::Anew = standing {
                let owner = node.descriptor.as_ref().and_then(|d| d.owner);
                for of in owner.into_iter().chain(node.container) {
                    is_end[of.index()] = true;
                }
            }
        }
        let edges_at = edges_by_later_end(graph, new_edges().map(|(edge, _)| edge));
        for (id, node) in graph.node_ids().zip(graph.nodes()) {
            match &plan.nodes[id.index()] {
                Standing::New | Standing::Anew => self.add(node, base, id)?,
                Standing::Same | Standing::Changed(_) if is_end[id.index()] => {
                    self.find(node, base, id);
                }
                Standing::Same | Standing::Changed(_) => {}
            }
            for edge in &edges_at[id.index()] {
                self.connect(edge, base);
            }
        }
        Ok(base)
    }

    /// What others had joined to objects that were added anew.
    fn restore(&mut self, plan: &Plan, nodes: u32) {
        let ends = self.base();
        self.take_references(plan.carried.ends.len());
        for (next, (class, id)) in (ends..).zip(&plan.carried.ends) {
            let by_id = Constraint::equal("_uniqueid", id.clone()).to_json(self.dialect());
            let mut body = json!({ "_ref": next, "constraints": by_id });
            if let Some(class) = class {
                body["with_class"] = class.as_str().into();
            }
            self.command("Find", "Entity", &body);
        }
        let at = |end: End| match end {
            End::Node(node) => reference(nodes, node),
            End::Stays(i) => ends + u32::try_from(i).unwrap_or(0),
        };
        for edge in &plan.carried.edges {
            let body = json!({
                "class": edge.class, "src": at(edge.src), "dst": at(edge.dst),
                "properties": edge.properties,
            });
            self.command("Add", "Connection", &body);
        }
        for descriptor in &plan.carried.descriptors {
            let mut body = json!({
                "set": descriptor.set, "properties": descriptor.properties,
                "connect": {"ref": reference(nodes, descriptor.owner)},
            });
            if let Some(label) = &descriptor.label {
                body["label"] = label.as_str().into();
            }
            self.command("Add", "Descriptor", &body);
            self.blob(descriptor.vector.clone());
        }
    }
}

/// Things of one kind together, in the order in which their kinds first come.
fn grouped<'a, K: PartialEq>(all: impl Iterator<Item = (K, &'a str)>) -> Vec<(K, Vec<&'a str>)> {
    let mut groups: Vec<(K, Vec<&str>)> = Vec::new();
    for (kind, id) in all {
        match groups.iter_mut().find(|(k, _)| *k == kind) {
            Some((_, ids)) => ids.push(id),
            None => groups.push((kind, vec![id])),
        }
    }
    groups
}

/// What selects a node in a command that changes it.
fn named(node: &Node, dialect: Dialect) -> Map<String, Json> {
    let mut body = Map::new();
    let mut constraint = all_of(&node.identity);
    if node.kind == ObjectKind::Entity {
        body.insert("with_class".to_owned(), (*node.class).into());
    }
    if node.is_typed() {
        constraint = constraint.and(Constraint::equal(USER_TYPE, node.class.clone().into_owned()));
    }
    if let Some(descriptor) = &node.descriptor {
        body.insert("set".to_owned(), descriptor.set.name.into());
    }
    body.insert("constraints".to_owned(), constraint.to_json(dialect));
    body
}

fn set(body: &mut Map<String, Json>, change: &Change) {
    if !change.set.is_empty() {
        let properties: Map<String, Json> =
            change.set.iter().map(|(name, value)| ((*name).to_owned(), value.to_json())).collect();
        body.insert("properties".to_owned(), properties.into());
    }
    if !change.remove.is_empty() {
        body.insert("remove_props".to_owned(), json!(change.remove));
    }
    if let Some(geometry) = &change.geometry {
        let (parameter, value) = geometry.parameter();
        body.insert(parameter.to_owned(), value);
    }
    if let Some(label) = &change.label {
        body.insert("label".to_owned(), label.as_str().into());
    }
}
