//! Rows that failed, taken again.

use std::path::PathBuf;

use adb::loaders::{LetterFile, SdkCsv, Stop, letters::RowsAre};
use anyhow::bail;

use super::{dry, export, running::Running, sdk::Sdk, vectors::Vectors};
use crate::{
    dump::DumpRows,
    exit::{Exit, usage},
};

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
            usage!("--vectors: rows that failed have kept the vectors that they had; leave it out");
        }
        let letters = LetterFile::open(&self.file)?;
        let header = letters.header().clone();
        let running = &self.running;
        if matches!(header.rows, RowsAre::Format { .. }) && !running.part.selection().is_all() {
            usage!(
                "a part of failed rows can be taken where a model reads them; leave --limit, --offset, --sample and --shard out, and all are taken"
            );
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
            RowsAre::Format { name, .. } if name == SdkCsv::FORMAT => {
                let source = SdkCsv::of_letters(letters)?;
                match running.dry_run {
                    true => dry::of_commands([source]),
                    false => Sdk::retry(source, &self.file, &header.options, running).await,
                }
            }
            RowsAre::Format { name, .. } if name == DumpRows::FORMAT => {
                let rows = DumpRows::of_letters(letters)?;
                match running.dry_run {
                    true => dry::of_commands([rows]),
                    false => {
                        export::bring(rows, running.db.open()?, Stop::on_ctrl_c(), running).await
                    }
                }
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
