//! Stored objects that lack something: looked at page by page, made up for by the stages that rows
//! go through.

use std::sync::Arc;

use adb_model::{
    DataModel, DbError, ModelSchema, SetSpec,
    enrich::{Lacks, Missing, Object, fetch_blobs},
    ensure::{ensure_embedded, unclaimed_notice},
};

use super::{
    Context, Ingest, Item, Run,
    belt::{Sender, belt},
    failure::Stage,
    lock,
    run::ThisRun,
    tally::Row,
    write::Outcome,
};
use crate::{Error, ErrorKind, MediaRoot};

/// Which stored object an item is made up for, and in which respect.
pub(super) struct Lacking {
    task: Task,
    unique_id: String,
}

/// A stored object that was given something which the database says was there.
///
/// Most often somebody else was quicker, or this run's own request was sent twice. But what is
/// there may hang on another object with the same id: then this one still lacks it.
pub(super) struct Doubt {
    row: Row,
    lacking: Lacking,
    added: bool,
}

#[derive(Clone, Copy)]
struct Task {
    /// Which of a run's tasks it is.
    number: usize,
    missing: Missing,
}

impl Ingest {
    /// Makes what stored objects of the model `M`, and of those that it is connected to, lack of
    /// what their models declare: descriptors with `from`, and children that a maker makes. Objects
    /// count as rows of the report: as `updated` those that got something, as `existed` those that
    /// lack nothing, or that nothing can be made of (a photo without a face).
    ///
    /// The database may have been filled by other programs; pictures are read from it, page by
    /// page. A second run goes on where the first one ended, whatever ended it: an object that has
    /// what it should have is looked at and left alone. Several runs at once make nothing twice.
    /// Fields whose set has no embedder here are passed over.
    ///
    /// An object's children are made if it has none and does not say that they were made; its
    /// descriptor is made if none of that field, in that set, hangs on it. In a set that one field
    /// of the model alone fills, any descriptor without a class is the field's.
    ///
    /// # Errors
    /// When it can't start. What stops it on the way is in
    /// [`Report::broken_off`](super::Report::broken_off).
    pub async fn enrich<M: DataModel>(self) -> Result<super::Report, Error> {
        self.enrich_by(M::SCHEMA).await
    }

    /// [`enrich`](Ingest::enrich) for a model that the compiler does not know.
    ///
    /// # Errors
    /// As [`enrich`](Ingest::enrich).
    pub async fn enrich_by(mut self, schema: &'static ModelSchema) -> Result<super::Report, Error> {
        self.makers.complete(schema)?;
        let this = ThisRun::new(format!("enrich {}", schema.name), schema, self.existing);
        let run = Run::begin(self, this, MediaRoot::new("."), None, None, None);
        let context = run.context.clone();
        let embedder = |set: &SetSpec| context.embedders.identity(set);
        let missing = Missing::of_models(schema, &|set| embedder(set).is_some());
        if missing.is_empty() {
            return Err(ErrorKind::NothingToMake { model: schema.name.to_owned() }.into());
        }
        let ensured = ensure_embedded(context.dialect, &context.db, schema, embedder).await?;
        context.tally.notices(ensured.unclaimed.iter().map(|set| unclaimed_notice(set)));
        run.over(missing).await
    }
}

impl Run {
    /// Looks at all objects of some tasks, one task after the other.
    pub(super) async fn over(mut self, missing: Vec<Missing>) -> Result<super::Report, Error> {
        let tasks = missing.into_iter().enumerate();
        let tasks: Vec<Task> = tasks.map(|(number, missing)| Task { number, missing }).collect();
        let mut objects = 0;
        for task in &tasks {
            let walk = task.missing.walk(self.context.dialect);
            objects += walk.count(&self.context.db).await?;
        }
        self.context.tally.begin(objects);
        // Items hold pictures.
        let (found_tx, found_rx) = belt::<Item>(self.context.batches_ahead());
        self.workers.spawn({
            let context = self.context.clone();
            async move {
                for task in tasks {
                    if let Err(e) = look_at(&context, task, &found_tx).await {
                        context.not_asked([], Stage::LookUp, e);
                    }
                    if context.is_over() {
                        break;
                    }
                }
            }
        });
        match self.context.makers.is_empty() {
            true => self.spawn_to_writers(found_rx),
            false => self.spawn_makers_to_writers(found_rx),
        }
        Ok(self.end().await)
    }
}

