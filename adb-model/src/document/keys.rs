//! Keys of a document: one that nobody knows would be passed over, and mean nothing.
//!
//! serde can't say this of a field, whose keys lie beside those of its role.

use serde_json::{Map, Value as Json};

use super::DocumentError;
use crate::nearest_name;

const DOCUMENT: &[&str] = &["version", "models", "sets"];
const MODEL: &[&str] =
    &["name", "class", "kind", "convention", "doc", "fields", "untyped", "content_id"];
const FIELD: &[&str] =
    &["name", "key", "within", "property", "doc", "was", "of_optional", "role", "default"];
const SET: &[&str] = &["name", "dimensions", "metric", "engine", "embedder"];
const MADE: &[&str] = &["by", "from", "empty_stands"];

/// What a field of a role has beside [`FIELD`]; nothing for what is no role.
fn of_role(role: &str) -> Option<&'static [&'static str]> {
    Some(match role {
        "id" => &["type"],
        "property" => &["type", "optional", "indexed"],
        "media" => &["kind", "optional"],
        "geometry" => &["system"],
        "label" => &["optional"],
        "embedding" => &["set", "from", "label", "optional", "class", "face"],
        "children" => &["relation", "edge", "many", "optional", "model", "made"],
        _ => return None,
    })
}

/// Sees to it that each object of a document is one, and has no key but its own. What is missing
/// or of another type is serde's to say.
pub(super) fn check(document: &Json) -> Result<(), DocumentError> {
    let document = object(document, || "it".to_owned())?;
    known(document, DOCUMENT, || "it".to_owned())?;
    for (i, model) in list(document, "models") {
        let place = || name_of(model).map_or_else(|| format!("model {i}"), |n| format!("`{n}`"));
        let of = name_of(model).unwrap_or("?");
        let model = object(model, place)?;
        known(model, MODEL, || format!("the model {}", place()))?;
        for (i, field) in list(model, "fields") {
            check_field(field, of, i)?;
        }
    }
    for (i, set) in list(document, "sets") {
        let place = || match name_of(set) {
            Some(name) => format!("the set `{name}`"),
            None => format!("set {i}"),
        };
        known(object(set, place)?, SET, place)?;
    }
    Ok(())
}

/// `of`: the model, or the field whose connections have this one.
fn check_field(field: &Json, of: &str, number: usize) -> Result<(), DocumentError> {
    let name = match name_of(field) {
        Some(name) => format!("{of}.{name}"),
        None => format!("{of}.{number}"),
    };
    let place = || format!("`{name}`");
    let field = object(field, place)?;
    let role = field.get("role").and_then(Json::as_str).and_then(of_role);
    // serde names the roles that there are.
    let Some(role) = role else { return Ok(()) };
    known(field, &[FIELD, role].concat(), place)?;
    if let Some(made) = field.get("made").filter(|made| !made.is_null()) {
        let place = || format!("`made` of `{name}`");
        known(object(made, place)?, MADE, place)?;
    }
    for (i, property) in list(field, "edge") {
        check_field(property, &name, i)?;
    }
    Ok(())
}

/// The members of a list, counted from 1; none where it is no list.
fn list<'a>(of: &'a Map<String, Json>, key: &str) -> impl Iterator<Item = (usize, &'a Json)> {
    (1..).zip(of.get(key).and_then(Json::as_array).into_iter().flatten())
}

fn name_of(json: &Json) -> Option<&str> {
    json.get("name")?.as_str()
}

fn object(
    json: &Json,
    place: impl FnOnce() -> String,
) -> Result<&Map<String, Json>, DocumentError> {
    let found = match json {
        Json::Object(object) => return Ok(object),
        Json::Array(_) => "an array",
        Json::String(_) => "a text",
        Json::Number(_) => "a number",
        Json::Bool(_) => "a boolean",
        Json::Null => "null",
    };
    Err(DocumentError::NoObject { place: place(), found })
}

