//! A folder of files: each is a row, whose fields come from where it lies and from what lies
//! beside it.

#[cfg(feature = "http")]
mod listed;
mod manifest;
mod row;
mod table;
mod walk;

use std::{fs, io, ops::ControlFlow, path::PathBuf};

use adb_model::{ModelSchema, ObjectKind, ValueType, graph::row_identity};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{
    EachObject, Object, ObjectRow, ObjectSource, ObjectText, PlainModel, RowPlace, name_of,
};
use crate::{Error, MediaRoot};
#[cfg(feature = "http")]
pub use listed::ListedObjects;
use manifest::Manifest;
use row::FileFields;
pub(super) use row::{extensions, media_kind};
use table::{Table, TableFile};
use walk::{Beside, Found, Root};

/// The files of a folder and of all folders in it, in the order of their names.
///
/// A row has the model's field that holds a file; what of `path`, `filename`, `stem`, `extension`
/// and `folder` the model has fields for; the folder below the root as
/// [`folder_as`](Self::folder_as) names it; what a `.json` file of the same name says (`cat.json`
/// or `cat.jpg.json` beside `cat.jpg`); the text of such a `.txt` file as
/// [`text_as`](Self::text_as) names it; and what a [`table`](Self::table) says of it. Where two of
/// them have the same key, the later holds; but what the file has from where it lies, and is
/// identified by, nothing else may say otherwise.
///
/// Hidden files are passed over. Links are followed to files in the folder, and cost their row
/// where they lead out of it or nowhere. Without a [`glob`](Self::glob), files are taken by the
/// endings of the model's kind of media.
///
/// ```no_run
/// # use adb_loaders::{DirObjects, ObjectSource, PlainModel};
/// # use adb_model::ObjectKind;
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let photos = DirObjects::open("photos")?.folder_as("cuisine").text_as("caption");
/// let model = photos.observed(PlainModel::new(ObjectKind::Image))?.document().load()?;
/// let source = photos.by_model(model);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct DirObjects {
    root: Root,
    globs: Vec<String>,
    fields: FileFields,
    table: Option<TableFile>,
    manifest: Option<PathBuf>,
}

/// A `.json` or `.txt` file beside another that is larger is no such thing.
const MAX_SIDECAR_BYTES: u64 = 16 << 20;

