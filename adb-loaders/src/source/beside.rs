//! Vectors that were made elsewhere, in NumPy's files beside a source: a row of them for each row.

use std::{
    io,
    path::{Path, PathBuf},
};

use adb_model::{FieldRole, ModelSchema, SetSpec};
use serde_json::Value as Json;

use super::{EachObject, Object, ObjectRow, ObjectSource, ObjectText};
use crate::{
    Error, MediaRoot,
    vectors::{VectorFile, VectorIndex},
};

/// Rows of a source, with vectors from files: see [`ObjectSource::with_vectors`].
#[derive(Debug)]
pub struct WithVectors<S> {
    source: S,
    columns: Vec<Column>,
}

/// The files of one field, one after another.
#[derive(Debug)]
struct Column {
    field: String,
    files: Vec<PathBuf>,
}

/// How many vectors a `.npy` file holds, and of how many components.
///
/// # Errors
/// When it can't be read, or holds something else.
pub fn vectors_in(path: &Path) -> Result<(u64, usize), Error> {
    let shape = VectorFile::open(path).and_then(|file| file.shape());
    let (rows, components) = shape.map_err(|message| refused(path, message))?;
    // No vector has so many that they could not be counted.
    Ok((rows, usize::try_from(components).unwrap_or(usize::MAX)))
}

fn refused(path: &Path, message: String) -> Error {
    Error::source(path, io::Error::new(io::ErrorKind::InvalidInput, message))
}

impl<S> WithVectors<S> {
    pub(super) fn new(source: S) -> Self {
        Self { source, columns: Vec::new() }
    }

    /// Adds the vectors of one more field.
    #[must_use]
    pub fn with_vectors(mut self, field: impl Into<String>, files: Vec<PathBuf>) -> Self {
        let field = field.into();
        match self.columns.iter_mut().find(|column| column.field == field) {
            Some(column) => column.files.extend(files),
            None => self.columns.push(Column { field, files }),
        }
        self
    }
}

impl<S: ObjectSource> WithVectors<S> {
    /// Looks whether the files go with a model, and with the source as far as that is known before
    /// it is read. Reading begins with the same.
    ///
    /// # Errors
    /// When a file can't be read, has vectors of another dimension, or more or fewer than there are
    /// rows; or when the model has no such field.
    pub fn check(&self, schema: &'static ModelSchema) -> Result<(), Error> {
        self.open(schema).map(|_| ())
    }

    fn open(&self, schema: &'static ModelSchema) -> Result<Vec<Open>, Error> {
        let columns = self.columns.iter().map(|column| column.open(schema));
        let columns: Vec<Open> = columns.collect::<Result<_, _>>()?;
        if let Some(rows) = self.source.rows_known() {
            columns.iter().try_for_each(|column| column.must_have(rows))?;
        }
        Ok(columns)
    }
}

impl<S: ObjectSource> ObjectSource for WithVectors<S> {
    fn name(&self) -> String {
        self.source.name()
    }

    fn media_root(&self) -> MediaRoot {
        self.source.media_root()
    }

    fn size(&self) -> Option<u64> {
        self.source.size()
    }

    fn rows_known(&self) -> Option<u64> {
        self.source.rows_known()
    }

    fn read(self, schema: &'static ModelSchema, each: EachObject<'_>) -> Result<(), Error> {
        let columns = self.open(schema)?;
        let (mut row, mut stopped) = (0, false);
        self.source.read(schema, &mut |read, bytes| {
            let go = each(add(&columns, read, row), bytes);
            row += 1;
            stopped = go.is_break();
            go
        })?;
        match stopped {
            // Nobody knows how many more there are.
            true => Ok(()),
            false => columns.iter().try_for_each(|column| column.must_have(row)),
        }
    }
}

