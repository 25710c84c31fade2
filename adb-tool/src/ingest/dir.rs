//! A folder of files.

use std::path::PathBuf;

use adb::loaders::DirObjects;

use super::{
    how::{Running, Vectors},
    objects::{Changes, pair},
    plain::Plain,
};
use crate::exit::Exit;

/// Bring the files of a folder in, each as an object.
///
/// Without a model document, each picture becomes an image with the properties `path`, `filename`,
/// `folder`, and with what `.json` files beside pictures and a table say of it.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  adb ingest from-dir photos --db my.adb
  adb ingest from-dir photos --db my.adb --class Dish --folder-as cuisine --text-as caption --set photos
  adb ingest from-dir photos --db my.adb --table stars.csv --join filename --manifest photos.sha256")]
pub(crate) struct FromDir {
    /// The folder. All folders in it are read as well; what is hidden is passed over.
    folder: PathBuf,
    /// Takes files whose path below the folder matches, such as `**/*.jpg`; may be given several
    /// times. Without it: by the endings of pictures (or of videos, for such a model).
    #[arg(long, value_name = "PATTERN", help_heading = "The rows")]
    glob: Vec<String>,
    /// Reads the name of the first folder below as this field: a class per folder.
    #[arg(long, value_name = "FIELD", help_heading = "The rows")]
    folder_as: Option<String>,
    /// Reads the text of a `.txt` file beside another as this field.
    #[arg(long, value_name = "FIELD", help_heading = "The rows")]
    text_as: Option<String>,
    /// Reads what is found (path, filename, stem, extension, folder, keys of JSON and of the table)
    /// as another field: `--map path=dish_id`.
    #[arg(long, value_name = "FOUND=FIELD", value_parser = pair, help_heading = "The rows")]
    map: Vec<(String, String)>,
    /// A table of what there is to say of files: CSV, or JSON by its name.
    #[arg(long, value_name = "FILE", requires = "join", help_heading = "The rows")]
    table: Option<PathBuf>,
    /// The table's column that names files: by path, by name, or by name without ending.
    #[arg(long, value_name = "COLUMN", requires = "table", help_heading = "The rows")]
    join: Option<String>,
    /// A manifest, as `sha256sum` writes it: written if it is not there, otherwise compared with
    /// the files, and those that are not what they were fail.
    #[arg(long, value_name = "FILE", help_heading = "The rows")]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    plain: Plain,
    #[command(flatten)]
    vectors: Vectors,
    #[command(flatten)]
    running: Running,
}

impl FromDir {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let mut files = DirObjects::open(&self.folder)?;
        for pattern in self.glob {
            files = files.glob(pattern)?;
        }
        if let Some(key) = self.folder_as {
            files = files.folder_as(key);
        }
        if let Some(key) = self.text_as {
            files = files.text_as(key);
        }
        for (found, key) in self.map {
            files = files.map(found, key);
        }
        if let (Some(table), Some(join)) = (self.table, self.join) {
            files = files.table(table, join);
        }
        if let Some(manifest) = self.manifest {
            files = files.manifest(manifest);
        }
        let observed = |model| files.observed(model);
        let model = self.plain.model(&self.vectors, &self.running, observed).await?;
        self.changes.ingest(files, &self.folder, model, self.vectors, self.running).await
    }
}
