//! `ingest`: the tables and the pictures into a database.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Instant};

use adb::{
    Database, DescriptorSet as _, SetSpec,
    embedders::{Chooser, OnDownload},
    engine::Engine,
    loaders::{self, Options, Progress, Stop, terminal::Bar},
};
use serde_json::json;

use crate::{
    face::{Looks, People},
    pace::Pace,
    source::CelebA,
};

/// Bring the faces of a directory in CelebA's layout into a database.
#[derive(clap::Args)]
#[command(after_help = "Example:
  celeba ingest --data celeba-sample --db celeba.adb

Vectors are taken from vectors/facenet.npy and vectors/clip.npy in the directory, where these are
there; all others are made.")]
pub(crate) struct Ingest {
    /// The directory: list_attr_celeba.csv and its like, beside img_align_celeba/.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The database: a directory, or a server's address.
    #[arg(long, default_value = "celeba.adb")]
    db: String,
    /// Embedder of people: a bundle's name or directory, of 512 components.
    #[arg(long, value_name = "BUNDLE")]
    people: Option<String>,
    /// Embedder of looks: a bundle's name or directory, of 512 components.
    #[arg(long, value_name = "BUNDLE")]
    looks: Option<String>,
    /// Rows in one request.
    #[arg(long, default_value_t = 500)]
    batch: usize,
    /// Waits until all vectors are indexed, and tells time, memory and disk. For a directory alone.
    #[arg(long)]
    figures: bool,
    /// Tells these as JSON, and nothing else.
    #[arg(long, requires = "figures")]
    json: bool,
}

impl Ingest {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let source = CelebA::open(&self.data)?;
        let engine = match self.figures {
            true => Some(Arc::new(Engine::open(&self.db)?)),
            false => None,
        };
        let db: Arc<dyn Database> = match &engine {
            Some(engine) => engine.clone(),
            None => adb::connect(&self.db)?,
        };
        let mut options = Options::default();
        options.rows_per_request = self.batch;
        let mut ingest =
            loaders::Ingest::new(db.clone()).options(options).stop_on(Stop::on_ctrl_c());
        let sets: [(SetSpec, &Option<String>, bool); 2] = [
            (People::SPEC, &self.people, source.has_people()),
            (Looks::SPEC, &self.looks, source.has_looks()),
        ];
        for (set, asked, brought) in sets {
            if !brought {
                let chooser = Chooser::from_env()?.on_download(OnDownload::shown());
                let chosen = chooser.choose(&*db, &set, asked.as_deref()).await?;
                chosen.notices.iter().for_each(|notice| eprintln!("{notice}"));
                ingest = ingest.embedder_for(set.name, chosen.embedder);
            }
        }
        let progress = Arc::new(Progress::default());
        let bar = Bar::start(progress.clone());
        let pace = self.figures.then(|| Pace::start(progress.clone()));
        let report = ingest.progress(progress).run(source).await?;
        drop(bar);
        if !self.json {
            println!("{report}");
        }
        if let (Some(pace), Some(engine)) = (pace, engine) {
            let stored = Instant::now();
            let went = pace.went();
            engine.settle_indexes().await?;
            let indexed = stored.elapsed().as_secs_f64();
            drop((db, engine));
            went.print(&self.db, self.json)?;
            match self.json {
                true => println!(
                    "{}",
                    json!({"case": "until indexed, after that", "unit": "s", "value": indexed})
                ),
                false => println!("indexed {indexed:.1} s later"),
            }
        }
        Ok(ExitCode::from(report.exit_code()))
    }
}
