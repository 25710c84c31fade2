//! Writing: steps of rows are packed into requests; what a refused request was refused for is
//! found out, and costs the rows that it concerns.

use std::{ops::Range, sync::Arc};

use adb_model::{Answer, DbError, Request, Response};
use serde_json::Value as Json;

use super::{Done, Item};
use crate::{
    commands::{Command, Merged, Step, When},
    pipeline::{Context, Stage, belt::Receiver},
    retry::Unanswered,
};

/// More commands in one request are not sent, whatever the number of rows: servers bound
/// references.
const MOST_COMMANDS: usize = 50_000;

pub(super) async fn run(context: Arc<Context>, from: Receiver<Item>) {
    while let Some(mut rest) = from.batch(context.options.linger).await {
        let _writing = context.tally.stages.write.run();
        while !rest.is_empty() {
            let mut items = first_request(&mut rest);
            while !items.is_empty() {
                items = step(&context, items).await;
            }
        }
    }
}

/// Takes rows with no more commands than one request may have, unless a single one has them.
fn first_request(items: &mut Vec<Item>) -> Vec<Item> {
    let mut commands = 0;
    let is_last = |item: &Item| {
        commands += item.commands();
        commands >= MOST_COMMANDS
    };
    let end = items.iter().position(is_last).map_or(items.len(), |last| last + 1);
    let rest = items.split_off(end);
    std::mem::replace(items, rest)
}

impl Item {
    fn commands(&self) -> usize {
        self.commands.commands().count()
    }

    pub(super) fn bytes(&self) -> usize {
        let media = self.commands.commands().filter_map(|c| c.media()).map(bytes::Bytes::len);
        media.sum::<usize>()
            + self.commands.vectors.iter().flatten().map(bytes::Bytes::len).sum::<usize>()
    }

    /// Passes over steps that are not to be taken; answers whether there is one that is.
    fn has_step(&mut self) -> bool {
        while let Some(step) = self.commands.steps.get(self.next) {
            let existed = || self.done.first().is_some_and(|done| done.existed);
            let unchanged = || self.done.get(1).is_some_and(|done| done.changed == 0);
            let taken = match step.when {
                When::Always => true,
                When::Existed => existed(),
                When::NotUpdated => existed() && unchanged(),
            };
            if taken {
                return true;
            }
            self.done.push(Done::default());
            self.next += 1;
        }
        false
    }

    /// Books a row that has come to its end.
    fn book(self, context: &Context) {
        let tally = &context.tally;
        let adds = |step: &Step| step.commands.iter().any(Command::is_add);
        let main = self.commands.steps.iter().position(adds).unwrap_or(0);
        let first = self.done.get(main).copied().unwrap_or_default();
        let later = self.done.iter().skip(main + 1);
        match first {
            Done { existed: false, .. } => tally.added(),
            _ if first.described || later.into_iter().any(|d| d.added || d.changed > 0) => {
                tally.updated();
            }
            _ => tally.existed(self.row, None),
        }
    }
}

/// Takes the next step of each row; answers the rows that have another one after it.
async fn step(context: &Context, items: Vec<Item>) -> Vec<Item> {
    let mut go_on = Vec::new();
    // Parts still to be written.
    let mut parts = vec![items];
    let mut looked_up = false;
    while let Some(part) = parts.pop() {
        let (request, part) = pack(context, part);
        if part.is_empty() {
            continue;
        }
        if let Some(reason) = context.is_broken() {
            fail_all(context, part, &reason);
            continue;
        }
        if context.run.is_borne
            && let Err(e) = context.run.begin(&context.db, context.dialect).await
        {
            let rows = part.into_iter().map(|(item, _)| item.row);
            context.not_asked(rows, Stage::Write, e);
            continue;
        }
        let repeatable = part.iter().all(|(item, _)| item.commands.is_repeatable());
        let (refused, guilty) = match context.db.ask_as(request, repeatable).await {
            Ok(Response::Done { answers, .. }) => {
                account(context, part, &answers, &mut go_on);
                continue;
            }
            Ok(Response::Refused(refusal)) => {
                let guilty = refusal.command.and_then(|command| {
                    part.iter().position(|(_, commands)| commands.contains(&command))
                });
                (format!("the database refused it: {refusal}"), guilty)
            }
            Err(Unanswered::Alone(e)) => (format!("not written: {e}"), None),
            Err(Unanswered::InDoubt(e)) => {
                let reason = format!(
                    "the connection broke while it was written ({e}), and the database may have it: it has no guard (`constraint_…`), so it was not sent again; look whether it is there before you run it again"
                );
                fail_all(context, part, &reason);
                continue;
            }
            Err(why) => {
                let rows = part.into_iter().map(|(item, _)| item.row);
                context.not_answered(rows, Stage::Write, why);
                continue;
            }
        };
        let mut rows: Vec<Item> = part.into_iter().map(|(item, _)| item).collect();
        if !looked_up && rows.iter().any(Item::looks_up) {
            // Most likely something is connected to what is not there.
            looked_up = true;
            parts.push(without_missing(context, rows).await);
        } else if rows.len() == 1 {
            for item in rows {
                context.tally.failed(item.row, Stage::Write, refused.as_str());
            }
        } else if let Some(guilty) = guilty {
            // Alone, since another row may have made it guilty.
            let alone = rows.swap_remove(guilty);
            parts.extend([vec![alone], rows]);
        } else {
            tracing::debug!(rows = rows.len(), refused, "halving a request");
            let second = rows.split_off(rows.len() / 2);
            parts.extend([second, rows]);
        }
    }
    go_on
}

