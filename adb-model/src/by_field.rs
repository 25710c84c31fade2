//! Connections that name their field, as the Python SDK's models make them: found by their ends,
//! since those of the SDK have no id.

use serde_json::{Map, Value as Json, json};

use crate::{
    Answer, Constraint, Database, DbError, Dialect, Graph, NodeId, ObjectKind, Request,
    database::ask,
    graph::{EDGE_ID, SOURCE_FIELD, is_of_field},
    query::plan::find,
};

/// An edge of a graph that the database holds.
pub(crate) struct FoundEdge {
    pub(crate) graph: usize,
    pub(crate) edge: usize,
    /// Where it ends in the database.
    pub(crate) dst: String,
    pub(crate) connection: Map<String, Json>,
}

/// Whether some graph has such edges.
pub(crate) fn are_in<'g>(mut graphs: impl Iterator<Item = &'g Graph>) -> bool {
    graphs.any(|graph| graph.edges().iter().any(|edge| edge.field.is_some()))
}

/// Objects of one class at which edges of one class begin.
struct Sources {
    kind: ObjectKind,
    of: String,
    class: &'static str,
    ids: Vec<String>,
    edges: Vec<(usize, usize)>,
}

/// The edges by field that the database holds. `unique_id` answers under which id it has a node.
///
/// A descriptor that is known by its owner's edge alone counts, too: the SDK gives it an id by
/// chance.
pub(crate) async fn find_edges<'i>(
    dialect: Dialect,
    db: &dyn Database,
    graphs: &[&mut Graph],
    unique_id: impl Fn(usize, NodeId) -> Option<&'i str>,
) -> Result<Vec<FoundEdge>, DbError> {
    let mut groups: Vec<Sources> = Vec::new();
    for (g, graph) in graphs.iter().enumerate() {
        for (e, edge) in graph.edges().iter().enumerate().filter(|(_, e)| e.field.is_some()) {
            let Some(id) = unique_id(g, edge.src) else { continue };
            let src = &graph.nodes()[edge.src.index()];
            let same =
                |s: &Sources| s.kind == src.kind && s.of == src.class && s.class == edge.class;
            let i = groups.iter().position(same).unwrap_or_else(|| {
                groups.push(Sources {
                    kind: src.kind,
                    of: src.class.clone().into_owned(),
                    class: edge.class,
                    ids: Vec::new(),
                    edges: Vec::new(),
                });
                groups.len() - 1
            });
            if groups[i].ids.last().map(String::as_str) != Some(id) {
                groups[i].ids.push(id.to_owned());
            }
            groups[i].edges.push((g, e));
        }
    }
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let mut commands = Vec::new();
    for (i, group) in groups.iter().enumerate() {
        let ids = group.ids.iter().map(|id| id.as_str().into());
        let by_id = Constraint::one_of("_uniqueid", ids).to_json(dialect);
        let mut body = Map::new();
        body.insert("_ref".to_owned(), (i + 1).into());
        body.insert("constraints".to_owned(), by_id);
        if group.kind == ObjectKind::Entity {
            body.insert("with_class".to_owned(), group.of.as_str().into());
        }
        commands.push(find(group.kind, body));
        commands.push(json!({ "FindConnection": {
            "with_class": group.class, "src": i + 1, "uniqueids": true,
            "results": {"list": ["_src", "_dst", SOURCE_FIELD, EDGE_ID]},
        }}));
    }
    let (answers, _) = ask(db, Request::json(&Json::Array(commands))).await?;
    let mut found = Vec::new();
    for (i, group) in groups.iter().enumerate() {
        let connections = Answer::at(&answers, i * 2 + 1)?.connections();
        for connection in connections.iter().filter_map(Json::as_object) {
            let text = |key: &str| connection.get(key).and_then(Json::as_str);
            let (Some(src), Some(dst), Some(named)) =
                (text("_src"), text("_dst"), text(SOURCE_FIELD))
            else {
                continue;
            };
            for &(graph, e) in &group.edges {
                let edge = &graphs[graph].edges()[e];
                let ends_there = match unique_id(graph, edge.dst) {
                    Some(id) => id == dst,
                    None => graphs[graph].nodes()[edge.dst.index()].descriptor.is_some(),
                };
                let same_field = edge.field.is_some_and(|field| is_of_field(named, field));
                if same_field && ends_there && unique_id(graph, edge.src) == Some(src) {
                    found.push(FoundEdge {
                        graph,
                        edge: e,
                        dst: dst.to_owned(),
                        connection: connection.clone(),
                    });
                }
            }
        }
    }
    Ok(found)
}
