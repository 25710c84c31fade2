//! Asking the database which objects of some graphs it holds already, before any picture is read.

use std::collections::{HashMap, HashSet};

use serde_json::{Value as Json, json};

use crate::{
    Answer, Database, DbError, Graph, NodeId, ObjectKind, Request, Value, database::ask,
    graph::USER_TYPE,
};

/// Marks, in each graph, the roots and descriptors that the database holds already: they take no
/// blob then, and need no embedding. Answers, for each graph, whether its root was there.
///
/// One request for all graphs: a `Find…` for each class (and set) among them, by the ids in
/// question.
///
/// # Errors
/// When the database can't be asked.
pub async fn mark_existing(
    db: &dyn Database,
    graphs: &mut [&mut Graph],
) -> Result<Vec<bool>, DbError> {
    let mut groups: Vec<Group> = Vec::new();
    for (g, graph) in graphs.iter().enumerate() {
        for (id, node) in graph.node_ids().zip(graph.nodes()) {
            let set = node.descriptor.as_ref().map(|d| d.set.name);
            if id.index() > 0 && set.is_none() {
                continue;
            }
            let group = groups
                .iter()
                .position(|x| x.kind == node.kind && x.class == node.class && x.set == set)
                .unwrap_or_else(|| {
                    groups.push(Group {
                        kind: node.kind,
                        class: node.class.clone().into_owned(),
                        set,
                        property: node.identity.property,
                        members: HashMap::new(),
                    });
                    groups.len() - 1
                });
            groups[group].members.entry(key(&node.identity.value)).or_default().push((g, id));
        }
    }
    if groups.is_empty() {
        return Ok(vec![false; graphs.len()]);
    }
    let commands: Vec<Json> = groups.iter().map(|group| group.find(graphs)).collect();
    let (answers, _) = ask(db, Request::json(&Json::Array(commands))).await?;
    let mut there = vec![false; graphs.len()];
    for (i, group) in groups.iter().enumerate() {
        let answer = Answer::at(&answers, i)?;
        let found: HashSet<String> = answer
            .entities()
            .iter()
            .filter_map(|e| e.get(group.property).map(Json::to_string))
            .collect();
        for (_, members) in group.members.iter().filter(|(id, _)| found.contains(*id)) {
            for &(g, node) in members {
                graphs[g].mark_existing(node);
                there[g] |= node.index() == 0;
            }
        }
    }
    Ok(there)
}

/// Objects that one Find command can ask for.
struct Group {
    kind: ObjectKind,
    class: String,
    set: Option<&'static str>,
    property: &'static str,
    /// By id as JSON text: which nodes of which graphs.
    members: HashMap<String, Vec<(usize, NodeId)>>,
}

impl Group {
    fn find(&self, graphs: &[&mut Graph]) -> Json {
        let mut ids: Vec<&Value> = Vec::with_capacity(self.members.len());
        for members in self.members.values() {
            let (g, node) = members[0];
            ids.push(&graphs[g].nodes()[node.index()].identity.value);
        }
        let mut constraints = json!({ self.property: ["in", ids] });
        let mut body = json!({"results": {"list": [self.property]}});
        if self.kind == ObjectKind::Entity {
            body["with_class"] = json!(self.class);
        } else {
            constraints[USER_TYPE] = json!(["==", self.class]);
        }
        if let Some(set) = self.set {
            body["set"] = json!(set);
        }
        body["constraints"] = constraints;
        json!({ format!("Find{}", self.kind.command_suffix()): body })
    }
}

fn key(value: &Value) -> String {
    let mut out = Vec::new();
    value.write_json(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}
