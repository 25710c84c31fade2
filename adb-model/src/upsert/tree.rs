//! Commands that fetch, branch by branch, what belongs to objects, and their answers.

use serde_json::{Value as Json, json};

use super::stored::Owned;
use crate::{
    Answer, Constraint, DbError, Dialect, FieldRole, ModelSchema, ObjectKind, Relation,
    answer::unique_id,
    graph::{EDGE_ID, SOURCE_FIELD, USER_TYPE, is_of_field, part_class},
    query::{
        change::listed,
        plan::{PROPERTIES, connected, descriptors, fetched, find},
    },
};

/// Commands that fetch what belongs to objects.
pub(super) struct Tree {
    pub(super) commands: Vec<Json>,
    pub(super) next_ref: u32,
}

/// A command that fetches, for each object of another, what belongs to it.
pub(super) struct Branch {
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
    pub(super) fn reference(&mut self) -> u32 {
        self.next_ref += 1;
        self.next_ref - 1
    }

    fn push(&mut self, command: Json) -> usize {
        self.commands.push(command);
        self.commands.len() - 1
    }

    pub(super) fn grow(&mut self, schema: &'static ModelSchema, owner: u32) -> Vec<Branch> {
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
                None => listed(),
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
        let mut body = listed();
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
    pub(super) fn collect(
        &self,
        answers: &[Json],
        owner: &str,
        owned: &mut Vec<Owned>,
        edges: &mut Vec<(&'static str, String)>,
    ) -> Result<(), DbError> {
        let objects = Answer::at(answers, self.command)?.group(owner);
        let ids: Vec<&str> = objects.iter().filter_map(unique_id).collect();
        if let Some(OwnedEdges { class, command, reversed, field }) = self.edges {
            let (near, far) = if reversed { ("_dst", "_src") } else { ("_src", "_dst") };
            for connection in Answer::at(answers, command)?.connections() {
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
