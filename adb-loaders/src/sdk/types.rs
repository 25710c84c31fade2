//! What the cells of a column are, as pandas would guess it from all of them.
//!
//! The Python SDK reads its files with pandas, so a property has the type that pandas gives the
//! whole column: <https://pandas.pydata.org/docs/reference/api/pandas.read_csv.html>. Rows that go
//! into a database which the SDK has filled must have the same types, or guards would find nothing.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value as Json};

/// Cells that pandas takes for missing.
const MISSING: [&str; 18] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan",
];

fn is_missing(cell: &str) -> bool {
    MISSING.contains(&cell) || cell == "null"
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CellType {
    Int,
    /// Whole numbers with gaps between them, which pandas reads as floats.
    IntWithGaps,
    /// Whole numbers, some of which need the 64th bit.
    Unsigned,
    Float,
    Bool,
    Text,
    /// Text because the user says so: nothing but an empty cell is missing.
    AsText,
}

impl CellType {
    /// A cell's value; nothing for a missing one.
    pub(super) fn value(self, cell: &str) -> Result<Option<Json>, String> {
        if self == CellType::AsText {
            return Ok((!cell.is_empty()).then(|| cell.into()));
        }
        if is_missing(cell) {
            return Ok(None);
        }
        let text = || Ok(Json::from(cell));
        let number = trimmed(cell);
        let value = match self {
            CellType::Int => number.parse::<i64>().map(Json::from).or_else(|_| text()),
            CellType::Unsigned => number.parse::<u64>().map(Json::from).or_else(|_| text()),
            CellType::IntWithGaps => match number.parse::<i64>() {
                // A float that is another number would be another id.
                Ok(int) if int as f64 as i128 != i128::from(int) => Ok(int.into()),
                Ok(int) => float(int as f64, cell),
                Err(_) => text(),
            },
            CellType::Float => match as_float(cell) {
                Some(value) => float(value, cell),
                None => text(),
            },
            CellType::Bool => Ok(Json::Bool(cell.eq_ignore_ascii_case("true"))),
            CellType::Text | CellType::AsText => text(),
        };
        value.map(Some)
    }
}

fn float(value: f64, cell: &str) -> Result<Json, String> {
    Number::from_f64(value)
        .map(Json::Number)
        .ok_or_else(|| format!("`{cell}` can't be stored: JSON has no such number"))
}

/// A number's cell may have white space around it.
fn trimmed(cell: &str) -> &str {
    let cell = cell.trim_matches(|c: char| c.is_ascii_whitespace());
    cell.strip_prefix('+').filter(|rest| !rest.starts_with(['+', '-'])).unwrap_or(cell)
}

fn as_float(cell: &str) -> Option<f64> {
    let number = trimmed(cell);
    let infinite = number.strip_prefix('-').unwrap_or(number);
    let is_infinite = ["inf", "infinity"].iter().any(|inf| infinite.eq_ignore_ascii_case(inf));
    let digits = number.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    if digits || is_infinite { number.parse().ok() } else { None }
}

fn is_bool(cell: &str) -> bool {
    ["True", "TRUE", "true", "False", "FALSE", "false"].contains(&cell)
}

/// What is known of a column, cell by cell.
#[derive(Debug, Clone)]
pub(super) struct Guess {
    ints: bool,
    /// All are whole numbers of at most 64 bits, signed or not.
    whole: bool,
    negative: bool,
    floats: bool,
    bools: bool,
    seen: bool,
    /// Cells without a value.
    gaps: u64,
    /// Of those, words such as `NA`.
    words: u64,
    /// Whole numbers that begin with a zero, such as `007`.
    zeros: u64,
}

impl Default for Guess {
    fn default() -> Self {
        Self {
            ints: true,
            whole: true,
            negative: false,
            floats: true,
            bools: true,
            seen: false,
            gaps: 0,
            words: 0,
            zeros: 0,
        }
    }
}

impl Guess {
    pub(super) fn see(&mut self, cell: &str) {
        if is_missing(cell) {
            self.gaps += 1;
            self.words += u64::from(!cell.is_empty());
            return;
        }
        self.seen = true;
        self.bools &= is_bool(cell);
        if self.whole {
            let number = trimmed(cell);
            let is_int = number.parse::<i64>().is_ok();
            self.ints &= is_int;
            self.whole = is_int || number.parse::<u64>().is_ok();
            self.negative |= number.starts_with('-');
            let digits = number.strip_prefix('-').unwrap_or(number);
            self.zeros += u64::from(self.whole && digits.len() > 1 && digits.starts_with('0'));
        }
        self.floats &= as_float(cell).is_some();
    }

    pub(super) fn cell_type(&self) -> CellType {
        match self {
            Self { seen: false, .. } => CellType::Text,
            Self { whole: true, ints: true, gaps: 0, .. } => CellType::Int,
            Self { whole: true, ints: true, .. } => CellType::IntWithGaps,
            // Neither signed nor unsigned numbers hold them all, and pandas leaves them as text.
            Self { whole: true, gaps: 0, negative: false, .. } => CellType::Unsigned,
            Self { whole: true, .. } => CellType::Text,
            Self { floats: true, .. } => CellType::Float,
            Self { bools: true, .. } => CellType::Bool,
            _ => CellType::Text,
        }
    }

    /// What of a column's text is lost, as it is with pandas.
    pub(super) fn notices(&self, column: &str) -> Vec<String> {
        let mut notices = Vec::new();
        if self.zeros > 0 && matches!(self.cell_type(), CellType::Int | CellType::IntWithGaps) {
            notices.push(format!(
                "`{column}` is read as numbers, as the Python SDK reads it, so {} cells lose the zeros that they begin with; `--as-text {column}` keeps them",
                self.zeros
            ));
        }
        if self.words > 0 {
            notices.push(format!(
                "{} cells of `{column}` say `NA`, `null` or the like and are taken for empty, as the Python SDK takes them; `--as-text {column}` keeps them",
                self.words
            ));
        }
        notices
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(cells: &[&str]) -> Vec<Json> {
        let mut guess = Guess::default();
        cells.iter().for_each(|cell| guess.see(cell));
        let cell_type = guess.cell_type();
        let value = |cell: &&str| cell_type.value(cell).unwrap().unwrap_or_default();
        cells.iter().map(value).collect()
    }

    #[test]
    fn a_column_has_one_type() {
        for (cells, values) in [
            (&["1", "-2", " +3 "][..], json!([1, -2, 3])),
            (&["1", "", "3"], json!([1.0, null, 3.0])),
            (&["1", "2.5", "1e3", "5.", ".5"], json!([1.0, 2.5, 1000.0, 5.0, 0.5])),
            (&["1", "x"], json!(["1", "x"])),
            (&["true", "False", "TRUE"], json!([true, false, true])),
            (&["true", "", "False"], json!([true, null, false])),
            (&["true", "1"], json!(["true", "1"])),
            (&["007", "1"], json!([7, 1])),
            (&["NA", "x", "null", "None"], json!([null, "x", null, null])),
            (&["18446744073709551615", "1"], json!([18_446_744_073_709_551_615u64, 1])),
            (&["18446744073709551615", "-1"], json!(["18446744073709551615", "-1"])),
            (&["1_000", "0x10"], json!(["1_000", "0x10"])),
            (&["9007199254740993", ""], json!([9_007_199_254_740_993i64, null])),
            (&["", ""], json!([null, null])),
            (&["-", "e"], json!(["-", "e"])),
        ] {
            assert_eq!(json!(read(cells)), values, "{cells:?}");
        }
    }

    #[test]
    fn what_json_can_not_hold_is_refused() {
        let error = CellType::Float.value("-inf").unwrap_err();
        assert!(error.contains("`-inf` can't be stored"), "{error}");
    }

    #[test]
    fn what_is_lost_is_told() {
        let mut guess = Guess::default();
        ["007", "NA"].iter().for_each(|cell| guess.see(cell));
        let notices = guess.notices("zip");
        assert_eq!(notices.len(), 2);
        assert!(notices.iter().all(|n| n.contains("--as-text zip")), "{notices:?}");
        assert_eq!(CellType::AsText.value("NA"), Ok(Some(json!("NA"))));
        assert_eq!(CellType::AsText.value(""), Ok(None));
    }
}
