//! What a database says is in it, by class: for programs that know no model of it.

use serde_json::{Map, Value as Json, json};

use crate::{
    Answer, Database, DbError, ObjectKind, Request,
    database::ask,
    ensure::{FoundSet, find_sets, read_sets},
};

/// The classes of a database, in its own order.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct StoredSchema {
    /// Classes of objects; those of the system (`_Image`) among them.
    pub classes: Vec<StoredClass>,
    /// Classes of connections, one for each pair of classes that it joins.
    pub connections: Vec<StoredConnection>,
    /// Descriptor sets.
    pub sets: Vec<FoundSet>,
}

/// A class of objects.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StoredClass {
    /// Its name.
    pub name: String,
    /// How many objects it has.
    pub objects: u64,
    /// Their properties.
    pub properties: Vec<StoredProperty>,
}

/// A class of connections between two classes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StoredConnection {
    /// Its name.
    pub name: String,
    /// The class where they begin.
    pub src: String,
    /// The class where they end.
    pub dst: String,
    /// How many there are.
    pub connections: u64,
    /// Their properties.
    pub properties: Vec<StoredProperty>,
}

/// A property of a class.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StoredProperty {
    /// Its name.
    pub name: String,
    /// Its type, as the database calls it.
    pub type_name: String,
    /// How many objects have it.
    pub objects: u64,
    /// Whether the database keeps an index on it.
    pub indexed: bool,
}

impl StoredSchema {
    /// Asks a database: two requests.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn fetch(db: &dyn Database) -> Result<Self, DbError> {
        let request = Request::json(&json!([{"GetSchema": {}}, find_sets()]));
        let (answers, _) = ask(db, request).await?;
        let mut schema = Self::read(&Answer::at(&answers, 0)?);
        schema.sets = read_sets(&Answer::at(&answers, 1)?);
        // Those that do not say which properties are indexed are asked for the indexes; older
        // servers, which do say it, do not know the command.
        let request = Request::json(&json!([{"GetIndexes": {}}]));
        if let Ok((answers, _)) = db.execute(request).await?.done() {
            schema.indexed(Answer::at(&answers, 0)?.get("indexes").unwrap_or(&Json::Null));
        }
        Ok(schema)
    }

    /// Reads GetSchema's answer.
    fn read(answer: &Answer<'_>) -> Self {
        let classes = |part: &str| {
            answer.get(part).and_then(|part| part.get("classes")).and_then(Json::as_object)
        };
        let mut schema = Self::default();
        for (name, class) in classes("entities").into_iter().flatten() {
            schema.classes.push(StoredClass {
                name: name.clone(),
                objects: number(class, "matched"),
                properties: properties(class),
            });
        }
        for (name, class) in classes("connections").into_iter().flatten() {
            let mut add = |pair: &Json| {
                schema.connections.push(StoredConnection {
                    name: name.clone(),
                    src: text(pair, "src"),
                    dst: text(pair, "dst"),
                    connections: number(pair, "matched"),
                    properties: properties(pair),
                });
            };
            match class {
                Json::Array(pairs) => pairs.iter().for_each(&mut add),
                one if one.get("matched").is_some() => add(one),
                Json::Object(named) => named.values().for_each(&mut add),
                _ => {}
            }
        }
        schema
    }

    /// `{"entity": {"Person": {"id": …}}}`, or a flat list.
    fn indexed(&mut self, indexes: &Json) {
        let flat = |target: &str, class: &str, property: &str| {
            indexes.as_array().is_some_and(|all| {
                all.iter().any(|index| {
                    let is = |keys: [&str; 2], value: &str| {
                        keys.iter().any(|key| index.get(key).and_then(Json::as_str) == Some(value))
                    };
                    is(["target", "index_type"], target)
                        && is(["class", "class"], class)
                        && is(["property", "property_key"], property)
                })
            })
        };
        let has = |target: &str, class: &str, property: &str| {
            let nested = indexes.get(target).and_then(|classes| classes.get(class)?.get(property));
            nested.is_some() || flat(target, class, property)
        };
        for class in &mut self.classes {
            for property in &mut class.properties {
                property.indexed |= has("entity", &class.name, &property.name);
            }
        }
        for class in &mut self.connections {
            for property in &mut class.properties {
                property.indexed |= has("connection", &class.name, &property.name);
            }
        }
    }

    /// The class of that name.
    #[must_use]
    pub fn class(&self, name: &str) -> Option<&StoredClass> {
        self.classes.iter().find(|class| class.name == name)
    }
}

