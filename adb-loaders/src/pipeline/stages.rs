//! A run under way: its stages, how they are joined, and how they end.

use std::{
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use super::{
    Context, EVENTS_VERSION, Event, Ingest, Item, Known, Meter, Report, Wanted,
    belt::{Batch, Receiver, Sender, belt, belt_of, with_batches},
    budget::Gate,
    embed, enrich, identify, make,
    mirror::Seen,
    prepare::{self, Prepared},
    probe::{self, Asked},
    run::ThisRun,
    tally::Tally,
    upsert, write,
};
use crate::{ErrorKind, MediaReader, MediaRoot, letters::LetterBox, retry::Patient};

/// A run under way: what its stages share, and the stages.
pub(super) struct Run {
    pub(super) context: Arc<Context>,
    pub(super) media: MediaReader,
    pub(super) known: Known,
    pub(super) workers: JoinSet<()>,
    pub(super) started: Instant,
    /// Who tells of progress.
    pub(super) telling: Option<AbortOnDrop>,
}

/// A task that lasts as long as this.
pub(super) struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Run {
    pub(super) fn begin(
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
            broken: AtomicBool::new(false),
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
    pub(super) fn tell(&mut self, class: &str, source_bytes: Option<u64>) {
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

    /// Rows that are looked up together.
    pub(super) fn look_up_batch<I>(&self) -> Batch<I> {
        Batch::of_rows(self.context.options.rows_per_request)
    }

    /// The way of rows that want vectors.
    pub(super) fn belt_to_embed<I>(&self) -> (Sender<I>, Receiver<I>) {
        let batch = Batch::of_rows(self.context.embed_batch());
        with_batches(self.context.batches_ahead(), batch)
    }

    /// Rows that are written together; `bytes` answers those of a row's blobs.
    pub(super) fn request<I>(&self, bytes: fn(&I) -> usize) -> Batch<I> {
        self.look_up_batch().or_bytes(self.context.options.bytes_per_request, bytes)
    }

    pub(super) fn spawn_identify(&mut self, from: &Receiver<Item>) -> Receiver<Item> {
        let decoders = self.context.options.decoders.max(1);
        let (identified_tx, identified_rx) = belt_of(self.look_up_batch());
        for _ in 0..decoders {
            let (context, media) = (self.context.clone(), self.media.clone());
            let (rx, tx) = (from.clone(), identified_tx.clone());
            self.workers.spawn_blocking(move || identify::run(&context, &media, &rx, &tx));
        }
        identified_rx
    }

    /// The stage that models with makers need.
    pub(super) fn spawn_makers(&mut self, from: Receiver<Item>) -> Receiver<Item> {
        let (made_tx, made_rx) = belt_of(self.look_up_batch());
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
    pub(super) fn spawn_makers_to_writers(&mut self, from: Receiver<Item>) {
        let made = self.spawn_makers(from);
        let asked = belt(self.context.batches_ahead());
        let (asked_tx, asked_rx) = self.with_downloads(Wanted::All, asked);
        self.workers.spawn(probe::run(self.context.clone(), made, asked_tx, Asked::Again));
        self.spawn_to_writers(asked_rx);
    }

    /// From what is known and made to the database.
    pub(super) fn spawn_to_writers(&mut self, from: Receiver<Item>) {
        let decoders = self.context.options.decoders.max(1);
        let (embed_tx, embed_rx) = self.belt_to_embed();
        let (ready_tx, ready_rx) = belt_of(self.request(|item: &Item| item.graph.blob_bytes()));
        let prepared = Prepared { embed: embed_tx, write: ready_tx.clone() };
        for _ in 0..decoders {
            let (context, media) = (self.context.clone(), self.media.clone());
            let (rx, tx, known) = (from.clone(), prepared.clone(), self.known.clone());
            self.workers.spawn_blocking(move || prepare::run(&context, &media, &known, &rx, &tx));
        }
        drop((from, prepared));
        embed::spawn(&mut self.workers, &self.context, embed_rx, &ready_tx);
        // Only its workers hold it, so that it closes when they are gone.
        drop(ready_tx);
        for _ in 0..self.context.options.writers.max(1) {
            self.workers.spawn(write::run(self.context.clone(), ready_rx.clone()));
        }
    }

    /// Waits until all stages have come to their end.
    pub(super) async fn end(mut self) -> Report {
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
        // Of a run that was broken off the database is gone, or will not miss this.
        let noted = match report.broken_off {
            None => context.note_end(&report).await,
            Some(_) => Ok(context.run.has_begun()),
        };
        let id = &context.run.id;
        match noted {
            Ok(true) => report.run = Some(id.to_string()),
            Ok(false) => {}
            Err(e) => {
                report.run = context.run.has_begun().then(|| id.to_string());
                report.notices.push(format!("the end of the run {id} could not be noted: {e}"));
            }
        }
        context.tally.tell(&Event::Finished { exit_code: report.exit_code(), report: &report });
        report
    }
}