fn fail_all(context: &Context, part: Packed, reason: &str) {
    for (item, _) in part {
        context.tally.failed(item.row, Stage::Write, reason);
    }
}

type Packed = Vec<(Item, Range<usize>)>;

/// One request of all rows that can be packed, with each row's commands.
fn pack(context: &Context, items: Vec<Item>) -> (Request, Packed) {
    let mut merged = Merged::new(context.dialect);
    let mut packed = Vec::with_capacity(items.len());
    for mut item in items {
        if !item.has_step() {
            item.book(context);
            continue;
        }
        if context.run.is_borne
            && let Some(step) = item.commands.steps.get_mut(item.next)
        {
            step.commands.iter_mut().for_each(|command| command.of_run(&context.run.id));
        }
        match merged.push(&item.commands, item.next) {
            Ok(commands) => packed.push((item, commands)),
            Err(reason) => context.tally.failed(item.row, Stage::Write, reason),
        }
    }
    (merged.finish(), packed)
}

/// Books what was answered; rows that have another step go on.
fn account(context: &Context, rows: Packed, answers: &[Json], go_on: &mut Vec<Item>) {
    let (mut objects, mut connections) = (0, 0);
    for (mut item, commands) in rows {
        match outcome(&item, answers, commands, &mut objects, &mut connections) {
            Err(reason) => context.tally.failed(item.row, Stage::Write, reason),
            Ok(done) => {
                item.done.push(done);
                item.next += 1;
                match item.has_step() {
                    true => go_on.push(item),
                    false => item.book(context),
                }
            }
        }
    }
    context.tally.written(objects, connections);
}

fn outcome(
    item: &Item,
    answers: &[Json],
    commands: Range<usize>,
    objects: &mut u64,
    connections: &mut u64,
) -> Result<Done, String> {
    let mut done = Done::default();
    let sent = item.commands.steps.get(item.next).map_or(&[][..], |step| &step.commands);
    // What the row is about: the first that it adds. Others hang on it.
    let main = sent.iter().position(Command::is_add);
    for (i, (command, index)) in sent.iter().zip(commands).enumerate() {
        let answer = Answer::at(answers, index).map_err(|e: DbError| e.to_string())?;
        let status = answer.status();
        if !(0..=2).contains(&status) {
            return Err(format!("{} answered status {status}: {}", answer.command, answer.info()));
        }
        let count = answer.get("count").and_then(Json::as_u64);
        if let (Some(wanted), Some(0)) = (&command.must_find, count) {
            return Err(missing(wanted));
        }
        if !command.is_add() {
            done.changed += match command.name.starts_with("Find") {
                true => 0,
                false => count.unwrap_or(0),
            };
            continue;
        }
        if status == 0 {
            *if command.name == "AddConnection" { &mut *connections } else { &mut *objects } += 1;
        }
        if Some(i) == main {
            (done.added, done.existed) = (status == 0, status == 2);
        } else {
            done.described |= status == 0;
        }
    }
    Ok(done)
}

fn missing(wanted: &str) -> String {
    format!("{wanted} is not in the database; bring it in first")
}

impl Item {
    fn looks_up(&self) -> bool {
        let step = self.commands.steps.get(self.next);
        step.is_some_and(|step| step.commands.iter().any(|c| c.must_find.is_some()))
    }
}

/// Asks which objects rows look up in vain; such rows fail, the others are answered.
async fn without_missing(context: &Context, rows: Vec<Item>) -> Vec<Item> {
    let mut merged = Merged::new(context.dialect);
    let mut asked = Vec::with_capacity(rows.len());
    for item in &rows {
        let commands = item.commands.steps.get(item.next).map_or(&[][..], |step| &step.commands);
        asked.push(merged.push_look_ups(commands));
    }
    let answers = match context.db.ask(merged.finish()).await {
        Ok(Response::Done { answers, .. }) => answers,
        // Then the rows are told apart by halving.
        Ok(Response::Refused(_)) => return rows,
        Err(why) => {
            let rows = rows.into_iter().map(|item| item.row);
            context.not_answered(rows, Stage::Write, why);
            return Vec::new();
        }
    };
    let mut found = Vec::with_capacity(rows.len());
    for (item, asked) in rows.into_iter().zip(asked) {
        let commands = item.commands.steps.get(item.next).map_or(&[][..], |step| &step.commands);
        let searches = commands.iter().filter(|c| c.must_find.is_some());
        let fault = searches.zip(asked).find_map(|(search, index)| {
            let answer = Answer::at(&answers, index).ok()?;
            let wanted = search.must_find.as_deref()?;
            match answer.get("count")?.as_u64()? {
                0 => Some(missing(wanted)),
                1 => None,
                n => Some(format!(
                    "{n} objects are {wanted}, and one is meant; take a property that identifies it"
                )),
            }
        });
        match fault {
            Some(reason) => context.tally.failed(item.row, Stage::LookUp, reason),
            None => found.push(item),
        }
    }
    found
}
