//! Rows that a model reads: one that a document says, or one that is made of what is seen.

use std::path::{Path, PathBuf};

use adb::{
    document::LoadedModel,
    loaders::{self, ObjectSource, PlainModel},
};

use super::{objects::Changes, plain::Plain, running::Running, vectors::Vectors};
use crate::{exit::Exit, model};

/// By a model document: which it is, who makes its vectors, how the rows go in.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ByModel {
    #[command(flatten)]
    changes: Changes,
    /// The model document: what `Document::of(Dish::SCHEMA)` is as JSON.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    #[command(flatten)]
    vectors: Vectors,
    #[command(flatten)]
    running: Running,
}

/// The same where the document may be left out.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ByModelOrPlain {
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    plain: Plain,
    #[command(flatten)]
    vectors: Vectors,
    #[command(flatten)]
    pub(super) running: Running,
}

impl ByModel {
    /// Brings rows in. `from` names them, for the dead-letter file.
    pub(super) async fn ingest(self, rows: impl ObjectSource, from: &Path) -> anyhow::Result<Exit> {
        let model = model::load(&self.model)?;
        self.changes.ingest(rows, from, model, self.vectors, self.running).await
    }
}

impl ByModelOrPlain {
    /// The document, or else a model that `observed` fills with what is seen of the rows.
    pub(super) async fn model(
        &self,
        observed: impl FnOnce(PlainModel) -> Result<PlainModel, loaders::Error>,
    ) -> anyhow::Result<LoadedModel> {
        self.plain.model(&self.vectors, &self.running, observed).await
    }

    /// Brings rows in. `from` names them, for the dead-letter file.
    pub(super) async fn ingest(
        self,
        rows: impl ObjectSource,
        from: &Path,
        model: LoadedModel,
    ) -> anyhow::Result<Exit> {
        self.changes.ingest(rows, from, model, self.vectors, self.running).await
    }
}
