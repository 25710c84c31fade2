//! What a database holds of some values: their objects, and what hangs on them.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use crate::{
    Answer, Constraint, Database, DbError, Dialect, FieldRole, Graph, ModelSchema, NodeId,
    ObjectKind, Relation, Request, Value, by_field, content,
    database::ask,
    graph::{
        CONTENT, EDGE_ID, Identity, OBJECT_ID, SDK_ID, SOURCE_FIELD, USER_TYPE, is_of_field,
        part_class,
    },
    probe,
    query::plan::{PROPERTIES, Shape, connected, descriptors, fetched, find},
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
    of: String,
    properties: Map<String, Json>,
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
    let mut body = unique_ids();
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
            let blob = object.get("_blob_index").and_then(Json::as_u64);
            let vector = blob.and_then(|i| blobs.get(usize::try_from(i).ok()?).cloned());
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
        for connection in connections(&Answer::at(&answers, i)?) {
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
        let mut body = unique_ids();
        body.insert("blobs".to_owned(), true.into());
        body.insert("constraints".to_owned(), by_id.to_json(Dialect::Classic));
        let (answers, blobs) = ask(db, Request::json(&json!([find(some[0].0, body)]))).await?;
        let mut hashes: HashMap<String, String> = HashMap::new();
        for object in Answer::at(&answers, 0)?.entities() {
            let index = object.get("_blob_index").and_then(Json::as_u64);
            let blob = index.and_then(|i| blobs.get(usize::try_from(i).ok()?));
            if let (Some(id), Some(blob)) = (unique_id(object), blob) {
                hashes.insert(id.to_owned(), content::hash(blob));
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

/// Commands that fetch what belongs to objects.
struct Tree {
    commands: Vec<Json>,
    next_ref: u32,
}

/// A command that fetches, for each object of another, what belongs to it.
struct Branch {
    kind: ObjectKind,
    command: usize,
    /// The connections to what it fetches, where they are the user's.
    edges: Option<OwnedEdges>,
    /// Whether the objects belong to their owner alone; children may be shared.
    owned: bool,
    branches: Vec<Branch>,
}

/// Connections of one field.
#[derive(Clone, Copy)]
struct OwnedEdges {
    class: &'static str,
    command: usize,
    /// Whether they end at the object.
    reversed: bool,
    /// The field that they name, if they do.
    field: Option<&'static str>,
}

impl Tree {
    fn reference(&mut self) -> u32 {
        self.next_ref += 1;
        self.next_ref - 1
    }

    fn push(&mut self, command: Json) -> usize {
        self.commands.push(command);
        self.commands.len() - 1
    }

    fn grow(&mut self, schema: &'static ModelSchema, owner: u32) -> Vec<Branch> {
        let mut branches = Vec::new();
        for field in schema.fields {
            let own_class = || part_class(schema.class, field.property);
            let (kind, class, relation, child) = match field.role {
                FieldRole::Embedding { .. } if schema.kind != ObjectKind::Descriptor => {
                    let (relation, class) = descriptors(schema, field);
                    (ObjectKind::Descriptor, class.into_owned(), relation, None)
                }
                FieldRole::Media { kind, .. } if kind != schema.kind => {
                    (kind, own_class(), Relation::Connection(field.property), None)
                }
                FieldRole::Children { relation, model, .. } => {
                    let child = model.get();
                    (child.kind, child.class.to_owned(), relation, Some(child))
                }
                _ => continue,
            };
            let part = child.filter(|_| relation == Relation::Part);
            let typed = child.is_none_or(ModelSchema::is_typed);
            // Parts are also known by where they lie.
            let mut body = match part {
                Some(part) => fetched(part.kind, PROPERTIES),
                None => unique_ids(),
            };
            let near = connected(owner, relation, &class, false, Dialect::Classic);
            body.insert("is_connected_to".to_owned(), near);
            body.insert("group_by_source".to_owned(), true.into());
            let set = match field.role {
                FieldRole::Embedding { set, .. } => Some(set),
                _ => child.and_then(ModelSchema::own_vector).map(|(_, set)| set),
            };
            if let Some(set) = set {
                body.insert("set".to_owned(), set.name.into());
            }
            if kind == ObjectKind::Entity {
                body.insert("with_class".to_owned(), class.into());
            } else if typed {
                let own = Constraint::equal(USER_TYPE, class).to_json(Dialect::Classic);
                body.insert("constraints".to_owned(), own);
            }
            let reference = part.map(|_| self.reference());
            if let Some(reference) = reference {
                body.insert("_ref".to_owned(), reference.into());
            }
            let command = self.push(find(kind, body));
            let edges = match field.role {
                FieldRole::Children { model, .. } => relation.class(model.get().class),
                FieldRole::Embedding { class: Some(class), .. } => relation.class(class),
                _ => None,
            };
            let edges = edges.map(|class| self.edges(class, relation, owner));
            let is_child = matches!(field.role, FieldRole::Children { .. });
            let owned = !is_child || part.is_some();
            let inner = match (part, reference) {
                (Some(part), Some(reference)) => self.grow(part, reference),
                _ => Vec::new(),
            };
            branches.push(Branch { kind, command, edges, owned, branches: inner });
        }
        branches
    }

    fn edges(&mut self, class: &'static str, relation: Relation, owner: u32) -> OwnedEdges {
        let reversed = matches!(relation, Relation::Reversed(_));
        let field = match relation {
            Relation::ByField { field, .. } => Some(field),
            _ => None,
        };
        let mut body = unique_ids();
        body.insert("with_class".to_owned(), class.into());
        body.insert(if reversed { "dst" } else { "src" }.to_owned(), owner.into());
        let list = ["_src", "_dst", EDGE_ID, SOURCE_FIELD];
        body.insert("results".to_owned(), json!({ "list": list }));
        let command = self.push(json!({ "FindConnection": body }));
        OwnedEdges { class, command, reversed, field }
    }
}

impl Branch {
    /// Adds what belongs to one object.
    fn collect(
        &self,
        answers: &[Json],
        owner: &str,
        owned: &mut Vec<Owned>,
        edges: &mut Vec<(&'static str, String)>,
    ) -> Result<(), DbError> {
        let answer = Answer::at(answers, self.command)?;
        let group = answer.get("entities").and_then(|groups| groups.get(owner));
        let objects = group.and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        let ids: Vec<&str> = objects.iter().filter_map(unique_id).collect();
        if let Some(OwnedEdges { class, command, reversed, field }) = self.edges {
            let (near, far) = if reversed { ("_dst", "_src") } else { ("_src", "_dst") };
            for connection in connections(&Answer::at(answers, command)?) {
                let text = |key: &str| connection.get(key).and_then(Json::as_str);
                let own =
                    text(near) == Some(owner) && text(far).is_some_and(|id| ids.contains(&id));
                // Others may have made some of the same class.
                let ours = match field {
                    Some(field) => text(SOURCE_FIELD).is_some_and(|f| is_of_field(f, field)),
                    None => text(EDGE_ID).is_some(),
                };
                if let (true, Some(id)) = (own && ours, text("_uniqueid")) {
                    edges.push((class, id.to_owned()));
                }
            }
        }
        for object in objects.iter().filter(|_| self.owned) {
            let Some(id) = unique_id(object) else { continue };
            owned.push(Owned {
                kind: self.kind,
                unique_id: id.to_owned(),
                of: owner.to_owned(),
                properties: object.as_object().cloned().unwrap_or_default(),
            });
            for branch in &self.branches {
                branch.collect(answers, id, owned, edges)?;
            }
        }
        Ok(())
    }
}

/// The body of a Find that asks for unique ids alone.
pub(super) fn unique_ids() -> Map<String, Json> {
    let mut body = Map::new();
    body.insert("uniqueids".to_owned(), true.into());
    body
}

pub(super) fn unique_id(object: &Json) -> Option<&str> {
    object.get("_uniqueid")?.as_str()
}

pub(super) fn connections<'a>(answer: &Answer<'a>) -> &'a [Json] {
    answer.get("connections").and_then(Json::as_array).map_or(&[], Vec::as_slice)
}
