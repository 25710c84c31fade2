//! Comparisons whose values are a file's cells, in either dialect.

use adb_model::Dialect;
use serde_json::{Map, Value as Json, json};

/// `property op value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The property.
    pub property: String,
    /// `==`, `!=`, `<`, `<=`, `>` or `>=`.
    pub op: &'static str,
    /// With what; a date is `{"_date": …}`.
    pub value: Json,
}

impl Comparison {
    /// `property == value`.
    #[must_use]
    pub fn equal(property: impl Into<String>, value: impl Into<Json>) -> Self {
        Self { property: property.into(), op: "==", value: value.into() }
    }
}

/// Constraints: all must hold.
pub(super) fn to_json(all: &[Comparison], dialect: Dialect) -> Json {
    match dialect {
        Dialect::Classic => {
            // Pairs of one property stand in one list.
            let mut object: Map<String, Json> = Map::new();
            for Comparison { property, op, value } in all {
                let pairs = object.entry(property.clone()).or_insert_with(|| json!([]));
                if let Json::Array(pairs) = pairs {
                    pairs.extend([json!(op), value.clone()]);
                }
            }
            Json::Object(object)
        }
        Dialect::Expression => {
            let one = |c: &Comparison| json!([format!("${}", c.property), c.op, literal(&c.value)]);
            match all {
                [only] => one(only),
                _ => Json::Array([json!("all")].into_iter().chain(all.iter().map(one)).collect()),
            }
        }
    }
}

/// A value as an expression has it: there, a text that begins with `$` names a property.
fn literal(value: &Json) -> Json {
    match value {
        Json::String(text) if text.starts_with('$') => json!(format!("${text}")),
        Json::Object(object) if object.len() == 1 && object.contains_key("_date") => {
            json!({"to_date": literal(&object["_date"])})
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_dialects() {
        let all = [
            Comparison::equal("id", 7),
            Comparison { property: "v".into(), op: ">", value: json!(1) },
            Comparison { property: "v".into(), op: "<", value: json!({"_date": "2024"}) },
            Comparison::equal("name", "$x"),
        ];
        assert_eq!(
            to_json(&all, Dialect::Classic),
            json!({"id": ["==", 7], "v": [">", 1, "<", {"_date": "2024"}], "name": ["==", "$x"]})
        );
        assert_eq!(
            to_json(&all, Dialect::Expression),
            json!(["all", ["$id", "==", 7], ["$v", ">", 1], ["$v", "<", {"to_date": "2024"}],
                   ["$name", "==", "$$x"]])
        );
        assert_eq!(to_json(&all[..1], Dialect::Expression), json!(["$id", "==", 7]));
    }
}