fn known(
    object: &Map<String, Json>,
    keys: &[&str],
    place: impl FnOnce() -> String,
) -> Result<(), DocumentError> {
    let Some(key) = object.keys().find(|key| !keys.contains(&key.as_str())) else { return Ok(()) };
    let help = match nearest_name(key, keys.iter().copied()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("its keys are `{}`", keys.join("`, `")),
    };
    Err(DocumentError::UnknownKey { place: place(), key: key.clone(), help })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::document::Document;

    /// Every key that there is, at every level.
    fn full() -> Json {
        let field = |name: &str, role: &str, rest: Json| {
            let mut field = json!({
                "name": name, "key": name, "within": "inside", "property": name, "doc": "d",
                "was": ["old"], "of_optional": true, "role": role, "default": 1,
            });
            for (key, value) in rest.as_object().unwrap() {
                field[key] = value.clone();
            }
            field
        };
        let grams =
            field("grams", "property", json!({"type": "int", "optional": true, "indexed": true}));
        json!({
            "version": 1,
            "models": [{
                "name": "Dish", "class": "Dish", "kind": "image", "convention": "python_sdk",
                "doc": "d", "untyped": true, "content_id": true,
                "fields": [
                    field("id", "id", json!({"type": "int"})),
                    grams,
                    field("photo", "media", json!({"kind": "image", "optional": true})),
                    field("area", "geometry", json!({"system": "_coordinates"})),
                    field("what", "label", json!({"optional": true})),
                    field("look", "embedding", json!({
                        "set": "looks", "from": "photo", "label": "what", "optional": true,
                        "class": "Look", "face": "skip",
                    })),
                    field("parts", "children", json!({
                        "relation": {"connection": "HasPart"}, "edge": [grams], "many": true,
                        "optional": true, "model": "Dish",
                        "made": {"by": "m", "from": "photo", "empty_stands": true},
                    })),
                ],
            }],
            "sets": [{
                "name": "looks", "dimensions": 4, "metric": "L2", "engine": "Flat", "embedder": "e",
            }],
        })
    }

    fn said(json: &Json) -> String {
        Document::parse(&json.to_string()).unwrap_err().to_string()
    }

    #[test]
    fn every_key_that_there_is_is_known_and_every_known_one_is_there() {
        check(&full()).unwrap();
        let document = Document::parse(&full().to_string()).unwrap();
        assert_eq!(serde_json::to_value(document).unwrap(), full());
    }

    #[test]
    fn unknown_keys_are_named_at_every_level() {
        for (at, key, words) in [
            ("", "set", "it has the key `set`, which nobody knows: did you mean `sets`?"),
            ("/models/0", "clas", "the model `Dish` has the key `clas`"),
            (
                "/models/0/fields/1",
                "indexd",
                "`Dish.grams` has the key `indexd`, which nobody knows: did you mean `indexed`?",
            ),
            ("/models/0/fields/0", "indexed", "`Dish.id` has the key `indexed`"),
            ("/models/0/fields/2", "zzz", "its keys are `name`, `key`, "),
            ("/models/0/fields/6/edge/0", "optionl", "`Dish.parts.grams` has the key `optionl`"),
            (
                "/models/0/fields/6/made",
                "form",
                "`made` of `Dish.parts` has the key `form`, which nobody knows: did you mean `from`?",
            ),
            (
                "/sets/0",
                "dimension",
                "the set `looks` has the key `dimension`, which nobody knows: did you mean `dimensions`?",
            ),
        ] {
            let mut document = full();
            document.pointer_mut(at).unwrap()[key] = true.into();
            let said = said(&document);
            assert!(said.contains(words), "{at}: {said}");
        }
    }

    #[test]
    fn what_is_no_object_is_told() {
        assert!(said(&json!([])).contains("it is an array"), "{}", said(&json!([])));
        assert!(said(&json!("x")).contains("it is a text"));
        for (at, words) in [
            ("/models/0", "model 1 is null"),
            ("/models/0/fields/1", "`Dish.2` is null"),
            ("/sets/0", "set 1 is null"),
        ] {
            let mut document = full();
            *document.pointer_mut(at).unwrap() = Json::Null;
            let said = said(&document);
            assert!(said.contains(words), "{at}: {said}");
        }
        let mut document = full();
        document["models"][0]["fields"][0] = json!(["id", "id"]);
        assert!(said(&document).contains("`Dish.1` is an array"));
    }

    #[test]
    fn impossible_numbers_are_refused() {
        for (dimensions, words) in [
            (json!(0), "the set `looks` has vectors of 0 components"),
            (json!(1 << 21), "from 1 to 1048576"),
            (json!(-1), "invalid value"),
            (json!(2.5), "invalid type"),
        ] {
            let mut document = full();
            document["sets"][0]["dimensions"] = dimensions;
            let said = said(&document);
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn an_other_version_is_told_before_its_keys() {
        assert!(said(&json!({"version": 2, "things": []})).contains("version 2"));
    }
}
