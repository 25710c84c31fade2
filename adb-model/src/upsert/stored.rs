//! What a database holds of some values: their objects, and what hangs on them.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use super::tree::Tree;
use crate::{
    Answer, Constraint, Database, DbError, Dialect, Graph, ModelSchema, NodeId, ObjectKind,
    Request, Value,
    answer::{blob_of, unique_id},
    by_field,
    database::ask,
    graph::{CONTENT, EDGE_ID, Identity, OBJECT_ID, SDK_ID, USER_TYPE, content_id},
    probe,
    query::{
        change::listed,
        plan::{PROPERTIES, Shape, fetched, find},
    },
};

/// Blobs that are fetched at once, where only they tell whether they have changed.
const BLOBS_AT_ONCE: usize = 16;

/// What the database holds of one graph.
#[derive(Debug, Default)]
pub struct Stored {
    /// Of each node.
    pub(super) nodes: Vec<Option<StoredNode>>,
    /// Properties of each edge.
    pub(super) edges: Vec<Option<Map<String, Json>>>,
    /// What belongs to the root alone, whether it is in the graph or not.
    pub(super) owned: Vec<Owned>,
    /// Connections that the root and its parts have by their models: class and unique id.
    pub(super) owned_edges: Vec<(&'static str, String)>,
}

/// An object that belongs to a root alone.
#[derive(Debug, Clone)]
pub(super) struct Owned {
    pub(super) kind: ObjectKind,
    pub(super) unique_id: String,
    /// The object that it belongs to: the root, or a part of it.
    pub(super) of: String,
    pub(super) properties: Map<String, Json>,
}

/// One object.
#[derive(Debug)]
pub(super) struct StoredNode {
    pub(super) unique_id: String,
    pub(super) properties: Map<String, Json>,
    /// Its vector, if the value brings one to compare it with.
    pub(super) vector: Option<Bytes>,
    /// What it was made from, if that is known.
    pub(super) content: Option<String>,
    /// Whether that had to be found out, and should be noted.
    pub(super) content_is_new: bool,
}

impl Stored {
    /// Whether the root is there.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.nodes.first().is_some_and(Option::is_some)
    }

    /// What is there and belongs to the root, but is not in the graph.
    pub(super) fn gone(&self) -> impl Iterator<Item = &Owned> {
        let known: HashSet<&str> =
            self.nodes.iter().flatten().map(|n| n.unique_id.as_str()).collect();
        self.owned.iter().filter(move |owned| !known.contains(owned.unique_id.as_str()))
    }
}

/// Looks up all objects of some graphs, whose roots are of the model `schema`.
///
/// One request for graphs of which nothing is there; a second one, for what hangs on the roots, if
/// something is.
///
/// Parts whose ids come from their row get the ids that they had, where they lie at the same place
/// in the same object: a row that has changed elsewhere has the same regions.
///
/// # Errors
/// When the database can't be asked.
pub async fn look_up(
    db: &dyn Database,
    schema: &'static ModelSchema,
    graphs: &mut [&mut Graph],
) -> Result<Vec<Stored>, DbError> {
    loop {
        let mut stored: Vec<Stored> = graphs
            .iter()
            .map(|g| Stored {
                nodes: g.nodes().iter().map(|_| None).collect(),
                edges: g.edges().iter().map(|_| None).collect(),
                ..Stored::default()
            })
            .collect();
        find_nodes(db, graphs, &mut stored).await?;
        find_rest(db, schema, graphs, &mut stored).await?;
        let by_edge = find_by_field(db, graphs, &mut stored).await?;
        // What hangs on parts that are known again is looked up again; each round knows more.
        if !adopt(graphs, &stored) && !by_edge {
            find_contents(db, graphs, &mut stored).await?;
            return Ok(stored);
        }
    }
}

/// Finds edges by field. Descriptors that are known by theirs alone get the ids that they have;
/// answers whether there were any.
async fn find_by_field(
    db: &dyn Database,
    graphs: &mut [&mut Graph],
    stored: &mut [Stored],
) -> Result<bool, DbError> {
    let stored_as = |g: usize, node: NodeId| {
        let stored: &Stored = &stored[g];
        stored.nodes[node.index()].as_ref().map(|n| n.unique_id.as_str())
    };
    let found = by_field::find_edges(Dialect::Classic, db, graphs, stored_as).await?;
    let mut unknown: HashMap<String, (usize, NodeId)> = HashMap::new();
    for edge in found {
        let end = graphs[edge.graph].edges()[edge.edge].dst;
        if stored[edge.graph].nodes[end.index()].is_none() {
            unknown.insert(edge.dst, (edge.graph, end));
        }
        stored[edge.graph].edges[edge.edge] = Some(edge.connection);
    }
    if unknown.is_empty() {
        return Ok(false);
    }
    let ids = unknown.keys().map(|id| id.as_str().into());
    let by_id = Constraint::one_of("_uniqueid", ids).to_json(Dialect::Classic);
    let mut body = listed();
    body.insert("constraints".to_owned(), by_id);
    body.insert("results".to_owned(), json!({"list": [SDK_ID]}));
    let command = find(ObjectKind::Descriptor, body);
    let (answers, _) = ask(db, Request::json(&json!([command]))).await?;
    let mut adopted = false;
    for object in Answer::at(&answers, 0)?.entities() {
        let node = unique_id(object).and_then(|id| unknown.get(id));
        let id = object.get(SDK_ID).and_then(|id| Value::from_answer(id).ok().flatten());
        if let (Some(&(g, node)), Some(id)) = (node, id) {
            adopted |= graphs[g].nodes()[node.index()].identity.text() != id.to_string();
            graphs[g].adopt(node, Identity::new(vec![(SDK_ID, id)]));
        }
    }
    Ok(adopted)
}

