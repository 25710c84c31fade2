//! Looking rows up before any picture is read.

use std::{sync::Arc, time::Duration};

use adb_model::{Graph, probe::mark_existing_in};

use super::{
    Context, Item, OnExisting, Outlet, belt::Receiver, existing::EXISTS, failure::Stage, upsert,
};

/// How often a row has been asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Asked {
    First,
    /// For children that were made meanwhile.
    Again,
}

pub(super) async fn run(context: Arc<Context>, from: Receiver<Item>, to: Outlet, asked: Asked) {
    // A short wait: an embedder that idles costs more than a smaller probe.
    let linger = Duration::from_millis(20);
    while let Some(mut items) = from.batch(linger).await {
        if let Some(upserts) = &context.upserts {
            upsert::look_up_batch(&context, upserts, items, &to).await;
            continue;
        }
        let looking = context.tally.stages.look_up.run();
        let mut graphs: Vec<&mut Graph> = items.iter_mut().map(|item| &mut item.graph).collect();
        let found = mark_existing_in(context.dialect, &context.db, &mut graphs).await;
        drop(looking);
        match found {
            Ok(found) => {
                for (mut item, found) in items.into_iter().zip(found) {
                    if asked == Asked::First {
                        item.existed = found.exists;
                        item.difference = found.difference;
                        item.stored_note =
                            found.note.filter(|note| context.run.believes(&note.run));
                        if found.exists && context.existing == OnExisting::Fail {
                            context.tally.failed(item.row, Stage::LookUp, EXISTS);
                            continue;
                        }
                        // All that it says is there; its files are not looked at.
                        if item.is_noted() && !context.rechecks() && !item.is_of_others(&context) {
                            context.tally.existed(item.row, item.difference);
                            continue;
                        }
                    }
                    if let Err(unsent) = to.send(item).await {
                        context.tally.lost(unsent.0.row, Stage::LookUp);
                    }
                }
            }
            Err(e) => {
                let rows = items.into_iter().map(|item| item.row);
                context.not_asked(rows, Stage::LookUp, e);
            }
        }
    }
}
