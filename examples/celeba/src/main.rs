//! CelebA: faces with 40 attributes, a FaceNet and a CLIP vector each; found by likeness, and
//! filtered by what they show. `make-sample` writes a data set to try it with.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]

mod attributes;
mod face;
mod ingest;
mod measure;
mod pace;
mod sample;
mod similar;
mod source;
mod vectors;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Faces, found by likeness and by what they show.
#[derive(Parser)]
#[command(after_help = "Examples:
  celeba make-sample --rows 1000 celeba-sample
  celeba ingest --data celeba-sample --db celeba.adb
  celeba similar --db celeba.adb 000001.jpg --where 'Black_Hair && !Eyeglasses && Young'")]
struct Cli {
    #[command(subcommand)]
    job: Job,
}

#[derive(Subcommand)]
enum Job {
    Ingest(ingest::Ingest),
    Similar(similar::Similar),
    MakeSample(sample::MakeSample),
    Measure(measure::Measure),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().job {
        Job::Ingest(job) => job.run().await,
        Job::Similar(job) => job.run().await.map(|()| ExitCode::SUCCESS),
        Job::MakeSample(job) => job.run().map(|()| ExitCode::SUCCESS),
        Job::Measure(job) => job.run().await.map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
