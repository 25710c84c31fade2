//! A table of properties beside files, joined by the name of the file.

use std::{
    collections::{HashMap, HashSet},
    ops::ControlFlow,
    path::PathBuf,
};

use adb_model::ModelSchema;
use serde_json::Value as Json;

use super::{
    super::{
        CsvObjects, EachObject, JsonObjects, Object, ObjectSource as _, ObjectText, PlainModel,
        RowPlace,
    },
    row::FileFields,
};
use crate::Error;

/// Where a table is, and which of its columns names files.
#[derive(Debug, Clone)]
pub(super) struct TableFile {
    pub(super) path: PathBuf,
    pub(super) join: String,
}

/// A table in memory.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: HashMap<String, (RowPlace, Object)>,
    used: HashSet<String>,
}

impl TableFile {
    /// Whether it is called as JSON is; otherwise it is CSV.
    pub(super) fn is_json(&self) -> bool {
        let name = self.path.to_string_lossy().to_ascii_lowercase();
        let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
        [".json", ".jsonl", ".ndjson"].iter().any(|end| name.ends_with(end))
    }

    /// Hands out its rows: of CSV, or of JSON if it is called so. What names files keeps its name;
    /// all else is called as `fields` calls it, in CSV before it is read as its field's type.
    fn each(
        &self,
        schema: &'static ModelSchema,
        fields: &FileFields,
        each: EachObject<'_>,
    ) -> Result<(), Error> {
        match self.is_json() {
            true => JsonObjects::open(&self.path)?.read(schema, each),
            false => {
                let rest = fields.map.iter().filter(|(found, _)| *found != self.join);
                let rows = CsvObjects::open(&self.path)?.expecting(&self.join);
                rows.map_if_there(rest.cloned()).read(schema, each)
            }
        }
    }

    /// What a row says beside which file it is of.
    fn rest(&self, mut object: Object, fields: &FileFields) -> Object {
        object.shift_remove(&self.join);
        match self.is_json() {
            true => fields.renamed(object),
            false => object,
        }
    }

    /// Adds its columns to a model, as `fields` calls them.
    pub(super) fn observe(&self, model: &mut PlainModel, fields: &FileFields) -> Result<(), Error> {
        self.each(&ModelSchema::BARE, fields, &mut |row, _| {
            if let Ok(Some(object)) = row.object
                && let Ok(object) = object.into_object()
            {
                let object = self.rest(object, fields);
                match self.is_json() {
                    true => model.observe(&object),
                    false => model.observe_texts(&object),
                }
            }
            ControlFlow::Continue(())
        })
    }

    /// Reads it whole.
    ///
    /// # Errors
    /// When it can't be read, has a row without a name, or two of one name.
    pub(super) fn load(
        &self,
        schema: &'static ModelSchema,
        fields: &FileFields,
    ) -> Result<Table, Error> {
        let mut table = Table::default();
        let mut fault = None;
        self.each(schema, fields, &mut |row, _| {
            let at = row.at;
            let added = row
                .object
                .and_then(|object| object.map(ObjectText::into_object).transpose())
                .and_then(|object| match object {
                    Some(object) => self.add(&mut table, &at, object, fields),
                    None => Ok(()),
                });
            match added {
                Ok(()) => ControlFlow::Continue(()),
                Err(message) => {
                    fault = Some((at, message));
                    ControlFlow::Break(())
                }
            }
        })?;
        match fault {
            None => Ok(table),
            Some((at, message)) => {
                let message = match at.line {
                    Some(line) => format!("line {line}: {message}"),
                    None => message,
                };
                Err(Error::header(&self.path, message))
            }
        }
    }

    fn add(
        &self,
        table: &mut Table,
        at: &RowPlace,
        object: Object,
        fields: &FileFields,
    ) -> Result<(), String> {
        let join = &self.join;
        let name = match object.get(join) {
            Some(Json::String(name)) if !name.is_empty() => name.clone(),
            Some(Json::Number(number)) => number.to_string(),
            _ => {
                let others = object.keys().filter(|key| *key != join);
                let there: Vec<String> = others.map(|key| format!("`{key}`")).collect();
                return Err(format!(
                    "the row has no text in `{join}`, which is to name a file; what it has: {}",
                    there.join(", ")
                ));
            }
        };
        let name = name.strip_prefix("./").map_or(name.clone(), str::to_owned);
        match table.rows.insert(name.clone(), (at.clone(), self.rest(object, fields))) {
            None => Ok(()),
            Some((other, _)) => {
                Err(format!("`{join}` is {name:?}, as in row {} before", other.row))
            }
        }
    }
}

impl Table {
    /// What it says of a file: by its path, else its name, else its name without extension.
    pub(super) fn of(&mut self, path: &str) -> Option<&Object> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let key = [path, name, stem].into_iter().find(|key| self.rows.contains_key(*key))?;
        self.used.insert(key.to_owned());
        self.rows.get(key).map(|(_, object)| object)
    }

    /// Rows that no file was found for, in the order of the table.
    pub(super) fn unused(self) -> Vec<(String, RowPlace)> {
        let Self { rows, used } = self;
        let rows = rows.into_iter().filter(|(name, _)| !used.contains(name));
        let mut rows: Vec<_> = rows.map(|(name, (at, _))| (name, at)).collect();
        rows.sort_by_key(|(_, at)| at.row);
        rows
    }
}