impl DirObjects {
    /// Opens a folder.
    ///
    /// # Errors
    /// When it can't be read, or is none.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let root = Root::open(path.clone()).map_err(|e| Error::source(&path, e))?;
        let (globs, fields) = (Vec::new(), FileFields::default());
        Ok(Self { root, globs, fields, table: None, manifest: None })
    }

    /// Takes files whose path below the root matches: `**/*.jpg`. Several add up.
    ///
    /// # Errors
    /// When it is no pattern.
    pub fn glob(mut self, pattern: impl Into<String>) -> Result<Self, Error> {
        let pattern = pattern.into();
        glob(&pattern).map_err(|e| self.no_pattern(&e))?;
        self.globs.push(pattern);
        Ok(self)
    }

    /// Reads the name of the first folder below the root as this key: `photos/indian/dal.jpg` has
    /// `indian`. Files in the root itself have none.
    #[must_use]
    pub fn folder_as(mut self, key: impl Into<String>) -> Self {
        self.fields.folder_as = Some(key.into());
        self
    }

    /// Reads the text of a `.txt` file beside another as this key.
    #[must_use]
    pub fn text_as(mut self, key: impl Into<String>) -> Self {
        self.fields.text_as = Some(key.into());
        self
    }

    /// Reads a key of what is found as another one: `map("path", "dish_id")`.
    #[must_use]
    pub fn map(mut self, found: impl Into<String>, key: impl Into<String>) -> Self {
        self.fields.map.push((found.into(), key.into()));
        self
    }

    /// Adds what a table (CSV, or JSON by its name) says of files: its column `join` has their path
    /// below the root, their name, or that without its ending. The table is held in memory. A row
    /// of it without a file fails.
    #[must_use]
    pub fn table(mut self, path: impl Into<PathBuf>, join: impl Into<String>) -> Self {
        self.table = Some(TableFile { path: path.into(), join: join.into() });
        self
    }

    /// Writes the path and hash of each file to a manifest, as `sha256sum` does, once all files
    /// were read; or compares the files with it, if it is there. Then a file that has changed, is
    /// new or is gone fails.
    #[must_use]
    pub fn manifest(mut self, path: impl Into<PathBuf>) -> Self {
        self.manifest = Some(path.into());
        self
    }

    /// Adds to a model what there is to be had of the files: looks at the table, and at all `.json`
    /// files beside others.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn observed(&self, mut model: PlainModel) -> Result<PlainModel, Error> {
        for key in ["filename", "folder"] {
            model.observe_type(self.fields.mapped(key), Some(ValueType::String));
        }
        for key in self.fields.folder_as.iter().chain(&self.fields.text_as) {
            model.observe_type(key, Some(ValueType::String));
        }
        if let Some(table) = &self.table {
            table.observe(&mut model, &self.fields)?;
        }
        let meant = self.meant(Some(model.kind()))?;
        let walked = self.root.walk(&mut |found| {
            if let Found::File { path, beside } = found
                && meant(path, beside)
                && let Ok(Some(object)) = self.sidecar(path, beside)
            {
                model.observe(&self.fields.renamed(object));
            }
            ControlFlow::Continue(())
        });
        match walked {
            Ok(_) => Ok(model),
            Err(e) => Err(Error::source(self.root.path(), e)),
        }
    }

    /// Which files are rows.
    fn meant(
        &self,
        kind: Option<ObjectKind>,
    ) -> Result<impl Fn(&str, &Beside) -> bool + use<>, Error> {
        let mut set = GlobSetBuilder::new();
        for pattern in &self.globs {
            set.add(glob(pattern).map_err(|e| self.no_pattern(&e))?);
        }
        let globs = set.build().map_err(|e| self.no_pattern(&e))?;
        let globs: Option<GlobSet> = (!self.globs.is_empty()).then_some(globs);
        let endings = kind.and_then(extensions);
        Ok(move |path: &str, beside: &Beside| match (&globs, endings) {
            (Some(globs), _) => globs.is_match(path),
            (None, Some(endings)) => {
                let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
                endings.iter().any(|other| other.eq_ignore_ascii_case(ending))
            }
            // Files of any kind, but not those that say something of others.
            (None, None) => !is_sidecar(path, beside),
        })
    }

    fn no_pattern(&self, e: &globset::Error) -> Error {
        let message = format!("{e}; a pattern is one as in `**/*.jpg`");
        Error::source(self.root.path(), io::Error::new(io::ErrorKind::InvalidInput, message))
    }

    /// What a `.json` file of the same name says.
    fn sidecar(&self, path: &str, beside: &Beside) -> Result<Option<Object>, String> {
        let Some(sidecar) = sidecar_of(path, "json", beside) else { return Ok(None) };
        let explain = |reason: String| format!("{sidecar} beside it: {reason}");
        let text = self.read_sidecar(&sidecar).map_err(explain)?;
        ObjectText::Text(&text).into_object().map(Some).map_err(explain)
    }

    fn text(&self, path: &str, beside: &Beside) -> Result<Option<String>, String> {
        if self.fields.text_as.is_none() {
            return Ok(None);
        }
        let Some(sidecar) = sidecar_of(path, "txt", beside) else { return Ok(None) };
        let explain = |reason: String| format!("{sidecar} beside it: {reason}");
        self.read_sidecar(&sidecar).map(|text| Some(text.trim().to_owned())).map_err(explain)
    }

    fn read_sidecar(&self, path: &str) -> Result<String, String> {
        let path = self.root.inside(path)?;
        let size = fs::metadata(&path).map_err(|e| e.to_string())?.len();
        if size > MAX_SIDECAR_BYTES {
            return Err(format!("it has {size} bytes, more than the limit of {MAX_SIDECAR_BYTES}"));
        }
        let text = fs::read_to_string(&path).map_err(|e| e.to_string())?;
        Ok(text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned))
    }

    fn place(&self, path: &str) -> RowPlace {
        let file = self.root.path().join(path).display().to_string();
        RowPlace { file: file.into(), row: 0, line: None }
    }

    fn row(
        &self,
        path: &str,
        beside: &Beside,
        schema: &'static ModelSchema,
        table: &mut Table,
        manifest: Option<&mut Manifest>,
    ) -> ObjectRow<'static> {
        let object = || -> Result<Object, String> {
            if let Some(manifest) = manifest {
                manifest.file(path, &self.root.inside(path)?)?;
            }
            let (text, sidecar) = (self.text(path, beside)?, self.sidecar(path, beside)?);
            self.fields.object(path, path, schema, text, [table.of(path).cloned(), sidecar])
        };
        self.identified(path, object())
    }

    /// A row that is identified by where its file lies, whatever others come and go.
    fn identified(&self, path: &str, object: Result<Object, String>) -> ObjectRow<'static> {
        let folder = name_of(self.root.path());
        let identity = row_identity(&folder, 0, path.as_bytes());
        ObjectRow::identified(self.place(path), object.map(ObjectText::Object), identity)
    }
}

