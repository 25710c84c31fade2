//! `embedders audit`

use std::path::PathBuf;

use adb::embedders::{Cache, audit::Audit as Auditor};
use clap::Args;

/// Say which bundle made the vectors of a set, and how it prepared the pictures
#[derive(Args)]
pub(crate) struct Audit {
    /// The database's directory.
    database: PathBuf,
    /// The descriptor set.
    set: String,
    /// A bundle that may have made it: a name, or a directory; may be given more than once. All
    /// bundles in the cache are tried when it is left out.
    #[arg(long = "embedder", value_name = "NAME")]
    embedders: Vec<String>,
    /// Vectors that are looked at.
    #[arg(long, default_value_t = 100)]
    sample: usize,
}

impl Audit {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let chooser = crate::chooser()?;
        let mut audit = Auditor::new(self.set).sample(self.sample);
        for name in &self.embedders {
            audit = audit.bundle(chooser.bundle(name)?);
        }
        let db = crate::again::open(&self.database)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let findings = runtime.block_on(audit.run(&*db, &Cache::from_env()?))?;
        println!("{findings}");
        Ok(())
    }
}
