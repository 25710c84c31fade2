//! A command's parameters, taken one by one; what is left over at the end is unknown.

use adb_model::nearest_name;
use serde_json::{Map, Number, Value as Json};

use super::{fault::Fault, quick::Properties};

/// References are kept below this by every client; it also bounds the answer's memory.
const MAX_REF: u64 = u32::MAX as u64;

pub(crate) struct Params {
    left: Map<String, Json>,
    /// What was read apart from the rest.
    properties: Option<Properties>,
    /// Every key that was asked for.
    known: Vec<&'static str>,
    /// What the object is part of, for messages: `connect.`, or nothing.
    within: String,
}

impl Params {
    pub(crate) fn new(body: Map<String, Json>) -> Self {
        Self::quick(body, None)
    }

    /// With properties that were read already. Who does not ask for them is told of nothing more.
    pub(super) fn quick(body: Map<String, Json>, properties: Option<Properties>) -> Self {
        Self { left: body, properties, known: Vec::new(), within: String::new() }
    }

    /// An object inside a command.
    pub(crate) fn nested(within: &str, json: Json) -> Result<Self, Fault> {
        match json {
            Json::Object(body) => Ok(Self { within: format!("{within}."), ..Self::new(body) }),
            other => {
                Err(Fault::new(format!("`{within}` must be an object, not {}", brief(&other))))
            }
        }
    }

    /// Takes a parameter; null counts as absent.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Json> {
        self.known.push(key);
        self.left.shift_remove(key).filter(|v| !v.is_null())
    }

    /// Takes `properties`: names and values.
    pub(super) fn properties(&mut self) -> Result<Properties, Fault> {
        if let Some(properties) = self.properties.take() {
            return Ok(properties);
        }
        match self.take("properties") {
            None => Ok(Vec::new()),
            Some(Json::Object(object)) => Ok(object.into_iter().collect()),
            Some(other) => Err(self.wrong("properties", "an object", &other)),
        }
    }

    pub(crate) fn text(&mut self, key: &'static str) -> Result<Option<String>, Fault> {
        match self.take(key) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(key, "a string", &other)),
        }
    }

    pub(crate) fn required_text(&mut self, key: &'static str) -> Result<String, Fault> {
        let text = self.text(key)?;
        self.required(key, text)
    }

    /// False when absent.
    pub(crate) fn flag(&mut self, key: &'static str) -> Result<bool, Fault> {
        Ok(self.boolean(key)?.unwrap_or(false))
    }

    pub(crate) fn boolean(&mut self, key: &'static str) -> Result<Option<bool>, Fault> {
        match self.take(key) {
            None => Ok(None),
            Some(Json::Bool(b)) => Ok(Some(b)),
            Some(other) => Err(self.wrong(key, "true or false", &other)),
        }
    }

    /// A non-negative integer.
    pub(crate) fn unsigned(&mut self, key: &'static str) -> Result<Option<u64>, Fault> {
        match self.take(key) {
            None => Ok(None),
            Some(json) => match json.as_u64() {
                Some(n) => Ok(Some(n)),
                None => Err(self.wrong(key, "a non-negative integer", &json)),
            },
        }
    }

    /// A number, finite.
    pub(crate) fn number(&mut self, key: &'static str) -> Result<Option<Number>, Fault> {
        match self.take(key) {
            None => Ok(None),
            Some(Json::Number(n)) => Ok(Some(n)),
            Some(other) => Err(self.wrong(key, "a number", &other)),
        }
    }

    pub(crate) fn reference(&mut self, key: &'static str) -> Result<Option<u32>, Fault> {
        match self.take(key) {
            None => Ok(None),
            Some(json) => as_reference(&json)
                .map(Some)
                .ok_or_else(|| self.wrong(key, "a reference (an integer from 1)", &json)),
        }
    }

    pub(crate) fn required_reference(&mut self, key: &'static str) -> Result<u32, Fault> {
        let reference = self.reference(key)?;
        self.required(key, reference)
    }

    /// A string or an array of strings.
    pub(crate) fn texts(&mut self, key: &'static str) -> Result<Option<Vec<String>>, Fault> {
        match self.take(key) {
            None => Ok(None),
            Some(Json::String(one)) => Ok(Some(vec![one])),
            Some(Json::Array(all)) => all
                .into_iter()
                .map(|json| match json {
                    Json::String(text) => Ok(text),
                    other => Err(self.wrong(key, "an array of strings", &other)),
                })
                .collect::<Result<_, _>>()
                .map(Some),
            Some(other) => Err(self.wrong(key, "a string or an array of strings", &other)),
        }
    }

    pub(crate) fn required<T>(&self, key: &str, value: Option<T>) -> Result<T, Fault> {
        value.ok_or_else(|| Fault::new(format!("`{}{key}` is missing", self.within)))
    }

    /// Refuses what nobody asked for.
    pub(crate) fn finish(self) -> Result<(), Fault> {
        if self.properties.is_some() {
            return Err(Fault::new("there is no parameter `properties`"));
        }
        let Some(key) = self.left.keys().next() else { return Ok(()) };
        let hint = nearest_name(key, self.known.iter().copied())
            .map(|n| format!("; did you mean `{}{n}`?", self.within))
            .unwrap_or_default();
        Err(Fault::new(format!("there is no parameter `{}{key}`{hint}", self.within))
            .code("unknown_parameter"))
    }

    fn wrong(&self, key: &str, expected: &str, found: &Json) -> Fault {
        Fault::new(format!("`{}{key}` must be {expected}, not {}", self.within, brief(found)))
    }
}

pub(crate) fn as_reference(json: &Json) -> Option<u32> {
    json.as_u64().filter(|&n| (1..=MAX_REF).contains(&n)).and_then(|n| u32::try_from(n).ok())
}

/// A value in a message, cut short.
pub(crate) fn brief(json: &Json) -> String {
    let text = json.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
