//! A model for pictures that come without one: what is seen of them becomes properties.

use std::collections::BTreeMap;

use adb_model::{
    Convention, Date, ObjectKind, ValueType,
    document::{Document, Field, Model, Role, Set, VERSION},
};
use serde_json::Value as Json;

use super::Object;

/// The key, in a row, of the file itself.
pub(super) const FILE: &str = "source";
/// The key of what identifies a row by its place.
pub(super) const PATH: &str = "path";

/// A model of pictures, films or files that is made from what a source has, so that nothing need
/// be written to begin with: an id, the file, and a property for all else that was seen.
///
/// ```
/// use adb_loaders::PlainModel;
/// use adb_model::{ObjectKind, ValueType};
///
/// let model = PlainModel::new(ObjectKind::Image).property("folder", ValueType::String);
/// assert_eq!(model.document().models[0].fields.len(), 3);
/// ```
#[derive(Debug, Clone)]
pub struct PlainModel {
    kind: ObjectKind,
    class: Option<String>,
    by_content: bool,
    /// In order of names; nothing where no value was seen yet.
    properties: BTreeMap<String, Option<ValueType>>,
    set: Option<Set>,
}

impl PlainModel {
    /// The field of the vectors, if there are any.
    pub const VECTORS: &str = "look";

    /// Objects of a kind that has files: images, videos, blobs.
    #[must_use]
    pub fn new(kind: ObjectKind) -> Self {
        Self { kind, class: None, by_content: false, properties: BTreeMap::new(), set: None }
    }

    /// Gives them a class, which is their `user_type`. Without it they bear none.
    #[must_use]
    pub fn class(mut self, class: impl Into<String>) -> Self {
        self.class = Some(class.into());
        self
    }

    /// Identifies them by the hash of their file: the same file in two places is one object.
    /// Without it the path identifies them.
    #[must_use]
    pub fn by_content(mut self) -> Self {
        self.by_content = true;
        self
    }

    /// Adds a property.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value_type: ValueType) -> Self {
        self.properties.insert(name.into(), Some(value_type));
        self
    }

    /// Embeds the pictures into a set.
    #[must_use]
    pub fn embed_into(mut self, set: Set) -> Self {
        self.set = Some(set);
        self
    }

    /// What its objects are.
    #[must_use]
    pub fn kind(&self) -> ObjectKind {
        self.kind
    }

    /// Takes keys and types from a row. Whole numbers give way to others, and all else that does
    /// not agree to text.
    pub fn observe(&mut self, row: &Object) {
        for (key, value) in row {
            let value_type = match value {
                Json::Null => None,
                Json::Bool(_) => Some(ValueType::Bool),
                Json::Number(n) if n.is_f64() => Some(ValueType::Float),
                Json::Number(_) => Some(ValueType::Int),
                Json::String(_) => Some(ValueType::String),
                Json::Array(_) | Json::Object(_) => Some(ValueType::Json),
            };
            self.observe_type(key, value_type);
        }
    }

    /// The same for a row whose values are all texts: numbers, dates, `true` and `false` are seen
    /// as what they are.
    pub(super) fn observe_texts(&mut self, row: &Object) {
        for (key, value) in row {
            let text = value.as_str().unwrap_or_default();
            self.observe_type(key, type_of_text(text));
        }
    }

    pub(super) fn observe_type(&mut self, key: &str, value_type: Option<ValueType>) {
        let known = self.properties.entry(key.to_owned()).or_default();
        *known = match (*known, value_type) {
            (known, None) => known,
            (None, seen) => seen,
            (Some(a), Some(b)) if a == b => Some(a),
            (Some(ValueType::Int | ValueType::Float), Some(ValueType::Int | ValueType::Float)) => {
                Some(ValueType::Float)
            }
            _ => Some(ValueType::String),
        };
    }

    /// The model as a document.
    #[must_use]
    pub fn document(&self) -> Document {
        let field = |key: &str, role: Role| Field {
            name: key.to_owned(),
            key: key.to_owned(),
            within: None,
            of_optional: false,
            // Names that begin so are the database's.
            property: key.trim_start_matches('_').to_owned(),
            doc: String::new(),
            was: Vec::new(),
            role,
            default: None,
        };
        let mut fields = Vec::new();
        if !self.by_content {
            fields.push(field(PATH, Role::Id { r#type: ValueType::String }));
        }
        fields.push(field(FILE, Role::Media { kind: self.kind, optional: false }));
        for (key, value_type) in &self.properties {
            if [PATH, FILE].contains(&key.as_str()) || key.trim_start_matches('_').is_empty() {
                continue;
            }
            let r#type = value_type.unwrap_or(ValueType::String);
            fields.push(field(key, Role::Property { r#type, optional: true, indexed: false }));
        }
        if let Some(set) = &self.set {
            let role = Role::Embedding {
                set: set.name.clone(),
                from: Some(FILE.to_owned()),
                label: None,
                optional: false,
                class: None,
                face: None,
            };
            fields.push(field(Self::VECTORS, role));
        }
        let name = self.class.clone().unwrap_or_else(|| self.kind.command_suffix().to_owned());
        let model = Model {
            class: name.clone(),
            name,
            kind: self.kind,
            convention: Convention::Adb,
            doc: String::new(),
            fields,
            untyped: self.class.is_none(),
            content_id: self.by_content,
        };
        Document { version: VERSION, models: vec![model], sets: self.set.iter().cloned().collect() }
    }
}

/// What a cell without a model is. Numbers with zeros before them are names.
fn type_of_text(text: &str) -> Option<ValueType> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let digits = text.trim_start_matches('-');
    let is_name = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let begins_as_number = digits.starts_with(|c: char| c.is_ascii_digit());
    Some(match text.to_ascii_lowercase().as_str() {
        "true" | "false" => ValueType::Bool,
        _ if is_name || !begins_as_number => ValueType::String,
        _ if text.parse::<i64>().is_ok() => ValueType::Int,
        _ if text.parse::<f64>().is_ok_and(f64::is_finite) => ValueType::Float,
        _ if text.parse::<Date>().is_ok() => ValueType::Date,
        _ => ValueType::String,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_taken_for_what_they_are() {
        use ValueType::{Bool, Date, Float, Int, String};
        for (text, value_type) in [
            ("7", Int),
            ("-7", Int),
            ("007", String),
            ("0.5", Float),
            ("1e3", Float),
            ("inf", String),
            ("True", Bool),
            ("2024-01-02", Date),
            ("2024-01-02T03:04:05Z", Date),
            ("99999999999999999999", Float),
            ("-", String),
            ("yes", String),
        ] {
            assert_eq!(type_of_text(text), Some(value_type), "{text}");
        }
        assert_eq!(type_of_text(" "), None);
    }

    #[test]
    fn types_that_do_not_agree_give_way() {
        let mut model = PlainModel::new(ObjectKind::Image);
        for row in [r#"{"a": 1, "b": 1, "c": null}"#, r#"{"a": 1.5, "b": "x"}"#] {
            model.observe(&serde_json::from_str(row).unwrap());
        }
        assert_eq!(model.properties["a"], Some(ValueType::Float));
        assert_eq!(model.properties["b"], Some(ValueType::String));
        assert_eq!(model.properties["c"], None);
        model.document().load().unwrap();
    }
}
