//! The hub's protocol: what it announces of a file, and the file's bytes, as many requests as that
//! takes.

use std::{
    fs::{self, OpenOptions},
    io::{Read, Write},
    path::Path,
    time::Duration,
};

use ureq::{
    Agent, Body,
    http::{HeaderMap, Response},
};

use super::{Hub, hash::Hash, refusal::refusal};
use crate::embedders::Error;

/// A connection that gives nothing for so long is dropped, and the download goes on with another.
const STALLED: Duration = Duration::from_secs(30);
/// How often in a row a connection may bring nothing new.
const FRUITLESS: u32 = 3;
/// An answer that only says where the file is may say so again; this often at most.
const HOPS: usize = 6;
/// Nobody is kept waiting for longer because a hub asks for it.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// One file, as the hub announces it.
#[derive(Debug)]
pub(super) struct Remote {
    pub(super) url: String,
    /// Its path in the repository.
    pub(super) path: &'static str,
    pub(super) bytes: u64,
    pub(super) hash: Option<Hash>,
}

/// Why a request brought nothing, and how long the hub wants to be left alone.
pub(super) struct Fault {
    pub(super) error: Error,
    pub(super) wait: Option<Duration>,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { error, wait: None }
    }
}

/// Requests to one repository of a hub.
pub(super) struct Http<'a> {
    hub: &'a Hub,
    repository: &'static str,
    agent: Agent,
}

