//! Rows with vectors of their own: the pipeline into an engine, beside an engine that is given the
//! same requests ready made.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use adb::{
    BoxFuture, DataModel as _, Database, DbError, Image, ModelSchema, Request, Response, ask,
    loaders::{self, Ingest, Options, RowPlace, Source, SourceRow},
};
use adb_bench::{Clock, Dish, Nowhere, Used, print};
use anyhow::{Context as _, ensure};
use bytes::Bytes;
use clap::Args;
use tokio::task::JoinSet;

/// Brings rows into an engine, and lets another one answer the same requests.
#[derive(Args)]
pub(crate) struct Alone {
    /// A directory on the disk that is meant.
    #[arg(long)]
    work: PathBuf,
    #[arg(long)]
    rows: u64,
    /// Bytes of a picture.
    #[arg(long, default_value_t = 20_000)]
    picture: usize,
    /// Rows in a request.
    #[arg(long, default_value_t = Options::default().rows_per_request)]
    batch: usize,
    /// Requests at once.
    #[arg(long, default_value_t = Options::default().writers)]
    writers: usize,
}

impl Alone {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        // Requests are as long as the pipeline makes them; what it looks up is among them.
        let tape = Arc::new(Tape::default());
        self.ingest(tape.clone()).await?;
        let requests = std::mem::take(&mut *tape.lock());
        let engine = self.database()?;
        let alone = self.replay(engine.1, requests).await?;
        drop(engine.0);
        let engine = self.database()?;
        let whole = self.ingest(engine.1).await?;
        for (case, used) in [("the engine alone", alone), ("the pipeline into the engine", whole)] {
            print(case, "rows/s", self.rows as f64 / used.wall);
            let processors = 1000.0 * used.processors / self.rows as f64;
            print(case, "CPU-s for 1,000 rows", processors);
        }
        Ok(())
    }

    fn database(&self) -> anyhow::Result<(tempfile::TempDir, Arc<dyn Database>)> {
        let directory = tempfile::tempdir_in(&self.work)?;
        let db = connect(&directory.path().join("rows.adb"))?;
        Ok((directory, db))
    }

    async fn ingest(&self, db: Arc<dyn Database>) -> anyhow::Result<Used> {
        let mut options = Options::default();
        (options.rows_per_request, options.writers) = (self.batch, self.writers);
        let source = Made::new(self.rows, self.picture);
        let clock = Clock::start()?;
        let report = Ingest::new(db).options(options).run(source).await?;
        let used = clock.stop()?;
        ensure!(report.added == self.rows, "{report}");
        Ok(used)
    }

    /// As many requests at once as the pipeline has: those that write, and one that looks up.
    async fn replay(&self, db: Arc<dyn Database>, requests: Vec<Request>) -> anyhow::Result<Used> {
        let clock = Clock::start()?;
        let mut requests = requests.into_iter();
        // Sets and indexes come first, one after the other.
        for request in requests.by_ref() {
            let last = !request.blobs.is_empty();
            ask(&*db, request).await?;
            if last {
                break;
            }
        }
        let queue = Arc::new(Mutex::new(requests));
        let mut all = JoinSet::new();
        for _ in 0..=self.writers {
            let (db, queue) = (db.clone(), queue.clone());
            let next = move || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            all.spawn(async move {
                while let Some(request) = next() {
                    ask(&*db, request).await?;
                }
                Ok::<_, DbError>(())
            });
        }
        while let Some(done) = all.join_next().await {
            done??;
        }
        clock.stop()
    }
}

fn connect(path: &Path) -> anyhow::Result<Arc<dyn Database>> {
    Ok(adb::connect(path.to_str().context("the directory has an odd name")?)?)
}

/// Keeps what it is asked.
#[derive(Default)]
struct Tape(Mutex<Vec<Request>>);

impl Tape {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Request>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Database for Tape {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        self.lock().push(request.clone());
        Nowhere.execute(request)
    }
}

/// Dishes with a picture in memory and a vector, no two the same.
struct Made {
    rows: u64,
    picture: usize,
    noise: Bytes,
}

impl Made {
    fn new(rows: u64, picture: usize) -> Self {
        // A step that is no multiple of a word's length: no picture begins as another does.
        let mut state = 1_u64;
        let mut word = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 32) as u32
        };
        let words = (0..(4 << 20) / 4).flat_map(|_| word().to_le_bytes());
        Self { rows, picture, noise: words.collect() }
    }
}

impl Source for Made {
    type Row = Dish;

    fn schema(&self) -> &'static ModelSchema {
        Dish::SCHEMA
    }

    fn read(
        self,
        each: &mut dyn FnMut(SourceRow<Dish>, u64) -> ControlFlow<()>,
    ) -> Result<(), loaders::Error> {
        for dish_id in 0..self.rows {
            let at = RowPlace { file: "made".into(), row: dish_id + 1, line: None };
            if each(SourceRow::of(at, self.dish(dish_id)), 0).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Made {
    fn dish(&self, dish_id: u64) -> Result<Dish, String> {
        let at = |step: usize, length: usize| {
            let from = usize::try_from(dish_id).unwrap_or(0) * step % (self.noise.len() - length);
            self.noise.slice(from..from + length)
        };
        let mut picture = b"\x89PNG\r\n\x1a\n".to_vec();
        picture.extend_from_slice(&at(20_011, self.picture.max(8) - 8));
        let components: Vec<f32> =
            at(2_049, 512).iter().map(|byte| f32::from(*byte) / 128.0 - 1.0).collect();
        Ok(Dish {
            dish_id,
            name: format!("dish {dish_id}"),
            cuisine: Some("any".to_owned()),
            caption: "one of many".to_owned(),
            contributor: Some("nobody".to_owned()),
            location: Some("nowhere".to_owned()),
            recipe_url: None,
            photo: Image::bytes(picture),
            look: adb::Embedding::new(&components).map_err(|e| e.to_string())?,
            ingredients: Vec::new(),
        })
    }
}
