//! Values: as requests write them, as SQLite keeps them, as answers show them.

use std::fmt;

use jiff::{Timestamp, civil, tz::Offset};
use rusqlite::types::{Value as Sql, ValueRef};
use serde_json::{Map, Number, Value as Json, json};

/// The type of a property. A class's property has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PropertyType {
    /// Whole or not: 64-bit integers and floats are one type.
    Number,
    String,
    Boolean,
    /// Microseconds since 1970, UTC.
    Datetime,
    /// An object or an array, kept as text.
    Json,
}

impl PropertyType {
    const ALL: [PropertyType; 5] = [
        PropertyType::Number,
        PropertyType::String,
        PropertyType::Boolean,
        PropertyType::Datetime,
        PropertyType::Json,
    ];

    /// Its name in GetSchema, and in the catalog.
    pub(crate) fn name(self) -> &'static str {
        match self {
            PropertyType::Number => "Number",
            PropertyType::String => "String",
            PropertyType::Boolean => "Boolean",
            PropertyType::Datetime => "Datetime",
            PropertyType::Json => "JSON",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }

    /// The column's type in SQLite. Numbers have none, so that 2 and 2.0 stay what they were.
    pub(crate) fn column_type(self) -> &'static str {
        match self {
            PropertyType::Number => "",
            PropertyType::String | PropertyType::Json => "TEXT",
            PropertyType::Boolean | PropertyType::Datetime => "INTEGER",
        }
    }

    /// What a column of this type holds, as answers show it.
    pub(crate) fn to_json(self, value: ValueRef<'_>) -> Json {
        match (self, value) {
            (_, ValueRef::Null | ValueRef::Blob(_)) => Json::Null,
            (PropertyType::Boolean, ValueRef::Integer(i)) => Json::Bool(i != 0),
            (PropertyType::Datetime, ValueRef::Integer(i)) => json!({"_date": date_text(i)}),
            (PropertyType::Json, ValueRef::Text(text)) => {
                serde_json::from_slice(text).unwrap_or(Json::Null)
            }
            (_, ValueRef::Integer(i)) => Json::from(i),
            (_, ValueRef::Real(x)) => Number::from_f64(x).map_or(Json::Null, Json::Number),
            (_, ValueRef::Text(text)) => Json::String(String::from_utf8_lossy(text).into_owned()),
        }
    }
}

impl fmt::Display for PropertyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A value with its type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Typed {
    pub(crate) kind: PropertyType,
    pub(crate) value: Sql,
}

impl Typed {
    /// Reads a value as `properties` and classic constraints have it; nothing for null.
    pub(crate) fn from_json(json: Json) -> Result<Option<Self>, String> {
        Ok(Some(match json {
            Json::Null => return Ok(None),
            Json::Bool(b) => Self { kind: PropertyType::Boolean, value: Sql::Integer(b.into()) },
            Json::Number(n) => Self { kind: PropertyType::Number, value: number(&n)? },
            Json::String(text) => Self::text(text),
            Json::Object(object) if is_date(&object) => Self::date(&object["_date"])?,
            json @ (Json::Object(_) | Json::Array(_)) => Self::json(&json),
        }))
    }

    /// The value that a property of this type is compared with; nothing if none can be. Dates may
    /// come as plain text, which is how the CSV loaders send those of constraints.
    pub(crate) fn fitting(&self, kind: PropertyType) -> Option<Sql> {
        match (kind, &self.value) {
            _ if kind == self.kind => Some(self.value.clone()),
            (PropertyType::Datetime, Sql::Text(text)) if self.kind == PropertyType::String => {
                date_micros(text).map(Sql::Integer)
            }
            _ => None,
        }
    }

    pub(crate) fn text(text: String) -> Self {
        Self { kind: PropertyType::String, value: Sql::Text(text) }
    }

    pub(crate) fn json(json: &Json) -> Self {
        Self { kind: PropertyType::Json, value: Sql::Text(json.to_string()) }
    }

    pub(crate) fn date(json: &Json) -> Result<Self, String> {
        let micros = json
            .as_str()
            .and_then(date_micros)
            .ok_or_else(|| format!("{json} is not a date such as \"2021-07-01T09:30:00+00:00\""))?;
        Ok(Self { kind: PropertyType::Datetime, value: Sql::Integer(micros) })
    }
}

fn is_date(object: &Map<String, Json>) -> bool {
    object.len() == 1 && object.contains_key("_date")
}

fn number(n: &Number) -> Result<Sql, String> {
    if let Some(i) = n.as_i64() {
        return Ok(Sql::Integer(i));
    }
    match n.as_f64() {
        Some(x) if !n.is_u64() => Ok(Sql::Real(x)),
        _ => Err(format!("{n} does not fit a 64-bit signed integer; send it as text")),
    }
}

/// ISO 8601 with or without time, fraction and zone (none is UTC); or as `date` prints it.
fn date_micros(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_microsecond());
    }
    let local = if let Ok(local) = text.parse::<civil::DateTime>() {
        local
    } else {
        // `Sat Jun 04 18:59:32 UTC 2019`, which was a Tuesday: the day of the week says nothing.
        let (_day, rest) = text.split_once(' ')?;
        civil::DateTime::strptime("%b %d %H:%M:%S UTC %Y", rest).ok()?
    };
    Some(Offset::UTC.to_timestamp(local).ok()?.as_microsecond())
}

fn date_text(micros: i64) -> String {
    // `from_microsecond` knows nothing of the last second.
    match Timestamp::new(micros / 1_000_000, (micros % 1_000_000) as i32 * 1000) {
        Ok(at) => at.display_with_offset(Offset::UTC).to_string(),
        Err(_) => micros.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_every_form_and_shown_in_one() {
        for text in [
            "2021-07-01T09:30:00+00:00",
            "2021-07-01T09:30:00Z",
            "2021-07-01 09:30:00",
            "2021-07-01T11:30:00+02:00",
            "2021-07-01T09:30:00.000000",
            "Thu Jul 01 09:30:00 UTC 2021",
            "Sat Jul 01 09:30:00 UTC 2021",
        ] {
            let micros = date_micros(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(date_text(micros), "2021-07-01T09:30:00+00:00", "{text}");
        }
        assert_eq!(date_text(date_micros("2021-07-01").unwrap()), "2021-07-01T00:00:00+00:00");
        assert_eq!(
            date_text(date_micros("2021-07-01T00:00:00.25").unwrap()),
            "2021-07-01T00:00:00.25+00:00"
        );
        for at in [Timestamp::MIN, Timestamp::MAX] {
            let text = date_text(at.as_microsecond());
            assert_eq!(date_micros(&text), Some(at.as_microsecond()), "{text}");
        }
        assert_eq!(date_micros("yesterday"), None);
    }

    #[test]
    fn integers_and_floats_stay_what_they_were() {
        let of = |json: Json| Typed::from_json(json).unwrap().unwrap().value;
        assert_eq!(of(json!(2)), Sql::Integer(2));
        assert_eq!(of(json!(2.0)), Sql::Real(2.0));
        assert!(Typed::from_json(json!(u64::MAX)).unwrap_err().contains("64-bit"));
    }
}
