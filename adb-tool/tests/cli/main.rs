//! The command line as a user meets it, on the Cookbook's rows and pictures.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod config;
mod embedders;
mod examples;
mod export;
mod frame;
mod model;
mod place;
mod schema;
mod sdk_tree;
mod search;
mod utils;
