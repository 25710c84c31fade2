//! What became of the rows: a report at the end.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Serialize, Serializer};

use super::{
    Mirrored,
    failure::{FailureGroup, RowFailure, Stage},
};
use crate::{Counted, Error, RowPlace};

/// Time spent in each stage, summed over its threads. As JSON: seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stages {
    /// Reading and parsing the source.
    #[serde(serialize_with = "seconds")]
    pub read: Duration,
    /// Waiting for what the database says of rows that may be there.
    #[serde(serialize_with = "seconds")]
    pub look_up: Duration,
    /// Making children.
    #[serde(serialize_with = "seconds")]
    pub make: Duration,
    /// Fetching pictures, videos and files.
    #[serde(serialize_with = "seconds")]
    pub media: Duration,
    /// Decoding and resizing pictures.
    #[serde(serialize_with = "seconds")]
    pub decode: Duration,
    /// Inference.
    #[serde(serialize_with = "seconds")]
    pub embed: Duration,
    /// Waiting for the database to write.
    #[serde(serialize_with = "seconds")]
    pub write: Duration,
}

impl Stages {
    /// Each stage and its time.
    pub fn each(&self) -> impl Iterator<Item = (Stage, Duration)> + use<> {
        let times =
            [self.read, self.look_up, self.make, self.media, self.decode, self.embed, self.write];
        Stage::ALL.into_iter().zip(times)
    }
}

/// A row that took longer than others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SlowRow {
    /// How long the stages worked on it alone: making its children, fetching and decoding its
    /// media. What it shared with others, such as inference, is not in it.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub time: Duration,
    /// Where it stands.
    #[serde(flatten)]
    pub at: RowPlace,
}

/// By time, then by place.
impl Ord for SlowRow {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let by_place =
            || other.at.row.cmp(&self.at.row).then_with(|| self.at.file.cmp(&other.at.file));
        self.time.cmp(&other.time).then_with(by_place)
    }
}

impl PartialOrd for SlowRow {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// What became of every row. As JSON, times are seconds, and errors are in words.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Rows read, or stored objects looked at. Always the sum of the next four.
    pub rows: u64,
    /// Rows that a [`Transform`](crate::Transform) left out; they are not among those read.
    pub left_out: u64,
    /// Rows whose object was added.
    pub added: u64,
    /// Rows whose object was there already, and is as it was.
    pub existed: u64,
    /// Rows whose object was there, and is otherwise now: the object, what belongs to it, or what
    /// it is connected to. Only with [`Ingest::upsert`](super::Ingest::upsert).
    pub updated: u64,
    /// Rows that failed.
    pub failed: u64,
    /// Children that makers made, and that were handed on to be embedded and written.
    pub made: u64,
    /// Photos in which a face was to be embedded and none was found: they were embedded whole, or
    /// have no descriptor, as the model says. Those whose rows failed are among the failures.
    pub without_face: u64,
    /// Vectors made.
    pub embedded: u64,
    /// Objects added: roots, children and descriptors; those that were replaced as well.
    pub objects_added: u64,
    /// Connections added.
    pub connections_added: u64,
    /// Failed rows with their reasons, by row; at most 1,000 of them. All are in the
    /// [dead-letter file](Self::dead_letters), if there was to be one.
    pub failures: Vec<RowFailure>,
    /// All failures by stage and reason, the largest group first.
    pub failure_groups: Vec<FailureGroup>,
    /// The file in which all failed rows are, if there are any and one was
    /// [asked for](super::Ingest::dead_letters).
    pub dead_letters: Option<PathBuf>,
    /// Whether rows can be taken from that file: those that could not even be read, and those whose
    /// source brought files with them, as shards and tables with pictures do, can't.
    pub retry_helps: bool,
    /// Rows that exist with other properties than the source has, or of other files. They were left
    /// as they are.
    pub differing: u64,
    /// The first of these, and how it differs.
    pub first_difference: Option<RowFailure>,
    /// Source keys that no field takes, and how many rows have them; rows that can't be read are
    /// not counted.
    pub ignored_keys: BTreeMap<String, u64>,
    /// What a person should know beside: a set that does not say who filled it, say.
    pub notices: Vec<String>,
    /// From start to end.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub time: Duration,
    /// Time by stage, summed over threads.
    pub stages: Stages,
    /// The rows that took longest, the slowest first; at most ten.
    pub slowest: Vec<SlowRow>,
    /// Whether it was told to stop before the source's end.
    pub stopped: bool,
    /// What ended it before the source's end, if something did.
    #[serde(serialize_with = "in_words")]
    pub broken_off: Option<Error>,
    /// The run's id, which all that it added bears; nothing if it wrote nothing.
    pub run: Option<String>,
    /// What left the source, if that was asked for and could be told.
    pub mirror: Option<Mirrored>,
}

