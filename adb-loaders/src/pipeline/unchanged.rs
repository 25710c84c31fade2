//! Rows that have not changed since they were written: told by the note on their root, before
//! anything is made or read of them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use adb_model::{Graph, MediaSource, RowNote, probe::find_notes};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use twox_hash::XxHash3_128;

use super::{Context, Item, Outlet, belt::Receiver, failure::Stage};
use crate::{
    MediaReader,
    ledger::{Hash, Ledger, Stamp},
};

/// The files that a row names, each once, in the order of its graph.
#[derive(Debug, Clone, Default)]
pub(super) struct Files(Vec<MediaSource>);

impl Files {
    pub(super) fn of(graph: &Graph) -> Self {
        let mut files: Vec<MediaSource> = Vec::new();
        for media in graph.media() {
            if matches!(media, MediaSource::Path(_)) && !files.contains(media) {
                files.push(media.clone());
            }
        }
        Self(files)
    }

    /// A hash of what is in all of them; `one` answers that of each. Nothing if one is unknown.
    pub(super) fn hash(&self, mut one: impl FnMut(&MediaSource) -> Option<Hash>) -> Option<u128> {
        let mut all = Vec::with_capacity(self.0.len() * 32);
        for file in &self.0 {
            all.extend_from_slice(&one(file)?);
        }
        Some(XxHash3_128::oneshot(&all))
    }
}

/// Files, and what is known of them without reading them.
#[derive(Clone)]
pub(super) struct Known {
    media: MediaReader,
    ledger: Option<Ledger>,
}

impl Known {
    pub(super) fn new(media: MediaReader, ledger: Option<Ledger>) -> Self {
        Self { media, ledger }
    }

    fn stamp(&self, file: &MediaSource) -> Option<(PathBuf, Stamp)> {
        let path = self.media.path(file)?;
        let stamp = Stamp::of(&std::fs::metadata(&path).ok()?)?;
        Some((path, stamp))
    }

    /// The stamp of a file that is about to be read, if there is a ledger to note it in.
    pub(super) fn before_reading(&self, file: &MediaSource) -> Option<(PathBuf, Stamp)> {
        self.ledger.as_ref().and_then(|_| self.stamp(file))
    }

    /// Writes what is still to be noted.
    pub(super) fn flush(&self) {
        if let Some(ledger) = &self.ledger {
            ledger.flush();
        }
    }

    /// Notes what was read.
    pub(super) fn note(&self, stamp: Option<(PathBuf, Stamp)>, hash: Hash) {
        if let (Some(ledger), Some((path, stamp))) = (&self.ledger, stamp) {
            ledger.note(&path, stamp, hash);
        }
    }

    /// What is in a file: from the ledger, or by reading it. Nothing if it can't be read; whoever
    /// needs it then says why.
    pub(super) fn hash(&self, file: &MediaSource) -> Option<Hash> {
        let stamped = self.before_reading(file);
        if let (Some(ledger), Some((path, stamp))) = (&self.ledger, &stamped)
            && let Some(known) = ledger.hash(path, *stamp)
        {
            return Some(known);
        }
        let hash = hash(&self.media.read(file).ok()?);
        self.note(stamped, hash);
        Some(hash)
    }
}

pub(super) fn hash(bytes: &Bytes) -> Hash {
    Sha256::digest(bytes).into()
}

/// A hash that the graph has noted of media, in its own form.
pub(super) fn from_text(hex: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (byte, digits) in hash.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let digits = std::str::from_utf8(digits).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(hash)
}

/// Where rows become what the source says: lets those through that have changed, each when it is
/// its turn among rows of its identity.
pub(super) async fn run(context: Arc<Context>, known: Known, from: Receiver<Item>, to: Outlet) {
    let Some(upserts) = &context.upserts else { return };
    let linger = Duration::from_millis(20);
    while let Some(items) = from.batch(linger).await {
        let mut batch = Vec::with_capacity(items.len());
        for mut item in items {
            item.turn = Some(loop {
                let ended = upserts.ended();
                if let Some(turn) = upserts.turn(&item.graph) {
                    break turn;
                }
                // The row that it waits for may be in this batch.
                pass(&context, &known, std::mem::take(&mut batch), &to).await;
                ended.await;
            });
            batch.push(item);
        }
        pass(&context, &known, batch, &to).await;
    }
}

async fn pass(context: &Context, known: &Known, mut batch: Vec<Item>, to: &Outlet) {
    if batch.is_empty() {
        return;
    }
    if !context.rechecks() {
        let graphs: Vec<&Graph> = batch.iter().map(|item| &item.graph).collect();
        let looking = context.tally.stages.look_up.run();
        let notes = find_notes(context.dialect, &context.db, &graphs).await;
        drop(looking);
        match notes {
            Ok(notes) => {
                for (item, note) in batch.iter_mut().zip(notes) {
                    item.stored_note = note.filter(|note| context.run.believes(&note.run));
                }
            }
            Err(e) => {
                let rows = batch.into_iter().map(|item| item.row);
                return context.not_asked(rows, Stage::LookUp, e);
            }
        }
        batch = match_files(context, known, batch).await;
    }
    for item in batch {
        if item.unchanged {
            context.tally.existed(item.row, None);
        } else if let Err(unsent) = to.send(item).await {
            context.tally.lost(unsent.0.row, Stage::LookUp);
        }
    }
}

