//! One report of all that does not fit between models and a database, before a row moves.

use std::{collections::HashMap, fmt};

use serde_json::{Value as Json, json};

use crate::{
    Answer, Database, DbError, EmbedderIdentity, FieldRole, FieldSchema, ModelSchema, ObjectKind,
    Relation, Request, SetSpec, StoredSchema, ValueType,
    database::ask,
    ensure::{
        EnsureError, FilledBy, Index, check_filler, check_shape, indexes, inspect_set,
        unclaimed_notice,
    },
};

/// Something that does not fit.
#[derive(Debug)]
#[non_exhaustive]
pub enum Difference {
    /// A descriptor set is not there yet.
    SetMissing(&'static str),
    /// A descriptor set has another shape or belongs to another embedder, or two models declare it
    /// differently.
    Set(EnsureError),
    /// A descriptor set does not say who filled it: see [`Difference::is_note`].
    SetUnclaimed(String),
    /// A descriptor set is filled by another embedder than the model declares, which holds from the
    /// set's making on: see [`Difference::is_note`].
    SetFilledByOther {
        /// The set's name.
        name: &'static str,
        /// The embedder that the model declares.
        declared: &'static str,
        /// Who fills it.
        filled_by: FilledBy,
    },
    /// An index is not there yet.
    IndexMissing {
        /// The class of objects or connections.
        class: String,
        /// The property.
        property: String,
    },
    /// A property has another type in the database.
    PropertyType {
        /// The class.
        class: String,
        /// The property.
        property: &'static str,
        /// The model's type, as the database calls it.
        model: &'static str,
        /// The database's.
        database: String,
    },
    /// Two models give one property of one class two types.
    ModelsDisagree {
        /// The class.
        class: String,
        /// The property.
        property: &'static str,
        /// One model and its type.
        first: (&'static str, &'static str),
        /// The other.
        second: (&'static str, &'static str),
    },
}

impl Difference {
    /// Whether [`ensure`](crate::ensure()) makes up for it. Others, but for
    /// [notes](Difference::is_note), keep rows from going in.
    #[must_use]
    pub fn is_mended_by_ensure(&self) -> bool {
        matches!(self, Difference::SetMissing(_) | Difference::IndexMissing { .. })
    }

    /// Whether it is something to know, and keeps nothing from going in.
    #[must_use]
    pub fn is_note(&self) -> bool {
        matches!(self, Difference::SetUnclaimed(_) | Difference::SetFilledByOther { .. })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::SetMissing(name) => {
                write!(
                    f,
                    "the descriptor set `{name}` is not there yet; an ingestion makes it, and `adb migrate`, `ensure` in code"
                )
            }
            Difference::Set(e) => e.fmt(f),
            Difference::SetUnclaimed(name) => f.write_str(&unclaimed_notice(name)),
            Difference::SetFilledByOther { name, declared, filled_by } => write!(
                f,
                "the set `{name}` is filled by {filled_by}, and the model declares `{declared}`: rows and searches need the former; `reembed` fills another set with the latter"
            ),
            Difference::IndexMissing { class, property } => {
                write!(
                    f,
                    "`{class}.{property}` has no index yet; an ingestion makes it, and `adb migrate`, `ensure` in code"
                )
            }
            Difference::PropertyType { class, property, model, database } => write!(
                f,
                "`{class}.{property}` is a {database} in the database and a {model} in the model: rename the model's property, or change its type"
            ),
            Difference::ModelsDisagree { class, property, first, second } => write!(
                f,
                "`{class}.{property}` is a {} in `{}` and a {} in `{}`: one class's property has one type, so rename one of the two",
                first.1, first.0, second.1, second.0
            ),
        }
    }
}

