//! `adb audit`: which bundle made the vectors of a set.

use adb::embedders::{Cache, audit::Audit as Auditor};

use crate::{
    database::Db,
    embedders::{chooser, device},
    exit::Exit,
    numbers::at_least_one,
};

/// Say which bundle made the vectors of a set, and how it prepared the pictures.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb audit dish_photos --db my.adb")]
pub(crate) struct Audit {
    /// The descriptor set.
    set: String,
    #[command(flatten)]
    db: Db,
    /// A bundle that may have made it: a name, or a directory; may be given more than once. All
    /// bundles in the cache are tried when it is left out.
    #[arg(long = "embedder", value_name = "NAME")]
    embedders: Vec<String>,
    /// Vectors that are looked at.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    sample: usize,
}

impl Audit {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let chooser = chooser()?;
        let mut audit = Auditor::new(self.set).sample(self.sample).device(device()?);
        for name in &self.embedders {
            audit = audit.bundle(chooser.bundle(name)?);
        }
        let db = self.db.read()?;
        println!("{}", audit.run(&*db, &Cache::from_env()?).await?);
        Ok(Exit::Well)
    }
}
