//! What a database says is in it, by class: for programs that know no model of it.

use serde_json::{Map, Value as Json, json};

use crate::{
    Answer, Database, DbError, ObjectKind, Request, ValueType,
    database::ask,
    ensure::{FoundSet, Index, find_sets, read_sets},
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
            schema.mark_indexed(Answer::at(&answers, 0)?.get("indexes").unwrap_or(&Json::Null));
        }
        Ok(schema)
    }

    /// Reads GetSchema's answer. A class of connections that joins several pairs of classes is a list
    /// of entries, or an object of named ones.
    pub(crate) fn read(answer: &Answer<'_>) -> Self {
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
                one if one.get("src").is_some() || one.get("matched").is_some() => add(one),
                Json::Object(named) => named.values().for_each(&mut add),
                _ => {}
            }
        }
        schema
    }

    /// Marks the properties that a GetIndexes has an index on.
    fn mark_indexed(&mut self, indexes: &Json) {
        let is_in =
            |target, class: &str, property: &str| Index { target, class, property }.is_in(indexes);
        for class in &mut self.classes {
            for property in &mut class.properties {
                property.indexed |= is_in("entity", &class.name, &property.name);
            }
        }
        for class in &mut self.connections {
            for property in &mut class.properties {
                property.indexed |= is_in("connection", &class.name, &property.name);
            }
        }
    }

    /// A property of a class of objects (`entity`) or of connections (`connection`).
    pub(crate) fn property(
        &self,
        target: &str,
        class: &str,
        property: &str,
    ) -> Option<&StoredProperty> {
        if target == "entity" {
            return self.class(class)?.property(property);
        }
        let pairs = self.connections.iter().filter(|pair| pair.name == class);
        pairs.flat_map(|pair| &pair.properties).find(|p| p.name == property)
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

impl StoredProperty {
    /// Whether its type is known, and is another than a model's.
    pub(crate) fn differs_from(&self, model: ValueType) -> bool {
        !self.type_name.is_empty() && self.type_name != model.database_name()
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
    fn indexes_are_those_of_either_answer() {
        let mut read = read(&json!({
            "entities": {"classes": {"P": {"matched": 1, "properties": {
                "a": {"count": 1, "type": "number"}, "b": [1, false, "number"], "c": [1, true, "number"],
            }}}},
            "connections": {"classes": {"Knows": {"matched": 1, "src": "P", "dst": "P", "properties": {
                "since": {"count": 1, "type": "date"},
            }}}},
        }));
        let kinds = json!([{"kind": "ordered"}]);
        read.mark_indexed(&json!({
            "entity": {"P": {"a": kinds}}, "connection": {"Knows": {"since": kinds}},
        }));
        let class = read.class("P").unwrap();
        let indexed = |property| class.property(property).unwrap().indexed;
        assert_eq!(["a", "b", "c"].map(indexed), [true, false, true]);
        assert!(read.connections[0].properties[0].indexed);
    }

    #[test]
    fn kinds_of_classes() {
        assert_eq!(ObjectKind::of_stored_class("_Image"), Some(ObjectKind::Image));
        assert_eq!(ObjectKind::of_stored_class("Dish"), Some(ObjectKind::Entity));
        assert_eq!(ObjectKind::of_stored_class("_DescriptorSet"), None);
    }
}
