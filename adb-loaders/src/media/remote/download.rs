//! A download under way: what is there of it, and how long it may take.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use url::Url;

use super::{
    ask::{Ask, Fault, Opened, Tags},
    cache::Kept,
    place::Place,
};
use crate::media::{MediaErrorKind, budget::Held};

/// A body whose size is not told begins with so much of the budget.
const UNTOLD: u64 = 1 << 20;

/// A download under way.
pub(super) struct Download<'a> {
    pub(super) place: &'a Place,
    /// What the user wants to have listed, where this is a page of it.
    pub(super) listed: Option<&'a Url>,
    pub(super) bytes: Vec<u8>,
    pub(super) tags: Tags,
    pub(super) total: Option<u64>,
    pub(super) fresh_for: Option<Duration>,
    pub(super) kept: Option<Kept>,
    pub(super) held: Option<Held>,
    /// What was held for others before.
    pub(super) base: u64,
    pub(super) limit: Limit,
}

/// How long a download may take. Waiting for its turn does not count.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    pub(super) until: Instant,
    pub(super) whole: Duration,
}

impl Limit {
    pub(super) fn new(whole: Duration) -> Self {
        Self { until: Instant::now() + whole, whole }
    }

    pub(super) async fn timed<T>(
        &self,
        task: impl Future<Output = T>,
    ) -> Result<T, MediaErrorKind> {
        let late = MediaErrorKind::TimedOut { what: "it was not there", limit: self.whole };
        timeout_at(self.until, task).await.map_err(|_| late)
    }

    pub(super) async fn untimed<T>(&mut self, task: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let done = task.await;
        self.until += started.elapsed();
        done
    }
}

/// Where the bytes come from.
#[derive(Debug, PartialEq)]
pub(super) enum Came {
    FromServer,
    /// From the cache.
    NotModified,
    /// From nowhere yet: there is no room for so many bytes, those of others included.
    WithoutRoom(u64),
}

impl Download<'_> {
    /// Makes ready for a body.
    pub(super) fn begin(&mut self, ask: &Ask, opened: &Opened, max: u64) -> Result<(), Fault> {
        let have = self.bytes.len() as u64;
        if opened.start == 0 && have > 0 {
            // The whole once more: it has changed, or the server does no parts.
            self.restart();
        } else if opened.start != have
            || (have > 0 && (opened.tags.differ(&ask.tags) || opened.total != self.total))
        {
            self.restart();
            return Err(other_part().into());
        }
        if self.bytes.is_empty() {
            self.tags = opened.tags.clone();
        }
        self.total = opened.total;
        self.fresh_for = opened.fresh_for;
        match opened.total {
            Some(total) if total > max => {
                Err(MediaErrorKind::TooLarge { bytes: Some(total), limit: max }.into())
            }
            _ => Ok(()),
        }
    }

    /// Makes room for the body, or for the beginning of one whose size is not told; answers what is
    /// wanted of the budget if there is none.
    pub(super) fn make_room(&mut self) -> Result<(), u64> {
        if let Some(held) = &mut self.held {
            let to = self.base + self.total.unwrap_or(UNTOLD);
            if !held.try_raise(to) {
                return Err(to);
            }
        }
        if let Some(total) = self.total {
            let more = usize::try_from(total).unwrap_or(usize::MAX) - self.bytes.len();
            self.bytes.reserve_exact(more);
        }
        Ok(())
    }

    /// Takes a part of the body; answers what is wanted of the budget if there is no room for it.
    pub(super) fn add(&mut self, bytes: &[u8], max: u64) -> Result<Result<(), u64>, Fault> {
        let size = (self.bytes.len() + bytes.len()) as u64;
        if size > max || self.total.is_some_and(|total| size > total) {
            return Err(MediaErrorKind::TooLarge {
                bytes: None,
                limit: self.total.unwrap_or(max).min(max),
            }
            .into());
        }
        if let Some(held) = &mut self.held
            && self.base + size > held.bytes()
        {
            let to = self.base + (2 * size).min(max);
            if !held.try_raise(to) {
                return Ok(Err(to));
            }
            // No more memory than that.
            let room = usize::try_from(to - self.base).unwrap_or(usize::MAX);
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(Ok(()))
    }

    pub(super) fn cut(&self) -> MediaErrorKind {
        MediaErrorKind::Cut { got: self.bytes.len() as u64, announced: self.total }
    }

    pub(super) fn restart(&mut self) {
        self.bytes.clear();
        self.tags = Tags::default();
        self.total = None;
    }
}

pub(super) fn other_part() -> MediaErrorKind {
    MediaErrorKind::Network("the server gives another part than was asked for".to_owned())
}
