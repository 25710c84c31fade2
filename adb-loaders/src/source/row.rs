//! What rows become, whether a struct or a document says what they are.

use std::fmt;

use adb_model::{DataModel, Graph, GraphBuilder, ModelError, ModelSchema, document::LoadedModel};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::Object;

/// A row that the pipeline can bring into a database: any data model, or a [`LoadedRow`].
pub trait ToGraph {
    /// The row's graph, in a builder that knows the row: see
    /// [`GraphBuilder::for_row`].
    ///
    /// # Errors
    /// When the database can't hold a value, or the row is not what its model says.
    fn graph_in(&self, builder: GraphBuilder) -> Result<Graph, ModelError>;
}

impl<T: DataModel> ToGraph for T {
    fn graph_in(&self, builder: GraphBuilder) -> Result<Graph, ModelError> {
        DataModel::graph_in(self, builder)
    }
}

/// A row that is read from JSON: any data model that serde reads, or a [`LoadedRow`].
pub trait FromJson: ToGraph + Send + Sized + 'static {
    /// What it takes to read one: nothing for structs, the model for others.
    type By: Copy + fmt::Debug + Send + 'static;

    /// What rows are.
    fn schema(by: Self::By) -> &'static ModelSchema;

    /// Reads one, and names the keys that no field takes.
    ///
    /// # Errors
    /// In words, when the text is no JSON, or the row has not the right shape.
    fn from_json(by: Self::By, text: &str, ignored: &mut Vec<String>) -> Result<Self, String>;

    /// The same for a row that is parsed already.
    ///
    /// # Errors
    /// In words, when the row has not the right shape.
    fn from_object(
        by: Self::By,
        object: Object,
        ignored: &mut Vec<String>,
    ) -> Result<Self, String> {
        Self::from_json(by, &Json::Object(object).to_string(), ignored)
    }
}

impl<T: DataModel + DeserializeOwned + Send + 'static> FromJson for T {
    type By = ();

    fn schema((): ()) -> &'static ModelSchema {
        T::SCHEMA
    }

    fn from_json((): (), text: &str, ignored: &mut Vec<String>) -> Result<Self, String> {
        by_serde(text, ignored)
    }

    fn from_object((): (), object: Object, ignored: &mut Vec<String>) -> Result<Self, String> {
        let object = Json::Object(object);
        let value = serde_ignored::deserialize(&object, |path| ignored.push(key_of(&path)));
        each_once(ignored);
        value.map_err(|e| of_key::<Self>(object, &without_position(&e)))
    }
}

/// A row of a model that is known at run time alone.
#[derive(Debug, Clone)]
pub struct LoadedRow {
    model: LoadedModel,
    row: Json,
}

impl LoadedRow {
    /// A row, and what it is.
    #[must_use]
    pub fn new(model: LoadedModel, row: Json) -> Self {
        Self { model, row }
    }

    fn known(model: LoadedModel, row: Json, ignored: &mut Vec<String>) -> Self {
        ignored.extend(model.unknown_keys(&row));
        Self { model, row }
    }
}

impl ToGraph for LoadedRow {
    fn graph_in(&self, builder: GraphBuilder) -> Result<Graph, ModelError> {
        self.model.graph_in(&self.row, builder)
    }
}

impl FromJson for LoadedRow {
    type By = LoadedModel;

    fn schema(model: LoadedModel) -> &'static ModelSchema {
        model.schema()
    }

    fn from_json(
        model: LoadedModel,
        text: &str,
        ignored: &mut Vec<String>,
    ) -> Result<Self, String> {
        let row: Json = serde_json::from_str(text).map_err(|e| no_row(&e))?;
        Ok(Self::known(model, row, ignored))
    }

    fn from_object(
        model: LoadedModel,
        object: Object,
        ignored: &mut Vec<String>,
    ) -> Result<Self, String> {
        Ok(Self::known(model, Json::Object(object), ignored))
    }
}

/// Reads a value, and names the keys that nothing took: each once, sorted.
pub(super) fn by_serde<T: DeserializeOwned>(
    text: &str,
    ignored: &mut Vec<String>,
) -> Result<T, String> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_ignored::deserialize(&mut deserializer, |path| ignored.push(key_of(&path)))
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|e: serde_json::Error| match serde_json::from_str(text) {
            Ok(row) => of_key::<T>(row, &without_position(&e)),
            Err(e) => no_row(&e),
        });
    each_once(ignored);
    value
}

/// serde's message with the key of the row that it is about, which serde does not tell: the one
/// without which it would say something else.
fn of_key<T: DeserializeOwned>(row: Json, reason: &str) -> String {
    let Json::Object(row) = row else { return reason.to_owned() };
    // It names a key that is not there.
    if reason.starts_with("missing field") {
        return reason.to_owned();
    }
    let is_at_fault = |key: &&String| {
        let rest: Object = row.iter().filter(|(other, _)| other != key).map(owned).collect();
        let read = serde_json::from_str::<T>(&Json::Object(rest).to_string());
        read.err().is_none_or(|e| without_position(&e) != reason)
    };
    match row.keys().find(is_at_fault) {
        Some(key) if !reason.contains(&format!("`{key}`")) => format!("`{key}`: {reason}"),
        _ => reason.to_owned(),
    }
}

fn owned((key, value): (&String, &Json)) -> (String, Json) {
    (key.clone(), value.clone())
}

/// What is wrong with a line that is no JSON.
fn no_row(e: &serde_json::Error) -> String {
    let column = match e.line() {
        1 if !e.is_eof() => format!(" at column {}", e.column()),
        // At the end of the line.
        _ => String::new(),
    };
    let message = without_position(e);
    format!("this is no JSON: {message}{column}; of JSON Lines, each line is one whole object")
}

fn each_once(keys: &mut Vec<String>) {
    keys.sort();
    keys.dedup();
}

/// `ingredients[].grams`: the same key of every item of a list is one key.
fn key_of(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, .. } => key_of(parent) + "[]",
        Path::Map { parent, key } => match key_of(parent) {
            up if up.is_empty() => key.clone(),
            up => format!("{up}.{key}"),
        },
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => key_of(parent),
    }
}

/// serde's message without its position, which is relative to the row.
pub(super) fn without_position(e: &serde_json::Error) -> String {
    let message = e.to_string();
    match message.rfind(" at line ") {
        Some(at) => message[..at].to_owned(),
        None => message,
    }
}
