//! Children that the rows do not bring: their makers are asked, on several threads, for rows whose
//! objects are not there yet.

use async_channel::{Receiver, Sender};

use super::{Context, Item, embed::Waits as _, failure::Stage};
use crate::MediaReader;

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
        let made = match context.is_broken() {
            Some(reason) => Err(reason),
            None => {
                let making = context.tally.stages.make.run();
                let made = context.makers.make(
                    &mut item.graph,
                    media,
                    &mut item.media,
                    context.options.max_decoded_bytes,
                );
                item.row.spent += making.time();
                made
            }
        };
        match made {
            Err(reason) => context.tally.failed(item.row, Stage::Make, reason),
            Ok(children) => {
                item.hold_media(item.media.bytes());
                context.tally.made(children);
                if let Err(unsent) = to.send_blocking(item) {
                    context.tally.lost(unsent.0.row, Stage::Make);
                }
            }
        }
    }
}
