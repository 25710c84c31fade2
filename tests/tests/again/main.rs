//! Ingestion that is run again: over the same source, over a changed one, after a kill, after the
//! database was lost; and runs that are taken back.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod kills;
mod mirror;
mod model;
mod unchanged;
mod undo;
