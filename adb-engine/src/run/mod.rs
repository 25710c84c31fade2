//! Running a request: its commands one after another, on one connection, in one transaction that
//! the caller begins and ends.

mod add;
mod admin;
mod aggregate;
mod among;
mod blobs;
mod change;
mod conditions;
mod connected;
mod filter;
mod find;
mod key;
mod list;
mod near;
mod refs;
mod select;
mod window;

use std::{slice, time::Instant};

use adb_model::Refusal;
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};
use tracing::Level;

use crate::{
    error::ErrorKind,
    media::Media,
    request::{
        Command, Named,
        admin::LogMessage,
        fault::{Fail, Fault},
    },
    store::Store,
    vectors::cache::VectorCache,
};
use refs::Refs;

/// Numbers that the writer hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sequence {
    /// The greatest id of an object so far.
    pub(crate) object: i64,
    /// The number of this transaction.
    pub(crate) transaction: i64,
}

/// What a request answered.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) answers: Vec<Json>,
    pub(crate) blobs: Vec<Bytes>,
}

/// Why a request was not done.
#[derive(Debug)]
pub(crate) enum Undone {
    Refused(Refusal),
    Store(ErrorKind),
    /// It would take long, and was to be run in a hurry.
    Slow,
}

impl From<ErrorKind> for Undone {
    fn from(kind: ErrorKind) -> Self {
        Undone::Store(kind)
    }
}

impl From<rusqlite::Error> for Undone {
    fn from(error: rusqlite::Error) -> Self {
        Undone::Store(error.into())
    }
}

/// A descriptor set, as far as those must know it who add to it.
#[derive(Debug, Clone)]
struct AddedTo {
    name: String,
    id: i64,
    dimensions: usize,
}

/// One request under way.
pub(crate) struct Run<'a> {
    store: &'a mut Store,
    vectors: &'a VectorCache,
    media: &'a Media,
    /// When the programs that work for this request must be done.
    until: Instant,
    /// On the writer only.
    sequence: Option<&'a mut Sequence>,
    /// Whether what is known to take long is not to be begun.
    hurried: bool,
    refs: Refs,
    /// The descriptor set that was last added to.
    added_to: Option<AddedTo>,
    blobs_in: slice::Iter<'a, Bytes>,
    blobs_out: Vec<Bytes>,
    /// Bytes that the answer may still grow by.
    room: usize,
    limit: usize,
}

impl<'a> Run<'a> {
    /// On a reader, or on the writer if there is a sequence.
    pub(crate) fn new(
        store: &'a mut Store,
        vectors: &'a VectorCache,
        media: &'a Media,
        sequence: Option<&'a mut Sequence>,
        blobs: &'a [Bytes],
        limit: usize,
    ) -> Self {
        Self {
            store,
            vectors,
            media,
            until: Instant::now() + media.time_limit,
            sequence,
            hurried: false,
            refs: Refs::default(),
            added_to: None,
            blobs_in: blobs.iter(),
            blobs_out: Vec::new(),
            room: limit,
            limit,
        }
    }

    /// The same on a thread that has other things to do: gives up, with [`Undone::Slow`], where all
    /// that a filter lets through would have to be found.
    pub(crate) fn hurried(self, hurried: bool) -> Self {
        Self { hurried, ..self }
    }

    pub(crate) fn all(mut self, commands: &[Named]) -> Result<Done, Undone> {
        let mut answers = Vec::with_capacity(commands.len());
        while let Some(rest) = commands.get(answers.len()..).filter(|rest| !rest.is_empty()) {
            let first = answers.len();
            let bodies = match self.find_joined(rest) {
                Some(both) => both.map(Vec::from),
                None => self.command(&rest[0].command).map(|b| vec![b]).map_err(|f| (0, f)),
            };
            match bodies {
                Ok(bodies) => {
                    for (named, body) in rest.iter().zip(bodies) {
                        let mut answer = Map::with_capacity(1);
                        answer.insert(named.name.clone(), Json::Object(body));
                        answers.push(Json::Object(answer));
                    }
                }
                Err((at, Fail::Fault(fault))) => {
                    return Err(Undone::Refused(fault.refuse(first + at, &rest[at].name)));
                }
                Err((_, Fail::Store(kind))) => return Err(Undone::Store(kind)),
                Err((_, Fail::Slow)) => return Err(Undone::Slow),
            }
        }
        Ok(Done { answers, blobs: self.blobs_out })
    }

    fn command(&mut self, command: &Command) -> Result<Map<String, Json>, Fail> {
        if matches!(command, Command::Update(_) | Command::Delete(_)) {
            // It may be another one, or none, afterwards.
            self.added_to = None;
        }
        match command {
            Command::Add(add) => self.add(add),
            Command::AddConnection(add) => self.add_connection(add),
            Command::Find(find) => self.find(find),
            Command::Update(update) => self.update(update),
            Command::Delete(delete) => self.delete(delete),
            Command::Classify(classify) => self.classify(classify),
            Command::ExtractFrames(extract) => self.extract_frames(extract),
            Command::RegionIou(regions) => self.region_iou(regions),
            Command::GetIndexes(wanted) => self.indexes(wanted),
            Command::CreateIndex(index) => self.create_index(index),
            Command::RemoveIndex(index) => self.remove_index(index),
            Command::GetSchema(what) => self.schema(what),
            Command::LogMessage(message) => {
                log(message);
                Ok(body(&[]))
            }
            Command::GetStatus => Ok(body(&[
                ("info", json!("OK")),
                ("system", json!("adb")),
                ("version", json!(env!("CARGO_PKG_VERSION"))),
            ])),
        }
    }

    /// The blob of the command at hand. Parsing has counted them.
    fn blob(&mut self) -> Result<Bytes, Fault> {
        let next = self.blobs_in.next().cloned();
        next.ok_or_else(|| Fault::new("it takes a blob, and there is none left"))
    }

    /// Makes sure that the answer does not become too large.
    fn grow(&mut self, bytes: usize) -> Result<(), Fault> {
        shrink(&mut self.room, bytes, self.limit)
    }
}

/// Takes so many bytes from the room that an answer has left, of `limit` in all.
fn shrink(room: &mut usize, bytes: usize, limit: usize) -> Result<(), Fault> {
    match room.checked_sub(bytes) {
        Some(left) => {
            *room = left;
            Ok(())
        }
        None => Err(Fault::too_large(format!(
            "the answer would have more than {limit} bytes; ask for less at a time, with `limit` and `offset`"
        ))),
    }
}

/// The level is part of where an event comes from, so each needs a place of its own.
fn log(message: &LogMessage) {
    let text = message.text.as_str();
    match message.level {
        Level::ERROR => tracing::error!(target: "adb_engine::user", "{text}"),
        Level::WARN => tracing::warn!(target: "adb_engine::user", "{text}"),
        _ => tracing::info!(target: "adb_engine::user", "{text}"),
    }
}

/// Status 0 and these.
fn body(fields: &[(&str, Json)]) -> Map<String, Json> {
    let mut body = Map::with_capacity(fields.len() + 1);
    body.insert("status".to_owned(), json!(0));
    for (key, value) in fields {
        body.insert((*key).to_owned(), value.clone());
    }
    body
}

/// `class.0.row`. The middle is kept for times to come.
fn unique_id(class: i64, row: i64) -> String {
    format!("{class}.0.{row}")
}
