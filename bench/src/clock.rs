//! What a measurement takes: real time, processors' time, memory; and how its figures are printed.
#![allow(clippy::print_stdout, reason = "figures are lines of standard output")]

use std::{fs, time::Instant};

use anyhow::Context as _;
use serde_json::json;

/// Real time, and all processors' time of this process.
#[derive(Debug)]
pub struct Clock(Instant, f64);

/// What was used between start and stop, in seconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// Real time.
    pub wall: f64,
    /// Processors' time, of all threads.
    pub processors: f64,
}

impl Clock {
    /// Begins to measure.
    ///
    /// # Errors
    /// Where there is no `/proc`.
    pub fn start() -> anyhow::Result<Self> {
        Ok(Self(Instant::now(), processor_seconds()?))
    }

    /// What was used since the start.
    ///
    /// # Errors
    /// Where there is no `/proc`.
    pub fn stop(&self) -> anyhow::Result<Used> {
        Ok(Used { wall: self.0.elapsed().as_secs_f64(), processors: processor_seconds()? - self.1 })
    }
}

/// User and system, in steps of a hundredth.
fn processor_seconds() -> anyhow::Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat").context("this wants Linux")?;
    let (_, after) = stat.rsplit_once(')').context("an odd /proc/self/stat")?;
    let ticks: Vec<&str> = after.split_whitespace().skip(11).take(2).collect();
    Ok(ticks.iter().map(|t| t.parse::<f64>()).sum::<Result<f64, _>>()? / 100.0)
}

/// The most memory that this process had so far (`VmHWM`), in MiB.
///
/// # Errors
/// Where there is no `/proc`.
pub fn peak_megabytes() -> anyhow::Result<f64> {
    let status = fs::read_to_string("/proc/self/status").context("this wants Linux")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes / 1024.0)
}

/// A figure as a line of JSON, as `bench/speed/` reads it.
pub fn print(case: &str, unit: &str, value: f64) {
    println!("{}", json!({"case": case, "unit": unit, "value": value}));
}
