//! How an ingestion goes: the time of a row at its beginning and at its end, and the memory.

use std::{
    fs,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use adb::loaders::Progress;
use serde_json::json;

/// Looks at an ingestion ten times a second, on a thread of its own.
pub(crate) struct Pace {
    seen: Arc<Mutex<Vec<(Duration, u64)>>>,
    anonymous: Arc<Mutex<u64>>,
    ended: Arc<AtomicBool>,
    watching: JoinHandle<()>,
    started: Instant,
}

/// What it saw.
pub(crate) struct Went {
    rows: u64,
    seconds: f64,
    /// Microseconds of a row in the first tenth and in the last.
    tenths: Option<(f64, f64)>,
    /// The most memory, in bytes, that is no file's; nothing where the system does not say.
    memory: u64,
}

impl Pace {
    pub(crate) fn start(progress: Arc<Progress>) -> Self {
        let (seen, anonymous) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<u64>>::default());
        let (ended, started) = (Arc::new(AtomicBool::new(false)), Instant::now());
        let watching = std::thread::spawn({
            let (seen, anonymous, ended) = (seen.clone(), anonymous.clone(), ended.clone());
            move || {
                while !ended.load(Ordering::Relaxed) {
                    lock(&seen).push((started.elapsed(), progress.finished()));
                    let now = resident();
                    let mut most = lock(&anonymous);
                    *most = now.max(*most);
                    drop(most);
                    std::thread::park_timeout(Duration::from_millis(100));
                }
                lock(&seen).push((started.elapsed(), progress.finished()));
            }
        });
        Self { seen, anonymous, ended, watching, started }
    }

    /// The most memory so far.
    pub(crate) fn went(self) -> Went {
        self.ended.store(true, Ordering::Relaxed);
        let seconds = self.started.elapsed().as_secs_f64();
        self.watching.thread().unpark();
        // It returns nothing, and holds nothing that a panic could spoil.
        let _ = self.watching.join();
        let (seen, memory) = (lock(&self.seen), *lock(&self.anonymous));
        let rows = seen.last().map_or(0, |(_, rows)| *rows);
        Went { rows, seconds, tenths: tenths(&seen), memory }
    }
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Microseconds of a row in the first tenth, from the first row on, and in the last. Nothing where
/// there is too little to tell.
fn tenths(seen: &[(Duration, u64)]) -> Option<(f64, f64)> {
    let all = seen.last()?.1;
    let each = |from: u64, to: u64| {
        let at = |rows: u64| seen.iter().find(|(_, seen)| *seen >= rows);
        let ((began, first), (ended, last)) = (at(from)?, at(to)?);
        let rows = last.checked_sub(*first).filter(|rows| *rows > 0)?;
        Some((*ended - *began).as_secs_f64() * 1e6 / rows as f64)
    };
    Some((each(1, all / 10)?, each(all - all / 10, all)?))
}

/// Bytes that this process has in memory and that are no file's; 0 where the system does not say.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}

impl Went {
    /// Prints it, and what the database takes on the disk; each figure as a line of JSON if that is
    /// asked for.
    pub(crate) fn print(&self, db: &str, as_json: bool) -> anyhow::Result<()> {
        let disk = on_disk(Path::new(db))?;
        let rows = self.rows.max(1) as f64;
        if as_json {
            let print = |case: &str, unit: &str, value: f64| {
                println!("{}", json!({"case": case, "unit": unit, "value": value}));
            };
            print("ingest", "rows/s", rows / self.seconds);
            print("ingest", "s", self.seconds);
            print("ingest", "MB in memory at most", self.memory as f64 / 1e6);
            print("ingest", "B/row on disk", disk as f64 / rows);
            if let Some((first, last)) = self.tenths {
                print("ingest, first tenth", "µs/row", first);
                print("ingest, last tenth", "µs/row", last);
            }
            return Ok(());
        }
        print!(
            "{:.1} s, {:.0} MB in memory at most, {:.0} MB on the disk",
            self.seconds,
            self.memory as f64 / 1e6,
            disk as f64 / 1e6
        );
        match self.tenths {
            Some((first, last)) => {
                println!("; a row took {first:.0} µs in the first tenth, {last:.0} µs in the last");
            }
            None => println!(),
        }
        Ok(())
    }
}

/// Bytes of all files in a directory.
fn on_disk(directory: &Path) -> anyhow::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        total += if meta.is_dir() { on_disk(&entry.path())? } else { meta.len() };
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_tenth_begins_with_the_first_row() {
        let at = |second: u64, rows: u64| (Duration::from_secs(second), rows);
        // Nothing for ten seconds, then ten rows a second, at last nine in two.
        let mut seen = vec![at(0, 0), at(10, 0), at(11, 1)];
        seen.extend((1..=9).map(|n| at(11 + n, 1 + 10 * n)));
        seen.extend([at(21, 95), at(22, 100)]);
        assert_eq!(tenths(&seen), Some((1e6 / 10.0, 2e6 / 9.0)));
        assert_eq!(tenths(&[]), None);
        assert_eq!(tenths(&[at(0, 0), at(1, 0)]), None);
    }
}
