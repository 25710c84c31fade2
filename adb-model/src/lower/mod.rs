//! Lowering: from graphs to the bytes of a request.
//!
//! The classic dialect (`"if_not_found": {"id": ["==", 1]}`), which every server understands,
//! unless told otherwise. Bytes are written directly; there is no JSON tree in between.

mod json;

use std::ops::Range;

use bytes::Bytes;

use json::Text;

use crate::{
    Dialect, Edge, Graph, MediaSource, Node, NodeId, ObjectKind, Request, ValueError,
    error::{ModelError, ModelErrorKind},
    graph::{CONTENT, EDGE_ID, MADE, ROW, RUN, USER_TYPE, vector_bytes},
    value::write_display,
};

/// Joins the commands of one or more graphs into one request: refs are numbered over all of it,
/// blobs stand in the order of their commands.
///
/// ```
/// # use adb_model::{GraphBuilder, Lowering, ObjectKind, graph::Entered};
/// let mut graph = GraphBuilder::new();
/// graph.enter(ObjectKind::Entity, "Ingredient", vec![("name", "rice".into())]).unwrap();
/// let mut lowering = Lowering::new();
/// lowering.push(&graph.finish()).unwrap();
/// let request = lowering.finish();
/// assert_eq!(
///     std::str::from_utf8(&request.commands).unwrap(),
///     r#"[{"AddEntity":{"_ref":1,"class":"Ingredient","properties":{"name":"rice"},"if_not_found":{"name":["==","rice"]}}}]"#,
/// );
/// ```
#[derive(Debug)]
pub struct Lowering {
    json: Vec<u8>,
    blobs: Vec<Bytes>,
    commands: usize,
    next_ref: u32,
    dialect: Dialect,
}

impl Default for Lowering {
    fn default() -> Self {
        Self::new()
    }
}

impl Lowering {
    /// An empty request in the classic dialect.
    #[must_use]
    pub fn new() -> Self {
        Self::with_dialect(Dialect::Classic)
    }

    /// An empty request.
    #[must_use]
    pub fn with_dialect(dialect: Dialect) -> Self {
        // A request of one small record: growing would copy it several times.
        let mut json = Vec::with_capacity(2048);
        json.push(b'[');
        Self { json, blobs: Vec::new(), commands: 0, next_ref: 1, dialect }
    }

    /// Appends a graph; answers which commands are its own, the root's first.
    ///
    /// A node comes before its edges, and those before the next node, as the SDK has it. Objects
    /// that are known to exist are found instead of added, and take no blob.
    ///
    /// # Errors
    /// When an image has not been read, a vector is missing, or children have not been made; the
    /// request is then unchanged.
    pub fn push(&mut self, graph: &Graph) -> Result<Range<usize>, ModelError> {
        self.all_or_nothing(|lowering| lowering.push_all(graph))
    }

    /// The request.
    #[must_use]
    pub fn finish(mut self) -> Request {
        self.json.push(b']');
        Request::new(self.json, self.blobs)
    }

    fn push_all(&mut self, graph: &Graph) -> Result<(), ModelError> {
        all_is_made(graph)?;
        // Ref of node i is `base + i`; nodes that need no command leave a hole, which is harmless.
        let base = self.next_ref;
        let edges_at = match graph.edges() {
            [] => Vec::new(),
            edges => edges_by_later_end(graph, edges.iter().filter(|e| !e.exists)),
        };
        for (id, node) in graph.node_ids().zip(graph.nodes()) {
            if node.exists {
                // Only as an end of connections is a descriptor of use, and most are none.
                if node.descriptor.is_none() || is_an_end(graph, id) {
                    self.find(node, base, id);
                    self.note_made(node, reference(base, id));
                }
            } else {
                self.add(node, base, id)?;
            }
            for edge in edges_at.get(id.index()).into_iter().flatten() {
                self.connect(edge, base);
            }
        }
        self.take_references(graph.nodes().len());
        Ok(())
    }

