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
//! Belts between the stages are bounded by rows, and what rows hold by bytes, so memory does not
//! grow with the source. Every row that is read ends as exactly one of added, existed, updated,
//! failed; one that is not begun when the run is told to stop counts as not read.

mod belt;
mod budget;
mod commands;
mod context;
mod dry;
mod embed;
mod enrich;
mod event;
mod existing;
mod failure;
mod fetch;
mod identify;
mod ingest;
mod item;
mod make;
mod mirror;
mod options;
mod prepare;
mod probe;
mod progress;
mod read;
mod reembed;
mod report;
mod run;
mod stages;
mod tally;
mod unchanged;
mod upsert;
mod work;
mod write;

use std::sync::Mutex;

pub use dry::{DryRow, dry_run};
pub use event::{EVENTS_VERSION, Event};
pub use existing::OnExisting;
pub use failure::{FailureGroup, RowFailure, Stage};
pub use ingest::Ingest;
pub use mirror::{Mirror, Mirrored};
pub use options::{Options, Stop};
pub use progress::{Meter, Outage, Progress, Snapshot};
pub use reembed::Reembed;
pub use report::{Report, SlowRow, Stages};
pub use tally::REPORTED;

use budget::{Gate, Held};
use context::Context;
use fetch::{Outlet, Wanted};
use ingest::Embedders;
use item::{Item, Job, JobInput};
use stages::Run;
use tally::Row;
use unchanged::Known;

/// A poisoned lock means that another worker panicked while it held the lock; what it guards are
/// plain counts and messages, and the panic itself is reported.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