/// A row with its vectors.
fn add<'a>(columns: &[Open], mut row: ObjectRow<'a>, number: u64) -> ObjectRow<'a> {
    let read = |text: ObjectText<'_>| -> Result<Object, String> {
        let mut object = text.into_object()?;
        for column in columns {
            object.insert(column.key.to_owned(), column.row(number)?);
        }
        Ok(object)
    };
    row.object = match row.object {
        Ok(Some(text)) if !columns.is_empty() => {
            let written = match &text {
                ObjectText::Text(text) => (*text).to_owned(),
                ObjectText::Object(object) => serde_json::to_string(object).unwrap_or_default(),
            };
            let read = read(text);
            if read.is_err() {
                row.unread = written.into();
            }
            read.map(|object| Some(object.into()))
        }
        other => other,
    };
    row
}

/// A column whose files are open.
struct Open {
    key: &'static str,
    /// With the number of its first row.
    files: Vec<(u64, VectorFile)>,
    rows: u64,
}

impl Column {
    fn open(&self, schema: &'static ModelSchema) -> Result<Open, Error> {
        let none = PathBuf::new();
        let first = self.files.first().unwrap_or(&none);
        let (key, set) = field(schema, &self.field).map_err(|message| refused(first, message))?;
        let (mut files, mut rows) = (Vec::with_capacity(self.files.len()), 0);
        for path in &self.files {
            let file = VectorFile::open(path).map_err(|message| refused(path, message))?;
            let (of_file, components) = file.shape().map_err(|message| refused(path, message))?;
            if components != set.dimensions as u64 {
                return Err(refused(
                    path,
                    format!(
                        "its vectors have {components} components, and those of the set `{}`, in which `{key}` lies, have {}",
                        set.name, set.dimensions
                    ),
                ));
            }
            files.push((rows, file));
            rows += of_file;
        }
        Ok(Open { key, files, rows })
    }
}

impl Open {
    fn row(&self, number: u64) -> Result<Json, String> {
        let key = self.key;
        // The last file that begins at or before it; an empty one begins where the next one does.
        let before = self.files.partition_point(|(first, _)| *first <= number);
        let found = before.checked_sub(1).and_then(|at| self.files.get(at));
        let Some((first, file)) = found.filter(|_| number < self.rows) else {
            return Err(format!(
                "there is no vector for `{key}`: its files have {} rows, and this is row {} of the source",
                self.rows,
                number + 1
            ));
        };
        let bytes = file.read(&VectorIndex::Number(number - first))?;
        let numbers = bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk));
        Ok(Json::Array(numbers.map(Json::from).collect()))
    }

    fn must_have(&self, rows: u64) -> Result<(), Error> {
        if self.rows == rows {
            return Ok(());
        }
        let path = self.files.first().map(|(_, file)| file.path().to_owned()).unwrap_or_default();
        let message = format!(
            "the vectors of `{}` have {} rows, and the source has {rows}: they do not belong together row by row; make them of this very source",
            self.key, self.rows
        );
        Err(Error::source(&path, io::Error::new(io::ErrorKind::InvalidData, message)))
    }
}

