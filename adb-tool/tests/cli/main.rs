//! The command line as a user meets it, on the Cookbook's rows and pictures.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
#![expect(clippy::panic, reason = "tests fail by panicking")]
#![expect(clippy::print_stdout, reason = "tests say what they leave out")]

mod blocks;
#[path = "../common/mod.rs"]
mod common;
mod config;
mod dump;
mod embedders;
mod examples;
mod export;
mod frame;
#[path = "../../../adb-loaders/tests/local_web/mod.rs"]
mod local_web;
mod model;
mod place;
mod schema;
mod sdk_tree;
mod search;
mod served;
#[cfg(unix)]
mod shell;
mod stock;
mod utils;
