//! Rows that bring a file are looked up by their guards first: what is there is not read, not
//! embedded and not sent again.

use std::{sync::Arc, time::Duration};

use adb_model::{Answer, Request, Response};
use serde_json::{Value as Json, json};

use super::{Done, How, Item};
use crate::{
    pipeline::{Context, Outlet, Stage, belt::Receiver},
    retry::Unanswered,
};

pub(super) async fn run(
    context: Arc<Context>,
    how: Arc<How>,
    from: Receiver<Item>,
    to: Outlet<Item>,
) {
    while let Some(items) = from.batch(Duration::from_millis(20)).await {
        let looking = context.tally.stages.look_up.run();
        let there = look_up(&context, &how, &items).await;
        drop(looking);
        let there = match there {
            Ok(there) => there,
            Err(why) => {
                let rows = items.into_iter().map(|item| item.row);
                context.not_answered(rows, Stage::LookUp, why);
                continue;
            }
        };
        for (mut item, there) in items.into_iter().zip(there) {
            if there && item.commands.steps.len() == 1 {
                context.tally.existed(item.row, None);
                continue;
            }
            if there {
                // What comes next is what is done with an object that is there.
                item.next = 1;
                item.done.push(Done { existed: true, ..Done::default() });
            }
            if let Err(unsent) = to.send(item).await {
                context.tally.lost(unsent.0.row, Stage::LookUp);
            }
        }
    }
}

/// Which rows are there, with the descriptors that they should have. A database that does not
/// answer this is asked to add them, and says what it finds.
async fn look_up(context: &Context, how: &How, items: &[Item]) -> Result<Vec<bool>, Unanswered> {
    let (mut commands, mut asked) = (Vec::new(), Vec::with_capacity(items.len()));
    for item in items {
        // A file that is compared with what is stored is read in any case.
        let compared = item.commands.steps.len() > 2;
        let find = item.commands.look_up(context.dialect).filter(|_| !compared);
        let start = commands.len();
        if let Some(find) = find {
            push(how, find, &mut commands);
        }
        asked.push(start..commands.len());
    }
    if commands.is_empty() {
        return Ok(vec![false; items.len()]);
    }
    match context.db.ask(Request::json(&Json::Array(commands))).await {
        Ok(Response::Done { answers, .. }) => {
            let count = |i: usize| {
                let answer = answers.get(i).and_then(|answer| Answer::open(answer).ok());
                answer.map_or(0, |answer| answer.count())
            };
            let is_there =
                |mut of: std::ops::Range<usize>| !of.is_empty() && of.all(|i| count(i) > 0);
            Ok(asked.into_iter().map(is_there).collect())
        }
        Ok(Response::Refused(refusal)) => {
            tracing::debug!(%refusal, "rows can't be looked up");
            Ok(vec![false; items.len()])
        }
        Err(why) => Err(why),
    }
}

fn push(how: &How, mut find: Json, commands: &mut Vec<Json>) {
    let is_image = find.get("FindImage").is_some();
    if !is_image || how.descriptors.is_empty() {
        commands.push(find);
        return;
    }
    let reference = commands.len() + 1;
    find["FindImage"]["_ref"] = reference.into();
    commands.push(find);
    for descriptors in &how.descriptors {
        commands.push(json!({"FindDescriptor": {
            "set": descriptors.set.name, "is_connected_to": {"ref": reference},
            "results": {"count": true},
        }}));
    }
}