/// A field for vectors: by its key, or by the set that it alone fills.
fn field(schema: &'static ModelSchema, name: &str) -> Result<(&'static str, SetSpec), String> {
    let fields: Vec<(&'static str, SetSpec)> = schema
        .fields
        .iter()
        .filter_map(|field| match field.role {
            FieldRole::Embedding { set, .. } if field.inside.is_none() => Some((field.key, set)),
            _ => None,
        })
        .collect();
    if let Some(found) = fields.iter().find(|(key, _)| *key == name) {
        return Ok(*found);
    }
    let mut of_set = fields.iter().filter(|(_, set)| set.name == name);
    if let (Some(found), None) = (of_set.next(), of_set.next()) {
        return Ok(*found);
    }
    let keys: Vec<&str> = fields.iter().map(|(key, _)| *key).collect();
    Err(match keys.as_slice() {
        [] => format!(
            "`{}` has no field for vectors, so `{name}` is none; give the model an embedding, or a set",
            schema.name
        ),
        keys => format!(
            "`{name}` is no field of `{}` for vectors; these are: {}",
            schema.name,
            keys.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use adb_model::document::Document;

    use super::*;
    use crate::{
        Selection, Source as _,
        source::{JsonObjects, Selected},
        vectors::npy_header,
    };

    const MODEL: &str = r#"{"version": 1,
        "sets": [{"name": "looks", "dimensions": 2, "metric": "L2", "engine": "Flat", "embedder": "mine"}],
        "models": [{"name": "Dish", "class": "Dish", "kind": "entity", "fields": [
            {"name": "id", "key": "id", "property": "id", "role": "id", "type": "int"},
            {"name": "look", "key": "look", "property": "look", "role": "embedding", "set": "looks"}]}]}"#;

    fn npy(path: &Path, vectors: &[[f32; 2]]) {
        let mut bytes = npy_header(vectors.len() as u64, 2);
        bytes.extend(vectors.iter().flatten().flat_map(|x| x.to_le_bytes()));
        std::fs::write(path, bytes).unwrap();
    }

    struct Read {
        vectors: Vec<String>,
        faults: Vec<String>,
        end: Result<(), Error>,
    }

    /// Reads five rows, of which one is no JSON.
    fn read(files: &[&[[f32; 2]]], field: &str, selection: Selection) -> Read {
        let dir = tempfile::tempdir().unwrap();
        let rows = dir.path().join("rows.jsonl");
        std::fs::write(&rows, "{\"id\": 0}\n{\"id\": 1}\n{\"id\"\n{\"id\": 3}\n{\"id\": 4}\n")
            .unwrap();
        let paths = (0..files.len()).map(|i| dir.path().join(format!("{i}.npy")));
        let paths: Vec<PathBuf> = paths.collect();
        for (path, vectors) in paths.iter().zip(files) {
            npy(path, vectors);
        }
        let model = Document::parse(MODEL).unwrap().load().unwrap();
        let source = JsonObjects::open(&rows).unwrap().with_vectors(field, paths).by_model(model);
        let source: Selected<_> = source.select(selection);
        let (mut vectors, mut faults) = (Vec::new(), Vec::new());
        let end = source.read(&mut |row, _| {
            match row.value {
                Ok(_) => vectors.push(String::from_utf8_lossy(&row.raw).into_owned()),
                Err(reason) => faults.push(reason),
            }
            ControlFlow::Continue(())
        });
        Read { vectors, faults, end }
    }

    const FIVE: [[f32; 2]; 5] = [[0.0, 0.5], [1.0, 0.5], [2.0, 0.5], [3.0, 0.5], [4.0, 0.5]];

    #[test]
    fn each_row_has_its_own_however_files_are_cut_and_rows_selected() {
        let whole = |id| format!(r#"{{"id":{id},"look":[{id}.0,0.5]}}"#);
        for files in [&[&FIVE[..]][..], &[&FIVE[..1], &[], &FIVE[1..4], &FIVE[4..]]] {
            for field in ["look", "looks"] {
                let read = read(files, field, Selection::default());
                assert_eq!(read.vectors, [0, 1, 3, 4].map(whole));
                assert_eq!(read.faults.len(), 1, "{:?}", read.faults);
                read.end.unwrap();
            }
            let mut part = Selection::default();
            (part.offset, part.limit) = (3, Some(1));
            assert_eq!(read(files, "look", part).vectors, [whole(3)]);
            let mut shards: Vec<String> = ["1/2", "2/2"]
                .iter()
                .flat_map(|shard| {
                    let part =
                        Selection { shard: Some(shard.parse().unwrap()), ..Selection::default() };
                    read(files, "look", part).vectors
                })
                .collect();
            shards.sort();
            assert_eq!(shards, [0, 1, 3, 4].map(whole));
        }
    }

    #[test]
    fn what_does_not_belong_together_is_told() {
        let end = |files: &[&[[f32; 2]]], field| read(files, field, Selection::default());
        let long = end(&[&FIVE, &FIVE[..1]], "look").end.unwrap_err().to_string();
        assert!(long.contains("have 6 rows, and the source has 5"), "{long}");
        let short = end(&[&FIVE[..4]], "look");
        assert!(short.faults[1].contains("have 4 rows, and this is row 5"), "{:?}", short.faults);
        assert!(short.end.is_err());
        let other = end(&[&FIVE], "id").end.unwrap_err().to_string();
        assert!(other.contains("these are: look"), "{other}");
    }
}
