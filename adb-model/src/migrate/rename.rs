//! Properties under the names that they had before.

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use super::Change;
use crate::{
    Answer, Constraint, Database, DbError, Dialect, FieldRole, FieldSchema, ModelSchema, Relation,
    Request, StoredSchema, ValueType, answer::unique_id, database::ask, graph::USER_TYPE,
};

/// Objects that one request renames a property of.
const AT_ONCE: u64 = 500;

/// Objects or connections that a property is of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Holder {
    /// What commands on them end with.
    pub(super) command: &'static str,
    /// What the model calls them.
    pub(super) class: &'static str,
    /// What the database does.
    stored_as: &'static str,
    /// `entity` or `connection`.
    target: &'static str,
    /// Whether the class is a property of theirs.
    typed: bool,
    /// Their descriptor set, if they are descriptors.
    set: Option<&'static str>,
}

pub(super) struct HeldProperty {
    pub(super) of: Holder,
    pub(super) field: &'static FieldSchema,
}

/// Properties of a model, of all that it is connected to and of the connections.
pub(super) fn stored_properties(schema: &'static ModelSchema) -> Vec<HeldProperty> {
    let mut found: Vec<HeldProperty> = Vec::new();
    for model in schema.reachable() {
        let of = Holder {
            command: model.kind.command_suffix(),
            class: model.class,
            stored_as: model.kind.system_class().unwrap_or(model.class),
            target: "entity",
            typed: model.is_typed(),
            set: model.own_vector().map(|(_, set)| set.name),
        };
        for field in model.fields {
            let one = match field.role {
                FieldRole::Id(_) | FieldRole::Property { .. } => true,
                FieldRole::Media { kind, .. } => kind == model.kind,
                _ => false,
            };
            if one {
                add(&mut found, of.clone(), field);
            }
            if let FieldRole::Children { relation, edge, .. } = field.role
                && let Relation::Connection(class) | Relation::Reversed(class) = relation
            {
                for property in edge {
                    let (command, stored_as) = ("Connection", class);
                    let target = "connection";
                    let of = Holder { command, class, stored_as, target, typed: false, set: None };
                    add(&mut found, of, property);
                }
            }
        }
    }
    found
}

fn add(found: &mut Vec<HeldProperty>, of: Holder, field: &'static FieldSchema) {
    if !found.iter().any(|p| p.of == of && p.field.property == field.property) {
        found.push(HeldProperty { of, field });
    }
}

impl HeldProperty {
    pub(super) fn rename(&self, schema: &StoredSchema, old: &'static str, objects: u64) -> Change {
        let Holder { class, stored_as, target, .. } = self.of;
        let to = self.field.property;
        let value_type = match self.field.role {
            FieldRole::Id(value_type) | FieldRole::Property { value_type, .. } => value_type,
            // Where media came from.
            _ => ValueType::String,
        };
        match schema.property(target, stored_as, old) {
            Some(stored) if stored.differs_from(value_type) => Change::BlockedRename {
                class,
                from: old,
                to,
                database: stored.type_name.clone(),
                model: value_type.database_name(),
            },
            _ => Change::Rename { class, from: old, to, objects },
        }
    }
}

pub(super) fn present(property: &'static str) -> Constraint {
    Constraint::Present { property: property.into(), present: true }
}

fn absent(property: &'static str) -> Constraint {
    Constraint::Present { property: property.into(), present: false }
}

impl Holder {
    /// What selects them in a command.
    pub(super) fn body(
        &self,
        constraint: Option<Constraint>,
        dialect: Dialect,
    ) -> Map<String, Json> {
        let mut body = Map::new();
        let own = self.typed.then(|| Constraint::equal(USER_TYPE, self.class));
        if self.class == self.stored_as {
            body.insert("with_class".to_owned(), self.class.into());
        }
        if let Some(set) = self.set {
            body.insert("set".to_owned(), set.into());
        }
        let both = own.into_iter().chain(constraint).reduce(Constraint::and);
        if let Some(constraint) = both {
            body.insert("constraints".to_owned(), constraint.to_json(dialect));
        }
        body
    }

