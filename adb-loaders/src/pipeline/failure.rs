//! Why rows fail, and in which stage.

use std::{borrow::Cow, collections::HashMap, fmt};

use adb_model::{ModelError, upsert::UpsertError};
use serde::{Deserialize, Serialize};

use crate::RowPlace;

/// What a row goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// Reading it, and making a graph of what it says.
    Read,
    /// Asking the database whether it is there.
    LookUp,
    /// Making its children.
    Make,
    /// Fetching its pictures, videos and files.
    Media,
    /// Decoding and resizing them.
    Decode,
    /// Making its vectors.
    Embed,
    /// Bringing it into the database.
    Write,
}

impl Stage {
    /// All of them, in the order in which a row goes through them.
    pub const ALL: [Stage; 7] = [
        Stage::Read,
        Stage::LookUp,
        Stage::Make,
        Stage::Media,
        Stage::Decode,
        Stage::Embed,
        Stage::Write,
    ];

    /// The name, as JSON has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Stage::Read => "read",
            Stage::LookUp => "look_up",
            Stage::Make => "make",
            Stage::Media => "media",
            Stage::Decode => "decode",
            Stage::Embed => "embed",
            Stage::Write => "write",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A row that did not go in, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RowFailure {
    /// Where it stands.
    #[serde(flatten)]
    pub at: RowPlace,
    /// In which stage it failed.
    pub stage: Stage,
    /// Model and field, such as `Dish.grams`, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Why.
    pub reason: String,
}

impl RowFailure {
    /// A row that failed in a stage, for a reason.
    #[must_use]
    pub fn new(at: RowPlace, stage: Stage, reason: String) -> Self {
        Self { at, stage, field: None, reason }
    }
}

impl fmt::Display for RowFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.reason)
    }
}

/// Why a row fails, and at which of its fields.
#[derive(Debug, Clone)]
pub(super) struct Reason {
    pub(super) field: Option<String>,
    pub(super) text: String,
}

/// More of a message tells a person nothing.
const LONGEST_REASON: usize = 4000;

impl Reason {
    pub(super) fn into_failure(self, at: RowPlace, stage: Stage) -> RowFailure {
        let Self { field, mut text } = self;
        if text.len() > LONGEST_REASON {
            text.truncate(text.floor_char_boundary(LONGEST_REASON));
            text.push('…');
        }
        RowFailure { at, stage, field, reason: text }
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self { field: None, text }
    }
}

impl From<&str> for Reason {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<ModelError> for Reason {
    fn from(e: ModelError) -> Self {
        Self {
            field: Some(e.place().to_owned()).filter(|place| !place.is_empty()),
            text: e.to_string(),
        }
    }
}

impl From<UpsertError> for Reason {
    fn from(e: UpsertError) -> Self {
        match e {
            UpsertError::Model(e) => e.into(),
            e => e.to_string().into(),
        }
    }
}

/// Rows that failed in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FailureGroup {
    /// In which stage.
    pub stage: Stage,
    /// Why: the reasons without numbers and names that differ from row to row.
    pub reason: String,
    /// How many rows.
    pub rows: u64,
    /// The first of them.
    pub first: Vec<RowFailure>,
}

/// Rows that a group shows.
const FIRST_ROWS: usize = 3;

/// Groups that are told apart; who fails in yet other ways is counted in one more.
const MOST_GROUPS: usize = 100;

/// What a report says of all groups beyond [`MOST_GROUPS`].
const OTHER_WAYS: &str = "other reasons";

/// Failures by what they have in common, in memory that does not grow with their number.
#[derive(Debug, Default)]
pub(super) struct Groups(HashMap<(Stage, String), FailureGroup>);

impl Groups {
    pub(super) fn add(&mut self, failure: &RowFailure) {
        let mut shape = shape_of(failure);
        let mut stage = failure.stage;
        if self.0.len() >= MOST_GROUPS && !self.0.contains_key(&(stage, shape.clone())) {
            (stage, shape) = (Stage::Read, OTHER_WAYS.to_owned());
        }
        let group = self.0.entry((stage, shape.clone())).or_insert_with(|| FailureGroup {
            stage,
            reason: shape,
            rows: 0,
            first: Vec::new(),
        });
        group.rows += 1;
        if group.first.len() < FIRST_ROWS {
            group.first.push(failure.clone());
        }
    }

    /// The groups, the largest first.
    pub(super) fn take(&mut self) -> Vec<FailureGroup> {
        let mut groups: Vec<FailureGroup> = std::mem::take(&mut self.0).into_values().collect();
        for group in &mut groups {
            group.first.sort_by_key(|f| f.at.row);
            if let [only] = group.first.as_slice()
                && group.rows == 1
                && group.reason != OTHER_WAYS
            {
                group.reason.clone_from(&only.reason);
            }
        }
        groups.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.reason.cmp(&b.reason)));
        groups
    }
}

