//! `adb export`: objects of a model, or all that is in a database, as rows and files, which go in
//! again.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::{Component, Path, PathBuf},
};

use adb::{
    Constraint, Database,
    document::LoadedModel,
    ensure::{FilledBy, inspect_set},
    loaders::Counted,
    query::Records,
};
use anyhow::{Context as _, bail};
use serde_json::Value as Json;

use crate::{
    database::Db,
    dump,
    exit::{Exit, Usage},
    model, out,
};

/// Objects in one request; their blobs are in memory at the same time.
const PAGE: u64 = 64;
/// Files that would be called alike; more are not tried.
const MOST_ALIKE: u32 = 1000;
/// Connections that are followed from one object to the next.
const MAX_DEPTH: usize = 6;

/// Write a database, or objects of a model, as JSON Lines, with files beside, so that it goes in
/// again.
///
/// Without a model all that is there is written: every object, connection, vector, set and index,
/// or with --query what Find commands find, with what it lies in and the connections in between.
///
/// With a model the directory gets `rows.jsonl`, `model.json` and the files. Vectors that an embedder
/// made are left out, since ingestion makes them again; vectors that were given are written.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  adb export dishes --model examples/data/cookbook/dish.model.json --db my.adb
  adb export indian --model examples/data/cookbook/dish.model.json --db my.adb \\
      --where 'cuisine == \"Indian\"'
  adb export everything --db my.adb

What it wrote goes in again:
  adb ingest from-json dishes/rows.jsonl --model dishes/model.json --db copy.adb
  adb ingest from-export everything --db whole.adb")]
pub(crate) struct Export {
    /// The directory to write to: a new one, or an empty one.
    to: PathBuf,
    #[command(flatten)]
    db: Db,
    /// The model, as a document. Without it, everything is written.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Only what the Find commands in this JSON file find.
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    query: Option<PathBuf>,
    /// Only objects that pass, such as `cuisine == "Indian" && year > 2000`.
    #[arg(long = "where", value_name = "FILTER", requires = "model")]
    filter: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N", requires = "model")]
    limit: Option<u64>,
    /// Write the vectors of embedders as well.
    #[arg(long, conflicts_with = "no_vectors", requires = "model")]
    vectors: bool,
    /// Write no vectors.
    #[arg(long, requires = "model")]
    no_vectors: bool,
}

impl Export {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let db = self.db.read()?;
        let Some(path) = &self.model else { return self.everything(&*db).await };
        let model = model::load(path)?;
        let mut records = Records::of(model.schema())
            .with_blobs()
            .depth(model.schema().reachable().len().min(MAX_DEPTH));
        if let Some(text) = &self.filter {
            let constraint: Constraint =
                text.parse().map_err(|e| Usage(format!("--where: {e}")))?;
            records = records.filter(constraint);
        }
        if !self.no_vectors && (self.vectors || has_given_vectors(&*db, model).await?) {
            records = records.with_vectors();
        }
        let mut to = Directory::new(&self.to)?;
        let mut written = 0;
        loop {
            let left = self.limit.map_or(PAGE, |limit| (limit - written).min(PAGE));
            if left == 0 {
                break;
            }
            let page = records.page(&*db, written, left).await?;
            for record in &page {
                let row = model.row(record, &mut |media| {
                    to.media(media.unique_id, media.origin, media.bytes)
                })?;
                serde_json::to_writer(&mut to.rows, &row)?;
                to.rows.write_all(b"\n")?;
            }
            written += page.len() as u64;
            if (page.len() as u64) < left {
                break;
            }
        }
        let files = to.finish(model)?;
        self.told(written, files as u64);
        out::notice(format_args!(
            "they go in again: adb ingest from-json {0}/rows.jsonl --model {0}/model.json --db …",
            self.to.display()
        ));
        Ok(Exit::Well)
    }
}

impl Export {
    fn told(&self, rows: u64, files: u64) {
        let (rows, files) = (Counted(rows, "row"), Counted(files, "file"));
        println!("written to {}: {rows} and {files}", self.to.display());
    }

    async fn everything(&self, db: &dyn Database) -> anyhow::Result<Exit> {
        let query = self.query.as_ref().map(|path| {
            let read = || -> anyhow::Result<Json> { Ok(serde_json::from_slice(&fs::read(path)?)?) };
            read().with_context(|| path.display().to_string())
        });
        let written = dump::write(db, &self.to, query.transpose()?.as_ref()).await?;
        self.told(written.rows, written.files);
        out::notice(format_args!(
            "they go in again: adb ingest from-export {} --db …",
            self.to.display()
        ));
        Ok(Exit::Well)
    }
}

