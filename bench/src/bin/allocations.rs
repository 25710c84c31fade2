//! What each step of the program `model` allocates. Apart from it, since a counting allocator
//! slows down what it counts.
#![allow(clippy::print_stdout, reason = "it is a program for a terminal")]

use std::hint::black_box;

use adb::DataModel as _;
use adb_bench::{lower, record, vector};

fn main() -> anyhow::Result<()> {
    let vector = vector();
    let dish = record(&vector);
    let graph = dish.graph()?;
    lower(&graph)?;
    count("struct", || drop(black_box(record(&vector))));
    count("graph", || drop(black_box(dish.graph())));
    count("lowering", || drop(black_box(lower(&graph))));
    Ok(())
}

fn count(name: &str, step: impl FnOnce()) {
    let counted = allocation_counter::measure(step);
    println!("{name:<9} {} allocations, {} bytes", counted.count_total, counted.bytes_total);
}
