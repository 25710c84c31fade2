//! What an object was made from, as a hash that the database keeps beside it.

use std::collections::HashMap;

use bytes::Bytes;

use crate::{
    EmbedInput, EmbedderIdentity, Graph, MediaSource, NoFace, SetSpec, graph::content_id as hash,
};

/// Whether two contents of a descriptor are of one source, and of one embedder as far as both
/// name one.
pub(crate) fn same_source(stored: &str, now: &str) -> bool {
    let (stored, stored_by) = stored.split_once(':').unwrap_or((stored, ""));
    let (now, now_by) = now.split_once(':').unwrap_or((now, ""));
    stored == now && (stored_by == now_by || stored_by.is_empty() || now_by.is_empty())
}

/// What a descriptor is made from; `None` where a medium has no hash, or the source is not known
/// by itself.
fn of_input(
    input: &EmbedInput,
    mut of_media: impl FnMut(&MediaSource) -> Option<String>,
) -> Option<String> {
    match input {
        EmbedInput::Image(media) => of_media(media),
        EmbedInput::Region(media, r) => of_media(media).map(|image| {
            let region = format!("{image}/{},{},{},{}", r.x, r.y, r.width, r.height);
            hash(region.as_bytes())
        }),
        EmbedInput::Face(media, otherwise) => of_media(media).map(|image| {
            // Only then another vector can come of the same picture.
            let whole = if *otherwise == NoFace::Whole { " or whole" } else { "" };
            hash(format!("{image}/face{whole}").as_bytes())
        }),
        EmbedInput::Text(text) => Some(hash(text.as_bytes())),
        EmbedInput::OwnRegion => None,
    }
}

/// Which of these the note on a descriptor says that it was made from, whoever made it. Media that
/// have not been read are no answer.
pub(crate) fn made_from(
    note: &str,
    inputs: impl IntoIterator<Item = EmbedInput>,
) -> Option<EmbedInput> {
    let mut hashes = Hashes::default();
    let mut of_media = |media: &MediaSource| media.loaded().map(|bytes| hashes.of(bytes));
    let mut inputs = inputs.into_iter();
    inputs.find(|input| of_input(input, &mut of_media).is_some_and(|now| same_source(note, &now)))
}

/// Hashes of pictures: one that is stored and embedded is hashed once.
#[derive(Default)]
struct Hashes(HashMap<(*const u8, usize), String>);

impl Hashes {
    fn of(&mut self, bytes: &Bytes) -> String {
        let key = (bytes.as_ptr(), bytes.len());
        self.0.entry(key).or_insert_with(|| hash(bytes)).clone()
    }
}

impl Graph {
    /// Notes what media and vectors are made from, as far as the media have been read.
    ///
    /// `embedder` answers who fills a set.
    pub fn mark_contents<'e>(
        &mut self,
        embedder: impl Fn(&SetSpec) -> Option<&'e EmbedderIdentity>,
    ) {
        self.mark_contents_with(embedder, &[]);
    }

    /// The same; `unread` are hashes of media that have not been read, where they are known.
    pub(crate) fn mark_contents_with<'e>(
        &mut self,
        embedder: impl Fn(&SetSpec) -> Option<&'e EmbedderIdentity>,
        unread: &[(MediaSource, String)],
    ) {
        let mut hashes = Hashes::default();
        let mut of_media = |media: &MediaSource| match media.loaded() {
            Some(bytes) => Some(hashes.of(bytes)),
            None => unread.iter().find(|(m, _)| m == media).map(|(_, hash)| hash.clone()),
        };
        for id in self.node_ids() {
            let node = self.node_mut(id);
            let content = match (&node.media, &node.descriptor) {
                (Some(media), _) => of_media(media),
                (None, Some(d)) if d.vector.is_none() || d.made => {
                    let source = d.source.as_ref().and_then(|s| of_input(s, &mut of_media));
                    source.map(|source| match embedder(&d.set) {
                        Some(by) => format!("{source}:{}", by.hash.get(..16).unwrap_or(&by.hash)),
                        None => source,
                    })
                }
                _ => None,
            };
            node.content = content;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_source_and_another_embedder_are_told() {
        assert!(same_source("a:1", "a:1"));
        assert!(same_source("a:1", "a"), "nobody said who embeds");
        assert!(!same_source("a:1", "a:2"));
        assert!(!same_source("a:1", "b:1"));
    }
}
