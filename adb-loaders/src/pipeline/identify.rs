//! Reading the blobs whose hashes are identities: before rows are looked up by identity, and for
//! models that have such alone.

use adb_model::{MediaSource, ModelSchema};

use super::{
    Context, Item,
    belt::{Receiver, Sender},
    failure::Stage,
    mirror::Seen,
    work,
};
use crate::MediaReader;

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
    work::each(context, from, to, Stage::Media, |item| {
        let reading = context.tally.stages.media.run();
        let identified = identify(media, item);
        item.row.spent += reading.time();
        match identified {
            Err(reason) => {
                context.seen.iter().for_each(Seen::unknown);
                Err((Stage::Media, reason.into()))
            }
            Ok(bytes) => {
                item.hold_media(bytes);
                context.seen.iter().for_each(|seen| seen.row(&item.graph));
                Ok(())
            }
        }
    });
}

/// Answers how many bytes it read.
fn identify(media: &MediaReader, item: &mut Item) -> Result<usize, String> {
    // What the row brought is there already.
    let brought = item.media.bytes();
    let read = &mut item.media.0;
    item.graph.identify(|source: &MediaSource| match source.origin() {
        None => media.read(source),
        Some(origin) => match read.get(&origin) {
            Some(bytes) => Ok(bytes.clone()),
            None => {
                let bytes = media.read(source)?;
                read.insert(origin, bytes.clone());
                Ok(bytes)
            }
        },
    })?;
    Ok(item.media.bytes() - brought)
}
