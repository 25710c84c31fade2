//! Writing: rows are packed into requests; a refused request is halved until the guilty row stands
//! alone.

use std::{ops::Range, sync::Arc};

use adb_model::{Answer, DbError, Lowering, Request, Response};

use super::{
    Context, Item, OnExisting, belt::Receiver, enrich, existing::EXISTS, failure::Stage, upsert,
};
use crate::retry::Unanswered;

pub(super) async fn run(context: Arc<Context>, from: Receiver<Item>) {
    while let Some(mut items) = from.batch(context.options.linger).await {
        // Of rows with one id that meet here, the source's first is the one that is added.
        items.sort_by_key(|item| item.row.at.row);
        let _writing = context.tally.stages.write.run();
        write(&context, items).await;
    }
}

/// Writes rows, all to their end.
async fn write(context: &Context, items: Vec<Item>) {
    let (items, _beside) = match &context.upserts {
        Some(upserts) => {
            let items = upsert::begin(context, upserts, items).await;
            (items, Some(upsert::beside_others(upserts).await))
        }
        None => (items, None),
    };
    // Halves still to be written; a stack, not a recursion, since futures don't nest for free.
    let mut parts = vec![items];
    while let Some(part) = parts.pop() {
        let (request, part) = pack(context, part);
        if part.is_empty() {
            continue;
        }
        if let Some(reason) = context.is_broken() {
            for (item, _) in part {
                context.tally.failed(item.row, Stage::Write, reason.as_str());
            }
            continue;
        }
        if let Err(e) = context.run.begin(&context.db, context.dialect).await {
            let rows = part.into_iter().map(|(item, _)| item.row);
            context.not_asked(rows, Stage::Write, e);
            continue;
        }
        let refused = match context.db.ask(request).await {
            Ok(Response::Done { answers, .. }) => {
                account(context, part, &answers);
                continue;
            }
            Ok(Response::Refused(refusal)) => format!("the database refused it: {refusal}"),
            Err(Unanswered::Alone(e)) => format!("not written: {e}"),
            Err(why) => {
                let rows = part.into_iter().map(|(item, _)| item.row);
                context.not_answered(rows, Stage::Write, why);
                continue;
            }
        };
        let mut rows: Vec<Item> = part.into_iter().map(|(item, _)| item).collect();
        if rows.len() == 1 {
            for item in rows {
                context.tally.failed(item.row, Stage::Write, refused.as_str());
            }
        } else {
            tracing::debug!(rows = rows.len(), refused, "halving a request");
            let second = rows.split_off(rows.len() / 2);
            parts.push(second);
            parts.push(rows);
        }
    }
}

type Packed = Vec<(Item, Range<usize>)>;

/// One request of all rows that can be lowered, with each row's commands.
fn pack(context: &Context, items: Vec<Item>) -> (Request, Packed) {
    let mut lowering = Lowering::with_dialect(context.dialect);
    let mut packed = Vec::with_capacity(items.len());
    for item in items {
        match upsert::push(&mut lowering, &item) {
            Ok(commands) => packed.push((item, commands)),
            Err(e) => context.tally.failed(item.row, Stage::Write, e),
        }
    }
    (lowering.finish(), packed)
}

/// Books each row's outcome: its root's.
fn account(context: &Context, rows: Packed, answers: &[serde_json::Value]) {
    let (mut objects, mut connections) = (0, 0);
    for (item, commands) in rows {
        match outcome(answers, commands, &mut objects, &mut connections) {
            Err(e) => context.tally.failed(item.row, Stage::Write, e.to_string()),
            Ok(_) if item.known.is_some() => upsert::book_written(context, item),
            Ok(outcome) if item.lacking.is_some() => enrich::book_written(context, item, outcome),
            Ok(Outcome { root_added: true, .. }) => context.tally.added(),
            Ok(_) if !item.existed && context.existing == OnExisting::Fail => {
                context.tally.failed(item.row, Stage::Write, EXISTS);
            }
            Ok(_) => {
                let difference = match item.existed {
                    true => item.difference,
                    // The probe had not seen it.
                    false => Some(
                        "another row of this source has the same id, or another program has added it meanwhile"
                            .to_owned(),
                    ),
                };
                context.tally.existed(item.row, difference);
            }
        }
    }
    context.tally.written(objects, connections);
}

/// What became of a row's commands.
#[derive(Clone, Copy, Default)]
pub(super) struct Outcome {
    root_added: bool,
    /// Whether a descriptor was there that was not known to be.
    pub(super) vector_existed: bool,
    /// Objects that were added.
    pub(super) added: u64,
    /// Whether something that is stored was changed.
    pub(super) updated: bool,
}

fn outcome(
    answers: &[serde_json::Value],
    commands: Range<usize>,
    objects: &mut u64,
    connections: &mut u64,
) -> Result<Outcome, DbError> {
    let mut outcome = Outcome::default();
    for (i, index) in commands.enumerate() {
        let answer = Answer::at(answers, index)?;
        match (answer.command, answer.status()) {
            ("AddConnection", 0) => *connections += 1,
            (command, 0) if command.starts_with("Update") => outcome.updated = true,
            (command, 0) if command.starts_with("Add") => {
                *objects += 1;
                outcome.added += 1;
                outcome.root_added |= i == 0;
            }
            ("AddDescriptor", 2) => outcome.vector_existed = true,
            (_, 0..=2) => {}
            (command, status) => {
                return Err(DbError::permanent(format!(
                    "{command} answered status {status}: {}",
                    answer.info()
                )));
            }
        }
    }
    Ok(outcome)
}
