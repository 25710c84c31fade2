//! What a stored object is, as parameters of the command that adds it.

use serde_json::{Map, Value as Json};

use super::{ADDRESS, MARK, find::SETS};

/// What a command that adds such an object takes beside properties: where it lies, its label.
pub(super) fn put_parameters(class: &str, object: &Json, with: &mut Map<String, Json>) {
    let mut put = |parameter: &str, system: &str| {
        let value = object.get(system).filter(|value| !value.is_null());
        if let Some(value) = value {
            with.insert(parameter.to_owned(), value.clone());
        }
        value.is_some()
    };
    match class {
        SETS => {
            put("name", "_name");
            put("dimensions", "_dimensions");
            put("engine", "_engines");
            put("metric", "_metrics");
        }
        "_BoundingBox" => {
            put("rectangle", "_coordinates");
        }
        "_Polygon" => {
            put("polygons", "_vertices");
        }
        "_Descriptor" => {
            put("set", "_set_name");
        }
        "_Clip" => {
            let _ = put("frame_number_range", "_frame_number_range")
                || put("time_offset_range", "_time_offset_range")
                || put("time_fraction_range", "_time_fraction_range");
        }
        "_Frame" => {
            let _ = put("frame_number", "_frame_number")
                || put("time_offset", "_time_offset")
                || put("time_fraction", "_time_fraction");
        }
        _ => {}
    }
    // Databases show an object without a label so.
    let label = object.get("_label").and_then(Json::as_str).filter(|label| *label != "None");
    if let Some(label) = label {
        with.insert("label".to_owned(), label.into());
    }
}

/// Properties that are a user's; adb's own among them, but for those of an export before.
pub(super) fn put_properties(object: &Json, with: &mut Map<String, Json>) {
    let all = object.as_object().into_iter().flatten();
    let is_own = |key: &str| !key.starts_with('_') && ![MARK, ADDRESS].contains(&key);
    let own: Map<String, Json> = all
        .filter(|(key, value)| is_own(key) && !value.is_null())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if !own.is_empty() {
        with.insert("properties".to_owned(), Json::Object(own));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_command_takes_is_no_property() {
        let object = json!({
            "_uniqueid": "1.0.2", "_label": "None", "name": "dal", "none": null,
            "_coordinates": {"x": 1, "y": 2, "width": 3, "height": 4}, "adb_export": "x/1.0.1",
        });
        let mut with = Map::new();
        put_parameters("_BoundingBox", &object, &mut with);
        put_properties(&object, &mut with);
        let rectangle = &object["_coordinates"];
        let wanted = json!({"rectangle": rectangle, "properties": {"name": "dal"}});
        assert_eq!(Json::Object(with), wanted);
    }
}
