//! The pipeline: from rows to a database, in batches, in parallel, with a reason for each row that
//! failed.
//!
//! ```text
//! source → graph → probe → make children, probe them → media, decode (threads) → embed → pack → write (tasks) → report
//! ```
//! Where a blob's hash is an object's identity, it is read before the probe. Where rows are upserted,
//! those that are noted as they are go no further; of the others children are made before the probe,
//! and that looks up all of a row.
//!
//! Channels between the stages are bounded by rows, and what rows hold by bytes, so memory does not
//! grow with the source. Every row that is read ends as exactly one of added, existed, updated,
//! failed; one that is not begun when the run is told to stop counts as not read.

mod budget;
mod commands;
mod dry;
mod embed;
mod enrich;
mod event;
mod existing;
mod failure;
mod fetch;
mod identify;
mod make;
mod mirror;
mod prepare;
mod probe;
mod progress;
mod reembed;
mod report;
mod run;
mod tally;
mod unchanged;
mod upsert;
mod write;

use std::{
    collections::HashMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use adb_model::{
    ChildMaker, Database, DbError, Dialect, Embedder, EmbedderIdentity, Graph, GraphBuilder,
    NodeId, PreparedImage, RowNote, SetSpec,
    document::Document,
    ensure::{ensure_in, unclaimed_notice},
};
use async_channel::{Receiver, bounded};
use tokio::task::JoinSet;

pub use dry::{DryRow, dry_run};
pub use event::{EVENTS_VERSION, Event};
pub use existing::OnExisting;
pub use failure::{FailureGroup, RowFailure, Stage};
pub use mirror::{Mirror, Mirrored};
pub use progress::{Meter, Outage, Progress, Snapshot};
pub use reembed::Reembed;
pub use report::{Report, SlowRow, Stages};

use crate::{
    Error, ErrorKind, MediaOptions, MediaReader, MediaRoot, Source, SourceRow, ToGraph as _,
    embedders::MAX_DECODED_BYTES,
    ledger::{Ledger, Stamp},
    letters::{DeadLetters, Header, LetterBox, RowsAre},
    makers::{Makers, MediaCache},
    retry::{Patient, Unanswered},
};
use budget::{Gate, Held};
use event::Listener;
use failure::Reason;
use fetch::{Outlet, Wanted};
use mirror::Seen;
use probe::Asked;
use run::ThisRun;
use tally::{Row, Tally};
use unchanged::{Files, Known};

/// How the pipeline runs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Threads that read, decode and resize pictures; as many make children.
    pub decoders: usize,
    /// Memory that decoding may take, in bytes, all [`decoders`](Self::decoders) together: they wait
    /// for one another. A picture that takes more by itself costs its row.
    pub max_decoded_bytes: u64,
    /// Pictures, or texts, that go to the embedder at once; as many as it likes if nothing is set.
    pub embed_batch: Option<usize>,
    /// Rows in one request to the database, at most.
    pub rows_per_request: usize,
    /// Bytes of blobs in one request, at most (a single row may be larger).
    pub bytes_per_request: usize,
    /// Requests under way at once.
    pub writers: usize,
    /// How long an incomplete batch or request waits for more rows.
    pub linger: Duration,
    /// How long a database that gives no answer is waited for; half a minute at most if it never
    /// gave one.
    pub give_up_after: Duration,
    /// Pause after the first failure of a request; it doubles each time, up to 30 s.
    pub backoff: Duration,
    /// How the media that rows name are read.
    pub media: MediaOptions,
    /// Bytes of media that rows hold at once, about: the last file for each thread may go beyond.
    /// What rows themselves hold before their media are read may take a quarter of it.
    pub bytes_in_flight: usize,
    /// Whether a row with a key that no field takes fails. Otherwise such keys are counted.
    pub strict: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            decoders: std::thread::available_parallelism().map_or(2, usize::from),
            max_decoded_bytes: MAX_DECODED_BYTES,
            embed_batch: None,
            rows_per_request: 100,
            bytes_per_request: 16 << 20,
            writers: 2,
            linger: Duration::from_millis(200),
            give_up_after: Duration::from_secs(600),
            backoff: Duration::from_millis(250),
            media: MediaOptions::default(),
            bytes_in_flight: 256 << 20,
            strict: false,
        }
    }
}

/// Ends an ingestion early, with all that was begun brought to its end: for Ctrl-C.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Reads no more rows from here on.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was told to stop.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

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
    db: Arc<dyn Database>,
    embedders: Embedders,
    makers: Makers,
    options: Options,
    progress: Arc<Progress>,
    stop: Stop,
    existing: OnExisting,
    recheck: bool,
    ledger: Option<PathBuf>,
    name: Option<String>,
    mirror: Option<Mirror>,
    dialect: Dialect,
    letters: Option<DeadLetters>,
    listener: Option<Listener>,
}

