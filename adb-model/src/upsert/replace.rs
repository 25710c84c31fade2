//! Objects that are added anew: everything that hangs on them comes along.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use super::{
    UpsertError,
    plan::{Plan, Standing},
};
use crate::{
    Answer, Constraint, Database, DbError, Dialect, FieldRole, Graph, ModelSchema, Node, NodeId,
    ObjectKind, Relation, Request, StoredSchema,
    answer::{blob_of, unique_id},
    components,
    database::ask,
    graph::{EDGE_ID, SOURCE_FIELD},
    query::{
        change::listed,
        plan::{PROPERTIES, Shape, fetched, find},
    },
};

/// What others have joined to objects that are added anew.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// Objects that stay: their class, where there is no doubt of it, and their unique id.
    pub(super) ends: Vec<(Option<String>, String)>,
    pub(super) edges: Vec<CarriedEdge>,
    pub(super) descriptors: Vec<CarriedDescriptor>,
}

impl Carried {
    /// The place of an object that stays.
    fn end(&mut self, class: Option<String>, id: &str) -> usize {
        let known = self.ends.iter().position(|(_, known)| known == id);
        known.unwrap_or_else(|| {
            self.ends.push((class, id.to_owned()));
            self.ends.len() - 1
        })
    }
}

#[derive(Debug)]
pub(super) struct CarriedEdge {
    pub(super) class: String,
    pub(super) src: End,
    pub(super) dst: End,
    pub(super) properties: Map<String, Json>,
}

/// An end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    /// A node that is added anew.
    Node(NodeId),
    /// One of [`Carried::ends`].
    Stays(usize),
}

/// A vector of another model, or of none.
#[derive(Debug)]
pub(super) struct CarriedDescriptor {
    pub(super) owner: NodeId,
    pub(super) set: String,
    pub(super) label: Option<String>,
    pub(super) properties: Map<String, Json>,
    pub(super) vector: Bytes,
}

/// Which classes of connections there are, and what they join: to be asked once for many plans,
/// since databases count all that they have to answer.
#[derive(Debug)]
pub struct Connections(pub(crate) Vec<Joint>);

impl Connections {
    /// Those that the database has, and those of a model and all that it is connected to.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn of(db: &dyn Database, schema: &'static ModelSchema) -> Result<Self, DbError> {
        let (answers, _) = ask(db, Request::json(&json!([{"GetSchema": {}}]))).await?;
        let mut joints = joints(StoredSchema::read(&Answer::at(&answers, 0)?));
        for model in schema.reachable() {
            let own = model.kind.system_class().unwrap_or(model.class);
            for field in model.fields {
                let (class, far, reversed) = match field.role {
                    FieldRole::Children { relation, model, .. } => {
                        let child = model.get();
                        let far = child.kind.system_class().unwrap_or(child.class);
                        let reversed = matches!(relation, Relation::Reversed(_));
                        (relation.class(child.class), far, reversed)
                    }
                    FieldRole::Embedding { class, .. } => (class, "_Descriptor", false),
                    FieldRole::Media { kind, .. } if kind != model.kind => {
                        (Some(field.property), kind.system_class().unwrap_or_default(), false)
                    }
                    _ => continue,
                };
                let Some(class) = class else { continue };
                let (src, dst) = if reversed { (far, own) } else { (own, far) };
                let joint = joints.iter().position(|j| j.class == class).unwrap_or_else(|| {
                    joints.push(Joint::new(class));
                    joints.len() - 1
                });
                joints[joint].add(src, dst, [EDGE_ID, SOURCE_FIELD]);
                if let FieldRole::Children { edge, .. } = field.role {
                    joints[joint].add(src, dst, edge.iter().map(|f| f.property));
                }
            }
        }
        Ok(Self(joints))
    }
}

/// A class of connections, and which classes of objects it joins.
#[derive(Debug)]
pub(crate) struct Joint {
    pub(crate) class: String,
    pairs: Vec<(String, String)>,
    properties: Vec<String>,
}

impl Joint {
    fn new(class: &str) -> Self {
        Self { class: class.to_owned(), pairs: Vec::new(), properties: Vec::new() }
    }

    fn add<'p>(&mut self, src: &str, dst: &str, properties: impl IntoIterator<Item = &'p str>) {
        if !self.pairs.iter().any(|(s, d)| s == src && d == dst) {
            self.pairs.push((src.to_owned(), dst.to_owned()));
        }
        for property in properties {
            if !self.properties.iter().any(|p| p == property) {
                self.properties.push(property.to_owned());
            }
        }
    }

    /// The classes at the other ends of an object of `class`; none if no such object has one.
    pub(crate) fn far(&self, class: &str, leaving: bool) -> Vec<&str> {
        let ends =
            self.pairs.iter().map(|(src, dst)| if leaving { (src, dst) } else { (dst, src) });
        ends.filter(|(near, _)| *near == class).map(|(_, far)| far.as_str()).collect()
    }
}

