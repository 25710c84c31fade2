//! Rows that may be there already, and become what the source says.
//!
//! Each row is looked up whole before its pictures are read, compared once they are, and written
//! as the difference. Rows of one identity go one after the other, so the last one holds. A row
//! that replaces an object goes alone: what others connect to the object meanwhile would be lost.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Instant,
};

use adb_model::{
    Answer, DbError, Graph, Lowering, ModelSchema, NodeId, Response,
    upsert::{Connections, Outcome, Plan, Stored, UpsertError, look_up},
};
use tokio::sync::{Notify, RwLock, futures::Notified};

use super::{Context, Item, Outlet, failure::Stage, lock, tally::Row};
use crate::retry::Unanswered;

/// What a run needs that upserts.
pub(super) struct Upserts {
    schema: &'static ModelSchema,
    under_way: Arc<UnderWay>,
    /// Read by those who write beside each other, written by one who replaces.
    alone: RwLock<()>,
    /// The classes of connections that the database has, and until when that is believed.
    connections: Mutex<Option<(Instant, Arc<Connections>)>>,
}

/// How much longer an answer is believed than it took to have it.
const BELIEVED: u32 = 20;

/// Identities of the rows between look-up and end.
#[derive(Default)]
struct UnderWay {
    rows: Mutex<HashSet<String>>,
    ended: Notify,
}

/// A row's turn; it ends with the row.
pub(super) struct Turn {
    under_way: Arc<UnderWay>,
    identity: String,
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.under_way.rows).remove(&self.identity);
        self.under_way.ended.notify_waiters();
    }
}

/// What is known of a row.
pub(super) struct Known {
    stored: Stored,
    plan: Option<Plan>,
}

impl Known {
    /// What is to be done, once that is known.
    pub(super) fn plan_mut(&mut self) -> Option<&mut Plan> {
        self.plan.as_mut()
    }

    fn outcome(&self) -> Outcome {
        self.plan.as_ref().map_or(Outcome::Added, Plan::outcome)
    }
}

impl Upserts {
    pub(super) fn new(schema: &'static ModelSchema) -> Self {
        Self {
            schema,
            under_way: Arc::default(),
            alone: RwLock::default(),
            connections: Mutex::default(),
        }
    }

    /// What other programs may have joined to an object. A database counts all that it has to
    /// answer, so it is not asked for each row; what this run joins is known from the model.
    async fn connections(&self, context: &Context) -> Result<Arc<Connections>, DbError> {
        let asked = Instant::now();
        if let Some((until, known)) = &*lock(&self.connections)
            && asked < *until
        {
            return Ok(known.clone());
        }
        let known = Arc::new(Connections::of(&context.db, self.schema).await?);
        let until = asked + asked.elapsed() * BELIEVED;
        *lock(&self.connections) = Some((until, known.clone()));
        Ok(known)
    }

    /// Takes a row's turn, unless another row of the same identity has it.
    pub(super) fn turn(&self, graph: &Graph) -> Option<Turn> {
        let identity = graph.root().map(|root| root.identity.text()).unwrap_or_default();
        let free = lock(&self.under_way.rows).insert(identity.clone());
        free.then(|| Turn { under_way: self.under_way.clone(), identity })
    }

    /// Waits for the end of the next row that ends.
    pub(super) fn ended(&self) -> Notified<'_> {
        self.under_way.ended.notified()
    }
}

/// Looks rows up whose turn it is, and passes them on.
pub(super) async fn look_up_batch(
    context: &Context,
    upserts: &Upserts,
    mut batch: Vec<Item>,
    to: &Outlet,
) {
    let mut graphs: Vec<&mut Graph> = batch.iter_mut().map(|item| &mut item.graph).collect();
    let looking = context.tally.stages.look_up.run();
    let stored = look_up(&context.db, upserts.schema, &mut graphs).await;
    drop(looking);
    match stored {
        Ok(stored) => {
            for (mut item, stored) in batch.into_iter().zip(stored) {
                item.known = Some(Box::new(Known { stored, plan: None }));
                if let Err(unsent) = to.send(item).await {
                    context.tally.lost(unsent.0.row, Stage::LookUp);
                }
            }
        }
        Err(e) => {
            let rows = batch.into_iter().map(|item| item.row);
            context.not_asked(rows, Stage::LookUp, e);
        }
    }
}

