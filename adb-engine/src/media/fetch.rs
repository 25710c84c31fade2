//! Where the bytes behind a `url` come from: the engine asks its host.

use std::fmt;

use bytes::Bytes;

/// Fetches what `url` of AddImage, AddBlob and AddVideo names.
///
/// An engine opens no connection by itself. Whoever opens it may hand it a fetcher
/// ([`Options::fetcher`](crate::Options::fetcher)), and decides by that which addresses may be asked,
/// for how long, and how much they may give: requests may come from people who should not reach what
/// this process reaches. [`HttpFetcher`](crate::HttpFetcher) (feature `fetch`) is one that takes care.
///
/// It is called on a thread of the engine's that may wait, before the transaction.
pub trait Fetcher: Send + Sync + fmt::Debug {
    /// The bytes behind an address, `limit` of them at most.
    ///
    /// # Errors
    /// When they can't or may not be had. The words go to whoever sent the request.
    fn fetch(&self, url: &str, limit: usize) -> Result<Bytes, FetchError>;
}

/// Why an address gave nothing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct FetchError(String);

impl FetchError {
    /// With words that say what was wrong, and how to mend it; the address is named by the engine.
    #[must_use]
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}
