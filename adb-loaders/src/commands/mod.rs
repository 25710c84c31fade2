//! Rows that are commands of the query language themselves, as the Python SDK's loaders make them:
//! without a model, with references of their own and blobs that are still to be read.

mod constraint;
mod merge;
mod read;

use std::{ops::ControlFlow, sync::Arc};

use adb_model::{Dialect, MediaSource, SetSpec, ensure::PropertyIndex, graph::RUN};
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

pub use constraint::Comparison;
pub(crate) use merge::Merged;

use crate::{Error, MediaRoot, SourceRow, letters::RowsAre, vectors::VectorRow};

/// One row: commands that are sent in one transaction, or in several, one after the other.
///
/// References (`_ref`) count within the row; rows that share a request get others. Blobs may be
/// files that are still to be read.
#[derive(Debug, Clone, Default)]
pub struct CommandRow {
    pub(crate) steps: Vec<Step>,
    /// Vectors that were made for it; commands name them by their place.
    pub(crate) vectors: Vec<Option<Bytes>>,
}

/// Commands of one transaction.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// Which answers of the steps before it asks for.
    pub(crate) when: When,
    pub(crate) commands: Vec<Command>,
}

/// When a step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    /// The first step found its object there.
    Existed,
    /// The first step found its object there, and the second changed nothing.
    NotUpdated,
}

/// One command.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    /// `AddImage`, say.
    pub(crate) name: String,
    /// All parameters but those that differ by dialect.
    pub(crate) body: Map<String, Json>,
    /// `if_not_found` or `constraints`; all must hold.
    pub(crate) constraints: Option<(&'static str, Vec<Comparison>)>,
    pub(crate) blob: Option<CommandBlob>,
    /// Of a search that must find one object: what it looks for, for who reads why it did not.
    pub(crate) must_find: Option<String>,
}

/// What travels with a command.
#[derive(Debug, Clone)]
pub(crate) enum CommandBlob {
    /// A file; bytes, once it was read.
    Media(MediaSource),
    /// A row of an array in a file.
    Array(VectorRow),
    /// A vector that is made on the way: its place among the row's.
    Made(usize),
}

impl Command {
    pub(crate) fn new(name: impl Into<String>, body: Json) -> Self {
        let body = match body {
            Json::Object(body) => body,
            _ => Map::new(),
        };
        Self { name: name.into(), body, constraints: None, blob: None, must_find: None }
    }

    pub(crate) fn with(mut self, key: &'static str, all: Vec<Comparison>) -> Self {
        self.constraints = (!all.is_empty()).then_some((key, all));
        self
    }

    pub(crate) fn blob(mut self, blob: CommandBlob) -> Self {
        self.blob = Some(blob);
        self
    }

    /// Says which run adds its object; sets belong to none.
    pub(crate) fn of_run(&mut self, run: &str) {
        let added = [
            "Entity",
            "Connection",
            "Image",
            "Video",
            "Blob",
            "Descriptor",
            "BoundingBox",
            "Polygon",
            "Clip",
            "Frame",
        ];
        let is_added = self.name.strip_prefix("Add").is_some_and(|kind| added.contains(&kind));
        if is_added {
            self.set_property(RUN, run);
        }
    }

    pub(crate) fn is_add(&self) -> bool {
        self.name.starts_with("Add")
    }

    /// Whether it may be sent twice without harm. A descriptor set's name is its own guard.
    fn is_repeatable(&self) -> bool {
        let guarded = || {
            let typed = self.constraints.as_ref().is_some_and(|(key, _)| *key == "if_not_found");
            typed || self.body.get("if_not_found").is_some_and(|guard| !is_nothing(guard))
        };
        !self.is_add() || self.name == "AddDescriptorSet" || guarded()
    }

    /// The command as it is sent by itself.
    pub(crate) fn to_json(&self, dialect: Dialect) -> Json {
        let mut body = self.body.clone();
        if let Some((key, all)) = &self.constraints {
            body.insert((*key).to_owned(), constraint::to_json(all, dialect));
        }
        json!({ self.name.as_str(): body })
    }

    /// One of its properties.
    pub(crate) fn property(&self, name: &str) -> Option<&Json> {
        self.body.get("properties")?.get(name)
    }

