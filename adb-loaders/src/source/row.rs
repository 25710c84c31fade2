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
        let value = serde_ignored::deserialize(Json::Object(object), |path| {
            ignored.push(key_of(&path));
        });
        each_once(ignored);
        value.map_err(|e| without_position(&e))
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
        let row: Json = serde_json::from_str(text).map_err(|e| without_position(&e))?;
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
        .map_err(|e: serde_json::Error| without_position(&e));
    each_once(ignored);
    value
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
