//! An ingestion: what is said of it before it runs, and its run over rows of a model.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use adb_model::{
    ChildMaker, Database, Dialect, Embedder, EmbedderIdentity, SetSpec,
    document::Document,
    ensure::{FilledBy, ensure_in, unclaimed_notice},
};

use super::{
    Event, Known, Mirror, OnExisting, Options, Progress, Report, Run, Stop, Wanted,
    belt::{belt, belt_of},
    event::Listener,
    identify,
    probe::{self, Asked},
    read::read_source,
    run::ThisRun,
    unchanged, upsert,
};
use crate::{
    Error, ErrorKind, Source,
    letters::{DeadLetters, Header, RowsAre},
    makers::Makers,
};

/// Brings a source's rows into a database.
///
/// ```no_run
/// # use adb_loaders::{Ingest, JsonSource};
/// # async fn example<Dish>(db: std::sync::Arc<dyn adb_model::Database>) -> Result<(), adb_loaders::Error>
/// # where Dish: adb_model::DataModel + serde::de::DeserializeOwned + Send + 'static {
/// let report = Ingest::new(db).run(JsonSource::<Dish>::open("dishes.json")?).await?;
/// println!("{report}");
/// # Ok(()) }
/// ```
pub struct Ingest {
    pub(super) db: Arc<dyn Database>,
    pub(super) embedders: Embedders,
    pub(super) makers: Makers,
    pub(super) options: Options,
    pub(super) progress: Arc<Progress>,
    pub(super) stop: Stop,
    pub(super) existing: OnExisting,
    pub(super) recheck: bool,
    pub(super) ledger: Option<PathBuf>,
    pub(super) name: Option<String>,
    pub(super) mirror: Option<Mirror>,
    pub(super) dialect: Dialect,
    pub(super) letters: Option<DeadLetters>,
    pub(super) listener: Option<Listener>,
}

impl std::fmt::Debug for Ingest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ingest").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Who fills which set.
#[derive(Clone, Default)]
pub(super) struct Embedders {
    pub(super) all: Option<Arc<dyn Embedder>>,
    pub(super) by_set: HashMap<String, Arc<dyn Embedder>>,
}

impl Embedders {
    pub(super) fn of(&self, set: &SetSpec) -> Option<&Arc<dyn Embedder>> {
        self.by_set.get(set.name).or(self.all.as_ref())
    }

    pub(super) fn identity(&self, set: &SetSpec) -> Option<&EmbedderIdentity> {
        self.of(set).map(|e| e.identity())
    }
}

impl Ingest {
    /// Into `db`, with vectors that the rows bring themselves.
    #[must_use]
    pub fn new(db: Arc<dyn Database>) -> Self {
        Self {
            db,
            embedders: Embedders::default(),
            makers: Makers::default(),
            options: Options::default(),
            progress: Arc::default(),
            stop: Stop::default(),
            existing: OnExisting::default(),
            recheck: false,
            ledger: None,
            name: None,
            mirror: None,
            dialect: Dialect::default(),
            letters: None,
            listener: None,
        }
    }

    /// Lets `embedder` fill every set that has none of its own.
    #[must_use]
    pub fn embedder(mut self, embedder: Arc<dyn Embedder>) -> Self {
        self.embedders.all = Some(embedder);
        self
    }

    /// Lets `embedder` fill one set.
    #[must_use]
    pub fn embedder_for(mut self, set: impl Into<String>, embedder: Arc<dyn Embedder>) -> Self {
        self.embedders.by_set.insert(set.into(), embedder);
        self
    }

    /// Lets `maker` make the children that models declare as its: `by = …`. One that has a default
    /// need not be given.
    #[must_use]
    pub fn maker(mut self, maker: impl ChildMaker) -> Self {
        self.makers.add(Arc::new(maker));
        self
    }

    /// Sets how it runs.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Lets someone watch.
    #[must_use]
    pub fn progress(mut self, progress: Arc<Progress>) -> Self {
        self.progress = progress;
        self
    }