pub(super) fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

fn in_words<S: Serializer>(error: &Option<Error>, serializer: S) -> Result<S::Ok, S::Error> {
    match error {
        Some(error) => serializer.collect_str(error),
        None => serializer.serialize_none(),
    }
}

impl Report {
    /// Whether the source was read to its end.
    pub(super) fn is_whole(&self) -> bool {
        self.broken_off.is_none() && !self.stopped && self.adds_up()
    }

    /// Whether each row read has its outcome.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        self.rows == self.added + self.existed + self.updated + self.failed
    }

    /// 0: all well; 1: it broke off; 3: some rows failed; 130: told to stop.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            _ if self.broken_off.is_some() || !self.adds_up() => 1,
            _ if self.stopped => 130,
            _ if self.failed > 0 => 3,
            _ => 0,
        }
    }
}

/// Groups of failures that the summary spells out.
const GROUPS_SHOWN: usize = 10;

/// Rows that take so long on their own are worth a line.
const SLOW: Duration = Duration::from_secs(1);

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_failures(f)?;
        self.fmt_notes(f)?;
        if let Some(error) = &self.broken_off {
            writeln!(f, "broken off: {error}")?;
        }
        if let Some(mirror) = &self.mirror {
            writeln!(f, "{mirror}")?;
        }
        if self.stopped {
            writeln!(f, "stopped before the end; run it again to go on from here")?;
        }
        writeln!(
            f,
            "{} read = {} added + {} existed + {} updated + {} failed{}",
            Counted(self.rows, "row"),
            self.added,
            self.existed,
            self.updated,
            self.failed,
            if self.adds_up() { "" } else { " (THIS DOES NOT ADD UP: a bug in adb)" },
        )?;
        if self.rows > 0
            && self.existed == self.rows
            && self.differing == 0
            && self.objects_added + self.connections_added + self.embedded == 0
        {
            return write!(
                f,
                "nothing to do: every row was there already; nothing was added, nothing embedded"
            );
        }
        write!(
            f,
            "{} and {} added, {} made, in {:.1} s",
            Counted(self.objects_added, "object"),
            Counted(self.connections_added, "connection"),
            Counted(self.embedded, "vector"),
            self.time.as_secs_f64()
        )?;
        // What a run has changed stays changed.
        if let Some(run) = &self.run
            && self.objects_added + self.connections_added > 0
        {
            let what = if self.updated == 0 { "it" } else { "what was added" };
            write!(f, "; `adb undo {run}` takes {what} back")?;
        }
        let mut before = " (";
        for (stage, time) in self.stages.each().filter(|(_, time)| time.as_millis() >= 50) {
            write!(f, "{before}{stage} {:.1} s", time.as_secs_f64())?;
            before = ", ";
        }
        f.write_str(if before == ", " { ", summed over threads)" } else { "" })
    }
}