/// Marks rows that are noted as they are, with the files as they are.
async fn match_files(context: &Context, known: &Known, batch: Vec<Item>) -> Vec<Item> {
    let (mut same, others): (Vec<Item>, Vec<Item>) =
        batch.into_iter().partition(|item| item.is_noted() && item.has_files());
    let mut marked: Vec<Item> = others
        .into_iter()
        .map(|mut item| {
            item.unchanged = item.is_noted();
            item
        })
        .collect();
    if same.is_empty() {
        return marked;
    }
    // Files are looked at, and read if need be, on several threads.
    let portion = same.len().div_ceil(context.options.decoders.max(1));
    let mut threads = Vec::new();
    while !same.is_empty() {
        let rest = same.split_off(portion.min(same.len()));
        let (known, mut items) = (known.clone(), std::mem::replace(&mut same, rest));
        threads.push(tokio::task::spawn_blocking(move || {
            for item in &mut items {
                let brought = |file: &MediaSource| item.media.0.get(&file.origin()?);
                let now = item.files.hash(|file| match brought(file) {
                    Some(bytes) => Some(hash(bytes)),
                    None => known.hash(file),
                });
                let then = item.stored_note.as_ref().and_then(|note| note.media);
                item.unchanged = now.is_some() && now == then;
            }
            items
        }));
    }
    for thread in threads {
        match thread.await {
            Ok(items) => marked.extend(items),
            Err(e) => context.fail(crate::ErrorKind::Worker(e.to_string()).into()),
        }
    }
    // Rows of one source go on in their order, as near as can be.
    marked.sort_by_key(|item| item.row.at.row);
    marked
}

impl Item {
    /// Whether the database notes this very row, files apart.
    pub(super) fn is_noted(&self) -> bool {
        self.stored_note.as_ref().is_some_and(|note| Some(note.row) == self.row_hash)
    }

    /// Whether another source brought what the database has of it, which may be of other files.
    pub(super) fn is_of_others(&self, context: &Context) -> bool {
        let note = self.stored_note.as_ref();
        self.has_files() && note.is_some_and(|note| context.run.other_source(&note.run).is_some())
    }

    /// Where its object stays as it is: says that the object was made of other files.
    fn compare_files(&mut self, context: &Context, now: Option<u128>) {
        let (true, None, Some(note)) = (self.existed, &self.difference, &self.stored_note) else {
            return;
        };
        if now.is_none() || note.media.is_none() || now == note.media {
            return;
        }
        let told = match context.run.other_source(&note.run) {
            Some("") => "the database has this object from another run, of another file".to_owned(),
            Some(source) => {
                format!("the database has this object from {source}, of another file")
            }
            None => "its file is another one now than the one that was brought in".to_owned(),
        };
        self.difference = Some(told);
    }

    fn has_files(&self) -> bool {
        !self.files.0.is_empty()
    }

    /// Notes on the graph's root which row it comes from. The files have been read as far as they
    /// are needed; of the rest `known` is asked.
    pub(super) fn note(&mut self, context: &Context, known: &Known) {
        let Some(row) = self.row_hash else { return };
        let stored = self.graph.nodes().iter().filter(|n| n.descriptor.is_none());
        let hashed: Vec<(&Bytes, Hash)> = stored
            .filter_map(|n| Some((n.media.as_ref()?.loaded()?, from_text(n.content.as_ref()?)?)))
            .collect();
        let media = self.files.hash(|file| {
            let Some(bytes) = file.origin().and_then(|origin| self.media.0.get(&origin)) else {
                return known.hash(file);
            };
            let same = |(read, _): &&(&Bytes, Hash)| {
                read.as_ptr() == bytes.as_ptr() && read.len() == bytes.len()
            };
            let hash = hashed.iter().find(same).map_or_else(|| hash(bytes), |(_, hash)| *hash);
            let stamp = file.origin().and_then(|origin| self.stamps.remove(&origin));
            known.note(stamp, hash);
            Some(hash)
        });
        self.compare_files(context, media);
        let run = context.run.id.to_string();
        let note = RowNote { row, media, without: 0, run };
        self.set_note(&note);
    }

    /// Notes that descriptors are left out.
    pub(super) fn note_left_out(&mut self, without: usize) {
        let note = self.graph.root().and_then(|root| root.row.as_ref()?.parse().ok());
        if let Some(note) = note {
            self.set_note(&RowNote { without, ..note });
        }
    }

    fn set_note(&mut self, note: &RowNote) {
        let stored =
            self.stored_note.as_ref().filter(|s| s.is_same(note) && s.without == note.without);
        // One that says the same stays, so that there is nothing to write.
        self.graph.note_row(stored.unwrap_or(note).to_string());
    }
}

#[cfg(test)]
mod tests {
    use adb_model::graph::content_id;

    use super::*;

    #[test]
    fn hashes_are_read_as_they_are_written() {
        let bytes = Bytes::from_static(b"abc");
        assert_eq!(from_text(&content_id(&bytes)), Some(hash(&bytes)));
        assert_eq!(from_text("é"), None);
        assert_eq!(from_text(&"g".repeat(64)), None);
    }

    #[test]
    fn all_files_count_and_one_unknown_makes_all_unknown() {
        let files = Files(vec![MediaSource::Path("a".into()), MediaSource::Path("b".into())]);
        let one = |hash: u8| files.hash(|_| Some([hash; 32]));
        assert_ne!(one(1), one(2));
        let known = |file: &MediaSource| (file.origin()? == "a").then_some([1; 32]);
        assert_eq!(files.hash(known), None);
        assert!(Files::default().hash(known).is_some(), "no file is unknown");
    }
}