impl StoredClass {
    /// The property of that name.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&StoredProperty> {
        self.properties.iter().find(|property| property.name == name)
    }
}

impl ObjectKind {
    /// What the objects of a class in GetSchema are; nothing for classes that no command finds.
    #[must_use]
    pub fn of_stored_class(class: &str) -> Option<Self> {
        [
            ObjectKind::Image,
            ObjectKind::Video,
            ObjectKind::Blob,
            ObjectKind::Clip,
            ObjectKind::Frame,
            ObjectKind::BoundingBox,
            ObjectKind::Polygon,
            ObjectKind::Descriptor,
        ]
        .into_iter()
        .find(|kind| kind.system_class() == Some(class))
        .or_else(|| (!class.starts_with('_')).then_some(ObjectKind::Entity))
    }
}

fn number(json: &Json, key: &str) -> u64 {
    json.get(key).and_then(Json::as_u64).unwrap_or(0)
}

fn text(json: &Json, key: &str) -> String {
    json.get(key).and_then(Json::as_str).unwrap_or_default().to_owned()
}

/// `[objects, indexed, type]`, or an object with these by name.
fn properties(class: &Json) -> Vec<StoredProperty> {
    let entries = class.get("properties").and_then(Json::as_object);
    let entries: &Map<String, Json> = match entries {
        Some(entries) => entries,
        None => return Vec::new(),
    };
    let read = |(name, entry): (&String, &Json)| match entry {
        Json::Array(parts) => StoredProperty {
            name: name.clone(),
            objects: parts.first().and_then(Json::as_u64).unwrap_or(0),
            indexed: parts.get(1).and_then(Json::as_bool).unwrap_or(false),
            type_name: parts.get(2).and_then(Json::as_str).unwrap_or_default().to_owned(),
        },
        entry => StoredProperty {
            name: name.clone(),
            objects: number(entry, "count").max(number(entry, "matched")),
            indexed: entry.get("indexed").and_then(Json::as_bool).unwrap_or(false),
            type_name: text(entry, "type"),
        },
    };
    entries.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(schema: &Json) -> StoredSchema {
        let answer = json!({ "GetSchema": schema });
        StoredSchema::read(&Answer::open(&answer).unwrap())
    }

    #[test]
    fn both_forms_of_properties_and_all_of_connections() {
        let name = json!([2, true, "String"]);
        let since = json!({"count": 3, "type": "date"});
        let pair = json!({"matched": 5, "src": "P", "dst": "Q", "properties": {"since": since}});
        for connections in [json!([pair]), pair.clone(), json!({"one": pair})] {
            let read = read(&json!({
                "entities": {"returned": 1, "classes": {"P": {"matched": 2, "properties": {"name": name}}}},
                "connections": {"returned": 1, "classes": {"Knows": connections}},
            }));
            let class = read.class("P").unwrap();
            assert_eq!((class.objects, class.property("name").unwrap().indexed), (2, true));
            let knows = &read.connections[0];
            assert_eq!((knows.src.as_str(), knows.dst.as_str(), knows.connections), ("P", "Q", 5));
            assert_eq!(knows.properties[0].type_name, "date");
            assert_eq!(knows.properties[0].objects, 3);
        }
        assert_eq!(read(&json!({"entities": null, "connections": null})), StoredSchema::default());
    }

    #[test]
    fn indexes_of_both_forms() {
        let schema = json!({"entities": {"classes": {
            "P": {"matched": 1, "properties": {"a": {"count": 1, "type": "number"}, "b": [1, false, "number"]}}
        }}});
        for indexes in [
            json!({"entity": {"P": {"a": []}}}),
            json!([{"target": "entity", "class": "P", "property": "a"}]),
            json!([{"index_type": "entity", "class": "P", "property_key": "a"}]),
        ] {
            let mut read = read(&schema);
            read.indexed(&indexes);
            let class = read.class("P").unwrap();
            assert!(class.property("a").unwrap().indexed, "{indexes}");
            assert!(!class.property("b").unwrap().indexed, "{indexes}");
        }
    }

    #[test]
    fn kinds_of_classes() {
        assert_eq!(ObjectKind::of_stored_class("_Image"), Some(ObjectKind::Image));
        assert_eq!(ObjectKind::of_stored_class("Dish"), Some(ObjectKind::Entity));
        assert_eq!(ObjectKind::of_stored_class("_DescriptorSet"), None);
    }
}