impl ObjectSource for DirObjects {
    fn name(&self) -> String {
        name_of(self.root.path())
    }

    fn media_root(&self) -> MediaRoot {
        MediaRoot::new(self.root.path())
    }

    fn read(self, schema: &'static ModelSchema, each: EachObject<'_>) -> Result<(), Error> {
        let mut table = match &self.table {
            Some(table) => table.load(schema, &self.fields)?,
            None => Table::default(),
        };
        let mut manifest = self.manifest.clone().map(Manifest::open).transpose()?;
        // The folder may hold these, and they are not what is meant.
        let own: Vec<PathBuf> = manifest
            .iter()
            .map(Manifest::path)
            .chain(self.table.iter().map(|table| table.path.as_path()))
            .filter_map(|path| fs::canonicalize(path).ok())
            .collect();
        let meant = self.meant(media_kind(schema))?;
        let is_own = |path: &str| {
            !own.is_empty()
                && fs::canonicalize(self.root.path().join(path))
                    .is_ok_and(|path| own.contains(&path))
        };
        let walked = self.root.walk(&mut |found| match found {
            Found::Fault { path, beside, is_folder, reason }
                if is_folder || meant(path, beside) =>
            {
                each(self.identified(path, Err(reason)), 0)
            }
            Found::File { path, beside } if meant(path, beside) && !is_own(path) => {
                each(self.row(path, beside, schema, &mut table, manifest.as_mut()), 0)
            }
            Found::Fault { .. } | Found::File { .. } => ControlFlow::Continue(()),
        });
        if walked.map_err(|e| Error::source(self.root.path(), e))?.is_break() {
            return Ok(());
        }
        for (name, at) in table.unused() {
            let folder = self.root.path().display();
            let reason = format!("no file in {folder} that is read is called {name:?}");
            if each(ObjectRow::new(at, Err(reason)), 0).is_break() {
                return Ok(());
            }
        }
        if let Some(manifest) = &manifest {
            for path in manifest.missing() {
                let reason = format!(
                    "the manifest {} has this file, and it is not there",
                    manifest.path().display()
                );
                if each(self.identified(path, Err(reason)), 0).is_break() {
                    return Ok(());
                }
            }
            manifest.write()?;
        }
        Ok(())
    }
}

fn glob(pattern: &str) -> Result<globset::Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(true).build()
}

/// The path of a file beside another that has its name with another ending, or with one more.
fn sidecar_of(path: &str, ending: &str, beside: &Beside) -> Option<String> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let names = [format!("{stem}.{ending}"), format!("{name}.{ending}")];
    let found = names.into_iter().find(|other| other != name && beside.has(other))?;
    Some(match folder {
        "" => found,
        folder => format!("{folder}/{found}"),
    })
}

fn is_sidecar(path: &str, beside: &Beside) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some((stem, "json" | "txt")) = name.rsplit_once('.') else { return false };
    beside.has(stem) || beside.has_other_ending(stem)
}

#[cfg(test)]
mod tests;