/// Compares models, and all that they are connected to, with a database. Changes nothing.
///
/// `embedder` answers who would fill a set, as in [`ensure`](crate::ensure()).
///
/// # Errors
/// When the database can't be asked. What does not fit is the answer, not an error.
pub async fn check<'e>(
    db: &dyn Database,
    models: &[&'static ModelSchema],
    embedder: impl Fn(&SetSpec) -> Option<&'e EmbedderIdentity>,
) -> Result<Vec<Difference>, DbError> {
    let mut all: Vec<&'static ModelSchema> = Vec::new();
    for model in models.iter().flat_map(|m| m.reachable()) {
        if !all.iter().any(|seen| std::ptr::eq(*seen, model)) {
            all.push(model);
        }
    }
    let mut differences = Vec::new();
    check_sets(db, models, embedder, &mut differences).await?;
    let (answers, _) = ask(db, Request::json(&json!([{"GetSchema": {}}]))).await?;
    let schema = StoredSchema::read(&Answer::at(&answers, 0)?);
    check_types(&all, &schema, &mut differences);
    let listed = list_indexes(db).await?;
    for index in models.iter().flat_map(|m| indexes(m)) {
        check_index(&index, &schema, listed.as_ref(), &mut differences);
    }
    Ok(differences)
}

/// All indexes, from databases that list them: GetSchema shows none of a class without objects.
async fn list_indexes(db: &dyn Database) -> Result<Option<Json>, DbError> {
    match db.execute(Request::json(&json!([{"GetIndexes": {}}]))).await?.done() {
        Ok((answers, _)) => Ok(Answer::at(&answers, 0)?.get("indexes").cloned()),
        // Older servers don't know the command.
        Err(_) => Ok(None),
    }
}

