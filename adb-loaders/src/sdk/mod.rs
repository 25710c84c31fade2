//! The CSV files of the Python SDK: each row becomes the commands that the SDK's loaders send.
//!
//! What the columns mean, and where this differs from the SDK: `docs/csv-formats.md`.

mod condition;
mod embeddings;
mod kind;
mod layout;
mod letters;
mod list;
mod rows;
mod table;
pub mod transform;
mod types;

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use adb_model::ensure::PropertyIndex;
use csv::ByteRecord;

pub use embeddings::{Embedded, EmbeddingFiles};
pub use kind::IngestType;

use crate::{
    Error, MediaRoot, RowPlace, Selection, SourceRow,
    commands::{CommandRow, CommandSource, CommandTransform, ImageDescriptors},
    letters::{LetterFile, RowsAre},
    source::{csv::Found, name_of},
    vectors::VectorFiles,
};
use layout::{Form, Layout, Shape};
use rows::Rows;
use table::Table;
use types::CellType;

/// A file of the Python SDK's.
///
/// It is read twice: once for the types of its columns, which depend on all of their cells, and
/// once row by row. Memory does not grow with it.
pub struct SdkCsv {
    table: Table,
    layout: Layout,
    types: Vec<CellType>,
    root: MediaRoot,
    selection: Selection,
    checks_images: bool,
    transforms: Vec<Arc<dyn CommandTransform>>,
    descriptors: Vec<ImageDescriptors>,
    notices: Vec<String>,
    /// Where its rows come from, if not from the table itself.
    letters: Option<LetterFile>,
}

impl std::fmt::Debug for SdkCsv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SdkCsv")
            .field("path", &self.table.path)
            .field("kind", &self.layout.kind)
            .finish_non_exhaustive()
    }
}

impl SdkCsv {
    /// Opens a file whose header tells what its rows are. Of those that bring files, rows are videos
    /// if the first of them names one, and images otherwise.
    ///
    /// # Errors
    /// When it can't be read, or its header is of no kind.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let table = Table::scan(path.as_ref())?;
        let kind = IngestType::of_header(&table.header).ok_or_else(|| {
            let header = table.header.join(", ");
            let fault = match header.as_str() {
                "" => "there is no header (the file is empty, or names no column)".to_owned(),
                header => format!("the columns {header} are of no kind"),
            };
            Error::header(&table.path, format!("{fault}: {}", kind::KNOWN))
        })?;
        let kind = match kind {
            IngestType::Image if kind::names_a_video(&table.first) => IngestType::Video,
            kind => kind,
        };
        Self::of(table, kind)
    }

    /// Opens a file whose rows are of a type.
    ///
    /// # Errors
    /// When it can't be read, or its header is not that of the type.
    pub fn open_as(path: impl AsRef<Path>, kind: IngestType) -> Result<Self, Error> {
        Self::of(Table::scan(path.as_ref())?, kind)
    }

    fn of(table: Table, kind: IngestType) -> Result<Self, Error> {
        let layout =
            Layout::parse(&table.header, kind).map_err(|e| Error::header(&table.path, e))?;
        let columns = table.guesses.iter().zip(&table.header);
        let used = |(_, name): &(_, &String)| {
            !name.starts_with("gen_") && !name.starts_with("constraint_")
        };
        let mut notices: Vec<String> =
            columns.filter(used).flat_map(|(guess, name)| guess.notices(name)).collect();
        if layout.guards.is_empty() && kind != IngestType::DescriptorSet {
            notices.push(
                "no column `constraint_…` guards its rows, so a second run adds all of them again"
                    .to_owned(),
            );
        }
        Ok(Self {
            types: table.guesses.iter().map(types::Guess::cell_type).collect(),
            root: MediaRoot::beside(&table.path),
            table,
            layout,
            selection: Selection::default(),
            checks_images: true,
            transforms: Vec::new(),
            descriptors: Vec::new(),
            notices,
            letters: None,
        })
    }

    /// What its rows are.
    #[must_use]
    pub fn kind(&self) -> IngestType {
        self.layout.kind
    }

    /// Whether its rows look up what rows of the other file add: ends of connections, images of
    /// regions, sets of descriptors.
    #[must_use]
    pub fn needs(&self, other: &Self) -> bool {
        let adds = |class: &str| match other.kind() {
            IngestType::Connection => false,
            // Not all classes of a file are known that has very many.
            IngestType::Entity => {
                other.table.firsts.contains(class)
                    || other.table.firsts.len() >= table::MOST_CLASSES && !class.starts_with('_')
            }
            kind => class.strip_prefix('_') == Some(kind.suffix()),
        };
        match &self.layout.shape {
            Shape::Connection { src, dst } => adds(&src.class) || adds(&dst.class),
            Shape::Box { .. } | Shape::Polygon { .. } => adds("_Image"),
            Shape::Descriptor { .. } => adds("_DescriptorSet"),
            Shape::Entity | Shape::Media { .. } | Shape::DescriptorSet => false,
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.table.path
    }

    /// Where relative paths in it begin; without this, beside the file.
    #[must_use]
    pub fn relative_to(mut self, root: MediaRoot) -> Self {
        self.root = root;
        self
    }

    /// Hands out a part of its rows: those of a share are told apart by their numbers. A sample can't
    /// be had; of that part of a selection nothing is done.
    #[must_use]
    pub fn select(mut self, selection: Selection) -> Self {
        self.selection = selection;
        self
    }

    /// Reads no more rows than this.
    #[must_use]
    pub fn most_rows(mut self, rows: u64) -> Self {
        self.selection.limit = Some(rows);
        self
    }

    /// Whether images are looked at before they are sent: they are, without this.
    #[must_use]
    pub fn check_images(mut self, check: bool) -> Self {
        self.checks_images = check;
        self
    }

    /// Reads a column as text: `007` stays so, and `NA` is no missing cell. A guard on that property
    /// is read likewise. Does nothing for a column that is not there; answers whether it is.
    pub fn as_text(&mut self, column: &str) -> bool {
        let mut found = false;
        for (i, name) in self.table.header.iter().enumerate() {
            let plain = name.strip_prefix("constraint_").unwrap_or(name);
            let end = matches!(self.layout.shape, Shape::Connection { .. }) && (1..=2).contains(&i);
            let ends_so = end && name.split_once('@').is_some_and(|(_, p)| p == column);
            if plain == column || name == column || ends_so {
                self.types[i] = CellType::AsText;
                found = true;
            }
        }
        if found {
            let told = format!("`--as-text {column}` keeps");
            self.notices.retain(|notice| !notice.contains(&told));
        }
        found
    }

    /// Changes its rows on their way.
    #[must_use]
    pub fn transform(mut self, transform: impl CommandTransform + 'static) -> Self {
        self.transforms.push(Arc::new(transform));
        self
    }

    /// Makes a descriptor of each image that it adds.
    #[must_use]
    pub fn describe(mut self, descriptors: ImageDescriptors) -> Self {
        self.descriptors.push(descriptors);
        self
    }

    fn types(&self) -> &[CellType] {
        &self.types
    }
}

