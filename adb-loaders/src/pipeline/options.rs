//! How the pipeline runs, and what ends it early.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{MediaOptions, embedders::MAX_DECODED_BYTES};

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
