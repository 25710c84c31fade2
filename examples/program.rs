//! Running a program as a user does: for the tests of each example, and of the command line.

use std::{
    path::Path,
    process::{Command, Output},
};

/// A program in a directory, with an empty cache and no hub.
pub(crate) fn command(program: &str, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(dir)
        .env("ADB_CACHE_DIR", dir.join("cache"))
        .env("ADB_OFFLINE", "1")
        .env_remove("ORT_DYLIB_PATH");
    command
}

/// All that it printed.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