async fn check_sets<'e>(
    db: &dyn Database,
    models: &[&'static ModelSchema],
    embedder: impl Fn(&SetSpec) -> Option<&'e EmbedderIdentity>,
    differences: &mut Vec<Difference>,
) -> Result<(), DbError> {
    let mut sets: Vec<SetSpec> = Vec::new();
    for set in models.iter().flat_map(|m| m.sets()) {
        match sets.iter().find(|s| s.name == set.name) {
            Some(same) if *same == set => continue,
            Some(other) => {
                differences.push(Difference::Set(EnsureError::Disagree {
                    name: set.name,
                    first: Box::new(*other),
                    second: Box::new(set),
                }));
                continue;
            }
            None => sets.push(set),
        }
        let Some(found) = inspect_set(db, set.name).await? else {
            differences.push(Difference::SetMissing(set.name));
            continue;
        };
        let shape = check_shape(&set, &found);
        let filler = match embedder(&set) {
            Some(identity) => check_filler(&found, &FilledBy::of(Some(identity))),
            None => Ok(()),
        };
        let fits = filler.is_ok();
        differences
            .extend([shape, filler].into_iter().filter_map(Result::err).map(Difference::Set));
        match found.filled_by {
            None if found.is_vacant => {}
            None => differences.push(Difference::SetUnclaimed(found.name)),
            Some(FilledBy::Embedder { name, hash }) if fits && name != set.embedder => {
                differences.push(Difference::SetFilledByOther {
                    name: set.name,
                    declared: set.embedder,
                    filled_by: FilledBy::Embedder { name, hash },
                });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Types of properties: of models against each other, and against the database.
fn check_types(
    models: &[&'static ModelSchema],
    schema: &StoredSchema,
    differences: &mut Vec<Difference>,
) {
    let mut seen: HashMap<(&str, &str, &str), (&'static str, &'static str)> = HashMap::new();
    for (model, target, class, field) in models.iter().flat_map(|model| stored_fields(model)) {
        let Some(value_type) = stored_type(&field.role) else { continue };
        let own = value_type.database_name();
        let property = field.property;
        match seen.get(&(target, class, property)) {
            Some(first) if first.1 != own => {
                differences.push(Difference::ModelsDisagree {
                    class: class.to_owned(),
                    property,
                    first: *first,
                    second: (model.name, own),
                });
                continue;
            }
            Some(_) => continue,
            None => seen.insert((target, class, property), (model.name, own)),
        };
        if let Some(stored) = schema.property(target, class, property)
            && stored.differs_from(value_type)
        {
            differences.push(Difference::PropertyType {
                class: class.to_owned(),
                property,
                model: own,
                database: stored.type_name.clone(),
            });
        }
    }
}

/// A model's fields and those of its connections, each with what its property is of (`entity` or
/// `connection`), and the class of that.
fn stored_fields(
    model: &'static ModelSchema,
) -> Vec<(&'static ModelSchema, &'static str, &'static str, &'static FieldSchema)> {
    let mut fields = Vec::new();
    for field in model.fields {
        fields.push((model, "entity", class_of(model), field));
        if let FieldRole::Children {
            relation: Relation::Connection(class) | Relation::Reversed(class),
            edge,
            ..
        } = field.role
        {
            fields.extend(edge.iter().map(|of_edge| (model, "connection", class, of_edge)));
        }
    }
    fields
}

fn check_index(
    index: &Index<'_>,
    schema: &StoredSchema,
    listed: Option<&Json>,
    differences: &mut Vec<Difference>,
) {
    let there = match listed {
        Some(listed) => index.is_in(listed),
        None => schema
            .property(index.target, index.class, index.property)
            .is_some_and(|stored| stored.indexed),
    };
    let told = differences.iter().any(|d| {
        matches!(d, Difference::IndexMissing { class, property }
            if class == index.class && property == index.property)
    });
    if !there && !told {
        differences.push(Difference::IndexMissing {
            class: index.class.to_owned(),
            property: index.property.to_owned(),
        });
    }
}

fn class_of(model: &ModelSchema) -> &'static str {
    match model.kind {
        ObjectKind::Entity => model.class,
        kind => kind.system_class().unwrap_or(model.class),
    }
}

fn stored_type(role: &FieldRole) -> Option<ValueType> {
    match role {
        FieldRole::Id(value_type) | FieldRole::Property { value_type, .. } => Some(*value_type),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::{BoxFuture, Response, SchemaRef};

    const DAY: FieldRole =
        FieldRole::Property { value_type: ValueType::Date, optional: false, indexed: true };
    static PERSON: ModelSchema = ModelSchema {
        name: "Person",
        class: "Person",
        fields: &[
            FieldSchema::named("name", FieldRole::Id(ValueType::String)),
            FieldSchema::named(
                "knows",
                FieldRole::Children {
                    relation: Relation::Connection("Knows"),
                    edge: &[FieldSchema::named("since", DAY)],
                    many: true,
                    optional: true,
                    model: SchemaRef::Declared(|| &PERSON),
                    made: None,
                },
            ),
        ],
        ..ModelSchema::BARE
    };

    /// Answers GetSchema with this, and knows no other command.
    struct Schema(Json);

    impl Database for Schema {
        fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
            let is_schema = request.commands == r#"[{"GetSchema":{}}]"#;
            let response = match is_schema {
                true => Response::Done {
                    answers: vec![json!({ "GetSchema": self.0 })],
                    blobs: Vec::new(),
                },
                false => Response::Refused(crate::Refusal::error(None, "no such command")),
            };
            Box::pin(async move { Ok(response) })
        }
    }

    fn differences(schema: Json) -> Vec<String> {
        let db = Schema(schema);
        let models = [&PERSON];
        let mut future = std::pin::pin!(check(&db, &models, |_| None));
        let Poll::Ready(found) = future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        else {
            panic!("this database never waits");
        };
        found.unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn types_of_connections_are_compared_in_every_form_that_databases_give_them() {
        let pair = json!({"matched": 2, "src": "Person", "dst": "Person", "properties": {
            "edge_id": [2, true, "String"], "since": [2, true, "Number"],
        }});
        let person = json!({"matched": 2, "properties": {"name": [2, true, "String"]}});
        for knows in [pair.clone(), json!([pair]), json!({"Person-Person": pair})] {
            let schema = json!({
                "entities": {"classes": {"Person": person}},
                "connections": {"classes": {"Knows": knows}},
            });
            let found = differences(schema);
            assert_eq!(found.len(), 1, "{knows}: {found:?}");
            assert!(found[0].starts_with("`Knows.since` is a Number"), "{found:?}");
        }
    }
}
