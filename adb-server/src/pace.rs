//! How fast bytes have to come. A limit for a whole message would let a few bytes a minute hold the
//! room of a large one for hours.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep, timeout_at},
};

const MEBIBYTE: usize = 1 << 20;

/// The pace of one message: each mebibyte has a time of its own.
#[derive(Debug)]
pub(crate) struct Pace {
    each: Duration,
    end: Instant,
    bytes: usize,
}

impl Pace {
    pub(crate) fn new(each: Duration) -> Self {
        Self { each, end: Instant::now() + each, bytes: 0 }
    }

    /// What `read` gives, unless it is too late; `size` says how many bytes have come with it.
    pub(crate) async fn keep<T>(
        &mut self,
        read: impl Future<Output = T>,
        size: impl FnOnce(&T) -> usize,
    ) -> Option<T> {
        let read = timeout_at(self.end, read).await.ok()?;
        self.bytes += size(&read);
        if self.bytes >= MEBIBYTE {
            self.bytes %= MEBIBYTE;
            self.end = Instant::now() + self.each;
        }
        Some(read)
    }
}

/// Counts the beginnings and the ends of answers on a connection of HTTP: odd while there is one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answers(Arc<AtomicU64>);

impl Answers {
    /// Does the work of a request.
    pub(crate) async fn count<T>(&self, work: impl Future<Output = T>) -> T {
        self.0.fetch_add(1, Ordering::AcqRel);
        let done = work.await;
        self.0.fetch_add(1, Ordering::AcqRel);
        done
    }
}

/// A stream of requests, each of whose heads has to come within a time once it has begun. Between
/// requests it may be silent: that is somebody else's to limit.
pub(crate) struct Heads<S> {
    stream: S,
    answers: Answers,
    seen: u64,
    within: Duration,
    late: Option<Pin<Box<Sleep>>>,
}

impl<S> Heads<S> {
    pub(crate) fn new(stream: S, answers: Answers, within: Duration) -> Self {
        Self { stream, answers, seen: 0, within, late: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heads<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let heads = self.get_mut();
        let answers = heads.answers.0.load(Ordering::Acquire);
        if heads.seen != answers {
            // The head that had begun is whole.
            heads.seen = answers;
            heads.late = None;
        }
        if heads.late.as_mut().is_some_and(|late| late.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = into.filled().len();
        let read = Pin::new(&mut heads.stream).poll_read(cx, into);
        let came = matches!(read, Poll::Ready(Ok(()))) && into.filled().len() > before;
        if came && answers.is_multiple_of(2) && heads.late.is_none() {
            heads.late = Some(Box::pin(sleep(heads.within)));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heads<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
