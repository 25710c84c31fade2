//! Reading the blobs whose hashes are identities: before rows are looked up by identity, and for
//! models that have such alone.

use std::collections::HashMap;

use adb_model::{Graph, MediaSource, ModelSchema};
use async_channel::{Receiver, Sender};
use bytes::Bytes;

use super::{Context, Item, failure::Stage};
use crate::{MediaReader, makers::MediaCache};

/// Whether objects of a model, or of one that it is connected to, are identified so.
pub(super) fn is_needed(schema: &'static ModelSchema) -> bool {
    schema.reachable().iter().any(|model| model.content_id)
}

pub(super) fn run(
    context: &Context,
    media: &MediaReader,
    from: &Receiver<Item>,
    to: &Sender<Item>,
) {
    while let Ok(mut item) = from.recv_blocking() {
        if context.stop.is_stopped() {
            context.tally.put_back();
            continue;
        }
        item.pass_to_media(&context.media_gate);
        let identified = match context.is_broken() {
            Some(reason) => Err(reason),
            None => {
                let reading = context.tally.stages.media.run();
                let identified = identify(media, &mut item.graph, &item.media);
                item.row.spent += reading.time();
                identified
            }
        };
        match identified {
            Err(reason) => context.tally.failed(item.row, Stage::Media, reason),
            Ok(bytes) => {
                item.hold_media(bytes);
                if let Err(unsent) = to.send_blocking(item) {
                    context.tally.lost(unsent.0.row, Stage::Media);
                }
            }
        }
    }
}

/// Answers how many bytes it read. `known`: what the row brought.
fn identify(media: &MediaReader, graph: &mut Graph, known: &MediaCache) -> Result<usize, String> {
    let mut read: HashMap<String, Bytes> = HashMap::new();
    graph.identify(|source: &MediaSource| match source.origin() {
        None => media.read(source),
        Some(origin) => match known.0.get(&origin).or_else(|| read.get(&origin)) {
            Some(bytes) => Ok(bytes.clone()),
            None => {
                let bytes = media.read(source)?;
                read.insert(origin, bytes.clone());
                Ok(bytes)
            }
        },
    })?;
    Ok(read.values().map(Bytes::len).sum())
}