    /// Renames a property of all that have it; answers of how many.
    pub(super) async fn rename(
        &self,
        db: &dyn Database,
        old: &'static str,
        new: &'static str,
    ) -> Result<u64, DbError> {
        let mut renamed = 0;
        loop {
            let only_old = present(old).and(absent(new));
            let mut body = self.body(Some(only_old), Dialect::Classic);
            body.insert("uniqueids".to_owned(), true.into());
            body.insert("results".to_owned(), json!({"list": [old], "limit": AT_ONCE}));
            let find = json!([{ format!("Find{}", self.command): body }]);
            let (answers, _) = ask(db, Request::json(&find)).await?;
            let answer = Answer::at(&answers, 0)?;
            let found = match self.command {
                "Connection" => answer.connections(),
                _ => answer.entities(),
            };
            if found.is_empty() {
                break;
            }
            // Objects that have the same value change together.
            let mut by_value: HashMap<String, (&Json, Vec<&str>)> = HashMap::new();
            for object in found {
                let (Some(id), Some(value)) = (unique_id(object), object.get(old)) else {
                    continue;
                };
                by_value.entry(value.to_string()).or_insert_with(|| (value, Vec::new())).1.push(id);
            }
            let updates: Vec<Json> = by_value
                .into_values()
                .map(|(value, ids)| {
                    let ids = ids.into_iter().map(Into::into);
                    let by_id = Constraint::one_of("_uniqueid", ids).to_json(Dialect::Classic);
                    let mut body = json!({
                        "constraints": by_id, "properties": {new: value}, "remove_props": [old],
                    });
                    if self.class == self.stored_as {
                        body["with_class"] = self.class.into();
                    }
                    json!({ format!("Update{}", self.command): body })
                })
                .collect();
            let commands = updates.len();
            let (answers, _) = ask(db, Request::json(&Json::Array(updates))).await?;
            let before = renamed;
            for i in 0..commands {
                renamed += Answer::at(&answers, i)?.count();
            }
            if renamed == before {
                return Err(DbError::permanent(format!(
                    "`{}.{old}` could not be renamed: the database found objects that it then did not change",
                    self.class
                )));
            }
        }
        let mut both = self.body(Some(present(old).and(present(new))), Dialect::Classic);
        both.insert("remove_props".to_owned(), json!([old]));
        let (answers, _) =
            ask(db, Request::json(&json!([{ format!("Update{}", self.command): both }]))).await?;
        Ok(renamed + Answer::at(&answers, 0)?.count())
    }

    /// Removes the index on an old name, if nobody has that property any more.
    pub(super) async fn drop_index(
        &self,
        db: &dyn Database,
        old: &'static str,
    ) -> Result<bool, DbError> {
        let mut body = match self.class == self.stored_as {
            true => self.body(Some(present(old)), Dialect::Classic),
            // Other models are of the same class.
            false => {
                let mut body = Map::new();
                let has = present(old).to_json(Dialect::Classic);
                body.insert("constraints".to_owned(), has);
                body
            }
        };
        body.insert("results".to_owned(), json!({"count": true}));
        let (answers, _) =
            ask(db, Request::json(&json!([{ format!("Find{}", self.command): body }]))).await?;
        if Answer::at(&answers, 0)?.count() > 0 {
            return Ok(false);
        }
        let remove = json!([{"RemoveIndex": {
            "index_type": self.target, "class": self.stored_as, "property_key": old,
        }}]);
        // One that is not there is refused, or answered with another status.
        Ok(match db.execute(Request::json(&remove)).await?.done() {
            Ok((answers, _)) => Answer::at(&answers, 0)?.status() == 0,
            Err(_) => false,
        })
    }
}
