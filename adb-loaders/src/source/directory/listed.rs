//! The files of a bucket, or of a folder of a web server.

use std::{io, ops::ControlFlow, path::Path};

use adb_model::{ModelSchema, ObjectKind, ValueType, graph::row_identity};
use globset::GlobSetBuilder;

use super::{
    glob,
    row::{FileFields, extensions, media_kind},
    table::{Table, TableFile},
};
use crate::{
    Error, Listing, MediaOptions, MediaReader, MediaRoot,
    source::{EachObject, Object, ObjectRow, ObjectSource, ObjectText, PlainModel, RowPlace},
};

/// The files below `s3://bucket/prefix`, `gs://bucket/prefix` or `https://host/folder/`, each a row:
/// see [`Listing`] for what is found, and [`DirObjects`](super::DirObjects) for what a row has.
///
/// Nothing is read from beside the files; what is known of them more than their names comes from a
/// [`table`](Self::table).
///
/// ```no_run
/// # use adb_loaders::{ListedObjects, MediaOptions, ObjectSource, PlainModel};
/// # use adb_model::ObjectKind;
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let photos = ListedObjects::new("s3://bucket/photos", MediaOptions::default())
///     .folder_as("cuisine")
///     .table("stars.csv", "filename");
/// let model = photos.observed(PlainModel::new(ObjectKind::Image))?.document().load()?;
/// let source = photos.by_model(model);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct ListedObjects {
    address: String,
    options: MediaOptions,
    globs: Vec<globset::Glob>,
    fields: FileFields,
    table: Option<TableFile>,
}

impl ListedObjects {
    /// Files below an address. The pictures themselves are read as the ingestion's own options say;
    /// these are for the listing. The address may be on this machine or in a private network, and so
    /// may what lies below it.
    #[must_use]
    pub fn new(address: impl Into<String>, options: MediaOptions) -> Self {
        let address = address.into();
        let (globs, fields) = (Vec::new(), FileFields::default());
        Self { address, options, globs, fields, table: None }
    }

    /// Takes files whose path below the address matches: `**/*.jpg`. Several add up.
    ///
    /// # Errors
    /// When it is no pattern.
    pub fn glob(mut self, pattern: impl AsRef<str>) -> Result<Self, Error> {
        let pattern = glob(pattern.as_ref()).map_err(|e| self.fault(&e))?;
        self.globs.push(pattern);
        Ok(self)
    }

    /// Reads the name of the first folder below the address as this key.
    #[must_use]
    pub fn folder_as(mut self, key: impl Into<String>) -> Self {
        self.fields.folder_as = Some(key.into());
        self
    }

    /// Reads a key of what is found as another one: `map("path", "dish_id")`.
    #[must_use]
    pub fn map(mut self, found: impl Into<String>, key: impl Into<String>) -> Self {
        self.fields.map.push((found.into(), key.into()));
        self
    }

    /// Adds what a table of this machine says of files, as
    /// [`DirObjects::table`](super::DirObjects::table) does.
    #[must_use]
    pub fn table(mut self, path: impl AsRef<Path>, join: impl Into<String>) -> Self {
        self.table = Some(TableFile { path: path.as_ref().to_owned(), join: join.into() });
        self
    }

    /// Adds to a model what there is to be had of the files: looks at the table.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn observed(&self, mut model: PlainModel) -> Result<PlainModel, Error> {
        for key in ["filename", "folder"] {
            model.observe_type(self.fields.mapped(key), Some(ValueType::String));
        }
        if let Some(key) = &self.fields.folder_as {
            model.observe_type(key, Some(ValueType::String));
        }
        if let Some(table) = &self.table {
            table.observe(&mut model, &self.fields)?;
        }
        Ok(model)
    }

    fn fault(&self, e: &dyn std::fmt::Display) -> Error {
        Error::source(Path::new(&self.address), io::Error::other(e.to_string()))
    }

    fn meant(&self, kind: Option<ObjectKind>) -> Result<impl Fn(&str) -> bool + use<>, Error> {
        let mut set = GlobSetBuilder::new();
        for pattern in &self.globs {
            set.add(pattern.clone());
        }
        let all = self.globs.is_empty();
        let globs = set.build().map_err(|e| self.fault(&e))?;
        let endings = kind.and_then(extensions);
        Ok(move |path: &str| match endings {
            _ if !all => globs.is_match(path),
            Some(endings) => {
                let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
                endings.iter().any(|other| other.eq_ignore_ascii_case(ending))
            }
            None => true,
        })
    }

    fn row(&self, name: &str, url: &str, object: Result<Object, String>) -> ObjectRow<'static> {
        // It is the same file, whatever others come and go.
        let identity = row_identity(&self.address, 0, name.as_bytes());
        let at = RowPlace { file: url.into(), row: 0, line: None };
        ObjectRow::identified(at, object.map(ObjectText::Object), identity)
    }
}

impl ObjectSource for ListedObjects {
    /// The address, however many slashes end it; what follows a question mark is not asked for, and
    /// may be a signature.
    fn name(&self) -> String {
        let address = self.address.split(['?', '#']).next().unwrap_or_default();
        address.trim_end_matches('/').to_owned()
    }

    /// There are no paths in its rows; what is listed lies where the user said.
    fn media_root(&self) -> MediaRoot {
        MediaRoot::new(".").trusting(&self.address)
    }

    fn read(self, schema: &'static ModelSchema, each: EachObject<'_>) -> Result<(), Error> {
        let mut table = match &self.table {
            Some(table) => table.load(schema, &self.fields)?,
            None => Table::default(),
        };
        let meant = self.meant(media_kind(schema))?;
        let reader = MediaReader::new(self.media_root(), self.options.clone());
        for entry in Listing::open(&reader, &self.address).map_err(|e| self.fault(&e))? {
            let entry = entry.map_err(|e| self.fault(&e))?;
            if !meant(&entry.name) {
                continue;
            }
            let said = [table.of(&entry.name).cloned(), None];
            let object = self.fields.object(&entry.name, &entry.url, schema, None, said);
            if each(self.row(&entry.name, &entry.url, object), 0) == ControlFlow::Break(()) {
                return Ok(());
            }
        }
        for (name, at) in table.unused() {
            let reason = format!("no file below {} that is read is called {name:?}", self.address);
            if each(ObjectRow::new(at, Err(reason)), 0) == ControlFlow::Break(()) {
                return Ok(());
            }
        }
        Ok(())
    }
}
