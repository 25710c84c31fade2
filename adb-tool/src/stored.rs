//! `adb enrich`, `adb reembed` and `adb claim`: vectors of what is stored already.

use std::{path::PathBuf, sync::Arc};

use adb::{
    Dialect, Embedder,
    ensure::{claim_set, inspect_set},
    loaders::{self, Ingest, Report, Stop},
};
use anyhow::bail;

use crate::{
    database::Db, embedders::chooser, exit::Exit, model, numbers::at_least_one, out, watch::watched,
};

/// Make the vectors that stored objects of a model lack.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb enrich --model examples/data/cookbook/dish.model.json --db my.adb")]
pub(crate) struct Enrich {
    #[command(flatten)]
    db: Db,
    /// The model, as a document.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// The embedder, where not each set's own: a name, or the directory of a bundle.
    #[arg(long, value_name = "NAME")]
    embedder: Option<String>,
}

/// Fill a second descriptor set from the stored pictures, with another embedder.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb reembed dish_photos dish_photos_l14 --embedder clip-vit-l-14 --db my.adb")]
pub(crate) struct Reembed {
    /// The set that is there.
    from: String,
    /// The set to be filled; it is made if it is not there.
    to: String,
    #[command(flatten)]
    db: Db,
    /// The embedder of the second set: a name, or the directory of a bundle.
    #[arg(long, value_name = "NAME")]
    embedder: String,
    /// The model that fills the first set, as a document: needed for vectors of texts.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
}

/// Say of a set that another program made which embedder filled it, if its vectors are that one's.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb claim photos --embedder clip-vit-b-16 --db my.adb")]
pub(crate) struct Claim {
    /// The set.
    set: String,
    #[command(flatten)]
    db: Db,
    /// The embedder: a name, or the directory of a bundle.
    #[arg(long, value_name = "NAME")]
    embedder: String,
    /// Stored vectors to compare with new ones.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = at_least_one)]
    sample: usize,
    /// The model that fills the set, as a document: needed for vectors of texts.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
}

impl Enrich {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let (db, schema) = (self.db.open_existing()?, model::load(&self.model)?.schema());
        let mut ingest = Ingest::new(db.clone());
        for set in schema.sets() {
            let chosen = chooser()?.choose(&*db, &set, self.embedder.as_deref()).await?;
            chosen.notices.iter().for_each(out::notice);
            ingest = ingest.embedder_for(set.name, chosen.embedder);
        }
        reported(ingest, async |ingest| ingest.enrich_by(schema).await).await
    }
}

impl Reembed {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let db = self.db.open_existing()?;
        let ingest = Ingest::new(db).embedder(embedder(&self.embedder)?);
        let mut task = loaders::Reembed::new(self.from, self.to);
        if let Some(path) = &self.model {
            task = task.model(model::load(path)?.schema());
        }
        reported(ingest, async |ingest| ingest.reembed(task).await).await
    }
}

impl Claim {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let db = self.db.open_existing()?;
        let embedder = embedder(&self.embedder)?;
        if let Some(by) = inspect_set(&*db, &self.set).await?.and_then(|set| set.filled_by) {
            bail!("the set `{}` says who fills it: {by}", self.set);
        }
        let schema = self.model.as_ref().map(|path| model::load(path)).transpose()?;
        let schema = schema.map(adb::document::LoadedModel::schema);
        let dialect = Dialect::Classic;
        let compared =
            loaders::compare(dialect, &*db, &self.set, embedder.clone(), schema, self.sample)
                .await?;
        println!("{compared}");
        if !compared.agrees() {
            return Ok(Exit::Failed);
        }
        claim_set(dialect, &*db, &self.set, embedder.identity()).await?;
        println!("the set `{}` belongs to `{}` from now on", self.set, embedder.identity().name);
        Ok(Exit::Well)
    }
}

fn embedder(name: &str) -> anyhow::Result<Arc<dyn Embedder>> {
    Ok(Arc::new(chooser()?.open(name)?))
}

/// Runs an ingestion of what is stored, which Ctrl-C stops without loss, and prints its report.
async fn reported(
    ingest: Ingest,
    run: impl AsyncFnOnce(Ingest) -> Result<Report, loaders::Error>,
) -> anyhow::Result<Exit> {
    let report = watched(ingest.stop_on(Stop::on_ctrl_c()), true, run).await?;
    println!("{report}");
    Ok(Exit::of_report(&report))
}
