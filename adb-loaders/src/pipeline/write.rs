//! Writing: rows are packed into requests; a refused request is halved until the guilty row stands
//! alone.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use adb_model::{Answer, DbError, Lowering, Request, Response};
use async_channel::Receiver;

use super::{Context, Item, Options, gather};
use crate::ErrorKind;

pub(super) async fn run(context: Arc<Context>, from: Receiver<Item>) {
    let options = &context.options;
    let full = |items: &[Item]| {
        items.len() >= options.rows_per_request
            || items.iter().map(|i| i.graph.blob_bytes()).sum::<usize>()
                >= options.bytes_per_request
    };
    while let Some(items) = gather(&from, options.linger, full).await {
        let started = Instant::now();
        write(&context, items).await;
        context.tally.stages.write.add(started.elapsed());
    }
}

/// Writes rows, all to their end.
async fn write(context: &Context, items: Vec<Item>) {
    // Halves still to be written; a stack, not a recursion, since futures don't nest for free.
    let mut parts = vec![items];
    while let Some(part) = parts.pop() {
        let (request, part) = pack(context, part);
        if part.is_empty() {
            continue;
        }
        if let Some(reason) = context.is_broken() {
            for (item, _) in part {
                context.tally.failed(item.at, reason.clone());
            }
            continue;
        }
        match execute(context, &request).await {
            Err(reason) => {
                for (item, _) in part {
                    context.tally.failed(item.at, reason.clone());
                }
            }
            Ok(Response::Done { answers, .. }) => account(context, part, &answers),
            Ok(Response::Refused(refusal)) => {
                let mut rows: Vec<Item> = part.into_iter().map(|(item, _)| item).collect();
                if rows.len() == 1 {
                    for item in rows {
                        context
                            .tally
                            .failed(item.at, format!("the database refused it: {refusal}"));
                    }
                } else {
                    tracing::debug!(rows = rows.len(), %refusal, "halving a refused request");
                    let second = rows.split_off(rows.len() / 2);
                    parts.push(second);
                    parts.push(rows);
                }
            }
        }
    }
}

async fn execute(context: &Context, request: &Request) -> Result<Response, String> {
    let mut patience = Patience::new(context);
    loop {
        match context.db.execute(request.clone()).await {
            Ok(response) => return Ok(response),
            Err(e) => patience.after(e).await?,
        }
    }
}

type Packed = Vec<(Item, Range<usize>)>;

/// One request of all rows that can be lowered, with each row's commands.
fn pack(context: &Context, items: Vec<Item>) -> (Request, Packed) {
    let mut lowering = Lowering::new();
    let mut packed = Vec::with_capacity(items.len());
    for item in items {
        match lowering.push(&item.graph) {
            Ok(commands) => packed.push((item, commands)),
            Err(e) => context.tally.failed(item.at, e.to_string()),
        }
    }
    (lowering.finish(), packed)
}

/// Books each row's outcome: its root's.
fn account(context: &Context, rows: Packed, answers: &[serde_json::Value]) {
    let (mut objects, mut connections) = (0, 0);
    for (item, commands) in rows {
        match outcome(answers, commands, &mut objects, &mut connections) {
            Err(e) => context.tally.failed(item.at, e.to_string()),
            Ok(Outcome::Added) => context.tally.added(),
            Ok(Outcome::Existed) => {
                let difference = match item.existed {
                    true => item.difference,
                    // The probe had not seen it: another row of this run has the same id.
                    false => Some("another row of this source has the same id".to_owned()),
                };
                context.tally.existed(item.at, difference);
            }
        }
    }
    context.tally.written(objects, connections);
}

enum Outcome {
    Added,
    Existed,
}

fn outcome(
    answers: &[serde_json::Value],
    commands: Range<usize>,
    objects: &mut u64,
    connections: &mut u64,
) -> Result<Outcome, DbError> {
    let mut root = Outcome::Existed;
    for (i, index) in commands.enumerate() {
        let answer = Answer::at(answers, index)?;
        match (answer.command, answer.status()) {
            ("AddConnection", 0) => *connections += 1,
            (command, 0) if command.starts_with("Add") => {
                *objects += 1;
                if i == 0 {
                    root = Outcome::Added;
                }
            }
            (_, 0..=2) => {}
            (command, status) => {
                return Err(DbError::permanent(format!(
                    "{command} answered status {status}: {}",
                    answer.info()
                )));
            }
        }
    }
    Ok(root)
}

/// Pauses between attempts, doubling each time.
pub(super) struct Backoff {
    pause: Duration,
    left: u32,
}

impl Backoff {
    pub(super) fn new(options: &Options) -> Self {
        Self { pause: options.backoff, left: options.attempts.saturating_sub(1) }
    }

    /// Waits until the next attempt; false when there is none left.
    pub(super) async fn wait(&mut self, retry_after: Option<Duration>) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        tokio::time::sleep(retry_after.unwrap_or_else(|| jittered(self.pause))).await;
        self.pause = (self.pause * 2).min(Duration::from_secs(30));
        true
    }
}

/// Decides, for one request, whether a failure is worth another attempt.
pub(super) struct Patience<'c> {
    context: &'c Context,
    backoff: Backoff,
}

impl<'c> Patience<'c> {
    pub(super) fn new(context: &'c Context) -> Self {
        Self { context, backoff: Backoff::new(&context.options) }
    }

    /// Waits until the next attempt. Every Add of ours is guarded, so a request whose fate is
    /// unknown can be sent again without adding anything twice.
    ///
    /// When another attempt is of no use, the whole run is broken off, and the reason given back
    /// is for the rows at hand.
    pub(super) async fn after(&mut self, error: DbError) -> Result<(), String> {
        let broken = self.context.is_broken().is_some();
        if error.is_transient() && !broken && self.backoff.wait(error.retry_after()).await {
            tracing::warn!(%error, "the database failed; trying again");
            return Ok(());
        }
        let reason = format!("not written: {error}");
        self.context.fail(ErrorKind::Database(error).into());
        Err(reason)
    }
}

/// Between a half and the whole, so that writers that failed together don't return together. The
/// standard library's hasher keys are random enough for that.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    pause.mul_f64(0.5 + (random % 1024) as f64 / 2048.0)
}