/// What was asked of one node.
struct Asked {
    node: NodeId,
    unique_id: String,
    /// Connections that begin at it, and those that end there: which joint, which command.
    leaving: Vec<(usize, usize)>,
    arriving: Vec<(usize, usize)>,
    descriptors: Option<usize>,
    parts: Vec<usize>,
}

impl Plan {
    /// Fetches what hangs on objects that are added anew: the connections that others have made
    /// to them, and vectors that are not made again. Does nothing unless the plan
    /// [`replaces`](Plan::replaces) something.
    ///
    /// # Errors
    /// When the database can't be asked; when it has regions, clips or frames of other models on
    /// such an object, which would be lost.
    pub async fn complete(
        &mut self,
        db: &dyn Database,
        graph: &mut Graph,
        connections: &Connections,
    ) -> Result<(), UpsertError> {
        if !self.replaces() {
            return Ok(());
        }
        let joints = connections.0.as_slice();
        let mut commands = Vec::new();
        let asked = self.ask_about(graph, joints, &mut commands);
        let (answers, blobs) = ask(db, Request::json(&Json::Array(commands))).await?;
        let anew: HashMap<&str, NodeId> =
            asked.iter().map(|a| (a.unique_id.as_str(), a.node)).collect();
        let mut carried = Carried::default();
        for about in &asked {
            self.edges_of(about, joints, &anew, graph, &answers, &mut carried)?;
        }
        for about in &asked {
            self.parts_are_known(about, graph, &answers)?;
            self.vectors_of(about, graph, &answers, &blobs, &mut carried)?;
        }
        if let Some(lost) = self.reused.iter().find(|id| graph.nodes()[id.index()].exists) {
            let class = graph.nodes()[lost.index()].class.clone().into_owned();
            return Err(UpsertError::Moved { class });
        }
        self.carried = carried;
        Ok(())
    }

    fn ask_about(&self, graph: &Graph, joints: &[Joint], commands: &mut Vec<Json>) -> Vec<Asked> {
        let mut asked = Vec::new();
        let mut push = |command: Json| {
            commands.push(command);
            commands.len() - 1
        };
        for (id, node) in graph.node_ids().zip(graph.nodes()) {
            let Standing::Anew = self.nodes[id.index()] else { continue };
            let Some(unique_id) = self.unique_ids[id.index()].clone() else { continue };
            let reference = asked.len() + 1;
            let mut body = Map::new();
            body.insert("_ref".to_owned(), reference.into());
            let by_id = Constraint::equal("_uniqueid", unique_id.clone());
            body.insert("constraints".to_owned(), by_id.to_json(Dialect::Classic));
            if node.kind == ObjectKind::Entity {
                body.insert("with_class".to_owned(), (*node.class).into());
            }
            push(find(node.kind, body));
            let class = database_class(node);
            let (mut leaving, mut arriving) = (Vec::new(), Vec::new());
            for (j, joint) in joints.iter().enumerate() {
                let mut list = vec!["_src", "_dst"];
                list.extend(joint.properties.iter().map(String::as_str));
                for (end, from_here, found) in
                    [("src", true, &mut leaving), ("dst", false, &mut arriving)]
                {
                    if !joint.far(class, from_here).is_empty() {
                        let command = push(json!({ "FindConnection": {
                            "with_class": joint.class, end: reference, "uniqueids": true,
                            "results": {"list": list},
                        }}));
                        found.push((j, command));
                    }
                }
            }
            let mut near = |kind: ObjectKind, mut body: Map<String, Json>| {
                body.insert("is_connected_to".to_owned(), json!({ "ref": reference }));
                push(find(kind, body))
            };
            let descriptors = (node.kind != ObjectKind::Descriptor).then(|| {
                near(
                    ObjectKind::Descriptor,
                    fetched(ObjectKind::Descriptor, Shape { vectors: true, ..PROPERTIES }),
                )
            });
            let parts = parts_of(node.kind).iter().map(|kind| near(*kind, listed())).collect();
            asked.push(Asked { node: id, unique_id, leaving, arriving, descriptors, parts });
        }
        asked
    }

