//! Runs a program of the benchmarks.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{path::Path, process::Command};

use serde_json::Value as Json;

/// The lines that it prints.
pub(crate) fn lines(program: &str, arguments: &[&str], paths: &[(&str, &Path)]) -> Vec<Json> {
    let mut command = Command::new(program);
    command.args(arguments);
    for (option, path) in paths {
        command.arg(option).arg(path);
    }
    let done = command.output().unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{arguments:?}: {errors}");
    let lines = String::from_utf8(done.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