    pub(crate) fn set_property(&mut self, name: &str, value: impl Into<Json>) {
        let none = || Json::Object(Map::new());
        if let Json::Object(all) = self.body.entry("properties").or_insert_with(none) {
            all.insert(name.to_owned(), value.into());
        }
    }

    /// The bytes of its picture, film or file, once they were read.
    pub(crate) fn media(&self) -> Option<&Bytes> {
        match &self.blob {
            Some(CommandBlob::Media(media)) => media.loaded(),
            _ => None,
        }
    }
}

fn is_nothing(guard: &Json) -> bool {
    match guard {
        Json::Null => true,
        Json::Object(o) => o.is_empty(),
        Json::Array(a) => a.is_empty(),
        _ => false,
    }
}

impl CommandRow {
    /// A row of commands as they are sent, each an object with one key, in one dialect or the
    /// other; `media` are the blobs of those that take one, in their order.
    ///
    /// # Errors
    /// In words, when a command is no such object, or there are too many or too few blobs.
    pub fn new(commands: Vec<Json>, media: Vec<MediaSource>) -> Result<Self, String> {
        let mut media = media.into_iter();
        let mut step = Step { when: When::Always, commands: Vec::with_capacity(commands.len()) };
        for (i, command) in commands.into_iter().enumerate() {
            let named = match command {
                Json::Object(object) if object.len() == 1 => object.into_iter().next(),
                _ => None,
            };
            let Some((name, body @ Json::Object(_))) = named else {
                return Err(format!(
                    "command {i} is no object with one key, such as {{\"AddEntity\": {{…}}}}"
                ));
            };
            let mut command = Command::new(name, body);
            if takes_blob(&command) {
                let blob = media.next().ok_or_else(|| {
                    format!("command {i}, {}, takes a blob, and there is none", command.name)
                })?;
                command.blob = Some(CommandBlob::Media(blob));
            }
            step.commands.push(command);
        }
        match media.next() {
            Some(_) => Err("there are more blobs than commands that take one".to_owned()),
            None => Ok(Self { steps: vec![step], vectors: Vec::new() }),
        }
    }

    /// Says that the search at this place among the commands must find one object: `what`, in words.
    /// If it finds none, the row fails, and its reason says which object is wanting.
    pub fn must_find(&mut self, place: usize, what: impl Into<String>) {
        if let Some(search) = self.commands_mut().nth(place) {
            search.must_find = Some(what.into());
        }
    }

    /// The same after another row's commands, which are sent in a transaction of their own: only if
    /// what [must be found](Self::must_find) there is found.
    #[must_use]
    pub fn after(mut self, mut before: Self) -> Self {
        before.steps.append(&mut self.steps);
        Self { steps: before.steps, ..self }
    }

    pub(crate) fn of(commands: Vec<Command>) -> Self {
        Self { steps: vec![Step { when: When::Always, commands }], vectors: Vec::new() }
    }

    /// The commands of each step, in a dialect.
    #[must_use]
    pub fn to_json(&self, dialect: Dialect) -> Vec<Vec<Json>> {
        let commands = |step: &Step| step.commands.iter().map(|c| c.to_json(dialect)).collect();
        self.steps.iter().map(commands).collect()
    }

    pub(crate) fn commands_mut(&mut self) -> impl Iterator<Item = &mut Command> {
        self.steps.iter_mut().flat_map(|step| &mut step.commands)
    }

    pub(crate) fn commands(&self) -> impl Iterator<Item = &Command> {
        self.steps.iter().flat_map(|step| &step.commands)
    }

    /// Whether a request of it may be sent twice without adding anything twice.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        self.commands().all(Command::is_repeatable)
    }

    /// The command that asks whether its object is there already, before its file is read: for
    /// rows that add one guarded object with a file.
    #[must_use]
    pub fn look_up(&self, dialect: Dialect) -> Option<Json> {
        let [command] = self.steps.first()?.commands.as_slice() else { return None };
        let kind = command.name.strip_prefix("Add")?;
        let Some(CommandBlob::Media(_)) = command.blob else { return None };
        let (_, guard) = command.constraints.as_ref().filter(|(key, _)| *key == "if_not_found")?;
        let find = json!({"results": {"count": true}});
        let find = Command::new(format!("Find{kind}"), find).with("constraints", guard.clone());
        Some(find.to_json(dialect))
    }
}