impl std::fmt::Debug for Ingest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ingest").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Who fills which set.
#[derive(Clone, Default)]
struct Embedders {
    all: Option<Arc<dyn Embedder>>,
    by_set: HashMap<String, Arc<dyn Embedder>>,
}

impl Embedders {
    fn of(&self, set: &SetSpec) -> Option<&Arc<dyn Embedder>> {
        self.by_set.get(set.name).or(self.all.as_ref())
    }

    fn identity(&self, set: &SetSpec) -> Option<&EmbedderIdentity> {
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
                    "it has no name, by which its earlier runs would be known; give it one (`source_name`)"
                }
            };
            return Err(ErrorKind::NoMirror { why: why.to_owned() }.into());
        }
        let this = ThisRun::new(name, schema, self.existing);
        let ledger = self.ledger.take();
        let media = source.media_root();
        let header =
            Header::new(RowsAre::Model(Document::of(schema)), self.options.media.place(&media));
        let letters = self.letters.take().map(|letters| letters.open(header)).transpose()?;
        let mut run = Run::begin(self, this, media, upserts, size, letters);
        run.tell(schema.class, size);
        let context = run.context.clone();
        let embedder = |set: &SetSpec| context.embedders.identity(set);
        let ensured = ensure_in(context.dialect, &context.db, schema, embedder).await?;
        context.tally.notices(ensured.unclaimed.iter().map(|set| unclaimed_notice(set)));
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
            true => run.with_downloads(Wanted::Identities, rows),
            false => {
                let (direct, read) = bounded::<Item>(rows);
                (direct.into(), read)
            }
        };
        let (probed_tx, probed_rx) = run.with_downloads(Wanted::All, rows);
        run.workers.spawn_blocking({
            let context = context.clone();
            move || read_source(source, &context, &read_tx)
        });
        if identifies {
            read_rx = run.spawn_identify(&read_rx);
        }
        if update {
            let (changed_tx, changed_rx) = match makes {
                true => run.with_downloads(Wanted::All, rows),
                false => {
                    let (direct, changed) = bounded::<Item>(rows);
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

/// A run under way: what its stages share, and the stages.
struct Run {
    context: Arc<Context>,
    media: MediaReader,
    known: Known,
    workers: JoinSet<()>,
    started: Instant,
    /// Who tells of progress.
    telling: Option<AbortOnDrop>,
}

/// A task that lasts as long as this.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Run {
    fn begin(
        of: Ingest,
        run: ThisRun,
        media: MediaRoot,
        upserts: Option<upsert::Upserts>,
        size: Option<u64>,
        letters: Option<LetterBox>,
    ) -> Self {
        of.progress.begin(size);
        let media = MediaReader::new(media, of.options.media.clone());
        let waits = (of.options.give_up_after, of.options.backoff);
        let db = Patient::new(of.db, waits, of.stop.clone(), of.progress.clone());
        let (decoders, writers) = (of.options.decoders.max(1), of.options.writers.max(1));
        let stages = &of.progress.stages;
        for clock in [&stages.make, &stages.media, &stages.decode] {
            clock.threads(decoders);
        }
        stages.embed.threads(of.embedders.at_once());
        stages.write.threads(writers);
        let context = Context {
            db,
            embedders: of.embedders,
            makers: of.makers,
            tally: Arc::new(Tally::new(of.progress, letters, of.listener)),
            rows_gate: Gate::new(of.options.bytes_in_flight / 4),
            media_gate: Gate::new(of.options.bytes_in_flight),
            options: of.options,
            stop: of.stop,
            dialect: of.dialect,
            existing: of.existing,
            seen: of.mirror.map(Seen::new),
            recheck: AtomicBool::new(of.recheck),
            run,
            upserts,
            doubts: Mutex::default(),
            fatal: Mutex::new(None),
        };
        Self {
            context: Arc::new(context),
            known: Known::new(media.clone(), None),
            media,
            workers: JoinSet::new(),
            started: Instant::now(),
            telling: None,
        }
    }

    /// Tells who listens that it begins, and from then on what it is at.
    fn tell(&mut self, class: &str, source_bytes: Option<u64>) {
        let tally = &self.context.tally;
        if !tally.is_heard() {
            return;
        }
        tally.tell(&Event::Started { version: EVENTS_VERSION, source_bytes, class });
        let tally = tally.clone();
        self.telling = Some(AbortOnDrop(tokio::spawn(async move {
            let mut meter = Meter::default();
            let mut ticks = tokio::time::interval(Duration::from_secs(1));
            loop {
                ticks.tick().await;
                tally.tell(&Event::Progress(&meter.read(tally.progress())));
            }
        })));
    }

    fn spawn_identify(&mut self, from: &Receiver<Item>) -> Receiver<Item> {
        let decoders = self.context.options.decoders.max(1);
        let (identified_tx, identified_rx) = bounded::<Item>(decoders);
        for _ in 0..decoders {
            let (context, media) = (self.context.clone(), self.media.clone());
            let (rx, tx) = (from.clone(), identified_tx.clone());
            self.workers.spawn_blocking(move || identify::run(&context, &media, &rx, &tx));
        }
        identified_rx
    }

    /// The stage that models with makers need.
    fn spawn_makers(&mut self, from: Receiver<Item>) -> Receiver<Item> {
        // Makers have read pictures.
        let (made_tx, made_rx) = bounded::<Item>(self.context.batches_ahead());
        for _ in 0..self.context.options.decoders.max(1) {
            let (context, media) = (self.context.clone(), self.media.clone());
            let (rx, tx) = (from.clone(), made_tx.clone());
            self.workers.spawn_blocking(move || make::run(&context, &media, &rx, &tx));
        }
        // Only the workers hold it, so that it closes when they are gone.
        drop(from);
        made_rx
    }

    /// From objects whose children are still to be made to the database.
    fn spawn_makers_to_writers(&mut self, from: Receiver<Item>) {
        let made = self.spawn_makers(from);
        let (asked_tx, asked_rx) = self.with_downloads(Wanted::All, self.context.batches_ahead());
        self.workers.spawn(probe::run(self.context.clone(), made, asked_tx, Asked::Again));
        self.spawn_to_writers(asked_rx);
    }

    /// From what is known and made to the database.
    fn spawn_to_writers(&mut self, from: Receiver<Item>) {
        let options = &self.context.options;
        let (prepared_tx, prepared_rx) = bounded::<Item>(self.context.batches_ahead());
        let (ready_tx, ready_rx) = bounded::<Item>(options.rows_per_request);
        for _ in 0..options.decoders.max(1) {
            let (context, media) = (self.context.clone(), self.media.clone());
            let (rx, tx, known) = (from.clone(), prepared_tx.clone(), self.known.clone());
            self.workers.spawn_blocking(move || prepare::run(&context, &media, &known, &rx, &tx));
        }
        drop((from, prepared_tx));
        embed::spawn(&mut self.workers, &self.context, prepared_rx, &ready_tx);
        // Only its workers hold it, so that it closes when they are gone.
        drop(ready_tx);
        for _ in 0..options.writers.max(1) {
            self.workers.spawn(write::run(self.context.clone(), ready_rx.clone()));
        }
    }

    /// Waits until all stages have come to their end.
    async fn end(mut self) -> Report {
        while let Some(ended) = self.workers.join_next().await {
            if let Err(e) = ended {
                // A worker that panicked has closed its channels, so the others come to an end too.
                self.context.fail(ErrorKind::Worker(e.to_string()).into());
            }
        }
        enrich::settle(&self.context).await;
        self.known.flush();
        let context = &self.context;
        let broken_off = context.take_fatal();
        let stopped = context.stop.is_stopped();
        if let Some(mut telling) = self.telling.take() {
            telling.0.abort();
            // So that nothing is told after the end.
            let _ = (&mut telling.0).await;
        }
        let mut report = context.tally.report(self.started.elapsed(), stopped, broken_off);
        if let Some(seen) = &context.seen {
            let mirrored = match report.is_whole() {
                true => context.run.mirror(context, seen).await,
                false => Err("the source was not read to its end".to_owned()),
            };
            match mirrored {
                Ok(mirrored) => report.mirror = Some(mirrored),
                Err(why) => report.notices.push(format!(
                    "what left the source was not looked for, and nothing was deleted: {why}"
                )),
            }
        }
        if context.run.has_begun() {
            report.run = Some(context.run.id.to_string());
            // Of a run that was broken off the database is gone, or will not miss this.
            if report.broken_off.is_none()
                && let Err(e) = context.run.finish(&context.db, context.dialect, &report).await
            {
                let id = &context.run.id;
                report.notices.push(format!("the end of the run {id} could not be noted: {e}"));
            }
        }
        context.tally.tell(&Event::Finished { exit_code: report.exit_code(), report: &report });
        report
    }
}

/// What all stages share.
struct Context {
    db: Patient,
    embedders: Embedders,
    makers: Makers,
    tally: Arc<Tally>,
    /// Before a row goes on from its source.
    rows_gate: Gate,
    /// Before its media are read.
    media_gate: Gate,
    options: Options,
    stop: Stop,
    dialect: Dialect,
    existing: OnExisting,
    /// Whether notes of rows are passed over.
    recheck: AtomicBool,
    run: ThisRun,
    /// The rows that were there, where what is no longer there is to go.
    seen: Option<Seen>,
    /// Where rows that exist become what the source says.
    upserts: Option<upsert::Upserts>,
    /// Stored objects of which the database said that what they lacked was there.
    doubts: Mutex<Vec<enrich::Doubt>>,
    /// What broke the whole run off, if anything did; the first counts.
    fatal: Mutex<Option<Error>>,
}

impl Context {
    fn set_recheck(&self, recheck: bool) {
        self.recheck.fetch_or(recheck, Ordering::Relaxed);
    }

    /// A ledger that can't be had costs time alone.
    fn open_ledger(&self, path: &Path) -> Option<Ledger> {
        let opened = Ledger::open(path);
        if let Err(e) = &opened {
            self.tally.notices([format!("{e}; this run does without it")]);
        }
        opened.ok()
    }

    fn rechecks(&self) -> bool {
        self.recheck.load(Ordering::Relaxed)
    }

    fn fail(&self, error: Error) {
        lock(&self.fatal).get_or_insert(error);
    }

    /// Gives up on the database; the answer is the reason for the rows at hand.
    fn break_off(&self, error: DbError) -> String {
        let reason = format!("not written: {error}");
        self.fail(ErrorKind::Database(error).into());
        reason
    }

    /// Ends rows whose request got no answer, and could not be tried on its own.
    fn not_answered(&self, rows: impl IntoIterator<Item = Row>, stage: Stage, why: Unanswered) {
        let reason = match why {
            Unanswered::Stopped => {
                return rows.into_iter().for_each(|_| self.tally.put_back());
            }
            Unanswered::Away(e) | Unanswered::Alone(e) | Unanswered::InDoubt(e) => {
                self.break_off(e)
            }
        };
        for row in rows {
            self.tally.failed(row, stage, reason.as_str());
        }
    }

    /// The same for what came of asking by way of [`Database::execute`].
    fn not_asked(&self, rows: impl IntoIterator<Item = Row>, stage: Stage, e: DbError) {
        let why = match self.stop.is_stopped() && e.is_transient() {
            true => Unanswered::Stopped,
            false => Unanswered::Away(e),
        };
        self.not_answered(rows, stage, why);
    }

    /// How many items with pictures wait between two stages: a batch for each session that computes,
    /// to be ready when it is done.
    fn batches_ahead(&self) -> usize {
        let batch = self.options.embed_batch.unwrap_or_else(|| self.embedders.largest_batch());
        batch.max(1) * self.embedders.at_once()
    }

    fn take_fatal(&self) -> Option<Error> {
        lock(&self.fatal).take()
    }

    /// Whether no more rows are to be read.
    fn is_over(&self) -> bool {
        self.stop.is_stopped() || self.is_broken().is_some()
    }

    /// Why nothing more can be written, for the rows that are still under way.
    fn is_broken(&self) -> Option<String> {
        lock(&self.fatal).as_ref().map(|e| format!("not written: {e}"))
    }
}

/// A poisoned lock means that another worker panicked while it held the lock; what it guards are
/// plain counts and messages, and the panic itself is reported.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A row on its way.
struct Item {
    row: Row,
    graph: Graph,
    /// Whether the probe found its root.
    existed: bool,
    /// How what exists differs from the row, if it does.
    difference: Option<String>,
    /// What the database has of it, where it is upserted.
    known: Option<Box<upsert::Known>>,
    /// Of which stored object it is, where that is to be made up for what it lacks.
    lacking: Option<Box<enrich::Lacking>>,
    /// What was read of it so far.
    media: MediaCache,
    /// What downloads hold of their budgets, until the row is written.
    #[cfg(feature = "http")]
    downloads: Vec<crate::media::budget::Held>,
    jobs: Vec<Job>,
    /// Descriptors that there is nothing to make from.
    left_out: Vec<NodeId>,
    /// Bytes of the row itself.
    _held: Option<Held>,
    /// Bytes of its media, once it has passed the gate to them.
    held_media: Option<Held>,
    /// The hash of the row, if it is one.
    row_hash: Option<u128>,
    /// The files that it names.
    files: Files,
    /// Stamps of files that were read, by origin.
    stamps: HashMap<String, (PathBuf, Stamp)>,
    /// What the database notes of the row, if that can be believed.
    stored_note: Option<RowNote>,
    /// Whether there is nothing to do.
    unchanged: bool,
    /// Its turn among rows of its identity, where rows are upserted.
    turn: Option<upsert::Turn>,
}

impl Item {
    fn new(row: Row, graph: Graph) -> Self {
        Self {
            row,
            graph,
            existed: false,
            difference: None,
            known: None,
            lacking: None,
            media: MediaCache::default(),
            #[cfg(feature = "http")]
            downloads: Vec::new(),
            jobs: Vec::new(),
            left_out: Vec::new(),
            _held: None,
            held_media: None,
            row_hash: None,
            files: Files::default(),
            stamps: HashMap::new(),
            stored_note: None,
            unchanged: false,
            turn: None,
        }
    }

    /// One of a row of the source, with what is to be noted of it.
    fn of_row(row: Row, graph: Graph, context: &Context) -> Self {
        let hash = graph.row_hash(|set| context.embedders.identity(set));
        let files = Files::of(&graph);
        let mut item = Self { row_hash: Some(hash), files, ..Self::new(row, graph) };
        // So that the probe asks for it; what is written is noted when the files have been read.
        let run = context.run.id.to_string();
        let note = RowNote { row: hash, media: None, without: 0, run };
        item.graph.note_row(note.to_string());
        item
    }

    /// Counts bytes of its media.
    fn hold_media(&mut self, bytes: usize) {
        if let Some(held) = &mut self.held_media {
            held.add(bytes);
        }
    }
}

/// A vector to be made, and where it belongs.
struct Job<P = NodeId> {
    node: P,
    set: SetSpec,
    input: JobInput,
}

enum JobInput {
    Image(PreparedImage),
    Text(String),
}

fn read_source<S: Source>(source: S, context: &Context, to: &Outlet) {
    let tally = &context.tally;
    // What it spends on waiting for the stages behind it does not count.
    let mut since = Instant::now();
    let mut broke = false;
    let result = source.read(&mut |row: SourceRow<S::Row>, bytes| {
        let SourceRow { at, value, ignored, identity, raw, media } = row;
        let Some(value) = value.transpose() else {
            tally.row_left_out(bytes);
            tally.stages.read.add(since.elapsed());
            since = Instant::now();
            broke = context.is_over();
            return if broke { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        };
        tally.row_read(bytes);
        let builder = GraphBuilder::for_row(identity);
        let row = Row { at, raw, identity, spent: Duration::ZERO };
        let graph = value.map_err(Reason::from).and_then(|value| {
            let graph = value.graph_in(builder)?;
            // Of a row that can't be read, not all keys may have been seen.
            tally.ignored(&ignored);
            match ignored.first() {
                Some(key) if context.options.strict => Err(format!(
                    "no field takes the key `{key}`; take it away, or ingest without `strict`"
                )
                .into()),
                _ => Ok(graph),
            }
        });
        tally.stages.read.add(since.elapsed());
        let go = match graph {
            Err(reason) => {
                context.seen.iter().for_each(Seen::unknown);
                tally.failed(row, Stage::Read, reason);
                ControlFlow::Continue(())
            }
            Ok(graph) => {
                context.seen.iter().for_each(|seen| seen.row(&graph));
                context.rows_gate.pass();
                let media = MediaCache(media.into_iter().collect());
                let bytes = row.raw.len() + graph.blob_bytes() + media.bytes();
                let held = context.rows_gate.hold(bytes);
                let item = Item { _held: Some(held), media, ..Item::of_row(row, graph, context) };
                match to.send_blocking(item) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(unsent) => {
                        tally.lost(unsent.0.row, Stage::Read);
                        ControlFlow::Break(())
                    }
                }
            }
        };
        if let Some(e) = tally.letters_error() {
            context.fail(e);
        }
        since = Instant::now();
        broke = go.is_break() || context.is_over();
        if broke { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match result {
        Err(e) => tally.source_broke(e),
        Ok(()) if !broke => tally.source_ended(),
        Ok(()) => {}
    }
}

/// Takes what is there, at least one, at most `most`; waits up to `linger` for more unless
/// `enough`. Nothing means that no more will come.
async fn gather<I>(
    from: &Receiver<I>,
    linger: Duration,
    mut enough: impl FnMut(&[I]) -> bool,
) -> Option<Vec<I>> {
    let mut items = vec![from.recv().await.ok()?];
    let deadline = tokio::time::Instant::now() + linger;
    while !enough(&items) {
        match tokio::time::timeout_at(deadline, from.recv()).await {
            Ok(Ok(item)) => items.push(item),
            _ => break,
        }
    }
    Some(items)
}
