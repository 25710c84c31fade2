//! `embedders reembed`, `embedders enrich` and `embedders claim`: what is stored already.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use adb::{
    Dialect, ModelSchema,
    document::Document,
    ensure::{claim_set, inspect_set},
    loaders::{self, Ingest, Progress, Report, Stop, terminal::Bar},
    prelude::*,
};
use anyhow::{Context as _, bail};
use clap::Args;
use tokio::runtime::Runtime;

/// Fill a second descriptor set from the stored pictures, with another embedder
#[derive(Args)]
pub(crate) struct Reembed {
    /// The database's directory.
    database: PathBuf,
    /// The set that is there.
    from: String,
    /// The set to be filled; it is made if it is not there.
    to: String,
    /// The embedder of the second set: a name, or the directory of a bundle.
    #[arg(long, value_name = "NAME")]
    embedder: String,
    /// The model that fills the first set, as a document: needed for vectors of texts.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
}

/// Make the vectors that stored objects of a model lack
#[derive(Args)]
pub(crate) struct Enrich {
    /// The database's directory.
    database: PathBuf,
    /// The model, as a document.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// The embedder, where not each set's own: a name, or the directory of a bundle.
    #[arg(long, value_name = "NAME")]
    embedder: Option<String>,
}

/// Say of a set that another program made which embedder filled it, if its vectors are that one's
#[derive(Args)]
pub(crate) struct Claim {
    /// The database's directory.
    database: PathBuf,
    /// The set.
    set: String,
    /// The embedder: a name, or the directory of a bundle.
    #[arg(long, value_name = "NAME")]
    embedder: String,
    /// Stored vectors to compare with new ones.
    #[arg(long, default_value_t = 50)]
    sample: usize,
    /// The model that fills the set, as a document: needed for vectors of texts.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
}

impl Reembed {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        Runtime::new()?.block_on(self.work())
    }

    async fn work(self) -> anyhow::Result<ExitCode> {
        let ingest = Ingest::new(open(&self.database)?).embedder(embedder(&self.embedder)?);
        let mut task = loaders::Reembed::new(self.from, self.to);
        if let Some(path) = &self.model {
            task = task.model(model(path)?);
        }
        let (ingest, bar) = watched(ingest);
        let report = ingest.reembed(task).await?;
        drop(bar);
        Ok(said(&report))
    }
}

impl Enrich {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        Runtime::new()?.block_on(self.work())
    }

    async fn work(self) -> anyhow::Result<ExitCode> {
        let (db, schema) = (open(&self.database)?, model(&self.model)?);
        let mut ingest = Ingest::new(db.clone());
        for set in schema.sets() {
            let chosen = crate::chooser()?.choose(&*db, &set, self.embedder.as_deref()).await?;
            for notice in &chosen.notices {
                eprintln!("{notice}");
            }
            ingest = ingest.embedder_for(set.name, chosen.embedder);
        }
        let (ingest, bar) = watched(ingest);
        let report = ingest.enrich_by(schema).await?;
        drop(bar);
        Ok(said(&report))
    }
}

impl Claim {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        Runtime::new()?.block_on(self.work())
    }

    async fn work(self) -> anyhow::Result<ExitCode> {
        let (db, embedder) = (open(&self.database)?, embedder(&self.embedder)?);
        if let Some(by) = inspect_set(&*db, &self.set).await?.and_then(|set| set.filled_by) {
            bail!("the set `{}` says who fills it: {by}", self.set);
        }
        let schema = self.model.as_ref().map(model).transpose()?;
        let dialect = Dialect::Classic;
        let compared =
            loaders::compare(dialect, &*db, &self.set, embedder.clone(), schema, self.sample)
                .await?;
        println!("{compared}");
        if !compared.agrees() {
            return Ok(ExitCode::FAILURE);
        }
        claim_set(dialect, &*db, &self.set, embedder.identity()).await?;
        println!("the set `{}` belongs to `{}` from now on", self.set, embedder.identity().name);
        Ok(ExitCode::SUCCESS)
    }
}

pub(crate) fn open(directory: &Path) -> anyhow::Result<Arc<dyn Database>> {
    // What is looked at must be there: opening would make it.
    if !directory.is_dir() {
        bail!("there is no database at {}", directory.display());
    }
    let directory = directory.to_str().context("the database's path is no text")?;
    Ok(adb::connect(directory)?)
}

fn embedder(name: &str) -> anyhow::Result<Arc<dyn Embedder>> {
    Ok(Arc::new(crate::chooser()?.open(name)?))
}

fn model(path: &PathBuf) -> anyhow::Result<&'static ModelSchema> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let document = Document::parse(&text).with_context(|| path.display().to_string())?;
    Ok(document.load().with_context(|| path.display().to_string())?.schema())
}

/// With a bar, and Ctrl-C that loses nothing.
fn watched(ingest: Ingest) -> (Ingest, Bar) {
    let progress: Arc<Progress> = Arc::default();
    let bar = Bar::start(progress.clone());
    (ingest.progress(progress).stop_on(Stop::on_ctrl_c()), bar)
}

fn said(report: &Report) -> ExitCode {
    println!("{report}");
    report.exit_code().into()
}
