//! Indexes: those that a model needs, those that a database has, and how one is made.

use serde_json::{Value as Json, json};

use crate::{
    Answer, Database, DbError, Dialect, FieldRole, ModelSchema, ObjectKind, Request,
    database::ask,
    graph::{CONTENT_ID, EDGE_ID, OBJECT_ID, Relation, SDK_ID, USER_TYPE},
};

/// An index on one property of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Index<'a> {
    /// `entity` or `connection`.
    pub(crate) target: &'static str,
    pub(crate) class: &'a str,
    pub(crate) property: &'a str,
}

impl Index<'_> {
    pub(super) fn create(self, dialect: Dialect) -> Json {
        let Self { target, class, property } = self;
        json!({ "CreateIndex": match dialect {
            Dialect::Classic => {
                json!({"index_type": target, "class": class, "property_key": property})
            }
            Dialect::Expression => {
                json!({"target": target, "class": class, "property": property, "kind": "ordered"})
            }
        }})
    }

    /// Whether it is among the `indexes` of a GetIndexes: nested by target, class and property, each
    /// with the kinds of its indexes, or a flat list.
    pub(crate) fn is_in(self, indexes: &Json) -> bool {
        let Self { target, class, property } = self;
        let Json::Array(flat) = indexes else {
            return match indexes.get(target).and_then(|of| of.get(class)?.get(property)) {
                None | Some(Json::Null) => false,
                Some(Json::Array(kinds)) => !kinds.is_empty(),
                Some(_) => true,
            };
        };
        let is = |index: &Json, keys: &[&str], wanted: &str| {
            let mut found = keys.iter().filter_map(|key| index.get(*key)?.as_str());
            found.next() == Some(wanted)
        };
        flat.iter().any(|index| {
            is(index, &["target", "index_type"], target)
                && is(index, &["class"], class)
                && is(index, &["property", "property_key"], property)
        })
    }
}

/// Every property that guards and constraints of this model look at.
pub(crate) fn indexes(schema: &'static ModelSchema) -> Vec<Index<'static>> {
    let mut wanted: Vec<Index<'static>> = Vec::new();
    let mut want = |target, class, property| {
        let index = Index { target, class, property };
        if !wanted.contains(&index) {
            wanted.push(index);
        }
    };
    for model in schema.reachable() {
        let class = model.kind.system_class().unwrap_or(model.class);
        if model.is_typed() {
            want("entity", class, USER_TYPE);
        }
        for field in model.fields {
            match field.role {
                role if role.is_indexed() => want("entity", class, field.property),
                FieldRole::Id(_)
                | FieldRole::Property { .. }
                | FieldRole::Geometry(_)
                | FieldRole::Label { .. } => {}
                FieldRole::Children { relation, edge, model, .. } => match relation {
                    Relation::Connection(class) | Relation::Reversed(class) => {
                        want("connection", class, EDGE_ID);
                        for property in edge.iter().filter(|f| f.role.is_indexed()) {
                            want("connection", class, property.property);
                        }
                    }
                    Relation::ByField { .. } => want("connection", model.get().class, EDGE_ID),
                    Relation::Part => {}
                },
                FieldRole::Embedding { .. } if model.kind == ObjectKind::Descriptor => {}
                FieldRole::Embedding { class: Some(class), .. } => {
                    want("entity", "_Descriptor", SDK_ID);
                    want("connection", class, EDGE_ID);
                }
                FieldRole::Embedding { .. } => want("entity", "_Descriptor", OBJECT_ID),
                FieldRole::Media { kind, .. } if model.kind == kind => {}
                FieldRole::Media { kind, .. } => {
                    want("entity", kind.system_class().unwrap_or_default(), OBJECT_ID);
                    want("connection", field.property, EDGE_ID);
                }
            }
        }
        if model.content_id {
            want("entity", class, CONTENT_ID);
        } else if model.ids().next().is_none() {
            want("entity", class, OBJECT_ID);
        }
    }
    wanted
}

/// `indexes` of GetIndexes: by target, class and property, or a flat list.
pub(super) async fn found_indexes(db: &dyn Database) -> Result<Json, DbError> {
    let (answers, _) =
        ask(db, Request::json(&json!([{"GetIndexes": {"kind": "ordered"}}]))).await?;
    Ok(Answer::at(&answers, 0)?.get("indexes").cloned().unwrap_or_default())
}

/// An index that somebody wants who has no model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyIndex {
    target: &'static str,
    class: String,
    property: String,
}

impl PropertyIndex {
    /// On a property of objects of a class, such as `_Image`.
    #[must_use]
    pub fn of_entity(class: impl Into<String>, property: impl Into<String>) -> Self {
        Self { target: "entity", class: class.into(), property: property.into() }
    }

    /// On a property of connections of a class.
    #[must_use]
    pub fn of_connection(class: impl Into<String>, property: impl Into<String>) -> Self {
        Self { target: "connection", class: class.into(), property: property.into() }
    }
}

impl std::fmt::Display for PropertyIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` of `{}`", self.property, self.class)
    }
}

/// Makes indexes unless they are there; answers how many it made, and what the database said to
/// those that it refused: rows go in without them, and more slowly.
///
/// # Errors
/// When the database can't be asked.
pub async fn ensure_indexes(
    dialect: Dialect,
    db: &dyn Database,
    wanted: &[PropertyIndex],
) -> Result<(usize, Vec<String>), DbError> {
    let there = match dialect {
        Dialect::Expression if !wanted.is_empty() => found_indexes(db).await?,
        _ => Json::Null,
    };
    let (mut made, mut refused) = (0, Vec::new());
    for wanted in wanted {
        let PropertyIndex { target, class, property } = wanted;
        let index = Index { target, class, property };
        if index.is_in(&there) {
            continue;
        }
        match db.execute(Request::json(&json!([index.create(dialect)]))).await? {
            crate::Response::Refused(refusal) => {
                refused.push(format!("the database makes no index on {wanted}: {refusal}"));
            }
            crate::Response::Done { answers, .. } => match Answer::at(&answers, 0)?.status() {
                0 => made += 1,
                2 => {}
                _ => refused.push(format!("the database makes no index on {wanted}")),
            },
        }
    }
    Ok((made, refused))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_found_in_both_forms_of_answers() {
        let id = Index { target: "entity", class: "Person", property: "id" };
        for indexes in [
            json!({"entity": {"Person": {"id": [{"kind": "ordered", "params": {}}]}}}),
            json!([{"target": "entity", "class": "Person", "property": "id", "kind": "ordered"}]),
            json!([{"index_type": "entity", "class": "Person", "property_key": "id"}]),
        ] {
            assert!(id.is_in(&indexes), "{indexes}");
            assert!(!Index { property: "age", ..id }.is_in(&indexes), "{indexes}");
            assert!(!Index { target: "connection", ..id }.is_in(&indexes), "{indexes}");
        }
        let of_no_kind = json!({"entity": {"Person": {"id": []}}});
        assert!(!id.is_in(&of_no_kind) && !id.is_in(&Json::Null));
    }
}
