//! What all stages of a run share.

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use adb_model::{DbError, Dialect};

use super::{
    Embedders, OnExisting, Options, Report, Stop,
    budget::Gate,
    enrich,
    failure::Stage,
    lock,
    mirror::Seen,
    run::ThisRun,
    tally::{Row, Tally},
    upsert,
};
use crate::{
    Error, ErrorKind,
    ledger::Ledger,
    makers::Makers,
    retry::{Patient, Unanswered},
};

/// What all stages share.
pub(super) struct Context {
    pub(super) db: Patient,
    pub(super) embedders: Embedders,
    pub(super) makers: Makers,
    pub(super) tally: Arc<Tally>,
    /// Before a row goes on from its source.
    pub(super) rows_gate: Gate,
    /// Before its media are read.
    pub(super) media_gate: Gate,
    pub(super) options: Options,
    pub(super) stop: Stop,
    pub(super) dialect: Dialect,
    pub(super) existing: OnExisting,
    /// Whether notes of rows are passed over.
    pub(super) recheck: AtomicBool,
    pub(super) run: ThisRun,
    /// The rows that were there, where what is no longer there is to go.
    pub(super) seen: Option<Seen>,
    /// Where rows that exist become what the source says.
    pub(super) upserts: Option<upsert::Upserts>,
    /// Stored objects of which the database said that what they lacked was there.
    pub(super) doubts: Mutex<Vec<enrich::Doubt>>,
    /// What broke the whole run off, if anything did; the first counts.
    pub(super) fatal: Mutex<Option<Error>>,
    /// Whether anything did: each stage looks at it for each row.
    pub(super) broken: AtomicBool,
}

impl Context {
    pub(super) fn set_recheck(&self, recheck: bool) {
        self.recheck.fetch_or(recheck, Ordering::Relaxed);
    }

    /// Notes in the database how the run came out; answers whether it knows of the run.
    pub(super) async fn note_end(&self, report: &Report) -> Result<bool, DbError> {
        if self.run.forget(&self.db, self.dialect, report).await? || !self.run.has_begun() {
            return Ok(false);
        }
        self.run.finish(&self.db, self.dialect, report).await.map(|()| true)
    }

    /// A ledger that can't be had costs time alone.
    pub(super) fn open_ledger(&self, path: &Path) -> Option<Ledger> {
        let opened = Ledger::open(path);
        if let Err(e) = &opened {
            self.tally.notices([format!("{e}; this run does without it")]);
        }
        opened.ok()
    }

    pub(super) fn rechecks(&self) -> bool {
        self.recheck.load(Ordering::Relaxed)
    }

    pub(super) fn fail(&self, error: Error) {
        lock(&self.fatal).get_or_insert(error);
        self.broken.store(true, Ordering::Release);
    }

    /// Gives up on the database; the answer is the reason for the rows at hand.
    pub(super) fn break_off(&self, error: DbError) -> String {
        let reason = format!("not written: {error}");
        self.fail(ErrorKind::Database(error).into());
        reason
    }

    /// Ends rows whose request got no answer, and could not be tried on its own.
    pub(super) fn not_answered(
        &self,
        rows: impl IntoIterator<Item = Row>,
        stage: Stage,
        why: Unanswered,
    ) {
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
    pub(super) fn not_asked(&self, rows: impl IntoIterator<Item = Row>, stage: Stage, e: DbError) {
        let why = match self.stop.is_stopped() && e.is_transient() {
            true => Unanswered::Stopped,
            false => Unanswered::Away(e),
        };
        self.not_answered(rows, stage, why);
    }

    /// How many items with pictures wait between two stages: a batch for each session that computes,
    /// to be ready when it is done.
    pub(super) fn batches_ahead(&self) -> usize {
        self.embed_batch() * self.embedders.at_once()
    }

    /// How many of them are embedded together, at most.
    pub(super) fn embed_batch(&self) -> usize {
        self.options.embed_batch.unwrap_or_else(|| self.embedders.largest_batch()).max(1)
    }

    pub(super) fn take_fatal(&self) -> Option<Error> {
        lock(&self.fatal).take()
    }

    /// Whether no more rows are to be read.
    pub(super) fn is_over(&self) -> bool {
        self.stop.is_stopped() || self.broken.load(Ordering::Acquire)
    }

    /// Why nothing more can be written, for the rows that are still under way.
    pub(super) fn is_broken(&self) -> Option<String> {
        if !self.broken.load(Ordering::Acquire) {
            return None;
        }
        lock(&self.fatal).as_ref().map(|e| format!("not written: {e}"))
    }
}