fn takes_blob(command: &Command) -> bool {
    match command.name.as_str() {
        "AddImage" | "AddVideo" | "AddBlob" => !command.body.contains_key("url"),
        "AddDescriptor" => true,
        "FindDescriptor" => command.body.contains_key("k_neighbors"),
        _ => false,
    }
}

/// Changes rows on their way, once their files have been read.
pub trait CommandTransform: Send + Sync {
    /// Changes one row.
    ///
    /// # Errors
    /// In words; they cost the row.
    fn apply(&self, row: &mut CommandRow) -> Result<(), String>;

    /// Indexes that what it adds is looked up by.
    fn indexes(&self) -> Vec<PropertyIndex> {
        Vec::new()
    }
}

/// A descriptor for each image that rows add.
#[derive(Debug, Clone)]
pub struct ImageDescriptors {
    /// The set that it goes into; an embedder must be there for it.
    pub set: SetSpec,
    /// Whether it is of the largest face in the image. Where there is none, there is no descriptor.
    /// An embedder that looks for no faces sees the whole image.
    pub faces: bool,
}

/// A stream of rows of commands.
pub trait CommandSource: Send + 'static {
    /// Where relative paths in its rows begin.
    fn media_root(&self) -> MediaRoot;

    /// Its size in bytes, when that is known: for progress.
    fn size(&self) -> Option<u64> {
        None
    }

    /// Indexes that its rows are looked up by: made before the first row.
    fn indexes(&self) -> Vec<PropertyIndex> {
        Vec::new()
    }

    /// What changes its rows on their way, in order.
    fn transforms(&self) -> Vec<Arc<dyn CommandTransform>> {
        Vec::new()
    }

    /// What is made of its images.
    fn descriptors(&self) -> Vec<ImageDescriptors> {
        Vec::new()
    }

    /// Whether images are looked at before they are sent.
    fn checks_images(&self) -> bool {
        true
    }

    /// Whether what its rows add is to bear the run that brings it, as [`undo`](crate::runs::undo)
    /// wants it. Not where the database is to become the same as another one.
    fn bears_run(&self) -> bool {
        true
    }

    /// Where its rows come from: of a file its whole path. Empty, if that can't be said.
    fn place(&self) -> String {
        String::new()
    }

    /// What its rows are, in a word: for who watches.
    fn name(&self) -> String {
        "commands".to_owned()
    }

    /// What a dead-letter file says of its rows.
    fn rows_are(&self) -> RowsAre {
        RowsAre::Format { name: "commands".to_owned(), with: Json::Null }
    }

    /// What a person should know of it beside its rows.
    fn notices(&self) -> Vec<String> {
        Vec::new()
    }

    /// Hands each row to `each`, until that says to stop. Blocks; runs on a thread of its own.
    /// `each` also takes the number of bytes read so far.
    ///
    /// # Errors
    /// When the source can't be read on.
    fn read(
        self,
        each: &mut dyn FnMut(SourceRow<CommandRow>, u64) -> ControlFlow<()>,
    ) -> Result<(), Error>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_blobs_must_fit() {
        let image = || json!({"AddImage": {"_ref": 1}});
        let path = || MediaSource::Path("a.jpg".into());
        assert!(CommandRow::new(vec![image()], vec![path()]).is_ok());
        for (commands, media, said) in [
            (vec![image()], vec![], "takes a blob"),
            (vec![image()], vec![path(), path()], "more blobs"),
            (vec![json!({"A": {}, "B": {}})], vec![], "command 0 is no object"),
            (vec![json!({"AddEntity": 1})], vec![], "command 0 is no object"),
        ] {
            let error = CommandRow::new(commands, media).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn what_has_no_guard_is_not_repeatable() {
        let row = |command| CommandRow::new(vec![command], Vec::new()).unwrap();
        for (command, repeatable) in [
            (json!({"AddEntity": {"class": "A"}}), false),
            (json!({"AddEntity": {"class": "A", "if_not_found": {}}}), false),
            (json!({"AddEntity": {"class": "A", "if_not_found": {"a": ["==", 1]}}}), true),
            (json!({"AddDescriptorSet": {"name": "a"}}), true),
            (json!({"DeleteEntity": {"with_class": "A"}}), true),
        ] {
            assert_eq!(row(command.clone()).is_repeatable(), repeatable, "{command}");
        }
    }
}
