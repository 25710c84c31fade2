//! Rows that failed, taken again.

use std::path::PathBuf;

use adb::loaders::{LetterFile, SdkCsv, letters::RowsAre};
use anyhow::bail;

use super::{
    how::{Running, Vectors},
    sdk::{Sdk, misused},
};
use crate::exit::Exit;

/// Take rows that failed again, from the dead-letter file in which they were kept.
///
/// Mend first what was wrong: the files that rows point to, or the rows in the dead-letter file
/// itself. What fails again goes into a new dead-letter file.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb ingest retry dishes.csv.dead-letters.jsonl --db my.adb")]
pub(crate) struct Retry {
    /// The dead-letter file. The report of a run in which rows failed names it.
    file: PathBuf,
    #[command(flatten)]
    vectors: Vectors,
    #[command(flatten)]
    running: Running,
}

impl Retry {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        if !self.vectors.vectors.is_empty() {
            misused(
                "--vectors: rows that failed have kept the vectors that they had; leave it out",
            );
        }
        let letters = LetterFile::open(&self.file)?;
        let header = letters.header().clone();
        if matches!(header.rows, RowsAre::Format { .. })
            && let Some(source) = SdkCsv::of_letters(LetterFile::open(&self.file)?)?
        {
            return Sdk::retry(source, &self.file, &header.options, &self.running).await;
        }
        match header.rows {
            RowsAre::Model(document) => {
                let vectors = self.vectors.or_kept(&header.options);
                let model = document.load()?;
                let source = letters.rows_by(model);
                self.running
                    .or_kept(&header.options)
                    .ingest(&self.file, vectors.to_keep(), source, async |ingest, db| {
                        vectors.of_model(ingest, db, model).await
                    })
                    .await
            }
            RowsAre::Format { name, .. } => bail!(
                "{}: its rows are of the format `{name}`, which this adb does not know; use the program that wrote it",
                self.file.display()
            ),
            _ => bail!(
                "{}: its rows are of a kind that this adb does not know; use a later one",
                self.file.display()
            ),
        }
    }
}
