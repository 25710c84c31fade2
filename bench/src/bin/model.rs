//! From a struct to the bytes of a request: nanoseconds and allocations of each step, for a dish
//! with two ingredients and an embedding of 512 numbers. `bench/model.py` does the same in Python.
#![allow(clippy::print_stdout, reason = "it is a program for a terminal")]

use std::{hint::black_box, time::Instant};

use adb::{DataModel as _, Graph, Image, Lowering, Request};
use adb_bench::{Dish, Ingredient};
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
    let vector: [f32; 512] = std::array::from_fn(|i| (i as f32 * 0.37).sin());
    let dish = record(&vector);
    let graph = dish.graph()?;
    let request = lower(&graph)?;
    if cli.show {
        println!("{}", String::from_utf8_lossy(&request.commands));
        return Ok(());
    }
    let blobs: usize = request.blobs.iter().map(|blob| blob.len()).sum();
    println!("request: {} bytes of commands, {blobs} of blobs", request.commands.len());

    measure("struct", &cli, || Ok(record(black_box(&vector))))?;
    measure("graph", &cli, || Ok(black_box(&dish).graph()?))?;
    measure("lowering", &cli, || lower(black_box(&graph)))?;
    measure("whole", &cli, || lower(&record(black_box(&vector)).graph()?))?;
    Ok(())
}

/// The record of `bench/model.py`, field by field.
fn record(vector: &[f32; 512]) -> Dish {
    Dish {
        dish_id: 4,
        name: "Butter chicken".into(),
        cuisine: Some("Indian".into()),
        caption: "Chicken in Creamy tomato based gravy".into(),
        contributor: Some("gautam".into()),
        location: Some("NJ".into()),
        recipe_url: Some("https://www.indianhealthyrecipes.com/butter-chicken/".into()),
        // Bytes are passed on, not copied; a picture's size makes no difference.
        photo: Image::Bytes((&b"no picture"[..]).into()),
        look: (*vector).into(),
        ingredients: vec![
            Ingredient { name: "chicken".into() },
            Ingredient { name: "tomato".into() },
        ],
    }
}

fn lower(graph: &Graph) -> anyhow::Result<Request> {
    let mut lowering = Lowering::new();
    lowering.push(graph)?;
    Ok(lowering.finish())
}

/// Prints a step's time and allocations; what it makes is dropped within the time.
fn measure<T>(name: &str, cli: &Cli, step: impl Fn() -> anyhow::Result<T>) -> anyhow::Result<()> {
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
    let counted = allocation_counter::measure(|| drop(black_box(step())));
    println!(
        "{name:<9} {:>8.0} ns (min {:.0}, max {:.0}), {} allocations, {} bytes",
        samples[samples.len() / 2],
        samples[0],
        samples[samples.len() - 1],
        counted.count_total,
        counted.bytes_total,
    );
    Ok(())
}
