//! Samples of WebDataset's tar files.

use std::path::Path;

use adb::loaders::TarObjects;

use super::{
    by_model::ByModelOrPlain,
    objects::{files, name, pair},
};
use crate::exit::Exit;

/// Bring the samples of WebDataset's tar files in.
///
/// Members of one name are a row: the picture, what a `.json` member says, the text of `.txt` as
/// `txt`, the number of `.cls` as `cls`. Without a model document, they become images with all of
/// that as properties.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb ingest from-webdataset 'shard-{000..010}.tar' --db my.adb --class Photo --map txt=caption --set photos")]
pub(crate) struct FromWebdataset {
    /// The files: `a.tar`, `shard-{000..010}.tar`, `shard-*.tar.gz`.
    #[arg(required = true)]
    files: Vec<String>,
    /// Reads a member by its ending, or a key of its JSON, as a field; `--map ending=` leaves it
    /// out.
    #[arg(long, value_name = "FOUND=FIELD", value_parser = pair, help_heading = "The rows")]
    map: Vec<(String, String)>,
    #[command(flatten)]
    by: ByModelOrPlain,
}

impl FromWebdataset {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let files = files(&self.files)?;
        let first = files.first().cloned().unwrap_or_default();
        let mut rows = TarObjects::open(files)?.named(name(&self.files));
        for (found, key) in self.map {
            rows = rows.map(found, key);
        }
        let observed = |model| rows.observed(model);
        let model = self.by.model(observed).await?;
        self.by.ingest(rows, Path::new(&first), model).await
    }
}
