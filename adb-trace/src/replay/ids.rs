//! Which object of the replay is which of the recording.

use std::collections::HashMap;

use serde_json::Value as Json;

/// Pairs of unique ids: each database gives its own.
#[derive(Debug, Default)]
pub(super) struct Ids {
    replayed: HashMap<String, String>,
    recorded: HashMap<String, String>,
}

/// Fields of objects that hold ids.
pub(super) fn is_id_field(field: &str) -> bool {
    matches!(field, "_uniqueid" | "_src" | "_dst")
}

impl Ids {
    /// Takes two ids for the same object's; not if either is another's already.
    pub(super) fn pair(&mut self, recorded: &str, replayed: &str) -> bool {
        match (self.replayed.get(recorded), self.recorded.get(replayed)) {
            (None, None) => {
                self.replayed.insert(recorded.to_owned(), replayed.to_owned());
                self.recorded.insert(replayed.to_owned(), recorded.to_owned());
                true
            }
            (known, _) => known.is_some_and(|known| known == replayed),
        }
    }

    /// The replay's id for one of the recording.
    pub(super) fn replayed(&self, recorded: &str) -> Option<&str> {
        self.replayed.get(recorded).map(String::as_str)
    }

    /// Whether an id of the replay has met one of the recording.
    pub(super) fn is_known(&self, replayed: &str) -> bool {
        self.recorded.contains_key(replayed)
    }

    /// Puts the replay's ids in the places of the recording's, wherever a request names some. Values
    /// of properties are left as they are.
    pub(super) fn put_into(&self, request: &mut Json) {
        match request {
            Json::String(text) => {
                if let Some(id) = self.replayed.get(text.as_str()) {
                    id.clone_into(text);
                }
            }
            Json::Array(list) => list.iter_mut().for_each(|value| self.put_into(value)),
            Json::Object(map) => {
                let others = map.iter_mut().filter(|(key, _)| *key != "properties");
                others.for_each(|(_, value)| self.put_into(value));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn requests_name_the_other_databases_objects() {
        let mut ids = Ids::default();
        assert!(ids.pair("2.0.1", "7.0.3") && ids.pair("2.0.1", "7.0.3"));
        assert!(!ids.pair("2.0.1", "7.0.4") && !ids.pair("2.0.2", "7.0.3"));
        let mut request = json!({"FindEntity": {
            "constraints": ["$_uniqueid", "in", {"array": ["2.0.1", "2.0.9"]}],
            "properties": {"version": "2.0.1"},
        }});
        ids.put_into(&mut request);
        let find = &request["FindEntity"];
        assert_eq!(find["constraints"][2]["array"], json!(["7.0.3", "2.0.9"]));
        assert_eq!(find["properties"]["version"], "2.0.1");
    }
}
