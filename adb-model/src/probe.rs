//! Asking the database which objects of some graphs it holds already, before any picture is read.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value as Json, json};

use crate::{
    Answer, Constraint, Database, DbError, Dialect, Graph, Identity, Node, NodeId, ObjectKind,
    Request, RowNote, Value,
    answer::unique_id,
    by_field,
    database::ask,
    graph::{MADE, ROW, USER_TYPE},
};

/// What the database has of one graph.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Whether it has the root.
    pub exists: bool,
    /// How the root's properties differ from the graph's, in words, if they do.
    pub difference: Option<String>,
    /// What is noted on the root of the row that it was made from, if the graph has a note too, and
    /// as many of its descriptors are there as when that was written.
    pub note: Option<RowNote>,
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
    mark_existing_in(Dialect::default(), db, graphs).await
}

/// The same in a dialect of one's choice.
///
/// # Errors
/// When the database can't be asked.
pub async fn mark_existing_in(
    dialect: Dialect,
    db: &dyn Database,
    graphs: &mut [&mut Graph],
) -> Result<Vec<Found>, DbError> {
    // Whether edges by field are there, their ends tell.
    let by_field = by_field::are_in(graphs.iter().map(|g| &**g));
    let making: Vec<HashSet<NodeId>> = graphs.iter().map(|g| makers(g)).collect();
    let looked_up = |g: usize, id: NodeId, node: &Node| {
        id.index() == 0 || node.descriptor.is_some() || making[g].contains(&id)
    };
    let before: Vec<usize> = graphs.iter().map(|g| g.probed).collect();
    let groups = group(graphs.iter().map(|g| &**g), |g, id, node| {
        by_field || (id.index() >= before[g] && looked_up(g, id, node))
    });
    for graph in graphs.iter_mut() {
        graph.probed = graph.nodes().len();
    }
    let mut found = vec![Found::default(); graphs.len()];
    if groups.is_empty() {
        return Ok(found);
    }
    let commands: Vec<Json> = groups.iter().map(|g| g.find_listed(dialect, by_field)).collect();
    let (answers, _) = ask(db, Request::json(&Json::Array(commands))).await?;
    let mut unique_ids: HashMap<(usize, NodeId), &str> = HashMap::new();
    for (i, group) in groups.iter().enumerate() {
        for object in Answer::at(&answers, i)?.entities() {
            for (g, node) in group.nodes_of(object) {
                if let Some(id) = unique_id(object) {
                    unique_ids.entry((g, node)).or_insert(id);
                }
                if node.index() < before[g] {
                    continue;
                }
                if looked_up(g, node, &graphs[g].nodes()[node.index()]) {
                    graphs[g].mark_existing(node);
                }
                if let Some(made) = object.get(MADE).and_then(Json::as_str) {
                    graphs[g].mark_made(node, made);
                }
                if node.index() == 0 {
                    let difference = difference(&graphs[g].nodes()[0], object);
                    found[g] = Found { exists: true, difference, note: note_of(object) };
                }
            }
        }
    }
    for (graph, found) in graphs.iter().zip(&mut found) {
        let nodes = graph.node_ids().zip(graph.nodes());
        let lacks = |(id, n): &(NodeId, &Node)| is_known_vector(graph, *id, n) && !n.exists;
        let lacking = nodes.filter(lacks).count();
        found.note = found.note.take().filter(|note| lacking <= note.without);
    }
    let unique_id = |g: usize, node: NodeId| {
        let known = graphs[g].nodes()[node.index()].unique_id.as_deref();
        known.or(unique_ids.get(&(g, node)).copied())
    };
    let edges = by_field::find_edges(dialect, db, graphs, unique_id).await?;
    for edge in edges {
        let graph = &mut graphs[edge.graph];
        let end = graph.edges()[edge.edge].dst;
        graph.mark_edge_existing(edge.edge);
        if graph.nodes()[end.index()].descriptor.is_some() {
            graph.mark_existing(end);
        }
    }
    Ok(found)
}

