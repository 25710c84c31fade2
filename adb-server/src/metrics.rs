//! What a server counts, in Prometheus' text form.

use std::{
    fmt::Write as _,
    future::Future,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Instant,
};

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As asked.
    Done,
    /// The database, or a rule of accounts, refused it.
    Refused,
    /// Without a good session.
    Unauthenticated,
    /// The database gave no answer.
    Failed,
    /// The database was not reached; nothing was done.
    Unavailable,
}

impl Outcome {
    const NAMES: [&str; 5] = ["done", "refused", "unauthenticated", "failed", "unavailable"];
}

/// Upper ends of the buckets of durations, in microseconds.
const BUCKETS: [u64; 10] =
    [250, 1_000, 2_500, 10_000, 25_000, 100_000, 250_000, 1_000_000, 2_500_000, 10_000_000];

/// The counters.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    connections: AtomicU64,
    connections_open: AtomicU64,
    requests: [AtomicU64; Outcome::NAMES.len()],
    requests_running: AtomicU64,
    failed_logins: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    durations: [AtomicU64; BUCKETS.len() + 1],
    duration: AtomicU64,
}

/// Counts something as going on for as long as it lives.
pub(crate) struct Going<'a>(&'a AtomicU64);

impl<'a> Going<'a> {
    fn new(gauge: &'a AtomicU64) -> Self {
        gauge.fetch_add(1, Relaxed);
        Self(gauge)
    }
}

impl Drop for Going<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Metrics {
    /// Counts a connection; it is open for as long as the answer lives.
    pub(crate) fn connected(&self) -> Going<'_> {
        self.connections.fetch_add(1, Relaxed);
        Going::new(&self.connections_open)
    }

    pub(crate) fn answered(&self, outcome: Outcome) {
        self.requests[outcome as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn login_failed(&self) {
        self.failed_logins.fetch_add(1, Relaxed);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Relaxed);
    }

    /// Takes the time of a request.
    pub(crate) async fn timed<T>(&self, work: impl Future<Output = T>) -> T {
        let _running = Going::new(&self.requests_running);
        let start = Instant::now();
        let result = work.await;
        let took = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.iter().position(|&end| took <= end).unwrap_or(BUCKETS.len());
        self.durations[bucket].fetch_add(1, Relaxed);
        self.duration.fetch_add(took, Relaxed);
        result
    }

    /// All counters as text.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        let get = |counter: &AtomicU64| counter.load(Relaxed);
        head(&mut out, "adb_requests_total", "counter", "Requests by how they ended.");
        for (name, counter) in Outcome::NAMES.iter().zip(&self.requests) {
            line(&mut out, &format!("adb_requests_total{{outcome=\"{name}\"}}"), get(counter));
        }
        let single = [
            ("adb_requests_running", "gauge", "Requests at work.", &self.requests_running),
            ("adb_connections_total", "counter", "Connections accepted.", &self.connections),
            ("adb_connections_open", "gauge", "Connections open.", &self.connections_open),
            ("adb_failed_logins_total", "counter", "Logins refused.", &self.failed_logins),
            ("adb_received_bytes_total", "counter", "Bytes of requests.", &self.received),
            ("adb_sent_bytes_total", "counter", "Bytes of answers.", &self.sent),
        ];
        for (name, kind, help, counter) in single {
            head(&mut out, name, kind, help);
            line(&mut out, name, get(counter));
        }
        let name = "adb_request_duration_seconds";
        head(&mut out, name, "histogram", "From a request's last byte to its answer.");
        let mut total = 0;
        for (end, counter) in BUCKETS.iter().zip(&self.durations) {
            total += get(counter);
            let end = *end as f64 / 1e6;
            line(&mut out, &format!("{name}_bucket{{le=\"{end}\"}}"), total);
        }
        total += get(&self.durations[BUCKETS.len()]);
        line(&mut out, &format!("{name}_bucket{{le=\"+Inf\"}}"), total);
        // Writing to a String can't fail.
        let _ = writeln!(out, "{name}_sum {}", get(&self.duration) as f64 / 1e6);
        line(&mut out, &format!("{name}_count"), total);
        out
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
}

fn line(out: &mut String, name: &str, value: u64) {
    let _ = writeln!(out, "{name} {value}");
}
