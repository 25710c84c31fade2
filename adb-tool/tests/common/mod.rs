//! The program as a server that a test starts and stops.
#![expect(clippy::panic, reason = "tests fail by panicking")]
#![allow(dead_code, reason = "each test file uses what it needs")]

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

pub(crate) fn adb(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_adb"));
    command.current_dir(dir).stdin(Stdio::null());
    for variable in ["ADB_DB", "ADB_LOG", "ADB_SERVER_STATE", "ADB_ADMIN_PASSWORD"] {
        command.env_remove(variable);
    }
    command
}

/// A server that runs, and what it said before it listened.
pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) lines: Vec<String>,
    pub(crate) address: String,
}

impl Served {
    /// In front of `my.adb`, unless it is told of another server.
    pub(crate) fn start(dir: &Path, more: &[&str]) -> Self {
        Self::start_by(adb(dir), more)
    }

    pub(crate) fn start_by(mut command: Command, more: &[&str]) -> Self {
        let db: &[&str] = if more.contains(&"--upstream") { &[] } else { &["--db", "my.adb"] };
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(db)
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            lines.push(line.unwrap());
            if let Some(address) = lines.last().unwrap().strip_prefix("listening on ") {
                let address = address.to_owned();
                return Self { child, lines, address };
            }
        }
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        child.wait().unwrap();
        panic!("it does not listen: {lines:?} {said}");
    }

    /// What a line says that begins so.
    pub(crate) fn told(&self, beginning: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| line.strip_prefix(beginning))
    }

    pub(crate) fn password(&self) -> &str {
        self.told("password of admin: ").unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Stops it; answers how it ended and what it logged.
    pub(crate) fn stop(mut self, signal: &str) -> (ExitStatus, String) {
        self.signal(signal);
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap(), log)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It has ended, or is a test's that failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
