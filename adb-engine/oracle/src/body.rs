//! Parameters of a command, taken one by one.

use serde_json::{Map, Value as Json};

use crate::Wrong;

/// What is left of an object. Null counts as absent everywhere.
pub(crate) struct Body(Map<String, Json>);

impl Body {
    pub(crate) fn new(json: Json) -> Result<Self, Wrong> {
        match json {
            Json::Object(map) => Ok(Self(map)),
            other => Err(Wrong::new(format!("{other} is no object"))),
        }
    }

    pub(crate) fn take(&mut self, key: &str) -> Option<Json> {
        self.0.shift_remove(key).filter(|value| !value.is_null())
    }

    fn typed<T>(
        &mut self,
        key: &str,
        what: &str,
        read: impl FnOnce(&Json) -> Option<T>,
    ) -> Result<Option<T>, Wrong> {
        let Some(json) = self.take(key) else { return Ok(None) };
        read(&json).map(Some).ok_or_else(|| Wrong::new(format!("`{key}` is no {what}: {json}")))
    }

    pub(crate) fn text(&mut self, key: &str) -> Result<Option<String>, Wrong> {
        self.typed(key, "text", |json| json.as_str().map(str::to_owned))
    }

    pub(crate) fn flag(&mut self, key: &str) -> Result<bool, Wrong> {
        Ok(self.boolean(key)?.unwrap_or(false))
    }

    pub(crate) fn boolean(&mut self, key: &str) -> Result<Option<bool>, Wrong> {
        self.typed(key, "boolean", Json::as_bool)
    }

    pub(crate) fn count(&mut self, key: &str) -> Result<Option<u64>, Wrong> {
        self.typed(key, "whole number", Json::as_u64)
    }

    pub(crate) fn number(&mut self, key: &str) -> Result<Option<Json>, Wrong> {
        self.typed(key, "number", |json| json.is_number().then(|| json.clone()))
    }

    pub(crate) fn reference(&mut self, key: &str) -> Result<Option<u64>, Wrong> {
        self.typed(key, "reference", reference)
    }

    /// One text or several.
    pub(crate) fn texts(&mut self, key: &str) -> Result<Option<Vec<String>>, Wrong> {
        self.typed(key, "list of texts", |json| match json {
            Json::String(one) => Some(vec![one.clone()]),
            Json::Array(all) => all.iter().map(|t| t.as_str().map(str::to_owned)).collect(),
            _ => None,
        })
    }

    /// Refuses what is left.
    pub(crate) fn end(self) -> Result<(), Wrong> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(key) => Err(Wrong::new(format!("there is no parameter `{key}`"))),
        }
    }
}

pub(crate) fn reference(json: &Json) -> Option<u64> {
    json.as_u64().filter(|n| (1..=u64::from(u32::MAX)).contains(n))
}

pub(crate) fn required<T>(value: Option<T>, key: &str) -> Result<T, Wrong> {
    value.ok_or_else(|| Wrong::new(format!("`{key}` is missing")))
}
