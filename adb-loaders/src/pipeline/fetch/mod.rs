//! Downloads, before a row's media are needed: of many rows at once, so that a slow server keeps no
//! decoder waiting.
//!
//! A row that needs none passes by. Rows overtake each other here.

#[cfg(feature = "http")]
mod download;

use adb_model::{MakeInput, MediaSource, ObjectKind};
use async_channel::{Receiver, SendError, Sender, bounded};

use super::{Item, Run};

/// What is fetched at a place of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Wanted {
    /// What identifies rows.
    Identities,
    /// All that a row still needs.
    All,
}

/// The way to the next stage, for rows with downloads by way of those.
pub(super) struct Outlet {
    direct: Sender<Item>,
    by_downloads: Option<(Wanted, Sender<Item>)>,
}

impl From<Sender<Item>> for Outlet {
    fn from(direct: Sender<Item>) -> Self {
        Self { direct, by_downloads: None }
    }
}

impl Outlet {
    fn way(&self, item: &Item) -> &Sender<Item> {
        match &self.by_downloads {
            Some((wanted, downloads)) if needed(item, *wanted).next().is_some() => downloads,
            _ => &self.direct,
        }
    }

    pub(super) async fn send(&self, item: Item) -> Result<(), SendError<Item>> {
        self.way(&item).send(item).await
    }

    #[expect(clippy::result_large_err, reason = "as the channel itself does")]
    pub(super) fn send_blocking(&self, item: Item) -> Result<(), SendError<Item>> {
        self.way(&item).send_blocking(item)
    }
}

impl Run {
    /// A channel with downloads before its end.
    pub(super) fn with_downloads(
        &mut self,
        wanted: Wanted,
        room: usize,
    ) -> (Outlet, Receiver<Item>) {
        let (direct, out) = bounded::<Item>(room);
        let outlet = Outlet { by_downloads: self.downloads(wanted, &direct), direct };
        (outlet, out)
    }

    #[cfg(not(feature = "http"))]
    #[expect(clippy::unused_self, clippy::needless_pass_by_ref_mut, reason = "as with the feature")]
    fn downloads(&mut self, _: Wanted, _: &Sender<Item>) -> Option<(Wanted, Sender<Item>)> {
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
