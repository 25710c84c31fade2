//! Runs of ingestion as the database knows them: what was run when, and how it came out.
//!
//! A run writes an entity of the class [`CLASS`] before it adds the first object, and bears its id
//! on all that it adds. One that added nothing and changed nothing leaves no trace.

mod undo;

use std::{fmt, str::FromStr as _};

use adb_model::{Answer, Constraint, Database, DbError, Dialect, Request, ask, jiff::Timestamp};
use serde_json::{Value as Json, json};

pub use undo::{Undone, undo};

use crate::{Counted, Error, ErrorKind};

/// The class of the entities that stand for runs.
pub const CLASS: &str = "AdbRun";

/// One run.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Run {
    /// What its objects bear as `adb_run`. Ids sort by the time at which their runs began.
    pub id: String,
    /// Where its rows came from.
    pub source: String,
    /// The class of the model.
    pub model: String,
    /// The release of adb.
    pub version: String,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it ended; nothing if it runs still, or was killed.
    pub finished: Option<Timestamp>,
    /// Rows that it added.
    pub added: u64,
    /// Rows that it changed.
    pub updated: u64,
    /// Rows that failed.
    pub failed: u64,
    /// Objects that it added.
    pub objects: u64,
    /// When it was undone, if it was.
    pub undone: Option<String>,
    /// Objects of it that stayed then, since others refer to them.
    pub kept: u64,
}

impl Run {
    fn read(object: &Json) -> Self {
        let text = |key| object.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
        let number = |key| object.get(key).and_then(Json::as_u64).unwrap_or(0);
        let date = |key| {
            let date = object.get(key)?;
            let date = date.as_str().or_else(|| date.get("_date")?.as_str())?;
            Timestamp::from_str(date).ok()
        };
        Self {
            id: text("id"),
            source: text("source"),
            model: text("model"),
            version: text("version"),
            started: date("started"),
            finished: date("finished"),
            added: number("added"),
            updated: number("updated"),
            failed: number("failed"),
            objects: number("objects"),
            kept: number("kept"),
            undone: object.get("undone").and_then(Json::as_str).map(str::to_owned),
        }
    }
}

/// One line.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, model, added, updated, failed, source, .. } = self;
        write!(f, "{id}  {model}: {added} added, {updated} updated, {failed} failed; {source}")?;
        match (&self.undone, self.finished) {
            (Some(_), _) if self.kept == 0 => write!(f, " (undone)"),
            (Some(_), _) if self.kept >= self.objects && self.objects > 0 => {
                write!(f, " (not undone: all of its objects stay, since others refer to them)")
            }
            (Some(_), _) => {
                let kept = Counted(self.kept, "object");
                write!(f, " (undone, but for {kept} that others refer to)")
            }
            (None, None) => write!(f, " (not ended: it runs still, or was killed)"),
            (None, Some(_)) => Ok(()),
        }
    }
}

/// The runs that a database knows of, the oldest first.
///
/// # Errors
/// When the database can't be asked.
pub async fn runs(db: &dyn Database) -> Result<Vec<Run>, Error> {
    Ok(find(db, Dialect::Classic, None).await?)
}

/// One run.
///
/// # Errors
/// When there is none of that id, or the database can't be asked.
pub async fn run(db: &dyn Database, id: &str) -> Result<Run, Error> {
    let found = find(db, Dialect::Classic, Some(Constraint::equal("id", id))).await?;
    found.into_iter().next().ok_or_else(|| ErrorKind::NoRun { id: id.to_owned() }.into())
}

pub(crate) async fn find(
    db: &dyn Database,
    dialect: Dialect,
    constraint: Option<Constraint>,
) -> Result<Vec<Run>, DbError> {
    let mut body = json!({ "with_class": CLASS, "results": {"all_properties": true} });
    if let Some(constraint) = constraint {
        body["constraints"] = constraint.to_json(dialect);
    }
    let (answers, _) = ask(db, Request::json(&json!([{ "FindEntity": body }]))).await?;
    let mut runs: Vec<Run> = Answer::at(&answers, 0)?.entities().iter().map(Run::read).collect();
    runs.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(runs)
}

/// Deletes the entity of a run that has come to nothing; answers whether it had. What a request did
/// that was never answered is looked for.
pub(crate) async fn forget(db: &dyn Database, dialect: Dialect, id: &str) -> Result<bool, DbError> {
    if !undo::left_nothing(db, id).await? {
        return Ok(false);
    }
    let this = Constraint::equal("id", id).to_json(dialect);
    let command = json!([{"DeleteEntity": {"with_class": CLASS, "constraints": this}}]);
    ask(db, Request::json(&command)).await?;
    Ok(true)
}

/// An id for a run that begins now: its time, and what tells it from others of the same moment.
pub(crate) fn new_id() -> String {
    let random = crate::retry::random();
    let digit = |i: u32| {
        let digits = b"abcdefghijkmnpqrstuvwxyz23456789";
        char::from(digits[(random >> (5 * i)) as usize % digits.len()])
    };
    stamp() + &(0..5).map(digit).collect::<String>()
}

/// Later than the id of every run that has begun by now.
pub(crate) fn now() -> String {
    stamp() + "~"
}

/// `20261126-231501042-`, in UTC, to the millisecond.
fn stamp() -> String {
    let now = format!("{:.3}", Timestamp::now());
    let digits: String = now.chars().filter(char::is_ascii_digit).collect();
    let (date, time) = digits.split_at_checked(8).unwrap_or((&digits, ""));
    format!("{date}-{time}-")
}

/// A date as commands have it.
pub(crate) fn date(at: Timestamp) -> Json {
    json!({ "_date": at.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_what_comes_now_is_later_than_all() {
        let ids: Vec<String> = (0..100).map(|_| new_id()).collect();
        let now = now();
        assert!(ids.iter().all(|id| *id < now), "{ids:?} {now}");
        assert!(ids.iter().all(|id| id.len() == "20261126-231501042-k3f9x".len()), "{ids:?}");
        let mut different = ids.clone();
        different.sort();
        different.dedup();
        assert!(different.len() > 95, "chance may make two alike");
    }
}