/// Passes on what objects lack. An object is counted when its fate is known or passed on, so that a
/// failing database leaves none without one.
async fn look_at(context: &Context, task: Task, to: &Sender<Item>) -> Result<(), DbError> {
    let mut walk = task.missing.walk(context.dialect);
    let page = context.options.rows_per_request.max(1);
    loop {
        let ids = walk.next(&context.db).await?;
        if ids.is_empty() {
            return Ok(());
        }
        for ids in ids.chunks(page) {
            if context.is_over() {
                return Ok(());
            }
            let objects = look_up(context, task, ids).await?;
            let mut lacking = Vec::new();
            for Object { unique_id, name, lacks } in objects {
                let row = Row::stored(Arc::from(name));
                match lacks {
                    Lacks::Nothing => {
                        context.tally.object_read();
                        context.tally.existed(row, None);
                    }
                    Lacks::Unmakeable(reason) => {
                        context.tally.object_read();
                        context.tally.failed(row, Stage::LookUp, reason);
                    }
                    Lacks::Something(draft) => lacking.push((row, unique_id, draft)),
                }
            }
            let mut lacking = lacking.into_iter().peekable();
            while lacking.peek().is_some() && !context.is_over() {
                // So many pictures are held at once, beside those that are under way.
                let some: Vec<_> = lacking.by_ref().take(context.batches_ahead()).collect();
                let wanted: Vec<_> =
                    some.iter().flat_map(|(_, _, draft)| draft.blobs.iter().cloned()).collect();
                let blobs = fetch_blobs(context.dialect, &context.db, &wanted).await?;
                for (row, unique_id, draft) in some {
                    context.tally.object_read();
                    let graph = match draft.graph(&blobs) {
                        Ok(graph) => graph,
                        Err(reason) => {
                            context.tally.failed(row, Stage::LookUp, reason);
                            continue;
                        }
                    };
                    let mut item = Item::new(row, graph);
                    item.existed = true;
                    item.lacking = Some(Box::new(Lacking { task, unique_id }));
                    if let Err(unsent) = to.send(item).await {
                        context.tally.lost(unsent.0.row, Stage::LookUp);
                    }
                }
            }
        }
    }
}

async fn look_up(context: &Context, task: Task, ids: &[String]) -> Result<Vec<Object>, DbError> {
    let embeds = |set: &SetSpec| context.embedders.of(set).is_some();
    task.missing.look_up(context.dialect, &context.db, ids, &embeds).await
}

/// Books an object that was written.
pub(super) fn book_written(context: &Context, item: Item, outcome: Outcome) {
    let Some(lacking) = item.lacking else { return };
    if outcome.vector_existed {
        let doubt = Doubt { row: item.row, lacking: *lacking, added: outcome.added > 0 };
        return lock(&context.doubts).push(doubt);
    }
    // A photo without a face, where the model says that it has no descriptor then.
    if outcome.added == 0 && !outcome.updated {
        return context.tally.existed(item.row, None);
    }
    book(context, lacking.task);
}

fn book(context: &Context, task: Task) {
    match task.missing {
        Missing::OfSet { .. } => context.tally.added(),
        _ => context.tally.updated(),
    }
}

/// Looks the objects up again of which the database said that what they lacked was there.
pub(super) async fn settle(context: &Context) {
    let mut doubts = std::mem::take(&mut *lock(&context.doubts));
    while !doubts.is_empty() {
        let task = doubts[0].lacking.task;
        let same = |d: &Doubt| d.lacking.task.number == task.number;
        let (these, others): (Vec<Doubt>, Vec<Doubt>) = doubts.into_iter().partition(same);
        doubts = others;
        for some in these.chunks(context.options.rows_per_request.max(1)) {
            settle_some(context, task, some).await;
        }
    }
}

async fn settle_some(context: &Context, task: Task, doubts: &[Doubt]) {
    let ids: Vec<String> = doubts.iter().map(|d| d.lacking.unique_id.clone()).collect();
    let objects = match look_up(context, task, &ids).await {
        Ok(objects) => objects,
        Err(e) => {
            let rows = doubts.iter().map(|doubt| doubt.row.clone());
            return context.not_asked(rows, Stage::LookUp, e);
        }
    };
    for doubt in doubts {
        let object = objects.iter().find(|o| o.unique_id == doubt.lacking.unique_id);
        match object.map(|o| &o.lacks) {
            Some(Lacks::Nothing) if doubt.added => book(context, task),
            Some(Lacks::Nothing) => context.tally.existed(doubt.row.clone(), None),
            Some(_) => context.tally.failed(
                doubt.row.clone(),
                Stage::Write,
                "another object of its class has the same id, and what was made for that one is taken for this one's; give each an id of its own",
            ),
            None => context.tally.failed(doubt.row.clone(), Stage::Write, "it was deleted meanwhile"),
        }
    }
}
