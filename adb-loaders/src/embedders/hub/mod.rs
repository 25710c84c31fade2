//! Bundles from a model hub.

#[cfg(feature = "hub")]
mod contents;
#[cfg(feature = "hub")]
mod hash;
#[cfg(feature = "hub")]
mod http;
#[cfg(feature = "hub")]
mod refusal;
mod settings;
#[cfg(feature = "hub")]
mod shared;
#[cfg(feature = "hub")]
mod transfer;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use self::settings::{Settings, Token};
use super::{
    Bundle, Cache, Error, ErrorKind,
    bundle::MANIFEST,
    preset::{Origin, Preset},
};

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
    /// Why it is not asked.
    offline: Option<&'static str>,
    patience: Duration,
    token: Option<Token>,
    shared_cache: Option<PathBuf>,
}

impl Hub {
    /// What the environment says, by the names that the hub's own Python client reads:
    /// - `HF_ENDPOINT`: another hub than the one that everybody uses;
    /// - `HF_TOKEN`, or a file (`HF_TOKEN_PATH`, `token` in `HF_HOME`): who asks;
    /// - `HF_HUB_CACHE`, or `hub` in `HF_HOME`: what that client has fetched already;
    /// - `HF_HUB_OFFLINE=1`, and `ADB_OFFLINE=1`: no hub is asked.
    #[must_use]
    pub fn from_env() -> Self {
        Self::of(Settings::from_env())
    }

    fn of(settings: Settings) -> Self {
        let endpoint = settings.endpoint.unwrap_or("https://huggingface.co".into());
        Self {
            offline: settings.offline,
            token: settings.token,
            shared_cache: settings.shared_cache,
            ..Self::at(endpoint.trim())
        }
    }

    /// A hub at an address of your own, asked without a token.
    #[must_use]
    pub fn at(endpoint: impl Into<String>) -> Self {
        let endpoint = endpoint.into().trim_end_matches('/').to_owned();
        let patience = Duration::from_secs(3);
        Self { endpoint, offline: None, patience, token: None, shared_cache: None }
    }

    /// Asks no hub.
    #[must_use]
    pub fn offline(mut self) -> Self {
        self.offline = Some("the program was told so (as ADB_OFFLINE=1 tells it)");
        self
    }

    /// Sets how long to wait for a connection, and again for an answer, before the hub counts as
    /// not reachable: 3 seconds, unless this says otherwise.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets the token that says who asks. It goes to the hub's own host and to no other.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.token = Token::new(token, "the program");
        self
    }

    /// Sets where the hub's Python client keeps what it has fetched: files that are there are taken
    /// from there.
    #[must_use]
    pub fn shared_cache(mut self, dir: impl Into<PathBuf>) -> Self {
        self.shared_cache = Some(dir.into());
        self
    }

    /// Why it is not asked, if it is not.
    #[must_use]
    pub fn is_offline(&self) -> Option<&'static str> {
        self.offline
    }

    /// Its address.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Puts a preset's bundle into the cache, or finds it there and mends what is damaged of it.
    ///
    /// What came down of a download that was cut off is kept, and the next call goes on from
    /// there. A bundle appears in the cache when it is complete. Blocks.
    ///
    /// # Errors
    /// When the preset does not come from a hub; when the hub can't be reached or may not be asked,
    /// refuses, lacks a file, or gives another file than it announces.
    pub fn fetch(
        &self,
        preset: &'static Preset,
        cache: &Cache,
        on_download: &OnDownload,
    ) -> Result<Bundle, Error> {
        let Origin::Hub { repository } = preset.origin else {
            return match cache.bundle(preset.name)? {
                Some(bundle) => Ok(bundle),
                None => Err(ErrorKind::NoneFound(preset.how_to_get()).into()),
            };
        };
        match self.mended(preset, cache, on_download)? {
            Some(bundle) => Ok(bundle),
            None => self.download(preset, repository, cache, on_download),
        }
    }

    /// The preset's bundle if it is in the cache. Files of it that are missing or not those that it
    /// was made with are fetched again.
    pub(super) fn mended(
        &self,
        preset: &'static Preset,
        cache: &Cache,
        on_download: &OnDownload,
    ) -> Result<Option<Bundle>, Error> {
        let dir = cache.bundle_dir(preset.name);
        if !dir.join(MANIFEST).is_file() {
            return Ok(None);
        }
        let bundle = Bundle::described(&dir)?;
        if !bundle.damaged()?.is_empty()
            && let Origin::Hub { repository } = preset.origin
        {
            self.mend(&bundle, preset, repository, cache, on_download)?;
        }
        Bundle::open(dir).map(Some)
    }

    #[cfg(feature = "hub")]
    fn download(
        &self,
        preset: &'static Preset,
        repository: &'static str,
        cache: &Cache,
        on_download: &OnDownload,
    ) -> Result<Bundle, Error> {
        transfer::Transfer::new(self, preset, repository, cache, on_download).bundle()
    }

    #[cfg(feature = "hub")]
    fn mend(
        &self,
        bundle: &Bundle,
        preset: &'static Preset,
        repository: &'static str,
        cache: &Cache,
        on_download: &OnDownload,
    ) -> Result<(), Error> {
        transfer::Transfer::new(self, preset, repository, cache, on_download).mend(bundle)
    }

    #[cfg(not(feature = "hub"))]
    fn download(
        &self,
        _: &'static Preset,
        _: &'static str,
        _: &Cache,
        _: &OnDownload,
    ) -> Result<Bundle, Error> {
        Err(self.fault("this program was built without the feature `hub`, so it asks none", false))
    }

    /// What is damaged is told when the bundle is opened.
    #[cfg(not(feature = "hub"))]
    fn mend(
        &self,
        _: &Bundle,
        _: &'static Preset,
        _: &'static str,
        _: &Cache,
        _: &OnDownload,
    ) -> Result<(), Error> {
        Ok(())
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
            Hub::of(Settings::from_vars(
                |key| match key {
                    "HF_ENDPOINT" => Some(endpoint.to_owned()),
                    "ADB_OFFLINE" => Some(offline.to_owned()),
                    _ => None,
                },
                None,
            ))
        };
        assert_eq!(hub("", ""), Hub::at("https://huggingface.co"));
        assert_eq!(hub("http://mirror:8080/", "0"), Hub::at("http://mirror:8080"));
        assert!(hub("", "1").offline.is_some() && hub("", "true").offline.is_some());
    }
}
