//! What a cell says, read as the type of its field.

use adb_model::{FieldRole, FieldSchema, ValueType};
use serde_json::Value as Json;

/// A cell as its field's type says; as text where it is not of that type, so that who reads the row
/// says what was expected. Nothing is an absent value.
pub(super) fn value(field: Option<&FieldSchema>, cell: &str) -> Option<Json> {
    let text = || Json::String(cell.to_owned());
    if cell.is_empty() {
        return is_kept_empty(field).then(text);
    }
    Some(match type_of(field) {
        ValueType::Int => integer(cell.trim()).unwrap_or_else(text),
        // What is no number in JSON (`inf`) stays text, and is refused as such.
        ValueType::Float => cell
            .trim()
            .parse::<f64>()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map_or_else(text, Json::Number),
        ValueType::Bool => match cell.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => true.into(),
            "false" | "no" | "0" => false.into(),
            _ => text(),
        },
        ValueType::Json => json(cell),
        // Texts and dates.
        _ => text(),
    })
}

/// Appends what [`value`] makes of a cell as JSON; answers whether it makes anything of it.
pub(super) fn write(field: Option<&FieldSchema>, cell: &str, out: &mut Vec<u8>) -> bool {
    let is_there = !cell.is_empty() || is_kept_empty(field);
    if is_there && type_of(field) == ValueType::String {
        // Most are texts, and a copy less. Writing to a Vec can't fail.
        let _ = serde_json::to_writer(out, cell);
    } else if let Some(value) = value(field, cell) {
        let _ = serde_json::to_writer(out, &value);
    }
    is_there
}

/// The type that a field's cells are read as.
pub(super) fn type_of(field: Option<&FieldSchema>) -> ValueType {
    match field.map(|f| &f.role) {
        Some(FieldRole::Id(value_type) | FieldRole::Property { value_type, .. }) => *value_type,
        Some(FieldRole::Media { .. } | FieldRole::Label { .. }) | None => ValueType::String,
        Some(_) => ValueType::Json,
    }
}

/// A text that must be there may be empty.
fn is_kept_empty(field: Option<&FieldSchema>) -> bool {
    field.is_some_and(|field| {
        let is_text =
            matches!(field.role, FieldRole::Property { value_type: ValueType::String, .. });
        is_text && !field.may_be_absent()
    })
}

/// Cells of a list: a JSON array, or texts with the separator between.
pub(super) fn list(field: Option<&FieldSchema>, cell: &str, separator: char) -> Option<Json> {
    let trimmed = cell.trim();
    if trimmed.is_empty() {
        return None;
    }
    if trimmed.starts_with('[')
        && let Ok(list @ Json::Array(_)) = serde_json::from_str(trimmed)
    {
        return Some(list);
    }
    let items = trimmed.split(separator).map(str::trim);
    Some(items.map(|item| value(field, item).unwrap_or(Json::Null)).collect())
}

pub(super) fn json(cell: &str) -> Json {
    serde_json::from_str(cell).unwrap_or_else(|_| Json::String(cell.to_owned()))
}

/// Also `3.0`: a column of whole numbers in which some are missing is written so by programs that
/// have no missing whole numbers.
fn integer(cell: &str) -> Option<Json> {
    match (cell.parse::<i64>(), cell.parse::<u64>()) {
        (Ok(i), _) => Some(i.into()),
        (_, Ok(u)) => Some(u.into()),
        _ => {
            let (whole, fraction) = cell.split_once('.')?;
            let is_whole = !fraction.is_empty() && fraction.bytes().all(|b| b == b'0');
            is_whole.then(|| integer(whole))?
        }
    }
}

#[cfg(test)]
mod tests {
    use adb_model::Inside;
    use serde_json::json;

    use super::*;

    fn property(value_type: ValueType, optional: bool) -> FieldSchema {
        FieldSchema::named("f", FieldRole::Property { value_type, optional, indexed: false })
    }

    #[test]
    fn cells_are_read_as_their_field_says() {
        use ValueType::{Bool, Date, Float, Int, Json, String};
        for (value_type, cell, read) in [
            (Int, "7", json!(7)),
            (Int, " -7 ", json!(-7)),
            (Int, "18446744073709551615", json!(u64::MAX)),
            (Int, "7.0", json!(7)),
            (Int, "7.", json!("7.")),
            (Int, "7.5", json!("7.5")),
            (Int, "seven", json!("seven")),
            (Float, "7", json!(7.0)),
            (Float, "1e3", json!(1000.0)),
            (Float, "inf", json!("inf")),
            (Bool, "True", json!(true)),
            (Bool, "0", json!(false)),
            (Bool, "maybe", json!("maybe")),
            (String, "007", json!("007")),
            (Date, "2024-01-02", json!("2024-01-02")),
            (Json, "{\"a\": [1]}", json!({"a": [1]})),
            (Json, "{broken", json!("{broken")),
        ] {
            assert_eq!(value(Some(&property(value_type, true)), cell), Some(read), "{cell}");
        }
    }

    #[test]
    fn what_is_written_is_what_is_made() {
        use ValueType::{Bool, Date, Float, Int, String};
        let cells = ["", " ", "7", "-7.0", "1e3", "1e999", "inf", "yes", "No", "a \"b\"\n\u{1}é"];
        for value_type in [Bool, Date, Float, Int, String] {
            for (optional, cell) in cells.iter().flat_map(|cell| [(true, cell), (false, cell)]) {
                let field = property(value_type, optional);
                let mut text = Vec::new();
                let written = write(Some(&field), cell, &mut text);
                let made = value(Some(&field), cell);
                assert_eq!(written, made.is_some(), "{cell:?}");
                if let Some(made) = made {
                    assert_eq!(text, serde_json::to_vec(&made).unwrap(), "{cell:?}");
                }
            }
        }
    }

    #[test]
    fn an_empty_cell_is_absent_but_for_a_text_that_must_be_there() {
        assert_eq!(value(Some(&property(ValueType::Int, false)), ""), None);
        assert_eq!(value(Some(&property(ValueType::String, true)), ""), None);
        assert_eq!(value(Some(&property(ValueType::String, false)), ""), Some(json!("")));
        assert_eq!(value(None, ""), None);
        let of_optional = Inside { field: "of", key: None, optional: true };
        let inside =
            FieldSchema { inside: Some(of_optional), ..property(ValueType::String, false) };
        assert_eq!(value(Some(&inside), ""), None, "the struct that it is of may be absent");
    }

    #[test]
    fn lists_have_two_forms() {
        let int = property(ValueType::Int, false);
        assert_eq!(list(Some(&int), "1 | 2|3", '|'), Some(json!([1, 2, 3])));
        assert_eq!(list(Some(&int), "[1, 2]", '|'), Some(json!([1, 2])));
        assert_eq!(list(None, "[open", '|'), Some(json!(["[open"])));
        assert_eq!(list(None, " ", '|'), None);
    }
}