/// Whether a set of the model holds vectors that nobody could make again.
async fn has_given_vectors(db: &dyn Database, model: LoadedModel) -> anyhow::Result<bool> {
    for set in model.schema().sets() {
        let found = inspect_set(db, set.name).await?;
        if matches!(found.and_then(|found| found.filled_by), Some(FilledBy::Caller)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where rows and files go.
struct Directory {
    root: PathBuf,
    rows: BufWriter<File>,
    /// What has been written under a name, by the object that has it.
    files: HashMap<PathBuf, String>,
}

impl Directory {
    fn new(root: &Path) -> anyhow::Result<Self> {
        let place = || root.display().to_string();
        make_empty(root)?;
        let rows = BufWriter::new(File::create(root.join("rows.jsonl")).with_context(place)?);
        Ok(Self { root: root.to_owned(), rows, files: HashMap::new() })
    }

    /// Writes a blob, under the path that it had in its source where that is one beside the rows and
    /// no other blob has it.
    fn media(
        &mut self,
        unique_id: &str,
        origin: Option<&str>,
        bytes: &[u8],
    ) -> anyhow::Result<String> {
        let own = name(unique_id, bytes);
        let numbered = |n: u32| match n {
            1 => Path::new("files").join(&own),
            n => Path::new("files").join(format!("{n}-{own}")),
        };
        let wanted = origin.and_then(beside_the_rows);
        for path in wanted.into_iter().chain((1..=MOST_ALIKE).map(numbered)) {
            match self.files.get(&path) {
                Some(owner) if owner == unique_id => return Ok(in_a_row(&path)),
                // Two sources, or a changed file.
                Some(_) => continue,
                None => {}
            }
            match write_new(&self.root.join(&path), bytes) {
                Ok(()) => {
                    let row = in_a_row(&path);
                    self.files.insert(path, unique_id.to_owned());
                    return Ok(row);
                }
                Err(e) if is_taken(&e) => {}
                Err(e) => {
                    return Err(e).with_context(|| self.root.join(&path).display().to_string());
                }
            }
        }
        bail!("{}: no name is free for the file of {unique_id}", self.root.display())
    }

    /// How many files there are beside the rows.
    fn finish(mut self, model: LoadedModel) -> anyhow::Result<usize> {
        self.rows.flush()?;
        let document = serde_json::to_string_pretty(model.document())? + "\n";
        fs::write(self.root.join("model.json"), document)
            .with_context(|| self.root.display().to_string())?;
        Ok(self.files.len())
    }
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create_new(path)?.write_all(bytes)
}

/// Whether another file has a path: its own, one that differs in case alone where the system has one
/// name for both, or one that is a folder here.
fn is_taken(e: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, IsADirectory, NotADirectory};
    matches!(e.kind(), AlreadyExists | IsADirectory | NotADirectory)
}

/// Makes the directory unless it is there; it must be empty.
pub(crate) fn make_empty(root: &Path) -> anyhow::Result<()> {
    let place = || root.display().to_string();
    fs::create_dir_all(root).with_context(place)?;
    if fs::read_dir(root).with_context(place)?.next().is_some() {
        bail!("{} is not empty; name a new directory", root.display());
    }
    Ok(())
}

/// A path that stays within the directory and does not meet our own files; nothing otherwise.
fn beside_the_rows(origin: &str) -> Option<PathBuf> {
    let path = Path::new(origin);
    let stays = path.components().all(|part| matches!(part, Component::Normal(_)));
    let is_ours = ["rows.jsonl", "model.json"].iter().any(|ours| path == Path::new(ours));
    let is_address = origin.contains("://") || origin.contains(['\\', ':', '\0']);
    (stays && !is_ours && !is_address && !origin.is_empty()).then(|| path.to_owned())
}

/// With `/`, whatever the system has.
fn in_a_row(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

/// A name for a blob that has none: its object's, and an ending by its first bytes.
pub(crate) fn name(unique_id: &str, bytes: &[u8]) -> String {
    let ending = match bytes {
        [0xff, 0xd8, 0xff, ..] => "jpg",
        [0x89, b'P', b'N', b'G', ..] => "png",
        [b'G', b'I', b'F', b'8', ..] => "gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "webp",
        [b'B', b'M', ..] => "bmp",
        [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => "tiff",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "mp4",
        _ => "bin",
    };
    format!("{}.{ending}", unique_id.replace(|c: char| !c.is_ascii_alphanumeric(), "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_within_the_directory() {
        for inside in ["images/pizza.png", "a.jpg"] {
            assert_eq!(beside_the_rows(inside), Some(PathBuf::from(inside)));
        }
        for outside in
            ["../a.jpg", "/etc/passwd", "a/../../b", "https://h/a.jpg", "", "rows.jsonl", "C:\\a"]
        {
            assert_eq!(beside_the_rows(outside), None, "{outside}");
        }
        assert_eq!(name("3.0.7", b"\xff\xd8\xff\xe0"), "3-0-7.jpg");
    }

    /// What was exported before has names as we make them, and a folder may be a file elsewhere.
    #[test]
    fn no_file_takes_another_s_place() {
        let dir = tempfile::tempdir().unwrap();
        let mut to = Directory::new(dir.path()).unwrap();
        let mut written = |unique_id, origin, bytes: &[u8]| {
            (to.media(unique_id, origin, bytes).unwrap(), bytes.to_vec())
        };
        let all = [
            written("1.0.1", Some("files/2-0-2.bin"), b"one"),
            written("2.0.2", None, b"two"),
            written("2.0.2", None, b"two"),
            written("3.0.3", Some("files/2-0-2.bin"), b"three"),
            written("4.0.4", Some("a"), b"four"),
            written("5.0.5", Some("a/b"), b"five"),
            written("6.0.6", Some("files"), b"six"),
        ];
        let paths: Vec<&str> = all.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "files/2-0-2.bin",
                "files/2-2-0-2.bin",
                "files/2-2-0-2.bin",
                "files/3-0-3.bin",
                "a",
                "files/5-0-5.bin",
                "files/6-0-6.bin"
            ]
        );
        for (path, bytes) in all {
            assert_eq!(fs::read(dir.path().join(&path)).unwrap(), bytes, "{path}");
        }
    }
}
