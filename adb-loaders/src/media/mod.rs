//! Reading the pictures, videos and files that rows point to: from files, over HTTP, from S3 and
//! Google Cloud Storage.

#[cfg(feature = "http")]
pub(crate) mod budget;
mod error;
mod options;
#[cfg(feature = "http")]
mod remote;
mod root;
#[cfg(feature = "http")]
mod sniff;

use std::{path::PathBuf, sync::Arc};

use adb_model::{MediaSource, ObjectKind};
use bytes::Bytes;

pub use error::{MediaError, MediaErrorKind};
pub use options::MediaOptions;
#[cfg(feature = "http")]
pub use remote::listing::{Entry, Listing};
pub use root::MediaRoot;

/// Reads media, whatever names them: a path, an address of `http`, `https` (feature `http`), `s3`
/// (feature `s3`) or `gs` (feature `gs`).
///
/// Rows are data, so what they name is not believed: paths stay within the [`MediaRoot`], addresses
/// that are not of the public net are refused at the time of connecting and after each redirection,
/// nothing larger than the limit is read, and what a server sends instead of a picture is told from
/// one. All that can be allowed by [`MediaOptions`].
///
/// Downloads run on a thread of the reader's own, which the first one starts: [`fetch`](Self::fetch)
/// can be awaited on any executor, [`read`](Self::read) called on any thread. Clones share
/// connections, limits and the thread.
///
/// ```no_run
/// use adb_loaders::{MediaOptions, MediaReader, MediaRoot};
/// use adb_model::MediaSource;
///
/// let reader = MediaReader::new(MediaRoot::new("photos"), MediaOptions::default());
/// let bytes = reader.read(&MediaSource::from_text("https://example.com/ramen.jpg"))?;
/// # Ok::<(), adb_loaders::MediaError>(())
/// ```
#[derive(Debug, Clone)]
pub struct MediaReader {
    root: MediaRoot,
    options: Arc<MediaOptions>,
    #[cfg(feature = "http")]
    remote: Arc<remote::Lazy>,
}

impl MediaReader {
    /// Reads relative to `root`, unless the options name another directory.
    #[must_use]
    pub fn new(root: MediaRoot, mut options: MediaOptions) -> Self {
        options.trusted.extend(root.trusted().map(str::to_owned));
        let root = match &options.root {
            Some(dir) => MediaRoot::new(dir),
            None => root,
        };
        let outside = root.allows_outside() || options.allow_outside;
        let options = Arc::new(options);
        Self {
            root: root.allow_outside(outside),
            #[cfg(feature = "http")]
            remote: Arc::new(remote::Lazy::new(options.clone())),
            options,
        }
    }

    /// Where a file lies, if it is one and may be read.
    #[must_use]
    pub fn path(&self, source: &MediaSource) -> Option<PathBuf> {
        match source {
            MediaSource::Path(path) => self.root.resolve(path).ok(),
            _ => None,
        }
    }

    /// The encoded bytes. Dropping the future ends the download.
    ///
    /// # Errors
    /// When they can't or may not be had.
    pub async fn fetch(&self, source: &MediaSource) -> Result<Bytes, MediaError> {
        self.fetch_kind(source, None).await
    }

    /// The encoded bytes of what is to be an image, a video or a blob: what a server sends instead
    /// of one, such as a page that says that it is gone, is an error.
    ///
    /// # Errors
    /// When they can't or may not be had, or are something else.
    pub async fn fetch_kind(
        &self,
        source: &MediaSource,
        kind: impl Into<Option<ObjectKind>>,
    ) -> Result<Bytes, MediaError> {
        match source {
            MediaSource::Url(url) => self.download(url, kind.into()).await,
            MediaSource::Path(path) => {
                let (root, path) = (self.root.clone(), path.clone());
                let limit = self.options.max_bytes;
                match tokio::runtime::Handle::try_current() {
                    Ok(runtime) => {
                        let reading = runtime.spawn_blocking(move || root.read(&path, limit));
                        // It is cancelled with its runtime alone.
                        reading.await.unwrap_or_else(|_| {
                            Err(MediaError::new("a file", MediaErrorKind::Stopped))
                        })
                    }
                    Err(_) => root.read(&path, limit),
                }
            }
            other => self.given(other),
        }
    }

    /// The same as [`fetch`](Self::fetch), for threads that may wait.
    ///
    /// # Errors
    /// When they can't or may not be had.
    pub fn read(&self, source: &MediaSource) -> Result<Bytes, MediaError> {
        self.read_kind(source, None)
    }

    /// The same as [`fetch_kind`](Self::fetch_kind), for threads that may wait.
    ///
    /// # Errors
    /// When they can't or may not be had, or are something else.
    pub fn read_kind(
        &self,
        source: &MediaSource,
        kind: impl Into<Option<ObjectKind>>,
    ) -> Result<Bytes, MediaError> {
        match source {
            MediaSource::Url(url) => self.download_blocking(url, kind.into()),
            MediaSource::Path(path) => self.root.read(path, self.options.max_bytes),
            other => self.given(other),
        }
    }

    fn given(&self, source: &MediaSource) -> Result<Bytes, MediaError> {
        match source {
            MediaSource::Bytes(bytes) => Ok(bytes.clone()),
            other => Err(MediaError::new(format!("{other:?}"), MediaErrorKind::Unreadable)),
        }
    }
}

#[cfg(feature = "http")]
impl MediaReader {
    pub(crate) fn remote(&self) -> Result<Arc<remote::Remote>, MediaError> {
        self.remote.start()
    }

    async fn download(&self, url: &str, kind: Option<ObjectKind>) -> Result<Bytes, MediaError> {
        Ok(self.remote.start()?.download(url, kind, None).await?.0)
    }

    fn download_blocking(&self, url: &str, kind: Option<ObjectKind>) -> Result<Bytes, MediaError> {
        self.remote.start()?.download_blocking(url, kind)
    }

    /// A download that holds a part of a budget.
    pub(crate) async fn download_within(
        &self,
        url: &str,
        kind: Option<ObjectKind>,
        held: budget::Held,
    ) -> Result<(Bytes, budget::Held), MediaError> {
        let (bytes, held) = self.remote.start()?.download(url, kind, Some(held)).await?;
        Ok((bytes, held.ok_or_else(|| MediaError::new(url, MediaErrorKind::Stopped))?))
    }
}

#[cfg(not(feature = "http"))]
#[expect(clippy::unused_async, reason = "as with the feature")]
impl MediaReader {
    async fn download(&self, url: &str, _: Option<ObjectKind>) -> Result<Bytes, MediaError> {
        Err(without_feature(url))
    }

    fn download_blocking(&self, url: &str, _: Option<ObjectKind>) -> Result<Bytes, MediaError> {
        Err(without_feature(url))
    }
}

#[cfg(not(feature = "http"))]
fn without_feature(url: &str) -> MediaError {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    MediaError::new(
        url,
        match scheme {
            "http" | "https" => MediaErrorKind::NoFeature("http"),
            "s3" => MediaErrorKind::NoFeature("s3"),
            "gs" => MediaErrorKind::NoFeature("gs"),
            other => MediaErrorKind::Address(format!("`{other}:` is none of http, https, s3, gs")),
        },
    )
}
