//! Pictures, videos and addresses: what is done with bytes beside storing them. Nothing here knows
//! of the store, and nothing here runs on the writer.

pub(crate) mod facts;
pub(crate) mod fetch;
#[cfg(feature = "fetch")]
pub(crate) mod http;
pub(crate) mod picture;
mod ppm;
mod process;
mod sys;
pub(crate) mod video;

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use fetch::Fetcher;

use crate::request::fault::Fault;

/// How long the programs that work for one request may take together.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// What an engine has for working on media.
#[derive(Debug, Clone)]
pub(crate) struct Media {
    /// Programs by name, which the system looks up in PATH, or by path.
    pub(crate) ffmpeg: PathBuf,
    pub(crate) ffprobe: PathBuf,
    pub(crate) time_limit: Duration,
    /// Bytes that a video made anew, and what is fetched, may have.
    pub(crate) size_limit: usize,
    pub(crate) fetcher: Option<Arc<dyn Fetcher>>,
    /// Whether this `ffmpeg` knows the older names of its options; asked once.
    is_older: OnceLock<bool>,
}

impl Media {
    /// What an address gives, if the host of this engine can and will fetch it.
    pub(crate) fn fetch(&self, url: &str) -> Result<Bytes, Fault> {
        let Some(fetcher) = &self.fetcher else {
            return Err(Fault::new(format!(
                "`{url}` is not fetched, since this database was opened without a fetcher: open it with one (`adb serve` without `--no-fetch`, `Options::fetcher` in code), or send the bytes as the command's blob"
            ))
            .code("no_fetcher"));
        };
        let bytes = fetcher
            .fetch(url, self.size_limit)
            .map_err(|e| Fault::new(format!("`{url}` can't be fetched: {e}")).code("fetch"))?;
        if bytes.len() > self.size_limit {
            return Err(Fault::new(format!("`{url}` gives more than {} bytes", self.size_limit))
                .code("fetch"));
        }
        Ok(bytes)
    }

    pub(crate) fn new(size_limit: usize) -> Self {
        Self {
            ffmpeg: "ffmpeg".into(),
            ffprobe: "ffprobe".into(),
            time_limit: TIME_LIMIT,
            size_limit,
            fetcher: None,
            is_older: OnceLock::new(),
        }
    }
}
