//! Rows as objects, on their way to a model.

use std::path::{Path, PathBuf};

use adb::{
    document::LoadedModel,
    loaders::{ObjectSource, Stop, shards},
};

use super::{running::Running, vectors::Vectors};
use crate::exit::Exit;

/// What may be done to rows before a model reads them.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Changes {
    /// A program that changes rows: it reads each as a line of JSON, and writes a line for it, in
    /// the same order: the row, `null` to leave it out, an array of rows, or
    /// `{"_error": "what is wrong"}`.
    #[arg(long, value_name = "CMD", help_heading = "The rows")]
    transform_cmd: Option<String>,
}

impl Changes {
    /// Whether anything is to be done.
    pub(crate) fn is_some(&self) -> bool {
        self.transform_cmd.is_some()
    }

    /// Brings rows in.
    pub(crate) async fn ingest(
        self,
        objects: impl ObjectSource,
        from: &Path,
        model: LoadedModel,
        vectors: Vectors,
        running: Running,
    ) -> anyhow::Result<Exit> {
        let set_up =
            async |ingest, db: &dyn adb::Database| vectors.of_model(ingest, db, model).await;
        let to_keep = vectors.to_keep();
        let objects = vectors.beside(objects, model.schema())?;
        match self.transform_cmd {
            None => running.ingest(from, to_keep, objects.by_model(model), set_up).await,
            Some(line) => {
                let changed = objects.through(line).stop_on(Stop::on_ctrl_c());
                running.ingest(from, to_keep, changed.by_model(model), set_up).await
            }
        }
    }
}

/// The files of all patterns, in their order.
pub(crate) fn files(patterns: &[String]) -> Result<Vec<PathBuf>, adb::loaders::Error> {
    let mut files = Vec::new();
    for pattern in patterns {
        files.extend(shards(pattern)?);
    }
    Ok(files)
}

/// What a source of several files is called, the same on every run: its pattern, whichever files it
/// finds. Several patterns are told apart by nobody, since a shell may have made them of one.
pub(crate) fn name(patterns: &[String]) -> String {
    match patterns {
        [one] => {
            std::path::absolute(one).map_or_else(|_| one.clone(), |path| path.display().to_string())
        }
        _ => String::new(),
    }
}

/// `COLUMN=FIELD`. Columns may have `=` in their names; fields have none.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('=') {
        Some((column, field)) => Ok((column.to_owned(), field.to_owned())),
        None => Err("it takes COLUMN=FIELD".to_owned()),
    }
}
