//! The run's own entity: written before the first object, completed at the end.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use adb_model::{
    Constraint, Database, DbError, Dialect, ModelSchema, Request, ask,
    ensure::{FilledBy, vacate_set},
    jiff::Timestamp,
};
use serde_json::json;
use tokio::sync::OnceCell;

use super::{
    Context, Mirrored, OnExisting, Report,
    mirror::{Seen, settle},
};
use crate::{
    CommandSource,
    runs::{CLASS, date, find, forget, new_id},
};

/// This run, as the database knows it.
pub(super) struct ThisRun {
    pub(super) id: Arc<str>,
    source: String,
    /// Nothing where objects of any model are looked at.
    model: Option<&'static ModelSchema>,
    /// The class of its rows, or what they are.
    what: String,
    /// Whether what it adds bears its id.
    pub(super) is_borne: bool,
    mode: OnExisting,
    started: Timestamp,
    /// Set once its entity is there. The first writer writes it, and the others wait for that.
    begun: OnceCell<()>,
    /// Sets that were made for it, or left to it, and who was to fill them.
    sets: OnceLock<Vec<(String, FilledBy)>>,
    /// What ran before.
    before: OnceLock<Before>,
}

/// What the database says of the runs before this one.
struct Before {
    /// Notes of rows that earlier ones wrote are void: something was undone since.
    void_before: Option<String>,
    /// Where the rows of each came from, by its id.
    sources: HashMap<String, String>,
}

impl ThisRun {
    pub(super) fn new(
        source: String,
        model: impl Into<Option<&'static ModelSchema>>,
        mode: OnExisting,
    ) -> Self {
        let model = model.into();
        Self {
            id: new_id().into(),
            source,
            model,
            is_borne: true,
            what: model.map_or_else(String::new, |model| model.class.to_owned()),
            mode,
            started: Timestamp::now(),
            begun: OnceCell::new(),
            sets: OnceLock::new(),
            before: OnceLock::new(),
        }
    }

    /// One over rows of commands.
    pub(super) fn of_commands(source: &impl CommandSource, mode: OnExisting) -> Self {
        let (what, is_borne) = (source.name(), source.bears_run());
        Self { what, is_borne, ..Self::new(source.place(), None, mode) }
    }

    /// Asks what ran before, and what was undone.
    pub(super) async fn look_back(
        &self,
        db: &dyn Database,
        dialect: Dialect,
    ) -> Result<(), DbError> {
        let runs = find(db, dialect, None).await?;
        let void_before = runs.iter().filter_map(|run| run.undone.clone()).max();
        let sources = runs.into_iter().map(|run| (run.id, run.source)).collect();
        // It is set here alone.
        let _ = self.before.set(Before { void_before, sources });
        Ok(())
    }

    /// Whether a note that a run wrote can be believed.
    pub(super) fn believes(&self, run: &str) -> bool {
        let void = self.before.get().and_then(|before| before.void_before.as_deref());
        void.is_none_or(|void| run > void)
    }

    /// The source of an earlier run, if that is another one than this run's, or may be: those that
    /// have no name can't be told apart. Two sources may call different things by one name, as
    /// directories do with files.
    pub(super) fn other_source(&self, run: &str) -> Option<&str> {
        let source = self.before.get()?.sources.get(run)?;
        (*source != self.source || source.is_empty()).then_some(source)
    }

    /// Sees to it that the database knows of this run before it holds anything of it.
    pub(super) async fn begin(&self, db: &dyn Database, dialect: Dialect) -> Result<(), DbError> {
        let begin = || async {
            let properties = json!({
                "id": &*self.id, "source": self.source,
                "model": self.what,
                "mode": self.mode.name(), "version": env!("CARGO_PKG_VERSION"),
                "started": date(self.started),
            });
            let guard = Constraint::equal("id", &*self.id).to_json(dialect);
            let command = json!([{"AddEntity": {
                "class": CLASS, "properties": properties, "if_not_found": guard,
            }}]);
            ask(db, Request::json(&command)).await.map(|_| ())
        };
        self.begun.get_or_try_init(begin).await.copied()
    }

    /// Deletes, or tells, what left the source.
    pub(super) async fn mirror(&self, context: &Context, seen: &Seen) -> Result<Mirrored, String> {
        match self.model {
            Some(model) => settle(context, seen, model, &self.source).await,
            None => Err("it has no model".to_owned()),
        }
    }

    /// Whether the database knows of it.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.initialized()
    }

    /// Notes which sets were made for it.
    pub(super) fn has_made(&self, sets: Vec<(String, FilledBy)>) {
        // Once, before its first row.
        let _ = self.sets.set(sets);
    }

    /// Takes back what there is of a run that has come to nothing; answers whether it has.
    pub(super) async fn forget(
        &self,
        db: &dyn Database,
        dialect: Dialect,
        report: &Report,
    ) -> Result<bool, DbError> {
        let Report { added, updated, objects_added, connections_added, .. } = *report;
        if added + updated + objects_added + connections_added > 0
            || report.mirror.as_ref().is_some_and(|mirror| mirror.deleted)
        {
            return Ok(false);
        }
        let forgetting = async {
            for (set, filler) in self.sets.get().into_iter().flatten() {
                vacate_set(dialect, db, set, filler).await?;
            }
            Ok(self.has_begun() && forget(db, dialect, &self.id).await?)
        };
        soon(forgetting).await
    }

    /// Notes how it came out.
    pub(super) async fn finish(
        &self,
        db: &dyn Database,
        dialect: Dialect,
        report: &Report,
    ) -> Result<(), DbError> {
        let this = Constraint::equal("id", &*self.id).to_json(dialect);
        let command = json!([{"UpdateEntity": {
            "with_class": CLASS, "constraints": this,
            "properties": {
                "finished": date(Timestamp::now()), "rows": report.rows, "added": report.added,
                "existed": report.existed, "updated": report.updated, "failed": report.failed,
                "objects": report.objects_added, "connections": report.connections_added,
                "vectors": report.embedded,
            },
        }}]);
        soon(ask(db, Request::json(&command))).await.map(|_| ())
    }
}

/// What is noted at the end must not keep the user waiting for a database that is gone.
async fn soon<T>(asked: impl Future<Output = Result<T, DbError>>) -> Result<T, DbError> {
    match tokio::time::timeout(Duration::from_secs(30), asked).await {
        Ok(done) => done,
        Err(_) => Err(DbError::transient("it did not answer within 30 seconds")),
    }
}