impl<'a> Http<'a> {
    pub(super) fn new(hub: &'a Hub, repository: &'static str) -> Self {
        let agent = Agent::config_builder()
            .user_agent(concat!("adb/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            // Redirections are followed here: the token must stay with the hub.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(Some(hub.patience))
            .timeout_connect(Some(hub.patience))
            .timeout_recv_response(Some(hub.patience))
            .timeout_per_read(Some(STALLED.max(hub.patience)))
            .build()
            .new_agent();
        Self { hub, repository, agent }
    }

    /// What the hub says of a file of `revision`, and of which commit it is.
    pub(super) fn announced(
        &self,
        revision: &str,
        path: &'static str,
    ) -> Result<(Remote, Option<String>), Error> {
        let mut tries = 0;
        let (headers, commit) = loop {
            match self.head(&self.url(revision, path), path) {
                Ok(found) => break found,
                Err(Fault { error, wait: Some(wait) }) if wait <= LONGEST_WAIT => {
                    tries += 1;
                    if tries == FRUITLESS {
                        return Err(error);
                    }
                    std::thread::sleep(wait);
                }
                Err(fault) => return Err(fault.error),
            }
        };
        let bytes = text(&headers, "x-linked-size").or(text(&headers, "content-length"));
        let bytes = bytes
            .and_then(|b| b.parse().ok())
            .ok_or_else(|| self.hub.fault(format!("it does not say how large {path} is"), false))?;
        // Only the hub itself is known to put a file's hash into its tag.
        let own_tag = commit.as_ref().and_then(|_| text(&headers, "etag"));
        let hash = text(&headers, "x-linked-etag").or(own_tag).and_then(Hash::parse);
        let url = self.url(commit.as_deref().unwrap_or(revision), path);
        Ok((Remote { url, path, bytes, hash }, commit))
    }

    fn url(&self, revision: &str, path: &str) -> String {
        format!("{}/{}/resolve/{revision}/{path}", self.hub.endpoint, self.repository)
    }

    /// The hub's own headers: a redirection to where the bytes are carries size and hash, the place
    /// that it leads to may not.
    fn head(&self, url: &str, path: &str) -> Result<(HeaderMap, Option<String>), Fault> {
        let mut url = url.to_owned();
        let mut commit = None;
        for _ in 0..HOPS {
            let response = self.send(self.agent.head(&url), &url)?;
            let headers = response.headers();
            if commit.is_none() {
                commit = text(headers, "x-repo-commit").map(str::to_owned);
            }
            if response.status().is_redirection() && text(headers, "x-linked-size").is_none() {
                url = self.location(&url, headers)?;
            } else if response.status().is_success() || response.status().is_redirection() {
                return Ok((headers.clone(), commit));
            } else {
                return Err(self.refused(&response, path));
            }
        }
        Err(self.lost(path))
    }

    fn get(&self, remote: &Remote, from: u64) -> Result<Response<Body>, Fault> {
        let mut url = remote.url.clone();
        for _ in 0..HOPS {
            let mut request = self.agent.get(&url);
            if from > 0 {
                request = request.header("range", format!("bytes={from}-"));
            }
            let response = self.send(request, &url)?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            url = self.location(&url, response.headers())?;
        }
        Err(self.lost(remote.path))
    }

    /// One request. The token goes to the hub and to nobody that it leads to.
    fn send(
        &self,
        request: ureq::RequestBuilder<ureq::typestate::WithoutBody>,
        url: &str,
    ) -> Result<Response<Body>, Fault> {
        // Sizes and parts are of the bytes themselves, not of a compressed form.
        let mut request = request.header("accept-encoding", "identity");
        if let Some(token) = &self.hub.token
            && origin(url) == origin(&self.hub.endpoint)
        {
            request = request.header("authorization", token.bearer());
        }
        request.call().map_err(|e| self.hub.fault(format!("it can't be reached: {e}"), true).into())
    }

    /// Where an answer leads to.
    fn location(&self, url: &str, headers: &HeaderMap) -> Result<String, Fault> {
        let to = text(headers, "location").unwrap_or_default();
        let to = if to.contains("://") {
            to.to_owned()
        } else if to.starts_with('/') && !to.starts_with("//") {
            format!("{}{to}", origin(url))
        } else {
            return Err(self
                .hub
                .fault(format!("it leads to `{to}`, which is no address"), false)
                .into());
        };
        if url.starts_with("https://") && !to.starts_with("https://") {
            let message =
                format!("it leads from https to {to}, where bytes could be changed on the way");
            return Err(self.hub.fault(message, false).into());
        }
        Ok(to)
    }

    fn lost(&self, path: &str) -> Fault {
        self.hub.fault(format!("it does not lead to {path}"), false).into()
    }

    /// Brings the rest of a file into `partial`, with as many requests as it takes, as long as they
    /// bring something.
    pub(super) fn download(
        &self,
        remote: &Remote,
        partial: &Path,
        tell: &dyn Fn(u64),
    ) -> Result<(), Error> {
        // Without a hash nothing would tell that two halves are of one file.
        if remote.hash.is_none() && partial.exists() {
            fs::remove_file(partial).map_err(|e| Error::io(partial, e))?;
        }
        let mut fruitless = 0;
        loop {
            let have = fs::metadata(partial).map_or(0, |m| m.len());
            if have == remote.bytes {
                return Ok(());
            }
            if have > remote.bytes {
                // Of another file than this one.
                fs::remove_file(partial).map_err(|e| Error::io(partial, e))?;
                continue;
            }
            tell(have);
            let fault = match self.piece(remote, partial, have, tell) {
                Ok(()) => self.hub.fault("the connection ended early", true).into(),
                Err(fault) if !fault.error.is_transient() => return Err(fault.error),
                Err(fault) => fault,
            };
            let now = fs::metadata(partial).map_or(0, |m| m.len());
            if now == remote.bytes {
                return Ok(());
            }
            fruitless = if now > have { 0 } else { fruitless + 1 };
            let wait = fault.wait.unwrap_or_default();
            if fruitless == FRUITLESS || remote.hash.is_none() || wait > LONGEST_WAIT {
                return Err(fault.error);
            }
            let pause = self.hub.patience.min(Duration::from_secs(1)) * fruitless;
            std::thread::sleep(pause.max(wait));
        }
    }

    /// One request: from byte `have` on, as far as the connection holds.
    fn piece(
        &self,
        remote: &Remote,
        partial: &Path,
        have: u64,
        tell: &dyn Fn(u64),
    ) -> Result<(), Fault> {
        let response = self.get(remote, have)?;
        let io = |e| Fault::from(Error::io(partial, e));
        let mut done = match response.status().as_u16() {
            206 if starts_at(response.headers(), have) => have,
            // It does not do parts: from the beginning, then.
            200 => 0,
            206 | 416 => {
                fs::remove_file(partial).map_err(io)?;
                return Err(self
                    .hub
                    .fault("it gives another part than was asked for", true)
                    .into());
            }
            _ => return Err(self.refused(&response, remote.path)),
        };
        let mut file = OpenOptions::new()
            .create(true)
            .append(done > 0)
            .write(true)
            .truncate(done == 0)
            .open(partial)
            .map_err(io)?;
        let mut body = response.into_body().into_reader();
        let mut block = vec![0; 1 << 16];
        loop {
            let n = match body.read(&mut block) {
                Ok(0) => return file.sync_all().map_err(io),
                Ok(n) => n,
                Err(e) => {
                    return Err(self.hub.fault(format!("the connection broke: {e}"), true).into());
                }
            };
            done += n as u64;
            if done > remote.bytes {
                let message = format!("it gives more for {} than it announced", remote.path);
                return Err(self.hub.fault(message, false).into());
            }
            file.write_all(&block[..n]).map_err(io)?;
            tell(done);
        }
    }

    fn refused(&self, response: &Response<Body>, path: &str) -> Fault {
        let status = response.status();
        let (message, wait) = refusal(self.hub, self.repository, path, response);
        let transient = status.is_server_error() || status.as_u16() == 429;
        Fault { error: self.hub.fault(message, transient), wait }
    }
}

/// Whether an answer of a part begins where it was asked to; one that does not say so is believed.
fn starts_at(headers: &HeaderMap, have: u64) -> bool {
    text(headers, "content-range")
        .is_none_or(|range| range.strip_prefix(&format!("bytes {have}-")).is_some())
}

pub(super) fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

/// Scheme and host of an address, without its path.
fn origin(endpoint: &str) -> &str {
    let host = endpoint.find("://").map_or(0, |at| at + 3);
    endpoint[host..].find(['/', '?', '#']).map_or(endpoint, |at| &endpoint[..host + at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_another_one_if_anything_differs() {
        for (url, wanted) in [
            ("https://hub.co/a/b", "https://hub.co"),
            ("https://hub.co?x", "https://hub.co"),
            ("https://hub.co:8080/", "https://hub.co:8080"),
            ("https://hub.co.evil.org/a", "https://hub.co.evil.org"),
            ("https://hub.co@evil.org/a", "https://hub.co@evil.org"),
            ("http://hub.co", "http://hub.co"),
        ] {
            assert_eq!(origin(url), wanted);
        }
    }
}
