//! What all stages have in common that read media on threads of their own.

use super::{
    Context,
    belt::{Receiver, Way},
    embed::Waits,
    failure::{Reason, Stage},
};

/// Takes rows of either kind until no more come, and hands on what became of each. Rows are put
/// back once the run is to stop, and fail once nothing can be written any longer; `stage` is where
/// they then fail.
pub(super) fn each<I: Waits>(
    context: &Context,
    from: &Receiver<I>,
    to: &impl Way<I>,
    stage: Stage,
    work: impl Fn(&mut I) -> Result<(), (Stage, Reason)>,
) {
    while let Some(mut item) = from.recv_blocking() {
        if context.stop.is_stopped() {
            context.tally.put_back();
            continue;
        }
        item.pass_to_media(&context.media_gate);
        let done = match context.is_broken() {
            Some(reason) => Err((stage, reason.into())),
            None => work(&mut item),
        };
        match done {
            Err((stage, reason)) => context.tally.failed(item.into_row(), stage, reason),
            Ok(()) => {
                if let Err(unsent) = to.hand_on(item) {
                    context.tally.lost(unsent.0.into_row(), stage);
                }
            }
        }
    }
}
