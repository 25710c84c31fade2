//! Children that the rows do not bring: their makers are asked, on several threads, for rows whose
//! objects are not there yet.

use std::time::Instant;

use async_channel::{Receiver, Sender};

use super::{Context, Item};
use crate::MediaReader;

pub(super) fn run(
    context: &Context,
    media: &MediaReader,
    from: &Receiver<Item>,
    to: &Sender<Item>,
) {
    while let Ok(mut item) = from.recv_blocking() {
        let started = Instant::now();
        let made = match context.is_broken() {
            Some(reason) => Err(reason),
            None => context.makers.make(
                &mut item.graph,
                media,
                &mut item.media,
                context.options.max_decoded_bytes,
            ),
        };
        context.tally.stages.make.add(started.elapsed());
        match made {
            Err(reason) => context.tally.failed(item.at, reason),
            Ok(children) => {
                context.tally.made(children);
                if let Err(unsent) = to.send_blocking(item) {
                    context.tally.failed(unsent.0.at, "the pipeline broke off".to_owned());
                }
            }
        }
    }
}