/// Compares a row whose pictures have been read with what is there.
pub(super) fn compare(
    context: &Context,
    upserts: &Upserts,
    item: &mut Item,
) -> Result<(), UpsertError> {
    if let Some(known) = &mut item.known {
        let identity = |set: &_| context.embedders.identity(set);
        known.plan = Some(known.stored.plan(&mut item.graph, upserts.schema, identity)?);
    }
    Ok(())
}

/// Books rows with which there is nothing to do, writes those that replace something, and answers
/// the others.
pub(super) async fn begin(context: &Context, upserts: &Upserts, items: Vec<Item>) -> Vec<Item> {
    let mut others = Vec::with_capacity(items.len());
    for item in items {
        let plan = item.known.as_ref().and_then(|known| known.plan.as_ref());
        match plan {
            Some(plan) if plan.is_nothing(&item.graph) => {
                context.tally.existed(item.row, None);
            }
            Some(plan) if plan.replaces() => replace(context, upserts, item).await,
            _ => others.push(item),
        }
    }
    others
}

/// Writes one row while no one else writes.
async fn replace(context: &Context, upserts: &Upserts, item: Item) {
    // Its turn ends when it is written.
    let Item { row, mut graph, left_out, turn: _turn, .. } = item;
    let _alone = upserts.alone.write().await;
    if let Some(reason) = context.is_broken() {
        return context.tally.failed(row, Stage::Write, reason);
    }
    if let Err(e) = context.run.begin(&context.db, context.dialect).await {
        return context.not_asked([row], Stage::Write, e);
    }
    match replacement(context, upserts, &mut graph, &left_out).await {
        Err(UpsertError::Database(e)) => context.not_asked([row], Stage::Write, e),
        Err(e) => context.tally.failed(row, Stage::Write, e),
        Ok((plan, lowering)) => match context.db.ask(lowering.finish()).await {
            Err(Unanswered::Alone(e)) => {
                context.tally.failed(row, Stage::Write, format!("not written: {e}"));
            }
            Err(why) => context.not_answered([row], Stage::Write, why),
            Ok(Response::Refused(refusal)) => {
                let reason = format!("the database refused it: {refusal}");
                context.tally.failed(row, Stage::Write, reason);
            }
            Ok(Response::Done { answers, .. }) => {
                let added = answers.iter().filter_map(|a| Answer::open(a).ok());
                let added = added.filter(|a| a.status() == 0 && a.command.starts_with("Add"));
                let (edges, objects): (Vec<_>, Vec<_>) =
                    added.partition(|a| a.command == "AddConnection");
                context.tally.written(objects.len() as u64, edges.len() as u64);
                book(context, row, plan.outcome());
            }
        },
    }
}

/// What is there is looked up again: another row may have replaced the same object.
async fn replacement(
    context: &Context,
    upserts: &Upserts,
    graph: &mut Graph,
    left_out: &[NodeId],
) -> Result<(Plan, Lowering), UpsertError> {
    let stored = look_up(&context.db, upserts.schema, &mut [&mut *graph]).await?;
    let stored = stored.into_iter().next().unwrap_or_default();
    let mut plan = stored.plan(graph, upserts.schema, |set| context.embedders.identity(set))?;
    for node in left_out {
        // That it can be was seen when the first plan was made.
        plan.leave_out(graph, *node);
    }
    if plan.replaces() {
        let connections = upserts.connections(context).await?;
        plan.complete(&context.db, graph, &connections).await?;
    }
    let mut lowering = Lowering::new();
    lowering.push_upsert(graph, &plan)?;
    Ok((plan, lowering))
}

/// Keeps those who replace away while others write.
pub(super) async fn beside_others(upserts: &Upserts) -> tokio::sync::RwLockReadGuard<'_, ()> {
    upserts.alone.read().await
}

/// Appends a row's difference.
pub(super) fn push(
    lowering: &mut Lowering,
    item: &Item,
) -> Result<std::ops::Range<usize>, adb_model::ModelError> {
    match item.known.as_ref().and_then(|known| known.plan.as_ref()) {
        Some(plan) => lowering.push_upsert(&item.graph, plan),
        None => lowering.push(&item.graph),
    }
}

/// Books a row that was written.
pub(super) fn book_written(context: &Context, item: Item) {
    let outcome = item.known.as_ref().map_or(Outcome::Added, |known| known.outcome());
    book(context, item.row, outcome);
}

fn book(context: &Context, row: Row, outcome: Outcome) {
    match outcome {
        Outcome::Added => context.tally.added(),
        Outcome::Updated => context.tally.updated(),
        Outcome::Unchanged => context.tally.existed(row, None),
    }
}
