//! Fetching a bundle's files: sizes and hashes first, then one file after the other, resumed where
//! the last attempt was cut off.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use ureq::{
    Agent, Body,
    http::{HeaderMap, Response},
};

use super::{
    Download, Hub, OnDownload,
    contents::{FILES, manifest},
};
use crate::embedders::{Bundle, Cache, Error, FileEntry, bundle::sha256, preset::Preset};

/// A connection that gives nothing for so long is dropped, and the download goes on with another.
const STALLED: Duration = Duration::from_secs(30);
/// How often in a row a connection may bring nothing new.
const FRUITLESS: u32 = 3;
/// An answer that only says where the file is may say so again; this often at most.
const HOPS: usize = 5;

/// One file, as the hub announces it.
struct Remote {
    url: String,
    local: &'static str,
    bytes: u64,
    sha256: Option<String>,
}

/// The making of one bundle.
pub(super) struct Transfer<'a> {
    hub: &'a Hub,
    preset: &'static Preset,
    on_download: &'a OnDownload,
    agent: Agent,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(hub: &'a Hub, preset: &'static Preset, on_download: &'a OnDownload) -> Self {
        let agent = Agent::config_builder()
            .user_agent(concat!("adb/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .timeout_resolve(Some(hub.patience))
            .timeout_connect(Some(hub.patience))
            .timeout_recv_response(Some(hub.patience))
            .timeout_per_read(Some(STALLED.max(hub.patience)))
            .build()
            .new_agent();
        Self { hub, preset, on_download, agent }
    }

    pub(super) fn bundle(&self, cache: &Cache) -> Result<Bundle, Error> {
        let (remotes, revision) = self.announced()?;
        let target = cache.bundle_dir(self.preset.name);
        let parent = target.parent().unwrap_or(cache.root());
        let stage = parent.join(format!(".{}.download", self.preset.name));
        fs::create_dir_all(&stage).map_err(|e| Error::io(&stage, e))?;
        // One process at a time; a second one waits here and then finds the bundle complete.
        let lock_path = parent.join(format!(".{}.lock", self.preset.name));
        let lock = File::create(&lock_path).map_err(|e| Error::io(&lock_path, e))?;
        lock.lock().map_err(|e| Error::io(&lock_path, e))?;
        if let Some(bundle) = cache.bundle(self.preset.name)? {
            return Ok(bundle);
        }
        fs::create_dir_all(&stage).map_err(|e| Error::io(&stage, e))?;
        let total = remotes.iter().map(|r| r.bytes).sum();
        let mut before = 0;
        let source = format!(
            "{} at {revision}, from the model hub {}",
            self.preset.repository, self.hub.endpoint
        );
        let mut manifest = manifest(self.preset, source);
        for remote in &remotes {
            let tell = |done: u64| {
                self.on_download.tell(&Download {
                    bundle: self.preset.name,
                    hub: self.hub.endpoint.clone(),
                    file: remote.local,
                    done: before + done,
                    total,
                });
            };
            let entry = self.file(remote, &stage, &tell)?;
            before += remote.bytes;
            manifest.files.insert(remote.local.into(), entry);
        }
        let path = stage.join("bundle.json");
        let text = serde_json::to_string_pretty(&manifest)
            .map_err(|e| Error::bundle(&path, e.to_string()))?;
        fs::write(&path, text + "\n").map_err(|e| Error::io(&path, e))?;
        fs::rename(&stage, &target).map_err(|e| Error::io(&target, e))?;
        Bundle::open(target)
    }

    /// What the hub says of the files, and which revision they are of.
    fn announced(&self) -> Result<(Vec<Remote>, String), Error> {
        let mut revision = "main".to_owned();
        let mut remotes = Vec::new();
        for (path, local) in FILES {
            let url = self.url(&revision, path);
            let headers = self.head(&url, path)?;
            // The first answer names the revision: all files are to be of that one, even if the
            // repository changes meanwhile.
            if let Some(commit) = text(&headers, "x-repo-commit") {
                revision = commit.to_owned();
            }
            let bytes = text(&headers, "x-linked-size").or(text(&headers, "content-length"));
            let bytes = bytes.and_then(|b| b.parse().ok()).ok_or_else(|| {
                self.hub.fault(format!("it does not say how large {path} is"), false)
            })?;
            let sha256 = text(&headers, "x-linked-etag")
                .map(|tag| tag.trim_start_matches("W/").trim_matches('"').to_ascii_lowercase())
                .filter(|tag| tag.len() == 64 && tag.bytes().all(|b| b.is_ascii_hexdigit()));
            remotes.push(Remote { url: self.url(&revision, path), local, bytes, sha256 });
        }
        Ok((remotes, revision))
    }

    fn url(&self, revision: &str, path: &str) -> String {
        format!("{}/{}/resolve/{revision}/{path}", self.hub.endpoint, self.preset.repository)
    }

    /// The hub's own headers: a redirection to where the bytes are carries size and hash, the place
    /// that it leads to may not.
    fn head(&self, url: &str, path: &str) -> Result<HeaderMap, Error> {
        let mut url = url.to_owned();
        for _ in 0..HOPS {
            let response = self
                .agent
                .head(&url)
                .config()
                .max_redirects(0)
                .max_redirects_will_error(false)
                .build()
                .call()
                .map_err(|e| self.unreachable(&e))?;
            let headers = response.headers();
            if response.status().is_redirection() && text(headers, "x-linked-size").is_none() {
                let Some(location) = text(headers, "location") else { break };
                url = match location.strip_prefix('/') {
                    Some(rest) => format!("{}/{rest}", origin(&self.hub.endpoint)),
                    None => location.to_owned(),
                };
                continue;
            }
            if response.status().is_success() || response.status().is_redirection() {
                return Ok(headers.clone());
            }
            return Err(self.refused(&response, path));
        }
        Err(self.hub.fault(format!("it does not lead to {path}"), false))
    }

    /// Brings one file into the staging directory.
    fn file(&self, remote: &Remote, stage: &Path, tell: &dyn Fn(u64)) -> Result<FileEntry, Error> {
        let target = stage.join(remote.local);
        let partial = stage.join(format!("{}.partial", remote.local));
        if !target.is_file() {
            self.transfer(remote, &partial, tell)?;
            fs::rename(&partial, &target).map_err(|e| Error::io(&target, e))?;
        }
        let got = sha256(&target).map_err(|e| Error::io(&target, e))?;
        let bytes = fs::metadata(&target).map_err(|e| Error::io(&target, e))?.len();
        let wanted = remote.sha256.as_ref();
        if bytes != remote.bytes || wanted.is_some_and(|wanted| *wanted != got) {
            // Kept, it would be found again by the next attempt.
            fs::remove_file(&target).map_err(|e| Error::io(&target, e))?;
            return Err(self.hub.fault(
                format!(
                    "{} is not what it announced ({bytes} bytes, sha256 {got}; wanted {} bytes, sha256 {}); it was removed, so run this again",
                    remote.local,
                    remote.bytes,
                    wanted.map_or("unknown", String::as_str),
                ),
                true,
            ));
        }
        tell(bytes);
        Ok(FileEntry { sha256: got, bytes })
    }

    /// As many requests as it takes, as long as they bring something.
    fn transfer(
        &self,
        remote: &Remote,
        partial: &PathBuf,
        tell: &dyn Fn(u64),
    ) -> Result<(), Error> {
        // Without a hash nothing would tell that two halves are of one file.
        if remote.sha256.is_none() && partial.exists() {
            fs::remove_file(partial).map_err(|e| Error::io(partial, e))?;
        }
        let mut fruitless = 0;
        loop {
            let have = fs::metadata(partial).map_or(0, |m| m.len());
            if have >= remote.bytes {
                return Ok(());
            }
            tell(have);
            let fault = match self.piece(remote, partial, have, tell) {
                Ok(()) => self.hub.fault("the connection ended early", true),
                Err(e) if !e.is_transient() => return Err(e),
                Err(e) => e,
            };
            let now = fs::metadata(partial).map_or(0, |m| m.len());
            if now >= remote.bytes {
                continue;
            }
            fruitless = if now > have { 0 } else { fruitless + 1 };
            if fruitless == FRUITLESS || remote.sha256.is_none() {
                return Err(fault);
            }
            std::thread::sleep(self.hub.patience.min(Duration::from_secs(1)) * fruitless);
        }
    }

    /// One request: from byte `have` on, as far as the connection holds.
    fn piece(
        &self,
        remote: &Remote,
        partial: &PathBuf,
        have: u64,
        tell: &dyn Fn(u64),
    ) -> Result<(), Error> {
        let mut request = self.agent.get(&remote.url);
        if have > 0 {
            request = request.header("range", format!("bytes={have}-"));
        }
        let response = request.call().map_err(|e| self.unreachable(&e))?;
        let status = response.status().as_u16();
        let mut done = match status {
            206 => have,
            // It does not do parts: from the beginning, then.
            200 => 0,
            _ => return Err(self.refused(&response, remote.local)),
        };
        let mut file = OpenOptions::new()
            .create(true)
            .append(done > 0)
            .write(true)
            .truncate(done == 0)
            .open(partial)
            .map_err(|e| Error::io(partial, e))?;
        let mut body = response.into_body().into_reader();
        let mut block = vec![0; 1 << 16];
        loop {
            let n = match body.read(&mut block) {
                Ok(0) => return file.sync_all().map_err(|e| Error::io(partial, e)),
                Ok(n) => n,
                Err(e) => return Err(self.hub.fault(format!("the connection broke: {e}"), true)),
            };
            done += n as u64;
            if done > remote.bytes {
                return Err(self.hub.fault(
                    format!("it gives more for {} than it announced", remote.local),
                    false,
                ));
            }
            file.write_all(&block[..n]).map_err(|e| Error::io(partial, e))?;
            tell(done);
        }
    }

    fn unreachable(&self, e: &ureq::Error) -> Error {
        self.hub.fault(format!("it can't be reached: {e}"), true)
    }

    fn refused(&self, response: &Response<Body>, path: &str) -> Error {
        let status = response.status();
        let repository = self.preset.repository;
        self.hub.fault(
            format!("it answers {status} to a request for {path} of {repository}"),
            status.is_server_error() || status.as_u16() == 429,
        )
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

/// Scheme and host of an address, without its path.
fn origin(endpoint: &str) -> &str {
    let host = endpoint.find("://").map_or(0, |at| at + 3);
    endpoint[host..].find('/').map_or(endpoint, |at| &endpoint[..host + at])
}
