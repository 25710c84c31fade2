//! `--record`: what is asked and answered, into a file.

use std::{path::PathBuf, sync::Arc};

use adb::{
    Database,
    trace::{Blobs, Error, Recorder},
};

/// Whether it is written down.
#[derive(clap::Args)]
#[command(next_help_heading = "Recording")]
pub(crate) struct Recording {
    /// Write requests and answers to a file, secrets left out, for `adb conform`: see docs/traces.md.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Write blobs as well, and not their lengths and hashes alone.
    #[arg(long, requires = "record")]
    record_blobs: bool,
}

impl Recording {
    /// Whether the file can be there, as far as can be said without making it.
    pub(super) fn look(&self) -> anyhow::Result<()> {
        let Some(path) = &self.record else { return Ok(()) };
        if path.exists() {
            return Err(Error::Exists(path.clone()).into());
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            anyhow::bail!(
                "--record {}: there is no directory {}",
                path.display(),
                folder.display()
            );
        }
        Ok(())
    }

    pub(super) fn around(&self, db: Arc<dyn Database>) -> anyhow::Result<Arc<dyn Database>> {
        let Some(path) = &self.record else { return Ok(db) };
        let blobs = if self.record_blobs { Blobs::Whole } else { Blobs::Hashed };
        let recorder = Recorder::create(db, path, blobs)?;
        tracing::info!(path = %path.display(), "recording");
        Ok(Arc::new(recorder))
    }
}
