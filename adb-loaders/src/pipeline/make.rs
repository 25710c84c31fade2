//! Children that the rows do not bring: their makers are asked, on several threads, for rows whose
//! objects are not there yet.

use super::{
    Context, Item,
    belt::{Receiver, Sender},
    failure::Stage,
    work,
};
use crate::MediaReader;

pub(super) fn run(
    context: &Context,
    media: &MediaReader,
    from: &Receiver<Item>,
    to: &Sender<Item>,
) {
    work::each(context, from, to, Stage::Make, |item| {
        let making = context.tally.stages.make.run();
        let most = context.options.max_decoded_bytes;
        let made = context.makers.make(&mut item.graph, media, &mut item.media, most);
        item.row.spent += making.time();
        let children = made.map_err(|reason| (Stage::Make, reason.into()))?;
        item.hold_media(item.media.bytes());
        context.tally.made(children);
        Ok(())
    });
}