/// What is noted on roots of the rows that they were made from; nothing of one that is not there,
/// or lacks descriptors that were there when that was written. Nothing is marked.
///
/// # Errors
/// When the database can't be asked.
pub async fn find_notes(
    dialect: Dialect,
    db: &dyn Database,
    graphs: &[&Graph],
) -> Result<Vec<Option<RowNote>>, DbError> {
    let groups = group(graphs.iter().copied(), |g, id, node| {
        id.index() == 0 || is_known_vector(graphs[g], id, node)
    });
    let mut notes: Vec<Option<RowNote>> = vec![None; graphs.len()];
    if groups.is_empty() {
        return Ok(notes);
    }
    let commands = groups.iter().map(|group| {
        let mut list = group.id.clone();
        list.push(ROW);
        let mut body = Map::new();
        body.insert("results".to_owned(), json!({ "list": list }));
        group.find(dialect, body)
    });
    let (answers, _) = ask(db, Request::json(&Json::Array(commands.collect()))).await?;
    let mut there: HashSet<(usize, NodeId)> = HashSet::new();
    for (i, group) in groups.iter().enumerate() {
        for object in Answer::at(&answers, i)?.entities() {
            for (g, node) in group.nodes_of(object) {
                there.insert((g, node));
                if node.index() == 0 {
                    notes[g] = note_of(object);
                }
            }
        }
    }
    for (g, graph) in graphs.iter().enumerate() {
        let nodes = graph.node_ids().zip(graph.nodes());
        let lacks = |(id, node): &(NodeId, &Node)| {
            is_known_vector(graph, *id, node) && !there.contains(&(g, *id))
        };
        let lacking = nodes.filter(lacks).count();
        notes[g] = notes[g].take().filter(|note| lacking <= note.without);
    }
    Ok(notes)
}

/// Whether it is a descriptor that is known by its own identity: not by its connection's, nor by
/// where its row stands.
fn is_known_vector(graph: &Graph, id: NodeId, node: &Node) -> bool {
    node.descriptor.is_some() && node.convention.is_own() && !graph.is_of_row(id)
}

fn note_of(object: &Json) -> Option<RowNote> {
    object.get(ROW)?.as_str()?.parse().ok()
}

/// The owners of children that are to be made.
fn makers(graph: &Graph) -> HashSet<NodeId> {
    graph.to_make().iter().map(|task| task.owner).collect()
}

/// Nodes of some graphs, by what one Find command can ask for.
pub(crate) fn group<'g>(
    graphs: impl Iterator<Item = &'g Graph>,
    wanted: impl Fn(usize, NodeId, &Node) -> bool,
) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (g, graph) in graphs.enumerate() {
        let makers = makers(graph);
        for (id, node) in graph.node_ids().zip(graph.nodes()) {
            if !wanted(g, id, node) {
                continue;
            }
            let set = node.descriptor.as_ref().map(|d| d.set.name);
            let i = groups
                .iter()
                .position(|x| {
                    (x.kind, x.typed, x.set) == (node.kind, node.typed, set)
                        && x.class == node.class
                })
                .unwrap_or_else(|| {
                    groups.push(Group::new(node, set));
                    groups.len() - 1
                });
            groups[i].add(g, id, node);
            if makers.contains(&id) && !groups[i].list.contains(&MADE) {
                groups[i].list.push(MADE);
            }
            if node.row.is_some() && !groups[i].list.contains(&ROW) {
                groups[i].list.push(ROW);
            }
        }
    }
    groups
}

/// The first property of `node` that the database has otherwise.
fn difference(node: &Node, object: &Json) -> Option<String> {
    node.properties.iter().find_map(|(name, value)| {
        let there = object.get(name).unwrap_or(&Json::Null);
        (!is_stored_as(value, there))
            .then(|| format!("`{name}` is {} here and {there} in the database", value.to_json()))
    })
}

/// Whether an answer has this value. Numbers compare as numbers: the database does not tell 2 from
/// 2.0.
pub(crate) fn is_stored_as(value: &Value, there: &Json) -> bool {
    match value {
        Value::Int(i) => there.as_i64() == Some(*i) || there.as_f64() == Some(*i as f64),
        Value::Float(x) => there.as_f64() == Some(*x),
        Value::Bool(b) => there.as_bool() == Some(*b),
        Value::String(s) => there.as_str() == Some(s),
        Value::Date(_) => Value::from_answer(there) == Ok(Some(value.clone())),
        Value::Json(json) => there == json,
    }
}

