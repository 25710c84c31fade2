//! A server, and an ingest, in processes of their own that can be killed.

use std::{
    env,
    hash::{BuildHasher as _, RandomState},
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

const DIRECTORY: &str = "ADB_TESTS_SERVED_DIRECTORY";
const ADDRESS: &str = "ADB_TESTS_SERVED_ADDRESS";
const URL: &str = "ADB_TESTS_INGEST_URL";

/// Not a test by itself: a server in front of an engine, until it is killed.
#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn serve_child() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let dir = PathBuf::from(env::var(DIRECTORY).unwrap());
        let place = env::var(ADDRESS).ok().map(|place| place.parse().unwrap());
        let server = super::start(&dir, place).await;
        println!("> {}.", server.address);
        std::future::pending::<()>().await;
    });
}

/// Not a test by itself: rows of the directory into a server.
#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn ingest_child() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        println!("> begun.");
        let dir = PathBuf::from(env::var(DIRECTORY).unwrap());
        let report = super::ingest(&dir, &env::var(URL).unwrap()).await;
        println!("> {} failed.", report.failed);
    });
}

/// This program once more, as one of the children.
fn spawn(child: &str, variables: &[(&str, String)]) -> Child {
    Command::new(env::current_exe().unwrap())
        .args([&format!("process::{child}"), "--exact", "--ignored", "--nocapture"])
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The next thing that a child says; none when it has ended.
fn said(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> Option<String> {
    lines.by_ref().map_while(Result::ok).find_map(|line| {
        // The harness may begin the line.
        let (_, said) = line.split_once("> ")?;
        Some(said.strip_suffix('.')?.to_owned())
    })
}

/// A server that can be killed and comes back in the same place.
pub(crate) struct Served {
    child: Child,
    directory: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Served {
    pub(crate) fn start(directory: &Path) -> Self {
        let (child, address) = Self::spawn(directory, None);
        Self { child, directory: directory.to_owned(), address }
    }

    fn spawn(directory: &Path, place: Option<SocketAddr>) -> (Child, SocketAddr) {
        let mut variables = vec![(DIRECTORY, directory.display().to_string())];
        variables.extend(place.map(|place| (ADDRESS, place.to_string())));
        let mut child = spawn("serve_child", &variables);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = said(&mut lines).unwrap_or_else(|| panic!("the server does not start"));
        // Whatever it prints from now on is taken, so that it is never kept waiting.
        std::thread::spawn(move || lines.for_each(drop));
        (child, address.parse().unwrap())
    }

    pub(crate) fn url(&self) -> String {
        format!("adb://admin:{}@{}?tls=off", adb_served::PASSWORD, self.address)
    }

    /// SIGKILL, and a new one.
    pub(crate) fn kill_and_restart(&mut self) {
        // It may have ended by itself only by a fault of its own, which its silence would hide.
        assert!(self.child.try_wait().unwrap().is_none(), "the server ended before it was killed");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        (self.child, self.address) = Self::spawn(&self.directory, Some(self.address));
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An ingest that can be killed.
pub(crate) struct Ingesting {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Ingesting {
    pub(crate) fn start(rows: &Path, url: &str) -> Self {
        let variables = [(DIRECTORY, rows.display().to_string()), (URL, url.to_owned())];
        let mut child = spawn("ingest_child", &variables);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(said(&mut lines).as_deref(), Some("begun"));
        Self { child, lines }
    }

    /// SIGKILL; answers whether it was still at work.
    pub(crate) fn kill(mut self) -> bool {
        let was_at_work = self.child.try_wait().unwrap().is_none();
        let _ = self.child.kill();
        self.child.wait().unwrap();
        was_at_work
    }

    /// Waits for its end; answers whether all rows are in.
    pub(crate) fn ended(mut self) -> bool {
        let told = said(&mut self.lines);
        self.child.wait().unwrap();
        told.as_deref() == Some("0 failed")
    }
}

/// Some time up to so much, by chance.
pub(crate) fn chance(most: Duration) -> Duration {
    let random = RandomState::new().hash_one(0) % 1_000_000;
    most.mul_f64(random as f64 / 1e6)
}

/// How often or how long, by a variable or as usual.
pub(crate) fn asked(variable: &str, usual: u64) -> u64 {
    env::var(variable).map_or(usual, |n| n.parse().unwrap())
}
