//! How media are read.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

/// How the media that rows name are read, from files and from the net.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MediaOptions {
    /// Where relative paths begin; unless set, where the source lies.
    pub root: Option<PathBuf>,
    /// Whether paths in rows may leave that directory.
    pub allow_outside: bool,
    /// Whether addresses in rows may lead to this machine, to private networks and the like.
    pub allow_private: bool,
    /// Addresses that the user has named: what lies below them may be on this machine or in a private
    /// network all the same.
    pub trusted: Vec<String>,
    /// The largest picture, video or other file, in bytes.
    pub max_bytes: u64,
    /// Downloads under way at once.
    pub downloads: usize,
    /// Downloads under way at once from one host, or from one bucket.
    pub per_host: usize,
    /// How often in a row an attempt may bring nothing new.
    pub attempts: u32,
    /// Pause after the first such attempt; it doubles each time, up to 10 s, and is cut short by
    /// chance, so that downloads that failed together don't return together.
    pub backoff: Duration,
    /// A server that wants to be left alone for longer is given up (`Retry-After`).
    pub longest_wait: Duration,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long a server may be silent.
    pub idle_timeout: Duration,
    /// How long one download may take, attempts and waiting included.
    pub total_timeout: Duration,
    /// A directory in which downloads are kept, to be asked for again only if they changed. Without
    /// one nothing is kept.
    pub cache: Option<PathBuf>,
    /// Bytes that the cache may take; what was not used for the longest time makes room.
    pub cache_bytes: u64,
    /// Bytes of downloads that may be held at once, from the first byte until the row is written.
    pub bytes_in_flight: u64,
    /// Settings of object stores, by the names that they have in the environment, such as
    /// `AWS_ENDPOINT_URL` or `GOOGLE_APPLICATION_CREDENTIALS`; they win over it.
    pub stores: Vec<(String, String)>,
    /// For tests: one private address that may be asked, and no other.
    #[doc(hidden)]
    pub trusting: Option<SocketAddr>,
}

impl MediaOptions {
    /// Where relative paths begin, for who wants to find that again from elsewhere.
    pub(crate) fn place(&self, of_source: &super::MediaRoot) -> String {
        let dir = self.root.as_deref().unwrap_or(of_source.dir());
        let absolute = std::path::absolute(dir);
        absolute.as_deref().unwrap_or(dir).display().to_string()
    }
}

impl Default for MediaOptions {
    fn default() -> Self {
        Self {
            root: None,
            allow_outside: false,
            allow_private: false,
            trusted: Vec::new(),
            max_bytes: 256 << 20,
            downloads: 64,
            per_host: 16,
            attempts: 6,
            backoff: Duration::from_millis(250),
            longest_wait: Duration::from_secs(120),
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            total_timeout: Duration::from_secs(600),
            cache: None,
            cache_bytes: 10 << 30,
            bytes_in_flight: 512 << 20,
            stores: Vec::new(),
            trusting: None,
        }
    }
}