/// Who it is, and which nodes of which graphs.
type Member = (Identity, Vec<(usize, NodeId)>);

/// Objects that one Find command can ask for.
pub(crate) struct Group {
    pub(crate) kind: ObjectKind,
    class: String,
    /// Whether the class is a property of theirs.
    typed: bool,
    set: Option<&'static str>,
    /// The properties that identify them.
    id: Vec<&'static str>,
    /// The properties to list.
    list: Vec<&'static str>,
    /// By id as JSON text.
    members: HashMap<Vec<u8>, Member>,
    /// Whether the caller gave vectors, to be compared with those that are stored.
    pub(crate) with_vectors: bool,
}

impl Group {
    fn new(node: &Node, set: Option<&'static str>) -> Self {
        let id: Vec<&'static str> = node.identity.parts().iter().map(|(p, _)| *p).collect();
        Self {
            kind: node.kind,
            class: node.class.clone().into_owned(),
            typed: node.is_typed(),
            set,
            list: id.clone(),
            id,
            members: HashMap::new(),
            with_vectors: false,
        }
    }

    fn add(&mut self, graph: usize, id: NodeId, node: &Node) {
        for (name, _) in &node.properties {
            if !self.list.contains(name) {
                self.list.push(name);
            }
        }
        self.with_vectors |= node.descriptor.as_ref().is_some_and(|d| d.vector.is_some());
        let members = self.members.entry(spelled(&node.identity));
        members.or_insert_with(|| (node.identity.clone(), Vec::new())).1.push((graph, id));
    }

    /// The nodes that an object that was found is.
    pub(crate) fn nodes_of(&self, object: &Json) -> impl Iterator<Item = (usize, NodeId)> + '_ {
        let parts: Option<Vec<&Json>> = self.id.iter().map(|p| object.get(*p)).collect();
        let id = parts.and_then(|parts| serde_json::to_vec(&parts).ok());
        let members = id.and_then(|id| self.members.get(&id));
        members.into_iter().flat_map(|(_, nodes)| nodes).copied()
    }

    fn find_listed(&self, dialect: Dialect, unique_ids: bool) -> Json {
        let mut body = Map::new();
        if unique_ids {
            body.insert("uniqueids".to_owned(), true.into());
        }
        body.insert("results".to_owned(), json!({ "list": self.list }));
        self.find(dialect, body)
    }

    /// A Find of them, with what is asked of each in `body`.
    pub(crate) fn find(&self, dialect: Dialect, mut body: Map<String, Json>) -> Json {
        let mut identities = self.members.values().map(|(identity, _)| identity);
        let mut any = match self.id.as_slice() {
            [property] => {
                Constraint::one_of(*property, identities.map(|id| id.parts()[0].1.clone()))
            }
            _ => Constraint::Any(identities.by_ref().map(all_of).collect()),
        };
        if self.kind == ObjectKind::Entity {
            body.insert("with_class".to_owned(), self.class.clone().into());
        }
        if self.typed {
            any = any.and(Constraint::equal(USER_TYPE, self.class.clone()));
        }
        if let Some(set) = self.set {
            body.insert("set".to_owned(), set.into());
        }
        body.insert("constraints".to_owned(), any.to_json(dialect));
        json!({ format!("Find{}", self.kind.command_suffix()): body })
    }
}

/// The constraint that only the object of this identity passes, within its class.
pub(crate) fn all_of(identity: &Identity) -> Constraint {
    let parts = identity.parts().iter();
    Constraint::All(parts.map(|(p, v)| Constraint::equal(*p, v.clone())).collect())
}

/// As a JSON array.
fn spelled(identity: &Identity) -> Vec<u8> {
    let mut spelled = Vec::with_capacity(40);
    for (i, (_, value)) in identity.parts().iter().enumerate() {
        spelled.push(if i == 0 { b'[' } else { b',' });
        value.write_json(&mut spelled);
    }
    spelled.push(b']');
    spelled
}
