//! Keys of a row that no field takes.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::{Document, Field, LoadedModel, Model, Role};

impl LoadedModel {
    /// Keys of a row that no field takes, such as `ingredients[].grams`: each once, sorted.
    #[must_use]
    pub fn unknown_keys(self, row: &Json) -> Vec<String> {
        let mut unknown = BTreeSet::new();
        let document = self.document();
        if let Some(root) = document.root() {
            walk(document, root, &[], row, "", &mut unknown);
        }
        unknown.into_iter().collect()
    }
}

/// `edge`: properties of the connection, whose keys lie among the child's.
fn walk(
    document: &Document,
    model: &Model,
    edge: &[Field],
    row: &Json,
    at: &str,
    unknown: &mut BTreeSet<String>,
) {
    let Json::Object(row) = row else { return };
    for (key, value) in row {
        let place = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
        let of_row = |f: &&Field| f.within.is_none() && f.key == *key;
        let within = |f: &Field| f.within.as_deref() == Some(key.as_str());
        match model.fields.iter().find(of_row).map(|field| &field.role) {
            None if edge.iter().any(|f| of_row(&f)) => {}
            // A struct with keys of its own, whose fields are the model's.
            None if model.fields.iter().chain(edge).any(within) => {
                for inner in value.as_object().into_iter().flat_map(serde_json::Map::keys) {
                    let mut fields = model.fields.iter().chain(edge);
                    if !fields.any(|f| within(f) && f.key == *inner) {
                        unknown.insert(format!("{place}.{inner}"));
                    }
                }
            }
            None => {
                unknown.insert(place);
            }
            Some(Role::Children { edge, model: child, .. }) => {
                // `check` has seen to it that there is one.
                let Some(child) = document.model(child) else { continue };
                match value {
                    Json::Array(all) => {
                        let place = place + "[]";
                        for row in all {
                            walk(document, child, edge, row, &place, unknown);
                        }
                    }
                    one => walk(document, child, edge, one, &place, unknown),
                }
            }
            Some(_) => {}
        }
    }
}
