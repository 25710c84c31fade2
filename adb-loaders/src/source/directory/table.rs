//! A table of properties beside files, joined by the name of the file.

use std::{
    collections::{HashMap, HashSet},
    ops::ControlFlow,
    path::PathBuf,
};

use adb_model::ModelSchema;
use serde_json::Value as Json;

use super::super::{
    CsvObjects, EachObject, JsonObjects, Object, ObjectSource as _, ObjectText, PlainModel,
    RowPlace,
};
use crate::{Error, ErrorKind};

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

    /// Hands out its rows: of CSV, or of JSON if it is called so.
    pub(super) fn each(
        &self,
        schema: &'static ModelSchema,
        each: EachObject<'_>,
    ) -> Result<(), Error> {
        match self.is_json() {
            true => JsonObjects::open(&self.path)?.read(schema, each),
            false => CsvObjects::open(&self.path)?.expecting(&self.join).read(schema, each),
        }
    }

    /// Adds its columns to a model.
    pub(super) fn observe(&self, model: &mut PlainModel) -> Result<(), Error> {
        self.each(&ModelSchema::BARE, &mut |row, _| {
            if let Ok(Some(object)) = row.object
                && let Ok(mut object) = object.into_object()
            {
                object.shift_remove(&self.join);
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
    pub(super) fn load(&self, schema: &'static ModelSchema) -> Result<Table, Error> {
        let mut table = Table::default();
        let mut fault = None;
        self.each(schema, &mut |row, _| {
            let at = row.at;
            let added = row
                .object
                .and_then(|object| object.map(ObjectText::into_object).transpose())
                .and_then(|object| match object {
                    Some(object) => self.add(&mut table, &at, object),
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
            Some((at, message)) => Err(ErrorKind::Syntax {
                path: self.path.clone(),
                line: at.line.and_then(|line| usize::try_from(line).ok()).unwrap_or(1),
                column: 1,
                message,
            }
            .into()),
        }
    }

    fn add(&self, table: &mut Table, at: &RowPlace, mut object: Object) -> Result<(), String> {
        let join = &self.join;
        let name = match object.shift_remove(join) {
            Some(Json::String(name)) if !name.is_empty() => name,
            Some(Json::Number(number)) => number.to_string(),
            _ => return Err(format!("the row has no text in `{join}`, which is to name a file")),
        };
        let name = name.strip_prefix("./").map_or(name.clone(), str::to_owned);
        match table.rows.insert(name.clone(), (at.clone(), object)) {
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
