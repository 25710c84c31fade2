//! Rows of an export, as commands.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use adb::{
    MediaSource,
    ensure::PropertyIndex,
    graph::row_identity,
    loaders::{CommandRow, CommandSource, Error, ErrorKind, MediaRoot, RowPlace, SourceRow},
};
use anyhow::Context as _;
use serde_json::{Value as Json, json};

use super::{HEAD, Head, MARK, Row, STAGES, VERSION};

/// A directory that an export wrote.
pub(crate) struct Dump {
    root: PathBuf,
    head: Head,
}

/// The rows of one of its files.
pub(crate) struct DumpRows {
    root: PathBuf,
    stage: &'static str,
    export: String,
    indexes: Vec<PropertyIndex>,
}

impl Dump {
    pub(crate) fn open(root: &Path) -> anyhow::Result<Self> {
        let path = root.join(HEAD);
        let place = || path.display().to_string();
        let text = fs::read_to_string(&path).with_context(|| {
            format!("{}: no export without a model, which `adb export` writes", place())
        })?;
        let head: Head = serde_json::from_str(&text).with_context(place)?;
        anyhow::ensure!(
            head.adb_export == VERSION,
            "{}: its form has version {}, and this adb reads {VERSION}; use a later one",
            place(),
            head.adb_export
        );
        Ok(Self { root: root.to_owned(), head })
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> u64 {
        self.head.rows.values().sum()
    }

    /// Its files that have rows, in the order of need.
    pub(crate) fn stages(&self) -> Vec<DumpRows> {
        let has_rows = |stage: &&&str| self.head.rows.get(**stage).is_some_and(|rows| *rows > 0);
        STAGES.iter().filter(has_rows).map(|stage| self.stage(stage)).collect()
    }

    fn stage(&self, stage: &'static str) -> DumpRows {
        let head = &self.head;
        let marks = |class: &String| PropertyIndex::of_entity(class, MARK);
        let mut indexes: Vec<PropertyIndex> = head.classes.iter().map(marks).collect();
        let marks = |class: &String| PropertyIndex::of_connection(class, MARK);
        indexes.extend(head.connections.iter().map(marks));
        indexes.extend(head.indexes.iter().map(|index| match index.connection {
            true => PropertyIndex::of_connection(&index.class, &index.property),
            false => PropertyIndex::of_entity(&index.class, &index.property),
        }));
        DumpRows { root: self.root.clone(), stage, export: head.id.clone(), indexes }
    }
}

impl DumpRows {
    pub(crate) fn path(&self) -> PathBuf {
        self.root.join(format!("{}.jsonl", self.stage))
    }

    fn mark(&self, id: &str) -> String {
        format!("{}/{id}", self.export)
    }

    /// The commands that add a row's object: what it needs is found by its mark.
    fn commands(&self, text: &str) -> Result<CommandRow, String> {
        let row: Row = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let mut commands = Vec::new();
        let mut with = row.with;
        for (parameter, other) in &row.refs {
            let reference = commands.len() + 1;
            commands.push(json!({"FindEntity": {
                "with_class": other.class, "_ref": reference, "unique": true,
                "constraints": {MARK: ["==", self.mark(&other.id)]},
            }}));
            with.insert(parameter.clone(), reference.into());
        }
        if let Some(first) = row.of.first() {
            let reference = commands.len() + 1;
            let marks: Vec<String> = row.of.iter().map(|of| self.mark(&of.other.id)).collect();
            commands.push(json!({"FindEntity": {
                "with_class": first.other.class, "_ref": reference,
                "constraints": {MARK: ["in", marks]},
            }}));
            let direction = if first.begins_there { "in" } else { "out" };
            with.insert("connect".to_owned(), json!({"ref": reference, "direction": direction}));
        }
        let mark = self.mark(&row.id);
        let properties = with.entry("properties").or_insert_with(|| json!({}));
        properties[MARK] = mark.as_str().into();
        // The name of a set guards it.
        if row.add != "AddDescriptorSet" {
            with.insert("if_not_found".to_owned(), json!({MARK: ["==", mark]}));
        }
        commands.push(Json::Object([(row.add, Json::Object(with))].into_iter().collect()));
        let file = row.file.map(|file| MediaSource::Path(file.into()));
        let vector = row.vector.map(|vector| {
            let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
            MediaSource::Bytes(bytes.into())
        });
        CommandRow::new(commands, file.into_iter().chain(vector).collect())
    }
}

impl CommandSource for DumpRows {
    fn media_root(&self) -> MediaRoot {
        MediaRoot::new(&self.root)
    }

    /// The database becomes the same as the other one.
    fn bears_run(&self) -> bool {
        false
    }

    fn size(&self) -> Option<u64> {
        fs::metadata(self.path()).ok().map(|file| file.len())
    }

    fn indexes(&self) -> Vec<PropertyIndex> {
        self.indexes.clone()
    }

    /// They were stored as they are.
    fn checks_images(&self) -> bool {
        false
    }

    fn name(&self) -> String {
        self.stage.to_owned()
    }

    fn read(
        self,
        each: &mut dyn FnMut(SourceRow<CommandRow>, u64) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let path = self.path();
        let file = File::open(&path).map_err(|source| unread(&path, source))?;
        let name: std::sync::Arc<str> = path.display().to_string().into();
        let (mut lines, mut line, mut read) = (BufReader::new(file), String::new(), 0);
        for row in 1.. {
            line.clear();
            let length = lines.read_line(&mut line).map_err(|e| unread(&path, e))?;
            if length == 0 {
                break;
            }
            read += length as u64;
            let at = RowPlace { file: name.clone(), row, line: Some(row) };
            let identity = row_identity(&name, row, line.as_bytes());
            let value = self.commands(&line).map(Some);
            let row = SourceRow { value, ..SourceRow::new(at, identity, line.clone()) };
            if each(row, read).is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn unread(path: &Path, source: std::io::Error) -> Error {
    ErrorKind::Source { path: path.to_owned(), source }.into()
}
