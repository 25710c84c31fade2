//! Bundles from a model hub.

#[cfg(feature = "hub")]
mod contents;
#[cfg(feature = "hub")]
mod http;

use std::{env, fmt, sync::Arc, time::Duration};

use super::{Bundle, Cache, Error, ErrorKind, preset::Preset};

/// How far a download is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Download {
    /// The bundle.
    pub bundle: &'static str,
    /// The hub's address.
    pub hub: String,
    /// The file that is being fetched.
    pub file: &'static str,
    /// Bytes of the whole bundle that are here.
    pub done: u64,
    /// Bytes of the whole bundle.
    pub total: u64,
}

/// Told about a download as it goes on: once before its first byte, so that its size can be shown,
/// then after each piece.
#[derive(Clone)]
pub struct OnDownload(Arc<dyn Fn(&Download) + Send + Sync>);

impl OnDownload {
    /// Calls `f`.
    pub fn new(f: impl Fn(&Download) + Send + Sync + 'static) -> Self {
        Self(Arc::new(f))
    }

    /// Tells it.
    pub fn tell(&self, download: &Download) {
        (self.0)(download);
    }
}

impl Default for OnDownload {
    fn default() -> Self {
        Self::new(|_| ())
    }
}

impl fmt::Debug for OnDownload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnDownload")
    }
}

/// A model hub, or the decision to ask none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hub {
    endpoint: String,
    offline: bool,
    patience: Duration,
}

impl Hub {
    /// `HF_ENDPOINT`, or the hub that everybody uses; `ADB_OFFLINE=1` asks none.
    #[must_use]
    pub fn from_env() -> Self {
        Self::from_vars(|key| env::var(key).ok())
    }

    fn from_vars(get: impl Fn(&str) -> Option<String>) -> Self {
        let set = |key| get(key).filter(|v| !v.trim().is_empty());
        let mut hub = Self::at(set("HF_ENDPOINT").unwrap_or("https://huggingface.co".into()));
        hub.offline = set("ADB_OFFLINE").is_some_and(|v| v.trim() != "0");
        hub
    }

    /// A hub at an address of your own.
    #[must_use]
    pub fn at(endpoint: impl Into<String>) -> Self {
        let endpoint = endpoint.into().trim_end_matches('/').to_owned();
        Self { endpoint, offline: false, patience: Duration::from_secs(3) }
    }

    /// Asks no hub.
    #[must_use]
    pub fn offline(mut self) -> Self {
        self.offline = true;
        self
    }

    /// Sets how long to wait for a connection, and again for an answer, before the hub counts as
    /// not reachable: 3 seconds, unless this says otherwise.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Its address.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Puts a preset's bundle into the cache, or finds it there.
    ///
    /// What came down of a download that was cut off is kept, and the next call goes on from
    /// there. A bundle appears in the cache when it is complete. Blocks.
    ///
    /// # Errors
    /// When the hub can't be reached or may not be asked, lacks a file, or gives another file than
    /// it announces.
    pub fn fetch(
        &self,
        preset: &'static Preset,
        cache: &Cache,
        on_download: &OnDownload,
    ) -> Result<Bundle, Error> {
        if let Some(bundle) = cache.bundle(preset.name)? {
            return Ok(bundle);
        }
        if self.offline {
            return Err(self.fault("it is not asked, because ADB_OFFLINE is set", false));
        }
        self.download(preset, cache, on_download)
    }

    #[cfg(feature = "hub")]
    fn download(
        &self,
        preset: &'static Preset,
        cache: &Cache,
        on_download: &OnDownload,
    ) -> Result<Bundle, Error> {
        http::Transfer::new(self, preset, on_download).bundle(cache)
    }

    #[cfg(not(feature = "hub"))]
    fn download(&self, _: &'static Preset, _: &Cache, _: &OnDownload) -> Result<Bundle, Error> {
        Err(self.fault("this program was built without the feature `hub`, so it asks none", false))
    }

    fn fault(&self, message: impl Into<String>, transient: bool) -> Error {
        ErrorKind::Hub { hub: self.endpoint.clone(), message: message.into(), transient }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_the_hub_or_forbids_it() {
        let hub = |endpoint: &str, offline: &str| {
            Hub::from_vars(|key| match key {
                "HF_ENDPOINT" => Some(endpoint.to_owned()),
                "ADB_OFFLINE" => Some(offline.to_owned()),
                _ => None,
            })
        };
        assert_eq!(hub("", ""), Hub::at("https://huggingface.co"));
        assert_eq!(hub("http://mirror:8080/", "0"), Hub::at("http://mirror:8080"));
        assert!(hub("", "1").offline && hub("", "true").offline);
    }
}
