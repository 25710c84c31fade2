//! A folder of files, or what is listed at an address.

use std::path::{Path, PathBuf};

use adb::loaders::{DirObjects, ListedObjects, Listing};

use super::{by_model::ByModelOrPlain, objects::pair};
use crate::exit::{Exit, usage};

/// Bring the files of a folder in, of a bucket or of a web server, each as an object.
///
/// Without a model document, each picture becomes an image with the properties `path`, `filename`,
/// `folder`, and with what `.json` files beside pictures and a table say of it.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  adb ingest from-dir photos --db my.adb
  adb ingest from-dir photos --db my.adb --table stars.csv --join filename --manifest photos.sha256
  adb ingest from-dir photos --db my.adb --class Dish --folder-as cuisine --text-as caption --set photos
  adb ingest from-dir s3://bucket/photos --db my.adb --table stars.csv --join filename")]
pub(crate) struct FromDir {
    /// The folder. All folders in it are read as well; what is hidden is passed over. Or where files
    /// are listed: `s3://bucket/prefix`, `gs://bucket/prefix`, `https://host/folder/`.
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
    by: ByModelOrPlain,
}

impl FromDir {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        match self.folder.to_str().filter(|text| Listing::is_address(text)) {
            Some(address) => {
                let address = address.to_owned();
                self.of_listing(address).await
            }
            None => self.of_folder().await,
        }
    }

    async fn of_folder(self) -> anyhow::Result<Exit> {
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
        let model = self.by.model(observed).await?;
        self.by.ingest(files, &self.folder, model).await
    }

    async fn of_listing(self, address: String) -> anyhow::Result<Exit> {
        let options =
            [("--text-as", self.text_as.is_some()), ("--manifest", self.manifest.is_some())];
        if let Some((option, _)) = options.into_iter().find(|(_, given)| *given) {
            usage!(
                "{option} is for folders of this machine: of what is listed at an address nothing is read but the files themselves; leave it out, or copy the files"
            );
        }
        let mut files = ListedObjects::new(&address, self.by.running.media.options());
        for pattern in self.glob {
            files = files.glob(pattern)?;
        }
        if let Some(key) = self.folder_as {
            files = files.folder_as(key);
        }
        for (found, key) in self.map {
            files = files.map(found, key);
        }
        if let (Some(table), Some(join)) = (self.table, self.join) {
            files = files.table(table, join);
        }
        let observed = |model| files.observed(model);
        let model = self.by.model(observed).await?;
        // It names a file, and what follows a question mark may be a signature.
        let beside = address.split(['?', '#']).next().unwrap_or_default();
        self.by.ingest(files, Path::new(beside), model).await
    }
}
