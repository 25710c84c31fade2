//! What the machine's memory gives, and what this process takes of it.

use std::{fs, hint::black_box, path::Path, thread, time::Instant};

use adb_bench::cores;
use serde_json::json;

use crate::figure;

/// Longer than any cache.
const BYTES: usize = 512 << 20;
const ROUNDS: usize = 5;

/// Prints how fast memory can be read, by one thread and by all, in gigabytes a second: the best of some rounds, since this is a limit.
pub(crate) fn print_bandwidth() {
    let words = vec![1_u64; BYTES / 8];
    let mut counts = vec![1, cores()];
    counts.dedup();
    for threads in counts {
        let best = (0..ROUNDS).map(|_| read(&words, threads)).fold(0.0, f64::max);
        let case = if threads == 1 { "read, 1 thread" } else { "read, all threads" };
        figure::print(case, "GB/s", best, json!({"threads": threads}));
    }
}

/// Reads all once and gives gigabytes a second.
fn read(words: &[u64], threads: usize) -> f64 {
    let start = Instant::now();
    thread::scope(|scope| {
        for part in words.chunks(words.len().div_ceil(threads)) {
            scope.spawn(move || black_box(sum(part)));
        }
    });
    size_of_val(words) as f64 / start.elapsed().as_secs_f64() / 1e9
}

/// Sums side by side, so that memory is what this waits for.
fn sum(words: &[u64]) -> u64 {
    let mut sums = [0_u64; 32];
    for words in words.chunks_exact(32) {
        for (sum, word) in sums.iter_mut().zip(words) {
            *sum = sum.wrapping_add(*word);
        }
    }
    sums.iter().fold(0, |all, sum| all.wrapping_add(*sum))
}

/// Bytes that this process has in memory and that are no file's; 0 where the system does not say.
pub(crate) fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}

/// Bytes of all files in a directory.
pub(crate) fn on_disk(directory: &Path) -> anyhow::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        total += if meta.is_dir() { on_disk(&entry.path())? } else { meta.len() };
    }
    Ok(total)
}
