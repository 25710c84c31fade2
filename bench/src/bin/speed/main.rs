//! The engine's side of the comparisons that `bench/*.sh` run: `bench/speed/` calls these one by
//! one, takes turns with the peers, and makes tables of what all of them print.
#![allow(clippy::print_stdout, reason = "it is a program for a terminal")]

mod blobs;
mod client;
mod commit;
mod data;
mod disk;
mod face;
mod figure;
mod growth;
mod ingest;
mod knn;
mod memory;
mod open;
mod served;
mod truth;

use clap::Parser;

/// Measures the embedded engine. Each figure is a line of JSON.
#[derive(Parser)]
enum Command {
    /// Writes the vectors and bytes that all sides read.
    Data(data::Write),
    /// Writes the nearest neighbours, found by comparing all.
    Truth(truth::Write),
    /// Rows a second of pictures with vectors, in batches.
    Ingest(ingest::Ingest),
    /// One row a request, against appending to a file.
    Commit(commit::Commit),
    /// Makes the database that `knn` searches.
    KnnBuild(knn::Build),
    /// Nearest neighbours: exact, in batches, through an index, filtered.
    Knn(knn::Knn),
    /// Opens a database and asks once.
    Open(open::Open),
    /// Makes the database that `blobs` searches.
    BlobsBuild(blobs::Build),
    /// Pictures of the nearest neighbours, in one request.
    Blobs(blobs::Blobs),
    /// Time and bytes for each row while a database grows.
    Growth(growth::Growth),
    /// The same requests directly and through a server.
    Served(served::Served),
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Data(command) => command.run(),
        Command::Truth(command) => command.run(),
        Command::Ingest(command) => command.run(),
        Command::Commit(command) => command.run(),
        Command::KnnBuild(command) => command.run(),
        Command::Knn(command) => command.run(),
        Command::Open(command) => command.run(),
        Command::BlobsBuild(command) => command.run(),
        Command::Blobs(command) => command.run(),
        Command::Growth(command) => command.run(),
        Command::Served(command) => command.run(),
    }
}
