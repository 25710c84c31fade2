//! Stored objects that lack vectors or children, sets that are filled a second time by another
//! embedder, and whose vectors a set's are: in databases that other programs have filled, with the
//! embedded engine, through kills, failures and company.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests fail by panicking, and tell their parent by printing"
)]

mod common;
mod identity;
mod kills;
mod model;
mod reembed;