    /// Lets someone end it early.
    #[must_use]
    pub fn stop_on(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    /// Keeps each row that fails, with its reason, in a file from which it can be
    /// [taken again](crate::LetterFile) once what was wrong is mended. It is written while the run
    /// goes on. (Not for [`enrich`](Ingest::enrich) and [`reembed`](Ingest::reembed), whose rows
    /// are in the database.)
    #[must_use]
    pub fn dead_letters(mut self, letters: DeadLetters) -> Self {
        self.letters = Some(letters);
        self
    }

    /// Tells `listener` what happens, as it happens, from several threads. It should be quick: who
    /// tells it waits.
    #[must_use]
    pub fn on_event(mut self, listener: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.listener = Some(Listener(Arc::new(listener)));
        self
    }

    /// Says what becomes of rows that are there already; without it they are kept as they are.
    #[must_use]
    pub fn on_existing(mut self, existing: OnExisting) -> Self {
        self.existing = existing;
        self
    }

    /// Lets rows that exist become what the source says: short for
    /// [`on_existing`](Ingest::on_existing) with [`OnExisting::Update`].
    #[must_use]
    pub fn upsert(self, upsert: bool) -> Self {
        self.on_existing(if upsert { OnExisting::Update } else { OnExisting::Keep })
    }

    /// Compares every row anew, whatever is noted of it: for databases in which other programs have
    /// changed, or deleted, what this source brought.
    #[must_use]
    pub fn recheck(mut self, recheck: bool) -> Self {
        self.recheck = recheck;
        self
    }

    /// Keeps a ledger in this file: what was in files of the source, so that those that have not
    /// been touched since are not read again. It lies best beside the database.
    ///
    /// It is a cache. One that is missing, broken, or of another database costs time, and nothing
    /// else. One that another run has open is done without, and a notice says so.
    #[must_use]
    pub fn ledger(mut self, file: impl Into<PathBuf>) -> Self {
        self.ledger = Some(file.into());
        self
    }

    /// Gives the source a name, by which later runs know that it is the same; without it that is
    /// the [`Source::name`].
    #[must_use]
    pub fn source_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Lets what left the source leave the database: objects of the source's model that earlier
    /// runs of this source have added, and that no row is of any longer. Nothing else is touched;
    /// [`Report::mirror`] tells what went.
    ///
    /// Once the source has been read to its end: where that can't be told, or where it is not known
    /// of a row which object it is, nothing is deleted. For this 16 bytes of each row are kept in
    /// memory.
    #[must_use]
    pub fn mirror(mut self, mirror: Mirror) -> Self {
        self.mirror = Some(mirror);
        self
    }

    /// Writes its commands in another dialect. (Rows that are upserted are looked up in the classic
    /// one.)
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Runs to the end of the source. Needs a tokio runtime with time.
    ///
    /// A second run over the same source adds nothing, embeds nothing and writes nothing: rows are
    /// looked up by identity first, and on each root stands which row it was made from. Rows that
    /// exist keep the properties that they have, unless they are to be
    /// [updated](Ingest::on_existing); where the source says otherwise, the report counts them.
    ///
    /// What is added bears the run's id, by which [`undo`](crate::runs::undo) finds it.
    ///
    /// # Errors
    /// When it can't start (source, sets, indexes, makers). What stops it on the way is in
    /// [`Report::broken_off`], beside all that was accounted for until then.
    pub async fn run<S: Source>(mut self, source: S) -> Result<Report, Error> {
        let schema = source.schema();
        self.makers.complete(schema)?;
        let (size, update) = (source.size(), self.existing == OnExisting::Update);
        let upserts = update.then(|| upsert::Upserts::new(schema));
        let name = self.name.take().unwrap_or_else(|| source.name());
        if self.mirror.is_some() && (name.is_empty() || source.is_part()) {
            let why = match source.is_part() {
                true => "not all of its rows are read; leave out what selects some",
                false => {
                    "it has no name, by which its earlier runs would be known; give it one (`source_name`, on the command line `--source-name`)"
                }
            };
            return Err(ErrorKind::NoMirror { why: why.to_owned() }.into());
        }
        let this = ThisRun::new(name.clone(), schema, self.existing);
        let ledger = self.ledger.take();
        let media = source.media_root();
        let mut header =
            Header::new(RowsAre::Model(Document::of(schema)), self.options.media.place(&media));
        header.source = name;
        let letters = self.letters.take().map(|letters| letters.open(header)).transpose()?;
        let mut run = Run::begin(self, this, media, upserts, size, letters);
        run.tell(schema.class, size);
        let context = run.context.clone();
        let embedder = |set: &SetSpec| context.embedders.identity(set);
        let ensured = ensure_in(context.dialect, &context.db, schema, embedder).await?;
        context.tally.notices(ensured.unclaimed.iter().map(|set| unclaimed_notice(set)));
        let made = |set: &SetSpec| ensured.sets_made.iter().any(|made| made == set.name);
        let made = schema.sets().into_iter().filter(made);
        let made = made.map(|set| (set.name.to_owned(), FilledBy::of(embedder(&set))));
        context.run.has_made(made.collect());
        // Vectors of a set that is new are all to be made, whatever is noted of their rows.
        context.set_recheck(!ensured.sets_made.is_empty());
        context.run.look_back(&context.db, context.dialect).await?;
        // Only now the database's directory is sure to be there.
        run.known =
            Known::new(run.media.clone(), ledger.and_then(|path| context.open_ledger(&path)));

        let rows = context.options.rows_per_request;
        let makes = !context.makers.is_empty();
        let identifies = identify::is_needed(schema);
        let (read_tx, mut read_rx) = match identifies {
            true => run.with_downloads(Wanted::Identities, belt(rows)),
            false => {
                let (direct, read) = belt_of(run.look_up_batch());
                (direct.into(), read)
            }
        };
        let (probed_tx, probed_rx) = run.with_downloads(Wanted::All, belt(rows));
        run.workers.spawn_blocking({
            let context = context.clone();
            move || read_source(source, &context, &read_tx)
        });
        if identifies {
            read_rx = run.spawn_identify(&read_rx);
        }
        if update {
            let (changed_tx, changed_rx) = match makes {
                true => run.with_downloads(Wanted::All, belt(rows)),
                false => {
                    let (direct, changed) = belt_of(run.look_up_batch());
                    (direct.into(), changed)
                }
            };
            run.workers.spawn(unchanged::run(
                context.clone(),
                run.known.clone(),
                read_rx,
                changed_tx,
            ));
            read_rx = changed_rx;
        }
        if makes && update {
            // What is there is compared with all that is to be: no probe says what need not be made.
            read_rx = run.spawn_makers(read_rx);
        }
        run.workers.spawn(probe::run(context, read_rx, probed_tx, Asked::First));
        match makes && !update {
            true => run.spawn_makers_to_writers(probed_rx),
            false => run.spawn_to_writers(probed_rx),
        }
        Ok(run.end().await)
    }
}
