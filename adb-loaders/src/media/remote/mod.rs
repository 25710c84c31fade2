//! Downloads: on a thread of their own, with limits, attempts, waits and a cache.

mod ask;
mod cache;
mod download;
mod fetch;
mod hosts;
mod http;
pub(crate) mod listing;
mod place;
#[cfg(any(feature = "s3", feature = "gs"))]
mod store;
mod transport;

use std::{
    fmt, io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, mpsc},
    task::{Context, Poll},
    thread,
};

use adb_model::ObjectKind;
use bytes::Bytes;
use tokio::{
    runtime::{Builder, Handle},
    sync::{
        mpsc::{Receiver, Sender, channel},
        oneshot,
    },
    task::JoinHandle,
};

use self::fetch::Fetcher;
use super::{MediaError, MediaErrorKind, MediaOptions, budget::Held};

/// Starts with the first download.
pub(crate) struct Lazy {
    options: Arc<MediaOptions>,
    started: Mutex<Option<Arc<Remote>>>,
}

impl fmt::Debug for Lazy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lazy")
    }
}

impl Lazy {
    pub(crate) fn new(options: Arc<MediaOptions>) -> Self {
        Self { options, started: Mutex::default() }
    }

    pub(crate) fn start(&self) -> Result<Arc<Remote>, MediaError> {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remote) = &*started {
            return Ok(remote.clone());
        }
        let remote = Arc::new(Remote::start(self.options.clone())?);
        *started = Some(remote.clone());
        Ok(remote)
    }
}

/// The thread that downloads. It ends when this is dropped.
pub(crate) struct Remote {
    fetcher: Arc<Fetcher>,
    runtime: Handle,
    _ends_with: oneshot::Sender<()>,
}

impl Remote {
    pub(crate) fn start(options: Arc<MediaOptions>) -> Result<Self, MediaError> {
        let failed =
            |e: io::Error| MediaError::new("the thread for downloads", MediaErrorKind::Io(e));
        let fetcher = Arc::new(Fetcher::new(options)?);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (ends_with, ended) = oneshot::channel();
        let run = move || {
            // Nothing is ever sent: the other end goes.
            let _ = runtime.block_on(ended);
            // A look-up of a name that hangs must not keep the program.
            runtime.shutdown_background();
        };
        thread::Builder::new().name("adb-media".to_owned()).spawn(run).map_err(failed)?;
        Ok(Self { fetcher, runtime: handle, _ends_with: ends_with })
    }

    pub(crate) async fn download(
        &self,
        url: &str,
        kind: Option<ObjectKind>,
        held: Option<Held>,
    ) -> Result<(Bytes, Option<Held>), MediaError> {
        let (fetcher, url) = (self.fetcher.clone(), url.to_owned());
        let task = async move { fetcher.download(&url, kind, held).await };
        Ended(self.runtime.spawn(task)).await
    }

    pub(crate) fn download_blocking(
        &self,
        url: &str,
        kind: Option<ObjectKind>,
    ) -> Result<Bytes, MediaError> {
        let (fetcher, url) = (self.fetcher.clone(), url.to_owned());
        let (done, result) = mpsc::channel();
        self.runtime.spawn(async move {
            // Whoever asked has gone, if it can't be sent.
            let _ = done.send(fetcher.download(&url, kind, None).await);
        });
        let (bytes, _) = result.recv().unwrap_or_else(|_| Err(stopped()))?;
        Ok(bytes)
    }

    /// What one task makes, one after the other; whoever takes it may wait for it.
    pub(crate) fn stream<T: Send + 'static, Fut>(
        &self,
        run: impl FnOnce(Arc<Fetcher>, Sender<T>) -> Fut,
    ) -> Receiver<T>
    where
        Fut: Future<Output = ()> + Send + 'static,
    {
        let (to, from) = channel(AHEAD);
        self.runtime.spawn(run(self.fetcher.clone(), to));
        from
    }
}

/// Entries of a listing that are fetched before they are asked for: a page of S3.
const AHEAD: usize = 1000;

fn stopped() -> MediaError {
    MediaError::new("a download", MediaErrorKind::Stopped)
}

/// A task that is ended when nobody waits for it.
struct Ended<T>(JoinHandle<Result<T, MediaError>>);

impl<T> Future for Ended<T> {
    type Output = Result<T, MediaError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let task = Pin::new(&mut self.0);
        // It fails with its runtime alone, or with a fault of ours.
        task.poll(cx).map(|done| done.unwrap_or_else(|_| Err(stopped())))
    }
}

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests;
