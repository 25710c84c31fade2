//! Asking the database which objects of some graphs it holds already, before any picture is read.

use std::collections::{HashMap, HashSet};

use serde_json::{Value as Json, json};

use crate::{
    Answer, Constraint, Database, DbError, Dialect, Graph, Identity, Node, NodeId, ObjectKind,
    Request, Value,
    database::ask,
    graph::{MADE, USER_TYPE},
};

/// What the database has of one graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Whether it has the root.
    pub exists: bool,
    /// How the root's properties differ from the graph's, in words, if they do.
    pub difference: Option<String>,
}

/// Marks, in each graph, the roots and descriptors that the database holds already: they take no
/// blob then, and need no embedding. Children that it says were made before are not made again.
/// Answers what was found of each root.
///
/// One request for all graphs: a `Find…` for each class (and set) among them, by the ids in
/// question. A graph that has grown since it was probed is asked for what is new; of its root
/// nothing is found then.
///
/// # Errors
/// When the database can't be asked.
pub async fn mark_existing(
    db: &dyn Database,
    graphs: &mut [&mut Graph],
) -> Result<Vec<Found>, DbError> {
    let groups = group(graphs);
    for graph in graphs.iter_mut() {
        graph.probed = graph.nodes().len();
    }
    let mut found = vec![Found::default(); graphs.len()];
    if groups.is_empty() {
        return Ok(found);
    }
    let commands: Vec<Json> = groups.iter().map(|group| group.find(graphs)).collect();
    let (answers, _) = ask(db, Request::json(&Json::Array(commands))).await?;
    for (i, group) in groups.iter().enumerate() {
        for object in Answer::at(&answers, i)?.entities() {
            let Some(id) = group.id_of(object) else { continue };
            for &(g, node) in group.members.get(&id).into_iter().flatten() {
                graphs[g].mark_existing(node);
                if let Some(made) = object.get(MADE).and_then(Json::as_str) {
                    graphs[g].mark_made(node, made);
                }
                if node.index() == 0 {
                    let difference = difference(&graphs[g].nodes()[0], object);
                    found[g] = Found { exists: true, difference };
                }
            }
        }
    }
    Ok(found)
}

/// Roots, descriptors and owners of children that are to be made, by what one Find command can ask
/// for.
fn group(graphs: &[&mut Graph]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (g, graph) in graphs.iter().enumerate() {
        let makers: HashSet<NodeId> = graph.to_make().iter().map(|task| task.owner).collect();
        for (id, node) in graph.node_ids().zip(graph.nodes()).skip(graph.probed) {
            let set = node.descriptor.as_ref().map(|d| d.set.name);
            let makes = makers.contains(&id);
            if id.index() > 0 && set.is_none() && !makes {
                continue;
            }
            let i = groups
                .iter()
                .position(|x| {
                    (x.kind, x.typed, x.set) == (node.kind, node.typed, set)
                        && x.class == node.class
                })
                .unwrap_or_else(|| {
                    groups.push(Group {
                        kind: node.kind,
                        typed: node.typed,
                        class: node.class.clone().into_owned(),
                        set,
                        id: node.identity.parts().iter().map(|(p, _)| *p).collect(),
                        list: node.identity.parts().iter().map(|(p, _)| *p).collect(),
                        members: HashMap::new(),
                    });
                    groups.len() - 1
                });
            let made = makes.then_some(&MADE);
            for name in node.properties.iter().map(|(name, _)| name).chain(made) {
                if !groups[i].list.contains(name) {
                    groups[i].list.push(name);
                }
            }
            groups[i].members.entry(spelled(&node.identity)).or_default().push((g, id));
        }
    }
    groups
}

/// The first property of `node` that the database has otherwise. Numbers compare as numbers: the
/// database does not tell 2 from 2.0.
fn difference(node: &Node, object: &Json) -> Option<String> {
    node.properties.iter().find_map(|(name, value)| {
        let there = object.get(name).unwrap_or(&Json::Null);
        let same = match value {
            Value::Int(i) => there.as_i64() == Some(*i) || there.as_f64() == Some(*i as f64),
            Value::Float(x) => there.as_f64() == Some(*x),
            Value::Bool(b) => there.as_bool() == Some(*b),
            Value::String(s) => there.as_str() == Some(s),
            Value::Date(_) => Value::from_answer(there) == Ok(Some(value.clone())),
            Value::Json(json) => there == json,
        };
        (!same).then(|| format!("`{name}` is {} here and {there} in the database", value.to_json()))
    })
}

/// Objects that one Find command can ask for.
struct Group {
    kind: ObjectKind,
    class: String,
    /// Whether the class is a property of theirs.
    typed: bool,
    set: Option<&'static str>,
    /// The properties that identify them.
    id: Vec<&'static str>,
    /// The properties to list.
    list: Vec<&'static str>,
    /// By id as JSON text: which nodes of which graphs.
    members: HashMap<String, Vec<(usize, NodeId)>>,
}

impl Group {
    /// The identity of an object that was found, spelled as [`spelled`] does.
    fn id_of(&self, object: &Json) -> Option<String> {
        let parts: Option<Vec<&Json>> = self.id.iter().map(|p| object.get(*p)).collect();
        Some(json!(parts?).to_string())
    }

    fn find(&self, graphs: &[&mut Graph]) -> Json {
        let identities = self.members.values().map(|members| {
            let (g, node) = members[0];
            &graphs[g].nodes()[node.index()].identity
        });
        let mut any = match self.id.as_slice() {
            [property] => {
                Constraint::one_of(*property, identities.map(|id| id.parts()[0].1.clone()))
            }
            _ => Constraint::Any(identities.map(all_of).collect()),
        };
        let mut body = json!({"results": {"list": self.list}});
        if self.kind == ObjectKind::Entity {
            body["with_class"] = json!(self.class);
        }
        if self.typed {
            any = any.and(Constraint::equal(USER_TYPE, self.class.clone()));
        }
        if let Some(set) = self.set {
            body["set"] = json!(set);
        }
        body["constraints"] = any.to_json(Dialect::Classic);
        json!({ format!("Find{}", self.kind.command_suffix()): body })
    }
}

fn all_of(identity: &Identity) -> Constraint {
    let parts = identity.parts().iter();
    Constraint::All(parts.map(|(p, v)| Constraint::equal(*p, v.clone())).collect())
}

fn spelled(identity: &Identity) -> String {
    Json::Array(identity.parts().iter().map(|(_, v)| v.to_json()).collect()).to_string()
}
