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
    loaders::{
        CommandRow, CommandSource, Error, ErrorKind, LetterFile, MediaRoot, RowPlace, SourceRow,
        letters::RowsAre,
    },
};
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::{ADDRESS, HEAD, Head, MARK, Other, Row, STAGES, VERSION};

/// A directory that an export wrote.
pub(crate) struct Dump {
    root: PathBuf,
    head: Head,
}

/// The rows of one of its files, or those of them that failed.
pub(crate) struct DumpRows {
    /// Where files that rows name lie.
    root: PathBuf,
    stage: String,
    export: String,
    indexes: Vec<PropertyIndex>,
    /// Where rows come from, if not from the export itself.
    letters: Option<LetterFile>,
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
        DumpRows {
            root: self.root.clone(),
            stage: stage.to_owned(),
            export: head.id.clone(),
            indexes,
            letters: None,
        }
    }
}

/// What a dead-letter file says of rows of an export.
#[derive(Serialize, Deserialize)]
struct Kept {
    export: String,
    stage: String,
}

impl DumpRows {
    /// What its rows are called in a dead-letter file.
    pub(crate) const FORMAT: &str = "adb_export";

    /// Rows that failed. Indexes were made before the first of them.
    pub(crate) fn of_letters(letters: LetterFile) -> anyhow::Result<Self> {
        let header = letters.header();
        let kept = match &header.rows {
            RowsAre::Format { with, .. } => Kept::deserialize(with).ok(),
            _ => None,
        };
        let Kept { export, stage } = kept.with_context(|| {
            let path = letters.path().display();
            format!("{path}: its first line does not say of which export its rows are; put back what stood there")
        })?;
        let root = PathBuf::from(&header.media_root);
        Ok(Self { root, stage, export, indexes: Vec::new(), letters: Some(letters) })
    }

    /// The file that rows come from.
    pub(crate) fn path(&self) -> PathBuf {
        match &self.letters {
            Some(letters) => letters.path().to_owned(),
            None => self.root.join(format!("{}.jsonl", self.stage)),
        }
    }

    fn mark(&self, id: &str) -> String {
        format!("{}/{id}", self.export)
    }

    /// The commands that add a row's object: what it needs is found by its mark, and must be there.
    fn commands(&self, text: &str) -> Result<CommandRow, String> {
        let row: Row = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let mut needs: Vec<&Other> = Vec::new();
        let mut with = row.with;
        for (parameter, other) in &row.refs {
            needs.push(other);
            with.insert(parameter.clone(), needs.len().into());
        }
        if let [of] = row.of.as_slice() {
            needs.push(&of.other);
        }
        let mut commands: Vec<Json> =
            (1..).zip(&needs).map(|(reference, other)| self.find(other, reference)).collect();
        if row.of.len() > 1 {
            let marks: Vec<String> = row.of.iter().map(|of| self.mark(&of.other.id)).collect();
            commands.push(json!({"FindEntity": {
                "with_class": row.of[0].other.class, "_ref": commands.len() + 1,
                "constraints": {MARK: ["in", marks]},
            }}));
        }
        if let Some(first) = row.of.first() {
            let direction = if first.begins_there { "in" } else { "out" };
            let connect = json!({"ref": commands.len(), "direction": direction});
            with.insert("connect".to_owned(), connect);
        }
        let mark = self.mark(&row.id);
        let properties = with.entry("properties").or_insert_with(|| json!({}));
        properties[MARK] = mark.as_str().into();
        if let Some(url) = row.url {
            properties[ADDRESS] = url.into();
        }
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
        let mut commands = CommandRow::new(commands, file.into_iter().chain(vector).collect())?;
        for (at, other) in needs.into_iter().enumerate() {
            commands.must_find(at, wanted(other));
        }
        if row.of.len() < 2 {
            return Ok(commands);
        }
        // One that is wanting among several would refuse nothing: first it is asked for each.
        let finds = (1..).zip(&row.of).map(|(reference, of)| self.find(&of.other, reference));
        let mut before = CommandRow::new(finds.collect(), Vec::new())?;
        for (at, of) in row.of.iter().enumerate() {
            before.must_find(at, wanted(&of.other));
        }
        Ok(commands.after(before))
    }

    /// The search for an object that came from the same export.
    fn find(&self, other: &Other, reference: usize) -> Json {
        json!({"FindEntity": {
            "with_class": other.class, "_ref": reference, "unique": true,
            "constraints": {MARK: ["==", self.mark(&other.id)]},
        }})
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
        self.stage.clone()
    }

    fn rows_are(&self) -> RowsAre {
        let with = json!(Kept { export: self.export.clone(), stage: self.stage.clone() });
        RowsAre::Format { name: Self::FORMAT.to_owned(), with }
    }

    fn read(
        self,
        each: &mut dyn FnMut(SourceRow<CommandRow>, u64) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        if let Some(letters) = &self.letters {
            return letters.read(|letter, bytes| {
                let value = letter.row_text().and_then(|text| self.commands(text)).map(Some);
                let raw = letter.row_text().unwrap_or_default().to_owned();
                let row = SourceRow::new(letter.at(), letter.identity, raw);
                each(SourceRow { value, ..row }, bytes)
            });
        }
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

/// An object that a row needs, for who reads that it is not there.
fn wanted(Other { class, id }: &Other) -> String {
    format!("the object {id} of `{class}`, which the row needs,")
}

fn unread(path: &Path, source: std::io::Error) -> Error {
    ErrorKind::Source { path: path.to_owned(), source }.into()
}