    fn edges_of(
        &self,
        about: &Asked,
        joints: &[Joint],
        anew: &HashMap<&str, NodeId>,
        graph: &Graph,
        answers: &[Json],
        carried: &mut Carried,
    ) -> Result<(), UpsertError> {
        let is_ours = |edge: &Json| {
            unique_id(edge).is_some_and(|id| {
                self.edge_unique_ids.iter().any(|own| own == id)
                    || self.gone_edges.iter().any(|(_, gone)| gone == id)
            })
        };
        let class = database_class(&graph.nodes()[about.node.index()]);
        for (commands, leaving) in [(&about.leaving, true), (&about.arriving, false)] {
            for &(joint, command) in commands {
                let joint = &joints[joint];
                let far_class = match joint.far(class, leaving).as_slice() {
                    [one] => Some((*one).to_owned()),
                    _ => None,
                };
                for edge in Answer::at(answers, command)?.connections() {
                    let text = |key: &str| edge.get(key).and_then(Json::as_str);
                    let (Some(src), Some(dst)) = (text("_src"), text("_dst")) else { continue };
                    // One between two that are made anew is found at both.
                    let seen = !leaving && anew.contains_key(src);
                    if seen || is_ours(edge) {
                        continue;
                    }
                    let mut end = |id: &str| match anew.get(id) {
                        Some(node) => End::Node(*node),
                        None => End::Stays(carried.end(far_class.clone(), id)),
                    };
                    let (src, dst) = (end(src), end(dst));
                    let mut properties = edge.as_object().cloned().unwrap_or_default();
                    properties.retain(|key, value| !key.starts_with('_') && !value.is_null());
                    let class = joint.class.clone();
                    carried.edges.push(CarriedEdge { class, src, dst, properties });
                }
            }
        }
        Ok(())
    }

    /// Refuses to lose regions, clips and frames of which the model knows nothing.
    fn parts_are_known(
        &self,
        about: &Asked,
        graph: &Graph,
        answers: &[Json],
    ) -> Result<(), UpsertError> {
        let mut unknown = 0;
        for command in &about.parts {
            let found = Answer::at(answers, *command)?;
            unknown +=
                found.entities().iter().filter_map(unique_id).filter(|id| !self.knows(id)).count();
        }
        match unknown {
            0 => Ok(()),
            parts => Err(UpsertError::ForeignParts {
                class: graph.nodes()[about.node.index()].class.clone().into_owned(),
                parts,
            }),
        }
    }

    fn vectors_of(
        &self,
        about: &Asked,
        graph: &mut Graph,
        answers: &[Json],
        blobs: &[Bytes],
        carried: &mut Carried,
    ) -> Result<(), UpsertError> {
        let Some(command) = about.descriptors else { return Ok(()) };
        for object in Answer::at(answers, command)?.entities() {
            let Some(id) = unique_id(object) else { continue };
            let Some(vector) = blob_of(object, blobs) else { continue };
            if let Some(i) = self.unique_ids.iter().position(|known| known.as_deref() == Some(id)) {
                let node = self.reused.iter().copied().find(|n| n.index() == i);
                if let Some(node) = node.map(|id| graph.node_mut(id)) {
                    if let Some(descriptor) = &mut node.descriptor {
                        descriptor.vector = Some(components(vector).collect());
                        descriptor.made = true;
                    }
                    node.exists = false;
                }
                continue;
            }
            let joined_otherwise = carried.ends.iter().any(|(_, end)| end == id);
            if self.knows(id) || joined_otherwise {
                continue;
            }
            let text = |key: &str| object.get(key).and_then(Json::as_str);
            let mut properties = object.as_object().cloned().unwrap_or_default();
            properties.retain(|key, value| !key.starts_with('_') && !value.is_null());
            carried.descriptors.push(CarriedDescriptor {
                owner: about.node,
                set: text("_set_name").unwrap_or_default().to_owned(),
                label: text("_label").filter(|l| *l != "None").map(str::to_owned),
                properties,
                vector: vector.clone(),
            });
        }
        Ok(())
    }

    /// Whether an object is in the graph, or is taken away.
    fn knows(&self, id: &str) -> bool {
        self.unique_ids.iter().any(|known| known.as_deref() == Some(id))
            || self.gone.iter().any(|(_, gone)| gone == id)
    }
}

/// The class that an object has in the database's schema.
fn database_class(node: &Node) -> &str {
    node.kind.system_class().unwrap_or(&node.class)
}

fn parts_of(kind: ObjectKind) -> &'static [ObjectKind] {
    match kind {
        ObjectKind::Image | ObjectKind::Frame => &[ObjectKind::BoundingBox, ObjectKind::Polygon],
        ObjectKind::Video => &[ObjectKind::Clip, ObjectKind::Frame],
        _ => &[],
    }
}

/// The connections that users have made.
fn joints(schema: StoredSchema) -> Vec<Joint> {
    let mut joints: Vec<Joint> = Vec::new();
    for pair in schema.connections.into_iter().filter(|pair| !pair.name.starts_with('_')) {
        let known = joints.iter().position(|joint| joint.class == pair.name);
        let known = known.unwrap_or_else(|| {
            joints.push(Joint::new(&pair.name));
            joints.len() - 1
        });
        let properties = pair.properties.iter().map(|property| property.name.as_str());
        joints[known].add(&pair.src, &pair.dst, properties);
    }
    joints
}
