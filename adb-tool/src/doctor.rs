//! `adb doctor`: what works on this machine, and what to do where it does not.

use std::{
    fs, io,
    net::{TcpStream, ToSocketAddrs as _},
    path::Path,
    process::Command,
    time::Duration,
};

use adb::{
    Answer, Request, ask,
    embedders::{Cache, Hub, Runtime},
    engine::Engine,
};
use serde_json::{Value as Json, json};

use crate::{config, database::Db, exit::Exit, sys};

/// How long the hub may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Less room than this on a disk is worth a word.
const LITTLE_ROOM: u64 = 2 << 30;

/// Say what works on this machine, and what to do where it does not.
///
/// Ends with 1 if the database or the configuration that would be used can't be.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb doctor --db my.adb")]
pub(crate) struct Doctor {
    #[command(flatten)]
    db: Db,
    /// Look at every checksum of the embedded database as well.
    #[arg(long)]
    verify: bool,
    /// Print a JSON array.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    /// Something does not work that may not be needed.
    Lacking,
    Bad,
}

struct Finding {
    what: &'static str,
    state: State,
    text: String,
}

impl Doctor {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let mut findings = vec![Finding {
            what: "adb",
            state: State::Good,
            text: format!(
                "{} on {} {}",
                env!("CARGO_PKG_VERSION"),
                std::env::consts::OS,
                std::env::consts::ARCH
            ),
        }];
        embedders(&mut findings);
        findings.push(hub());
        findings.push(configuration());
        self.database(&mut findings).await;
        findings.push(decoder());
        let is_bad = findings.iter().any(|finding| finding.state == State::Bad);
        if self.json {
            let list = findings.iter().map(|finding| {
                json!({"what": finding.what, "state": word(finding.state), "text": finding.text})
            });
            println!("{:#}", Json::Array(list.collect()));
        } else {
            for Finding { what, state, text } in &findings {
                println!("{:<8} {what:<14} {text}", word(*state));
            }
        }
        Ok(if is_bad { Exit::Failed } else { Exit::Well })
    }

    async fn database(&self, findings: &mut Vec<Finding>) {
        let mut say = |state, text| findings.push(Finding { what: "database", state, text });
        let Some(path) = self.db.directory() else {
            match self.server().await {
                Ok(Some(text)) => say(State::Good, text),
                Ok(None) => {
                    say(State::Lacking, "none is named; give --db to look at one".to_owned());
                }
                Err(e) => say(State::Bad, format!("{e:#}")),
            }
            return;
        };
        let shown = path.display();
        match Engine::options().read_only(true).open(path) {
            Ok(_) => say(State::Good, format!("{shown} can be read, its format is this adb's")),
            Err(e) => return say(State::Bad, e.to_string()),
        }
        match Engine::writer(path) {
            Ok(None) => say(State::Good, "no process is writing to it".to_owned()),
            Ok(Some(who)) if who.name.is_some() => {
                say(State::Good, format!("{who} holds it; reading works meanwhile"));
            }
            Ok(Some(who)) => {
                say(State::Good, format!("{who} is writing to it; reading works meanwhile"));
            }
            Err(e) => say(State::Bad, e.to_string()),
        }
        if self.verify {
            match Engine::verify(path) {
                Ok(report) if report.is_sound() => say(State::Good, report.to_string()),
                Ok(report) => say(State::Bad, report.to_string()),
                Err(e) => say(State::Bad, e.to_string()),
            }
        }
        findings.extend(room("its disk", path));
    }

    /// What a server says of itself, if one is named or configured.
    async fn server(&self) -> anyhow::Result<Option<String>> {
        if self.db.address() == "config:" && config::active().map_or(true, |found| found.is_none())
        {
            return Ok(None);
        }
        let db = self.db.read()?;
        let (answers, _) = ask(&*db, Request::json(&json!([{"GetStatus": {}}]))).await?;
        let status = Answer::at(&answers, 0)?;
        let version = status.get("version").and_then(Json::as_str).unwrap_or("of unknown version");
        Ok(Some(format!("a server, {version}, lets this user in")))
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Good => "good",
        State::Lacking => "lacking",
        State::Bad => "bad",
    }
}