impl CommandSource for SdkCsv {
    fn media_root(&self) -> MediaRoot {
        self.root.clone()
    }

    fn size(&self) -> Option<u64> {
        self.table.size.filter(|_| self.selection.is_all())
    }

    fn indexes(&self) -> Vec<PropertyIndex> {
        let mut indexes = Vec::new();
        let layout = &self.layout;
        let mut want = |class: &str, property: &str, connection: bool| {
            let index = match connection {
                true => PropertyIndex::of_connection(class, property),
                false => PropertyIndex::of_entity(class, property),
            };
            // The database has its own on what it writes itself.
            if !property.starts_with('_') && !indexes.contains(&index) {
                indexes.push(index);
            }
        };
        let classes = || self.table.firsts.iter().filter(|class| !class.is_empty());
        for guard in &layout.guards {
            match layout.shape {
                Shape::Entity => classes().for_each(|class| want(class, &guard.name, false)),
                Shape::Connection { .. } => {
                    classes().for_each(|class| want(class, &guard.name, true));
                }
                _ => want(&format!("_{}", layout.kind.suffix()), &guard.name, false),
            }
        }
        match &layout.shape {
            Shape::Connection { src, dst } => {
                want(&src.class, &src.property, false);
                want(&dst.class, &dst.property, false);
            }
            Shape::Box { image, .. } | Shape::Polygon { image, .. } => want("_Image", image, false),
            _ => {}
        }
        indexes
    }

    fn transforms(&self) -> Vec<Arc<dyn CommandTransform>> {
        let mut all = Vec::with_capacity(self.transforms.len() + 1);
        if self.layout.form == Form::Newest {
            let generate = transform::Generate {
                generated: self.layout.generated.clone(),
                hashes: self.layout.hashes.clone(),
            };
            all.push(Arc::new(generate) as Arc<dyn CommandTransform>);
        }
        all.extend(self.transforms.iter().cloned());
        all
    }

    fn descriptors(&self) -> Vec<ImageDescriptors> {
        self.descriptors.clone()
    }

    fn checks_images(&self) -> bool {
        self.checks_images
    }

    fn place(&self) -> String {
        name_of(&self.table.path)
    }

    fn name(&self) -> String {
        self.kind().to_string()
    }

    fn rows_are(&self) -> RowsAre {
        RowsAre::Format { name: Self::FORMAT.to_owned(), with: letters::columns(self) }
    }

    fn notices(&self) -> Vec<String> {
        self.notices.iter().map(|n| format!("{}: {n}", self.table.path.display())).collect()
    }

    fn read(
        self,
        each: &mut dyn FnMut(SourceRow<CommandRow>, u64) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let path: PathBuf = self.table.path.clone();
        let file: Arc<str> = path.display().to_string().into();
        let mut rows = Rows {
            header: &self.table.header,
            layout: &self.layout,
            types: self.types(),
            root: &self.root,
            vectors: VectorFiles::default(),
        };
        if let Some(letters) = &self.letters {
            return letters::read(letters, &mut rows, each);
        }
        let mut records = table::open(&path)?;
        let mut record = ByteRecord::new();
        let mut before = 0;
        let Selection { offset, limit, shard, .. } = self.selection;
        let end = limit.map(|limit| offset.saturating_add(limit));
        while end.is_none_or(|end| before < end)
            && let Some(Found { row, line, fault }) = records.next(&mut record)?
        {
            before = row;
            if row <= offset || !shard.is_none_or(|shard| shard.holds(row)) {
                continue;
            }
            let value = match fault {
                Some(fault) => Err(fault),
                None => table::cells(&self.table.header, &record).and_then(|c| rows.row(&c)),
            };
            let identity = letters::identity(&file, row, &record);
            let raw = letters::as_json(&self.table.header, &record);
            let at = RowPlace { file: file.clone(), row, line: Some(line) };
            let read = records.bytes();
            let found = SourceRow { value: value.map(Some), ..SourceRow::new(at, identity, raw) };
            if each(found, read).is_break() {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
