//! What can be seen of a run while it runs.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{failure::Stage, lock};

/// Counts that can be read from another thread while an ingestion runs.
#[derive(Debug, Default)]
pub struct Progress {
    source_size: AtomicU64,
    pub(super) source_read: AtomicU64,
    pub(super) rows: AtomicU64,
    pub(super) left_out: AtomicU64,
    pub(super) made: AtomicU64,
    pub(super) without_face: AtomicU64,
    pub(super) embedded: AtomicU64,
    pub(super) added: AtomicU64,
    pub(super) existed: AtomicU64,
    pub(super) updated: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) stages: Arc<StageClocks>,
    /// Whether there is an outage: looked at far more often than that changes.
    is_away: AtomicBool,
    outage: Mutex<Option<(Instant, String)>>,
}

macro_rules! readable {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> u64 {
            self.$name.load(Ordering::Relaxed)
        }
    )*};
}

impl Progress {
    readable! {
        /// The source's size in bytes, or the stored objects that are looked at; 0 when unknown.
        source_size;
        /// Bytes of the source, or objects, read so far.
        source_read;
        /// Rows read, or stored objects looked at.
        rows;
        /// Rows that a transform left out; they are not among those read.
        left_out;
        /// Children made.
        made;
        /// Photos without a face that did not fail.
        without_face;
        /// Vectors made.
        embedded;
        /// Rows added.
        added;
        /// Rows that were there already.
        existed;
        /// Rows that were there, and are otherwise now.
        updated;
        /// Rows that failed.
        failed;
    }

    /// Rows that have come to their end.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.added() + self.existed() + self.updated() + self.failed()
    }

    /// Since when the database gives no answer, and what it was that went wrong.
    #[must_use]
    pub fn outage(&self) -> Option<Outage> {
        if !self.is_away.load(Ordering::Relaxed) {
            return None;
        }
        let outage = lock(&self.outage);
        let (since, reason) = outage.as_ref()?;
        Some(Outage { time: since.elapsed(), reason: reason.clone() })
    }

    pub(super) fn begin(&self, size: Option<u64>) {
        self.source_size.store(size.unwrap_or(0), Ordering::Relaxed);
    }

    pub(crate) fn database_is_away(&self, reason: &dyn fmt::Display) {
        lock(&self.outage).get_or_insert_with(|| (Instant::now(), reason.to_string()));
        self.is_away.store(true, Ordering::Relaxed);
    }

    pub(crate) fn database_is_back(&self) {
        if self.is_away.swap(false, Ordering::Relaxed) {
            *lock(&self.outage) = None;
        }
    }

    /// How much of the source has come to its end, from 0 to 1; nothing where its size is unknown.
    fn share(&self) -> Option<f64> {
        let (size, rows) = (self.source_size(), self.rows());
        // The source's bytes say how far it is; rows in flight are not finished yet.
        let read = self.source_read() as f64 / size as f64;
        let done = self.finished() as f64 / rows.max(1) as f64;
        (size > 0).then(|| (read * done).clamp(0.0, 1.0))
    }
}

/// A database that gives no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Outage {
    /// For how long.
    #[serde(rename = "seconds", serialize_with = "super::report::seconds")]
    pub time: Duration,
    /// What went wrong at first.
    pub reason: String,
}

/// Time spent in each stage, summed over its threads.
#[derive(Debug, Default)]
pub(super) struct StageClocks {
    pub(super) read: Clock,
    pub(super) look_up: Clock,
    pub(super) make: Clock,
    pub(super) media: Clock,
    pub(super) decode: Clock,
    pub(super) embed: Clock,
    pub(super) write: Clock,
}

impl StageClocks {
    pub(super) fn of(&self, stage: Stage) -> &Clock {
        match stage {
            Stage::Read => &self.read,
            Stage::LookUp => &self.look_up,
            Stage::Make => &self.make,
            Stage::Media => &self.media,
            Stage::Decode => &self.decode,
            Stage::Embed => &self.embed,
            Stage::Write => &self.write,
        }
    }
}

/// The time that some threads or tasks spent on one thing.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// Spent, in microseconds.
    spent: AtomicU64,
    /// How many are at it just now, and the sum of the times at which they began.
    running: Mutex<(u64, Duration)>,
    /// How many can be at it at once; 0 stands for one.
    threads: AtomicU64,
}

