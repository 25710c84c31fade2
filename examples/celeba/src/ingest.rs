//! `ingest`: the tables and the pictures into a database.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use adb::{
    DescriptorSet as _, SetSpec,
    embedders::{Chooser, OnDownload},
    loaders::{self, Options, Progress, Stop, terminal::Bar},
};

use crate::{
    face::{Looks, People},
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
}

impl Ingest {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let source = CelebA::open(&self.data)?;
        let db = adb::connect(&self.db)?;
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
        let report = ingest.progress(progress).run(source).await?;
        drop(bar);
        println!("{report}");
        Ok(ExitCode::from(report.exit_code()))
    }
}