/// The shape of a reason, with the field that it ends with: rows that fail in one field have that in
/// common.
fn shape_of(failure: &RowFailure) -> String {
    let reason = failure.reason.as_str();
    let field = failure.field.as_ref().map(|field| format!(" ({field})")).unwrap_or_default();
    match reason.strip_suffix(&field) {
        Some(reason) => format!("{}{field}", shape(reason)),
        None => shape(reason).into_owned(),
    }
}

/// A reason without what differs from row to row: numbers, what stands in quotation marks, and
/// words that look like files or addresses.
fn shape(reason: &str) -> Cow<'_, str> {
    const LONGEST: usize = 200;
    if !reason.contains(|c: char| c.is_ascii_digit() || matches!(c, '"' | '`' | '/' | '\\' | '.')) {
        return Cow::Borrowed(&reason[..reason.floor_char_boundary(LONGEST)]);
    }
    let mut shaped = String::with_capacity(reason.len().min(LONGEST + 8));
    for word in unquoted(reason).split_inclusive(' ') {
        let (bare, space) = match word.strip_suffix(' ') {
            Some(bare) => (bare, " "),
            None => (word, ""),
        };
        let end = bare.trim_end_matches([',', ';', ':', '.', ')']);
        let core = end.trim_start_matches('(');
        let tail = &bare[end.len()..];
        let differs = core.contains(|c: char| c.is_ascii_digit() || matches!(c, '/' | '\\'))
            || core.split_once('.').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty());
        if differs {
            shaped.push_str(&end[..end.len() - core.len()]);
            shaped.push('…');
            shaped.push_str(tail);
        } else {
            shaped.push_str(bare);
        }
        shaped.push_str(space);
        if shaped.len() > LONGEST {
            break;
        }
    }
    Cow::Owned(shaped)
}

/// The text with "…" in place of what double quotes enclose. Backticks stay: they name fields and
/// sets, which are what rows have in common.
fn unquoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut pieces = text.split('"');
    out.push_str(pieces.next().unwrap_or_default());
    while let Some(inside) = pieces.next() {
        match pieces.next() {
            Some(after) => {
                out.push_str("\"…\"");
                out.push_str(after);
            }
            // A quotation mark that nothing closes.
            None => {
                out.push('"');
                out.push_str(inside);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(row: u64, reason: &str) -> RowFailure {
        let at = RowPlace { file: "a.json".into(), row, line: None };
        RowFailure { at, stage: Stage::Media, field: None, reason: reason.into() }
    }

    #[test]
    fn reasons_that_differ_in_names_and_numbers_alone_are_one() {
        assert_eq!(
            shape("the file images/17.png does not exist"),
            shape("the file other/place/x does not exist")
        );
        assert_eq!(
            shape("invalid type: string \"twenty one\", expected u64"),
            "invalid type: string \"…\", expected …"
        );
        assert_ne!(shape("missing field `id`"), shape("missing field `name`"));
        assert_eq!(shape("nothing of that kind"), "nothing of that kind");
        assert_eq!(shape("an open \" mark 7"), "an open \" mark …");
    }

    #[test]
    fn groups_tell_their_field() {
        let mut groups = Groups::default();
        for (row, field) in [(1, "Dish.born"), (2, "Dish.born"), (3, "Dish.eaten")] {
            let reason = format!("`2024-13-0{row}` is no date ({field})");
            groups.add(&RowFailure { field: Some(field.to_owned()), ..failure(row, &reason) });
        }
        let groups = groups.take();
        assert_eq!(groups[0].reason, "… is no date (Dish.born)");
        assert_eq!((groups[0].rows, groups.len()), (2, 2));
    }

    #[test]
    fn groups_are_sorted_and_bounded() {
        let mut groups = Groups::default();
        for row in 1..=50 {
            groups.add(&failure(row, &format!("the file {row}.png does not exist")));
        }
        groups.add(&failure(51, "refused"));
        let words = "abcdefghijklmnopqrstuvwxyz".repeat(40);
        for n in 0..300 {
            groups.add(&failure(100 + n as u64, &words[n..n + 30 + n / 26]));
        }
        let groups = groups.take();
        assert_eq!(groups.len(), MOST_GROUPS + 1);
        assert_eq!(groups.iter().map(|g| g.rows).sum::<u64>(), 351);
        let files = groups.iter().find(|g| g.rows == 50).unwrap();
        assert_eq!(files.reason, "the file … does not exist");
        assert_eq!(files.first.iter().map(|f| f.at.row).collect::<Vec<_>>(), [1, 2, 3]);
        let others = groups.iter().find(|g| g.reason == OTHER_WAYS).unwrap();
        assert_eq!(groups[0], *others, "the largest comes first");
    }

    #[test]
    fn a_reason_without_end_is_cut() {
        let reason = Reason::from("é".repeat(100_000));
        let failure = reason.into_failure(failure(1, "").at, Stage::Read);
        assert!(failure.reason.len() < LONGEST_REASON + 10);
    }
}