impl Clock {
    pub(super) fn add(&self, time: Duration) {
        self.spent
            .fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Counts until the answer is dropped. For what takes long: that is seen while it lasts.
    pub(super) fn run(&self) -> Running<'_> {
        let began = since_start();
        let mut running = lock(&self.running);
        running.0 += 1;
        running.1 += began;
        Running { clock: self, began }
    }

    pub(super) fn threads(&self, threads: usize) {
        self.threads.store(threads as u64, Ordering::Relaxed);
    }

    /// Spent so far.
    pub(super) fn get(&self) -> Duration {
        let spent = Duration::from_micros(self.spent.load(Ordering::Relaxed));
        let (running, began) = *lock(&self.running);
        let now = since_start() * u32::try_from(running).unwrap_or(0);
        spent + now.saturating_sub(began)
    }

    fn at_once(&self) -> f64 {
        self.threads.load(Ordering::Relaxed).max(1) as f64
    }
}

/// Since something that came before any clock ran.
fn since_start() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// Ends in [`Clock`].
pub(super) struct Running<'a> {
    clock: &'a Clock,
    began: Duration,
}

impl Running<'_> {
    /// How long by now.
    pub(super) fn time(&self) -> Duration {
        since_start().saturating_sub(self.began)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        {
            let mut running = lock(&self.clock.running);
            running.0 -= 1;
            running.1 = running.1.saturating_sub(self.began);
        }
        self.clock.add(self.time());
    }
}

/// What a run is at, at one moment. Its form as JSON is that of the event `progress`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// Rows read.
    pub rows: u64,
    /// Rows that have come to their end.
    pub finished: u64,
    /// Rows added.
    pub added: u64,
    /// Rows that were there already.
    pub existed: u64,
    /// Rows that were there, and are otherwise now.
    pub updated: u64,
    /// Rows that failed.
    pub failed: u64,
    /// Vectors made.
    pub embedded: u64,
    /// Rows that came to their end in a second, of late.
    pub rows_per_second: f64,
    /// How much of the source has come to its end, from 0 to 1, where its size is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// How long it will go on if it goes on so, in seconds, where that can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<f64>,
    /// The stage whose threads were the busiest of late: what the others wait for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bottleneck: Option<Stage>,
    /// A database that gives no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outage: Option<Outage>,
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(outage) = &self.outage {
            write!(
                f,
                "waiting for the database, {} by now: {}; ",
                Spoken(outage.time),
                outage.reason
            )?;
        }
        write!(
            f,
            "{} rows: {} added, {} existed, {} updated, {} failed; {} vectors; {:.1} rows/s",
            self.finished,
            self.added,
            self.existed,
            self.updated,
            self.failed,
            self.embedded,
            self.rows_per_second,
        )?;
        if let Some(left) = self.seconds_left.and_then(|s| Duration::try_from_secs_f64(s).ok()) {
            write!(f, ", {} left", Spoken(left))?;
        }
        match self.bottleneck {
            Some(stage) if self.outage.is_none() => write!(f, "; bottleneck: {stage}"),
            _ => Ok(()),
        }
    }
}

/// `45 s`, `3 min`, `2 h 5 min`.
struct Spoken(Duration);

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            s @ ..90 => write!(f, "{s} s"),
            s @ ..5400 => write!(f, "{} min", (s + 30) / 60),
            s => write!(f, "{} h {} min", s / 3600, s % 3600 / 60),
        }
    }
}

/// How far back "of late" is.
const OF_LATE: Duration = Duration::from_secs(10);

/// Turns counts into rates: asked again and again, it says what changed of late.
#[derive(Debug, Default)]
pub struct Meter {
    samples: VecDeque<Sample>,
}

#[derive(Debug)]
struct Sample {
    at: Instant,
    finished: u64,
    share: Option<f64>,
    spent: [Duration; Stage::ALL.len()],
}

impl Meter {
    /// What a run is at.
    pub fn read(&mut self, progress: &Progress) -> Snapshot {
        self.read_at(progress, Instant::now())
    }