fn embedders(findings: &mut Vec<Finding>) {
    let mut say = |what, state, text| findings.push(Finding { what, state, text });
    let cache = match Cache::from_env() {
        Ok(cache) => cache,
        Err(e) => return say("cache", State::Lacking, e.to_string()),
    };
    match Runtime::start(&cache) {
        Ok(runtime) => {
            say("run time", State::Good, format!("{}, {}", runtime.backend(), runtime.version()));
        }
        Err(e) => say("run time", State::Lacking, format!("no embedder can run: {e}")),
    }
    let root = cache.root();
    let bundles: Vec<String> =
        cache.bundles().iter().map(|bundle| bundle.identity().name.clone()).collect();
    let held = match bundles.as_slice() {
        [] => "no embedder is in it; `adb embedders ls` lists what there is".to_owned(),
        names => format!("it has {}", names.join(", ")),
    };
    match writable(root) {
        Ok(()) => say("cache", State::Good, format!("{}: {held}", root.display())),
        Err(e) => say(
            "cache",
            State::Lacking,
            format!("{} can't be written to ({e}); set ADB_CACHE_DIR: {held}", root.display()),
        ),
    }
    findings.extend(room("cache's disk", root));
}

/// Whether something can be made in a directory, or in the first of those above it that is there.
fn writable(path: &Path) -> io::Result<()> {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    if !fs::metadata(there)?.is_dir() {
        return Err(io::Error::other(format!("{} is no directory", there.display())));
    }
    tempfile::tempfile_in(there).map(drop)
}

fn room(what: &'static str, path: &Path) -> Option<Finding> {
    let free = sys::free_bytes(path)?;
    let state = if free < LITTLE_ROOM { State::Lacking } else { State::Good };
    Some(Finding { what, state, text: format!("{:.1} GB free", free as f64 / 1e9) })
}

fn hub() -> Finding {
    let hub = Hub::from_env();
    let (state, text) = match hub.is_offline() {
        Some(why) => (State::Lacking, format!("is not asked, because {why}")),
        None => match reached(hub.endpoint()) {
            Ok(()) => (State::Good, format!("{} can be reached", hub.endpoint())),
            Err(e) => (
                State::Lacking,
                format!(
                    "{} can't be reached ({e}): embedders come from the cache or a directory alone",
                    hub.endpoint()
                ),
            ),
        },
    };
    Finding { what: "hub", state, text }
}

/// Whether a connection to the host of an address comes about.
fn reached(address: &str) -> io::Result<()> {
    let (scheme, rest) = address.split_once("://").unwrap_or(("https", address));
    let host = rest.split(['/', '?']).next().unwrap_or(rest);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let port = if scheme == "http" { 80 } else { 443 };
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let place = if has_port { host.to_owned() } else { format!("{host}:{port}") };
    let mut last = io::Error::other("its name leads nowhere");
    for at in place.to_socket_addrs()? {
        match TcpStream::connect_timeout(&at, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(e) => last = e,
        }
    }
    Err(last)
}

fn configuration() -> Finding {
    let (state, text) = match config::active() {
        Ok(Some(found)) => (State::Good, format!("{}, from {}", found.configuration, found.origin)),
        Ok(None) => {
            (State::Lacking, "no server is configured; `adb config create` does so".to_owned())
        }
        Err(e) => (State::Bad, e.to_string()),
    };
    Finding { what: "configuration", state, text }
}

fn decoder() -> Finding {
    let version = |program: &str| -> Option<String> {
        let output = Command::new(program).arg("-version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        Some(text.lines().next()?.split(" Copyright").next()?.to_owned())
    };
    let (state, text) = match (version("ffmpeg"), version("ffprobe")) {
        (Some(ffmpeg), Some(_)) => (State::Good, ffmpeg),
        _ => (
            State::Lacking,
            "ffmpeg and ffprobe are not in PATH: videos are stored, but not looked into".to_owned(),
        ),
    };
    Finding { what: "videos", state, text }
}
