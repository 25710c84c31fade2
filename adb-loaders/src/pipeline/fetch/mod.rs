//! Downloads, before a row's media are needed: of many rows at once, so that a slow server keeps no
//! decoder waiting.
//!
//! A row that needs none passes by. Rows overtake each other here.

#[cfg(feature = "http")]
mod download;

#[cfg(feature = "http")]
use std::time::Duration;

use adb_model::{MakeInput, MediaSource, ObjectKind};
#[cfg(feature = "http")]
use bytes::Bytes;

use super::{
    Item, Run,
    belt::{Receiver, Sender, Unsent},
    embed::Waits,
};
#[cfg(feature = "http")]
use crate::media::budget::Held;

/// What is fetched at a place of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Wanted {
    /// What identifies rows.
    Identities,
    /// All that a row still needs.
    All,
}

/// A row that may need downloads: of a model, or of commands.
pub(super) trait Fetches: Waits {
    /// The addresses that it needs and has not read, and what is to be there.
    fn addresses(&self, wanted: Wanted) -> Vec<(&str, Option<ObjectKind>)>;

    /// Takes what was there.
    #[cfg(feature = "http")]
    fn fetched(&mut self, url: String, bytes: Bytes);

    /// Keeps what the downloads hold of their budget, until it is written.
    #[cfg(feature = "http")]
    fn hold(&mut self, held: Held);

    /// Counts time that was spent on it.
    #[cfg(feature = "http")]
    fn took(&mut self, time: Duration);
}

impl Fetches for Item {
    fn addresses(&self, wanted: Wanted) -> Vec<(&str, Option<ObjectKind>)> {
        needed(self, wanted).map(|(kind, url)| (url, kind)).collect()
    }

    #[cfg(feature = "http")]
    fn fetched(&mut self, url: String, bytes: Bytes) {
        self.media.0.insert(url, bytes);
    }

    #[cfg(feature = "http")]
    fn hold(&mut self, held: Held) {
        self.downloads.push(held);
    }

    #[cfg(feature = "http")]
    fn took(&mut self, time: Duration) {
        self.row.spent += time;
    }
}

/// The way to the next stage, for rows with downloads by way of those.
pub(super) struct Outlet<I = Item> {
    direct: Sender<I>,
    by_downloads: Option<(Wanted, Sender<I>)>,
}

impl<I> From<Sender<I>> for Outlet<I> {
    fn from(direct: Sender<I>) -> Self {
        Self { direct, by_downloads: None }
    }
}

impl<I: Fetches> Outlet<I> {
    fn way(&self, item: &I) -> &Sender<I> {
        match &self.by_downloads {
            Some((wanted, downloads)) if !item.addresses(*wanted).is_empty() => downloads,
            _ => &self.direct,
        }
    }

    pub(super) async fn send(&self, item: I) -> Result<(), Unsent<I>> {
        self.way(&item).send(item).await
    }

    pub(super) fn send_blocking(&self, item: I) -> Result<(), Unsent<I>> {
        self.way(&item).send_blocking(item)
    }
}

impl Run {
    /// A belt with downloads before its end.
    pub(super) fn with_downloads<I: Fetches>(
        &mut self,
        wanted: Wanted,
        (direct, out): (Sender<I>, Receiver<I>),
    ) -> (Outlet<I>, Receiver<I>) {
        let outlet = Outlet { by_downloads: self.downloads(wanted, &direct), direct };
        (outlet, out)
    }

    #[cfg(not(feature = "http"))]
    #[expect(clippy::unused_self, clippy::needless_pass_by_ref_mut, reason = "as with the feature")]
    fn downloads<I>(&mut self, _: Wanted, _: &Sender<I>) -> Option<(Wanted, Sender<I>)> {
        None
    }
}

/// The addresses that an item needs and has not read.
fn needed(item: &Item, wanted: Wanted) -> impl Iterator<Item = (Option<ObjectKind>, &str)> {
    let all = wanted == Wanted::All;
    let unidentified = item.graph.unidentified().filter(move |_| !all);
    let unread = item.graph.unread().filter(move |_| all);
    let for_makers = item.graph.to_make().iter().filter(move |_| all);
    let for_makers = for_makers.filter_map(|task| match &task.input {
        MakeInput::Media(source) => Some(source),
        MakeInput::Text(_) => None,
    });
    let known = unidentified.chain(unread).map(|(kind, source)| (Some(kind), source));
    for_makers.map(|source| (None, source)).chain(known).filter_map(|(kind, source)| match source {
        MediaSource::Url(url) if !item.media.0.contains_key(url) => Some((kind, url.as_str())),
        _ => None,
    })
}