impl Report {
    fn fmt_failures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in self.failure_groups.iter().take(GROUPS_SHOWN) {
            match group.first.as_slice() {
                [only] if group.rows == 1 => writeln!(f, "failed: {only}")?,
                first => {
                    let rows = Counted(group.rows, "row");
                    writeln!(f, "failed: {rows} ({}): {}", group.stage, group.reason)?;
                    for failure in first {
                        writeln!(f, "  {failure}")?;
                    }
                    let more = group.rows.saturating_sub(first.len() as u64);
                    if more > 0 {
                        writeln!(f, "  and {more} more")?;
                    }
                }
            }
        }
        let others = self.failure_groups.iter().skip(GROUPS_SHOWN);
        let (groups, rows) = others.fold((0, 0), |(n, rows), group| (n + 1, rows + group.rows));
        if groups > 0 {
            let (rows, groups) = (Counted(rows, "more row"), Counted(groups, "other reason"));
            writeln!(f, "failed: {rows}, for {groups}")?;
        }
        match &self.dead_letters {
            Some(path) if !self.retry_helps => writeln!(
                f,
                "the failed rows are told in {}, which has not all that it takes to bring them in; mend what is wrong in their source, then run the same again",
                path.display()
            ),
            Some(path) => writeln!(
                f,
                "the failed rows are in {}; mend what is wrong, then: adb ingest retry {}",
                path.display(),
                for_a_shell(path)
            ),
            None => Ok(()),
        }
    }

    fn fmt_notes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, rows) in &self.ignored_keys {
            let have = if *rows == 1 { "has" } else { "have" };
            writeln!(
                f,
                "note: no field takes the key `{key}` ({} {have} it)",
                Counted(*rows, "row")
            )?;
        }
        for notice in &self.notices {
            writeln!(f, "note: {notice}")?;
        }
        if self.without_face > 0 {
            let photos = Counted(self.without_face, "photo");
            writeln!(
                f,
                "note: no face was found in {photos}: embedded whole, or without a descriptor, as the model says"
            )?;
        }
        if self.left_out > 0 {
            let were = if self.left_out == 1 { "was" } else { "were" };
            let rows = Counted(self.left_out, "row");
            writeln!(f, "note: {rows} {were} left out by a transform")?;
        }
        if let Some(first) = &self.first_difference {
            let (exist, as_they_are) = match self.differing {
                1 => ("exists", "was left as it is"),
                _ => ("exist", "were left as they are"),
            };
            writeln!(
                f,
                "note: {} {exist} otherwise than in the source, and {as_they_are} (`--on-existing update`, or `upsert(true)`, changes that); the first is {first}",
                Counted(self.differing, "row")
            )?;
        }
        for slow in self.slowest.iter().take_while(|slow| slow.time >= SLOW).take(3) {
            writeln!(f, "note: slow: {} took {:.1} s by itself", slow.at, slow.time.as_secs_f64())?;
        }
        Ok(())
    }
}

/// A path as a shell takes it for one word.
fn for_a_shell(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@%,=".contains(c);
    match path.chars().all(is_plain) {
        true => path,
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::tally::Tally;
    use std::sync::Arc;

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        let word = |path: &str| for_a_shell(Path::new(path));
        assert_eq!(word("rows/a-1.csv"), "rows/a-1.csv");
        assert_eq!(word("my rows.csv"), "'my rows.csv'");
        assert_eq!(word("it's $HOME"), r"'it'\''s $HOME'");
    }

    #[test]
    fn only_what_was_added_can_be_taken_back() {
        let mut report = Tally::new(Arc::default(), None, None).report(Duration::ZERO, false, None);
        (report.rows, report.updated, report.failed) = (2, 1, 1);
        report.run = Some("r1".into());
        assert!(!report.to_string().contains("adb undo"), "{report}");
        report.objects_added = 1;
        assert!(report.to_string().contains("`adb undo r1` takes what was added back"), "{report}");
        report.updated = 0;
        assert!(report.to_string().contains("`adb undo r1` takes it back"), "{report}");
    }

    #[test]
    fn one_is_no_several() {
        let mut report = Tally::new(Arc::default(), None, None).report(Duration::ZERO, false, None);
        (report.rows, report.updated, report.left_out) = (1, 1, 1);
        (report.objects_added, report.connections_added) = (1, 2);
        let said = report.to_string();
        for words in [
            "1 row read = 0 added",
            "note: 1 row was left out",
            "1 object and 2 connections added, 0 vectors",
        ] {
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn a_retry_is_named_where_it_helps() {
        let mut report = Tally::new(Arc::default(), None, None).report(Duration::ZERO, false, None);
        (report.rows, report.failed) = (1, 1);
        report.dead_letters = Some("a.tar.dead-letters.jsonl".into());
        let said = report.to_string();
        assert!(!said.contains("retry") && said.contains("run the same again"), "{said}");
        report.retry_helps = true;
        let said = report.to_string();
        assert!(said.contains("adb ingest retry a.tar.dead-letters.jsonl"), "{said}");
    }
}