/// Gives parts the ids that they have in the database; answers whether there were any.
fn adopt(graphs: &mut [&mut Graph], stored: &[Stored]) -> bool {
    let mut adopted = false;
    for (graph, stored) in graphs.iter_mut().zip(stored) {
        let mut free: Vec<&Owned> = stored.gone().collect();
        for id in graph.node_ids() {
            let node = &graph.nodes()[id.index()];
            let (Some(container), Some(geometry), None) =
                (node.container, &node.geometry, &stored.nodes[id.index()])
            else {
                continue;
            };
            let Some(of) = &stored.nodes[container.index()] else { continue };
            if !matches!(node.identity.parts(), [(OBJECT_ID, _)]) {
                continue;
            }
            let same = |owned: &&Owned| {
                owned.kind == node.kind
                    && owned.of == of.unique_id
                    && (!node.is_typed()
                        || owned.properties.get(USER_TYPE).and_then(Json::as_str)
                            == Some(&*node.class))
                    && geometry.is_stored_as(&owned.properties)
            };
            let Some(place) = free.iter().position(same) else { continue };
            let owned = free.swap_remove(place);
            let own = owned.properties.get(OBJECT_ID).and_then(Json::as_str);
            if let Some(own) = own.filter(|own| *own != node.identity.text()) {
                graph.adopt(id, Identity::new(vec![(OBJECT_ID, own.into())]));
                adopted = true;
            }
        }
    }
    adopted
}

async fn find_nodes(
    db: &dyn Database,
    graphs: &[&mut Graph],
    stored: &mut [Stored],
) -> Result<(), DbError> {
    let groups = probe::group(graphs.iter().map(|g| &**g), |_, _, _| true);
    if groups.is_empty() {
        return Ok(());
    }
    let commands = groups
        .iter()
        .map(|g| {
            g.find(
                Dialect::Classic,
                fetched(g.kind, Shape { vectors: g.with_vectors, ..PROPERTIES }),
            )
        })
        .collect();
    let (answers, blobs) = ask(db, Request::json(&Json::Array(commands))).await?;
    for (i, group) in groups.iter().enumerate() {
        for object in Answer::at(&answers, i)?.entities() {
            let (Some(properties), Some(unique_id)) = (object.as_object(), unique_id(object))
            else {
                continue;
            };
            let vector = blob_of(object, &blobs).cloned();
            let content = object.get(CONTENT).and_then(Json::as_str).map(str::to_owned);
            for (g, node) in group.nodes_of(object) {
                // Of several that have the identity the first counts, as it does for a guard.
                stored[g].nodes[node.index()].get_or_insert_with(|| StoredNode {
                    unique_id: unique_id.to_owned(),
                    properties: properties.clone(),
                    vector: vector.clone(),
                    content: content.clone(),
                    content_is_new: false,
                });
            }
        }
    }
    Ok(())
}