    /// Appends, all or nothing.
    pub(crate) fn all_or_nothing(
        &mut self,
        append: impl FnOnce(&mut Self) -> Result<(), ModelError>,
    ) -> Result<Range<usize>, ModelError> {
        let (start, json_len, blobs_len) = (self.commands, self.json.len(), self.blobs.len());
        let first_ref = self.next_ref;
        match append(self) {
            Ok(()) => Ok(start..self.commands),
            Err(e) => {
                self.json.truncate(json_len);
                self.blobs.truncate(blobs_len);
                self.commands = start;
                self.next_ref = first_ref;
                Err(e)
            }
        }
    }

    /// Where the next references begin.
    pub(crate) fn base(&self) -> u32 {
        self.next_ref
    }

    /// Takes so many references.
    pub(crate) fn take_references(&mut self, references: usize) {
        let most = u32::MAX - self.next_ref;
        self.next_ref += u32::try_from(references).unwrap_or(most).min(most);
    }

    /// Appends a command that is seldom written.
    pub(crate) fn command(&mut self, verb: &str, suffix: &str, body: &serde_json::Value) {
        self.open(verb, suffix);
        // The body stands in place of the brace that `open` wrote.
        self.json.pop();
        write_display(&mut self.json, body);
        self.json.push(b'}');
    }

    pub(crate) fn blob(&mut self, blob: Bytes) {
        self.blobs.push(blob);
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(crate) fn add(&mut self, node: &Node, base: u32, id: NodeId) -> Result<(), ModelError> {
        if node.is_unidentified() {
            let origin = node.media.as_ref().and_then(MediaSource::origin).unwrap_or_default();
            return Err(ModelError::new(node.class.clone(), ModelErrorKind::Unidentified(origin)));
        }
        self.open("Add", node.kind.command_suffix());
        self.int("_ref", reference(base, id));
        match (&node.kind, &node.descriptor) {
            (ObjectKind::Entity, _) => self.text("class", &node.class),
            (_, Some(d)) => self.text("set", d.set.name),
            _ => {}
        }
        if let Some((parameter, what)) = node.kind.container() {
            let container = node.container.filter(|c| c.index() < id.index()).ok_or_else(|| {
                let kind = ModelErrorKind::NoContainer { container: what };
                ModelError::new(node.class.clone(), kind)
            })?;
            self.int(parameter, reference(base, container));
        }
        if let Some(geometry) = &node.geometry {
            let (parameter, value) = geometry.parameter();
            self.key(parameter);
            write_display(&mut self.json, &value);
        }
        if let Some(label) = &node.label {
            check_label(node, label)?;
            self.text("label", label);
        }
        self.key("properties");
        self.json.push(b'{');
        for (name, value) in node.identity.parts().iter().chain(&node.properties) {
            self.key(name);
            value.write_json(&mut self.json);
        }
        if node.is_typed() {
            self.text(USER_TYPE, &node.class);
        }
        if let Some(content) = &node.content {
            self.text(CONTENT, content);
        }
        if let Some(row) = &node.row {
            self.text(ROW, row);
        }
        if let Some(run) = &node.run {
            self.text(RUN, run);
        }
        self.json.push(b'}');
        if let Some(d) = &node.descriptor {
            if let Some(owner) = d.owner {
                if owner.index() >= id.index() {
                    let kind = ModelErrorKind::NoContainer { container: "what it describes" };
                    return Err(ModelError::new(node.class.clone(), kind));
                }
                if !d.by_edge {
                    self.key("connect");
                    self.json.push(b'{');
                    self.int("ref", reference(base, owner));
                    self.json.push(b'}');
                }
            }
            let vector = d.vector.as_ref().ok_or_else(|| {
                ModelError::new(node.class.clone(), ModelErrorKind::NoVector { set: d.set.name })
            })?;
            self.blobs.push(vector_bytes(vector));
        }
        if let Some(media) = &node.media {
            let bytes = media.loaded().ok_or_else(|| {
                ModelError::new(node.class.clone(), ModelErrorKind::unread(media))
            })?;
            self.blobs.push(bytes.clone());
        }
        self.key("if_not_found");
        let set = node.descriptor.as_ref().filter(|d| d.guarded_by_set).map(|d| d.set.name);
        self.identity(node, set);
        self.close();
        Ok(())
    }

    /// What is there already: needed only as an end of edges and descriptors.
    pub(crate) fn find(&mut self, node: &Node, base: u32, id: NodeId) {
        self.open("Find", node.kind.command_suffix());
        self.int("_ref", reference(base, id));
        match (node.kind, &node.descriptor) {
            (ObjectKind::Entity, _) => self.text("with_class", &node.class),
            (_, Some(d)) => self.text("set", d.set.name),
            _ => {}
        }
        self.key("unique");
        self.json.extend_from_slice(b"true");
        self.key("constraints");
        match &node.unique_id {
            Some(id) => self.equal(&[("_uniqueid", Text::Str(id))]),
            None => self.identity(node, None),
        }
        self.close();
    }

    /// Children were made of an object that was there before them: that is written on it.
    fn note_made(&mut self, node: &Node, reference: u32) {
        let Some((_, made)) = node.properties.iter().find(|(name, _)| *name == MADE) else {
            return;
        };
        self.open("Update", node.kind.command_suffix());
        self.int("ref", reference);
        self.key("properties");
        self.json.push(b'{');
        self.key(MADE);
        made.write_json(&mut self.json);
        self.json.push(b'}');
        self.close();
    }

    pub(crate) fn connect(&mut self, edge: &Edge, base: u32) {
        self.open("Add", "Connection");
        self.text("class", edge.class);
        self.int("src", reference(base, edge.src));
        self.int("dst", reference(base, edge.dst));
        let edge_id = edge.edge_id.to_string();
        self.key("properties");
        self.json.push(b'{');
        self.text(EDGE_ID, &edge_id);
        for (name, value) in &edge.properties {
            self.key(name);
            value.write_json(&mut self.json);
        }
        if let Some(run) = &edge.run {
            self.text(RUN, run);
        }
        self.json.push(b'}');
        self.key("if_not_found");
        self.equal(&[(EDGE_ID, Text::Str(&edge_id))]);
        self.close();
    }
}

/// Edges by the later of their ends: there both have been named.
pub(crate) fn edges_by_later_end<'g>(
    graph: &Graph,
    edges: impl Iterator<Item = &'g Edge>,
) -> Vec<Vec<&'g Edge>> {
    let mut edges_at: Vec<Vec<&Edge>> = vec![Vec::new(); graph.nodes().len()];
    for edge in edges {
        edges_at[edge.src.index().max(edge.dst.index())].push(edge);
    }
    edges_at
}

