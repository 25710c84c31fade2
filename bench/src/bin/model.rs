//! From a struct to the bytes of a request: nanoseconds of each step, for a dish with two
//! ingredients and an embedding of 512 numbers. `bench/model.py` does the same in Python, and the
//! program `allocations` counts what this one must not count while it measures.
#![allow(clippy::print_stdout, reason = "it is a program for a terminal")]

use std::{hint::black_box, time::Instant};

use adb::{DataModel as _, ModelError};
use adb_bench::{lower, record, vector};
use clap::Parser;

/// Measures a model's way to the bytes of a request.
#[derive(Parser)]
struct Cli {
    /// Records in each measurement.
    #[arg(long, default_value_t = 20_000)]
    records: u32,
    /// Measurements of each step; the median counts.
    #[arg(long, default_value_t = 15)]
    samples: usize,
    /// Print the request's commands instead, to see what is measured.
    #[arg(long)]
    show: bool,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let vector = vector();
    let dish = record(&vector);
    let graph = dish.graph()?;
    let request = lower(&graph)?;
    if cli.show {
        println!("{}", String::from_utf8_lossy(&request.commands));
        return Ok(());
    }
    let blobs: usize = request.blobs.iter().fold(0, |sum, blob| sum + blob.len());
    println!("request: {} bytes of commands, {blobs} of blobs", request.commands.len());

    measure("struct", &cli, || Ok(record(black_box(&vector))))?;
    measure("graph", &cli, || black_box(&dish).graph())?;
    measure("lowering", &cli, || lower(black_box(&graph)))?;
    measure("whole", &cli, || lower(&record(black_box(&vector)).graph()?))?;
    Ok(())
}

/// Prints a step's time; what it makes is dropped within that.
fn measure<T>(
    name: &str,
    cli: &Cli,
    step: impl Fn() -> Result<T, ModelError>,
) -> Result<(), ModelError> {
    let mut samples = Vec::with_capacity(cli.samples.max(1));
    // The first is for warming up.
    for sample in 0..=cli.samples.max(1) {
        let start = Instant::now();
        for _ in 0..cli.records {
            black_box(step()?);
        }
        if sample > 0 {
            samples.push(start.elapsed().as_nanos() as f64 / f64::from(cli.records));
        }
    }
    samples.sort_by(f64::total_cmp);
    println!(
        "{name:<9} {:>8.0} ns (min {:.0}, max {:.0})",
        samples[samples.len() / 2],
        samples[0],
        samples[samples.len() - 1],
    );
    Ok(())
}