/// Connections between objects that are there, and all that belongs to roots that are there.
async fn find_rest(
    db: &dyn Database,
    schema: &'static ModelSchema,
    graphs: &[&mut Graph],
    stored: &mut [Stored],
) -> Result<(), DbError> {
    let mut commands: Vec<Json> = Vec::new();
    let classes = edges_by_class(graphs, stored);
    for (class, edges) in &classes {
        let ids = edges.keys().map(|id| id.as_str().into());
        let constraint = Constraint::one_of(EDGE_ID, ids).to_json(Dialect::Classic);
        commands.push(json!({ "FindConnection": {
            "with_class": class, "constraints": constraint, "uniqueids": true,
            "results": {"all_properties": true},
        }}));
    }
    let roots: HashMap<String, Vec<usize>> = by_root(stored);
    let mut tree = Tree { commands, next_ref: 1 };
    let mut branches = Vec::new();
    if !roots.is_empty() {
        let reference = tree.reference();
        let ids = roots.keys().map(|id| id.as_str().into());
        let mut body = Map::new();
        body.insert("_ref".to_owned(), reference.into());
        if schema.kind == ObjectKind::Entity {
            body.insert("with_class".to_owned(), schema.class.into());
        }
        if let Some((_, set)) = schema.own_vector() {
            body.insert("set".to_owned(), set.name.into());
        }
        let by_id = Constraint::one_of("_uniqueid", ids).to_json(Dialect::Classic);
        body.insert("constraints".to_owned(), by_id);
        tree.commands.push(find(schema.kind, body));
        branches = tree.grow(schema, reference);
    }
    if tree.commands.is_empty() {
        return Ok(());
    }
    let (answers, _) = ask(db, Request::json(&Json::Array(tree.commands))).await?;
    for (i, (_, edges)) in classes.iter().enumerate() {
        for connection in Answer::at(&answers, i)?.connections() {
            let id = connection.get(EDGE_ID).and_then(Json::as_str);
            for &(g, e) in id.and_then(|id| edges.get(id)).into_iter().flatten() {
                stored[g].edges[e] = connection.as_object().cloned();
            }
        }
    }
    for (root, graphs) in roots {
        let (mut owned, mut edges) = (Vec::new(), Vec::new());
        for branch in &branches {
            branch.collect(&answers, &root, &mut owned, &mut edges)?;
        }
        for g in graphs {
            stored[g].owned.clone_from(&owned);
            stored[g].owned_edges.clone_from(&edges);
        }
    }
    Ok(())
}

type Edges = HashMap<String, Vec<(usize, usize)>>;

/// Edges both of whose ends are there, by class and id: which edges of which graphs.
fn edges_by_class(graphs: &[&mut Graph], stored: &[Stored]) -> Vec<(&'static str, Edges)> {
    let mut classes: Vec<(&'static str, Edges)> = Vec::new();
    for (g, graph) in graphs.iter().enumerate() {
        let there = |i: usize| stored[g].nodes[i].is_some();
        for (e, edge) in graph.edges().iter().enumerate() {
            let is_there = there(edge.src.index()) && there(edge.dst.index());
            if edge.field.is_some() || !is_there {
                continue;
            }
            let i = classes.iter().position(|(class, _)| *class == edge.class);
            let i = i.unwrap_or_else(|| {
                classes.push((edge.class, Edges::new()));
                classes.len() - 1
            });
            classes[i].1.entry(edge.edge_id.to_string()).or_default().push((g, e));
        }
    }
    classes
}

/// Graphs whose root is there, by its unique id.
fn by_root(stored: &[Stored]) -> HashMap<String, Vec<usize>> {
    let mut roots: HashMap<String, Vec<usize>> = HashMap::new();
    for (g, stored) in stored.iter().enumerate() {
        if let Some(root) = stored.nodes.first().and_then(Option::as_ref) {
            roots.entry(root.unique_id.clone()).or_default().push(g);
        }
    }
    roots
}

/// Of media that nothing is noted of, the blobs tell.
async fn find_contents(
    db: &dyn Database,
    graphs: &[&mut Graph],
    stored: &mut [Stored],
) -> Result<(), DbError> {
    let mut unknown: Vec<(ObjectKind, usize, usize)> = Vec::new();
    for (g, graph) in graphs.iter().enumerate() {
        for (i, node) in graph.nodes().iter().enumerate() {
            let there = stored[g].nodes[i].as_ref();
            if node.media.is_some() && there.is_some_and(|s| s.content.is_none()) {
                unknown.push((node.kind, g, i));
            }
        }
    }
    unknown.sort_by_key(|(kind, ..)| kind.command_suffix());
    for some in unknown.chunk_by(|a, b| a.0 == b.0).flat_map(|same| same.chunks(BLOBS_AT_ONCE)) {
        let id = |g: usize, i: usize| stored[g].nodes[i].as_ref().map(|n| n.unique_id.clone());
        let ids: Vec<String> = some.iter().filter_map(|&(_, g, i)| id(g, i)).collect();
        let by_id = Constraint::one_of("_uniqueid", ids.into_iter().map(Into::into));
        let mut body = listed();
        body.insert("blobs".to_owned(), true.into());
        body.insert("constraints".to_owned(), by_id.to_json(Dialect::Classic));
        let (answers, blobs) = ask(db, Request::json(&json!([find(some[0].0, body)]))).await?;
        let mut hashes: HashMap<String, String> = HashMap::new();
        for object in Answer::at(&answers, 0)?.entities() {
            if let (Some(id), Some(blob)) = (unique_id(object), blob_of(object, &blobs)) {
                hashes.insert(id.to_owned(), content_id(blob));
            }
        }
        for &(_, g, i) in some {
            if let Some(node) = stored[g].nodes[i].as_mut() {
                node.content = hashes.get(&node.unique_id).cloned();
                node.content_is_new = node.content.is_some();
            }
        }
    }
    Ok(())
}