/// Refuses a graph that lacks children which a maker is to make.
pub(crate) fn all_is_made(graph: &Graph) -> Result<(), ModelError> {
    match graph.to_make().first() {
        Some(task) => Err(task.at.error(ModelErrorKind::NotMade { maker: task.maker })),
        None => Ok(()),
    }
}

/// Whether a connection begins or ends at a node.
pub(crate) fn is_an_end(graph: &Graph, id: NodeId) -> bool {
    let owns = |node: &Node| node.descriptor.as_ref().is_some_and(|d| d.owner == Some(id));
    graph.edges().iter().any(|edge| !edge.exists && (edge.src == id || edge.dst == id))
        || graph.nodes().iter().any(|node| !node.exists && owns(node))
}

/// Refuses the word that databases show where there is no label: it would not come back.
pub(crate) fn check_label(node: &Node, label: &str) -> Result<(), ModelError> {
    if label != "None" {
        return Ok(());
    }
    let expected = "label: databases show that word where there is none";
    let fault = ValueError::Unexpected { expected, found: format!("{label:?}") };
    Err(ModelError::new(node.class.clone(), fault.into()))
}

pub(crate) fn reference(base: u32, node: NodeId) -> u32 {
    base + u32::try_from(node.index()).unwrap_or(u32::MAX - base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClipVitB16, Engine, GraphBuilder, Metric, SetSpec, Value, graph::Entered};

    const SET: SetSpec = SetSpec::new::<ClipVitB16>("looks", Metric::Cosine, Engine::Flat);

    fn new(builder: &mut GraphBuilder, kind: ObjectKind, class: &'static str, id: i64) -> NodeId {
        match builder.enter(kind, class, vec![("id", Value::Int(id))]).unwrap() {
            Entered::New(id) => id,
            Entered::Known(_) => panic!("it is new"),
        }
    }

    /// An image with a given vector, and an ingredient.
    fn dish(id: i64, photo: &MediaSource) -> Graph {
        let mut builder = GraphBuilder::new();
        let dish = new(&mut builder, ObjectKind::Image, "Dish", id);
        builder.media(dish, ObjectKind::Image, "photo", photo);
        let vector = Some([0.5; 512].as_slice().into());
        builder.descriptor(dish, "look", SET, vector, None).unwrap();
        let rice = new(&mut builder, ObjectKind::Entity, "Ingredient", 1);
        builder.connect(dish, rice, "Has", Vec::new());
        builder.finish()
    }

    fn read(photo: &'static [u8]) -> MediaSource {
        MediaSource::Bytes(Bytes::from_static(photo))
    }

    fn commands(request: &Request) -> Vec<serde_json::Value> {
        serde_json::from_slice(&request.commands).unwrap()
    }

    #[test]
    fn refs_run_over_the_whole_request_and_blobs_follow_their_commands() {
        let mut lowering = Lowering::new();
        assert_eq!(lowering.push(&dish(1, &read(b"one"))).unwrap(), 0..4);
        assert_eq!(lowering.push(&dish(2, &read(b"two"))).unwrap(), 4..8);
        let request = lowering.finish();
        let all = commands(&request);
        assert_eq!(all[4]["AddImage"]["_ref"], 4);
        assert_eq!(all[5]["AddDescriptor"]["connect"]["ref"], 4);
        assert_eq!(
            (&all[7]["AddConnection"]["src"], &all[7]["AddConnection"]["dst"]),
            (&4.into(), &6.into())
        );
        let sizes: Vec<usize> = request.blobs.iter().map(Bytes::len).collect();
        assert_eq!(sizes, [3, 2048, 3, 2048]);
        assert_eq!(request.blobs[2], "two");
    }

    #[test]
    fn what_fails_leaves_the_request_as_it_was() {
        let lower = |with_fault: bool| {
            let mut lowering = Lowering::new();
            lowering.push(&dish(1, &read(b"one"))).unwrap();
            if with_fault {
                let error =
                    lowering.push(&dish(2, &MediaSource::Path("two.png".into()))).unwrap_err();
                assert!(matches!(error.kind(), ModelErrorKind::Unread(path) if path == "two.png"));
                assert_eq!(error.place(), "Dish");
            }
            lowering.push(&dish(3, &read(b"three"))).unwrap();
            lowering.finish()
        };
        let (with, without) = (lower(true), lower(false));
        assert_eq!(with.commands, without.commands);
        assert_eq!(with.blobs, without.blobs);
    }

    #[test]
    fn a_part_without_its_container_is_refused() {
        let mut builder = GraphBuilder::new();
        new(&mut builder, ObjectKind::Clip, "Scene", 1);
        let err = Lowering::new().push(&builder.finish()).unwrap_err();
        assert!(err.to_string().contains("a part of a video"), "{err}");
    }

    #[test]
    fn a_vector_that_is_missing_is_refused() {
        let mut builder = GraphBuilder::new();
        let dish = new(&mut builder, ObjectKind::Entity, "Dish", 1);
        let source = Some(crate::EmbedInput::Text("dal".into()));
        builder.descriptor(dish, "look", SET, None, source).unwrap();
        let error = Lowering::new().push(&builder.finish()).unwrap_err();
        assert!(matches!(error.kind(), ModelErrorKind::NoVector { set: "looks" }));
        assert_eq!(error.place(), "Dish.look");
    }

    #[test]
    fn what_exists_is_found_and_sends_no_blob() {
        let mut graph = dish(1, &MediaSource::Path("not read.png".into()));
        for id in graph.node_ids().take(2) {
            graph.mark_existing(id);
        }
        let mut lowering = Lowering::new();
        lowering.push(&graph).unwrap();
        let request = lowering.finish();
        let names: Vec<String> = commands(&request)
            .iter()
            .map(|c| c.as_object().unwrap().keys().next().unwrap().clone())
            .collect();
        // The descriptor needs no command: nothing hangs on it.
        assert_eq!(names, ["FindImage", "AddEntity", "AddConnection"]);
        let found = &commands(&request)[0]["FindImage"]["constraints"];
        assert_eq!(*found, serde_json::json!({"id": ["==", 1], "user_type": ["==", "Dish"]}));
        assert!(request.blobs.is_empty());
    }
}