    fn read_at(&mut self, progress: &Progress, at: Instant) -> Snapshot {
        let now = Sample {
            at,
            finished: progress.finished(),
            share: progress.share(),
            spent: Stage::ALL.map(|stage| progress.stages.of(stage).get()),
        };
        // The last one that is old enough stays, as what to compare with.
        while self.samples.get(1).is_some_and(|s| at.duration_since(s.at) >= OF_LATE) {
            self.samples.pop_front();
        }
        let then = self.samples.front().unwrap_or(&now);
        let seconds = at.duration_since(then.at).as_secs_f64();
        let per_second = |n: f64| if seconds > 0.0 { n / seconds } else { 0.0 };
        let seconds_left = now.share.zip(then.share).and_then(|(now, then)| {
            let rate = per_second(now - then);
            (rate > 0.0).then(|| (1.0 - now) / rate)
        });
        let busy = Stage::ALL.iter().zip(now.spent.iter().zip(&then.spent)).map(
            |(&stage, (now, then))| {
                let busy = per_second(now.saturating_sub(*then).as_secs_f64());
                (stage, busy / progress.stages.of(stage).at_once())
            },
        );
        let snapshot = Snapshot {
            rows: progress.rows(),
            finished: now.finished,
            added: progress.added(),
            existed: progress.existed(),
            updated: progress.updated(),
            failed: progress.failed(),
            embedded: progress.embedded(),
            rows_per_second: per_second(now.finished.saturating_sub(then.finished) as f64),
            share: now.share,
            seconds_left,
            bottleneck: busy
                .filter(|(_, busy)| *busy > 0.0)
                .max_by(|(_, a), (_, b)| a.total_cmp(b))
                .map(|(stage, _)| stage),
            outage: progress.outage(),
        };
        // Ten a second are plenty.
        let is_new = |s: &Sample| at.duration_since(s.at) >= Duration::from_millis(90);
        if self.samples.back().is_none_or(is_new) {
            self.samples.push_back(now);
        }
        snapshot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_late() {
        let progress = Progress::default();
        progress.begin(Some(1000));
        let mut meter = Meter::default();
        let start = Instant::now();
        assert_eq!(meter.read_at(&progress, start).rows_per_second, 0.0);
        // A hundred rows and a tenth of the source in each of ten seconds, then ten times slower.
        let mut rows = 0;
        for second in 1..=20 {
            let more = if second <= 10 { 50 } else { 5 };
            rows += more;
            for count in [&progress.rows, &progress.added, &progress.source_read] {
                count.store(rows, Ordering::Relaxed);
            }
            progress.stages.embed.add(Duration::from_millis(1900));
            progress.stages.decode.add(Duration::from_millis(2000));
            meter.read_at(&progress, start + Duration::from_secs(second));
        }
        progress.stages.embed.threads(2);
        progress.stages.decode.threads(4);
        let snapshot = meter.read_at(&progress, start + Duration::from_secs(20));
        assert_eq!(snapshot.rows_per_second, 5.0);
        // 450 of 1000 bytes are left, at five a second.
        assert!((snapshot.seconds_left.unwrap() - 90.0).abs() < 1e-6, "{snapshot:?}");
        assert_eq!(snapshot.bottleneck, Some(Stage::Embed), "two threads are busier than four");
        assert!(meter.samples.len() < 20);
        assert!(snapshot.to_string().ends_with(" left; bottleneck: embed"), "{snapshot}");
    }

    #[test]
    fn an_outage_is_told_until_it_is_over() {
        let progress = Progress::default();
        assert_eq!(progress.outage(), None);
        progress.database_is_away(&"connection refused");
        progress.database_is_away(&"another");
        let outage = progress.outage().unwrap();
        assert_eq!(outage.reason, "connection refused");
        let snapshot = Meter::default().read(&progress);
        assert!(snapshot.to_string().starts_with("waiting for the database, 0 s by now: "));
        progress.database_is_back();
        assert_eq!(progress.outage(), None);
    }

    #[test]
    fn a_clock_counts_what_is_still_under_way() {
        let clock = Clock::default();
        let running = clock.run();
        std::thread::sleep(Duration::from_millis(2));
        let before = clock.get();
        assert!(before >= Duration::from_millis(2));
        drop(running);
        assert!(clock.get() >= before);
        assert_eq!(*lock(&clock.running), (0, Duration::ZERO));
    }

    #[test]
    fn times_are_spoken() {
        let spoken = |s| Spoken(Duration::from_secs(s)).to_string();
        assert_eq!([spoken(45), spoken(180), spoken(7500)], ["45 s", "3 min", "2 h 5 min"]);
    }
}
