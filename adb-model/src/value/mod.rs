//! Property values: what the database can store beside an object.

mod date;
mod json;
mod property;

use std::fmt;

use serde_json::Value as Json;

pub use date::Date;
pub use json::AsJson;
pub(crate) use property::read as read_property;
pub use property::{IdProperty, Property, PropertyField};

/// One property value, as the query language knows it.
///
/// ```
/// use adb_model::Value;
/// assert_eq!(Value::from("dal"), Value::String("dal".into()));
/// assert_eq!(Value::Int(7).to_string(), "7");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A 64-bit signed integer.
    Int(i64),
    /// A finite 64-bit float. NaN and infinities never get this far: see [`ValueError`].
    Float(f64),
    /// UTF-8 text.
    String(String),
    /// A point in time, to the microsecond: `{"_date": …}`.
    Date(Date),
    /// A JSON object or array.
    Json(Json),
}

impl Value {
    /// The type that a property holding this value has.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Value::Bool(_) => ValueType::Bool,
            Value::Int(_) => ValueType::Int,
            Value::Float(_) => ValueType::Float,
            Value::String(_) => ValueType::String,
            Value::Date(_) => ValueType::Date,
            Value::Json(_) => ValueType::Json,
        }
    }

    /// Reads a property's value in an answer; nothing for `null`, which stands for an absent one.
    ///
    /// # Errors
    /// When a `_date` is no date, or a number fits neither 64 signed bits nor a float.
    pub fn from_answer(json: &Json) -> Result<Option<Self>, ValueError> {
        Ok(Some(match json {
            Json::Null => return Ok(None),
            Json::Bool(b) => Value::Bool(*b),
            Json::Number(n) => match (n.as_i64(), n.as_f64()) {
                (Some(i), _) => Value::Int(i),
                (None, Some(x)) => Value::Float(x),
                (None, None) => return Err(ValueError::IntegerRange(n.to_string())),
            },
            Json::String(s) => Value::String(s.clone()),
            Json::Object(o) if o.len() == 1 && o.contains_key("_date") => {
                let text = o["_date"].as_str().unwrap_or_default();
                Value::Date(text.parse()?)
            }
            Json::Object(_) | Json::Array(_) => Value::Json(json.clone()),
        }))
    }

    /// The value as `properties` and classic constraints have it.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Value::Bool(b) => (*b).into(),
            Value::Int(i) => (*i).into(),
            Value::Float(x) => (*x).into(),
            Value::String(s) => s.as_str().into(),
            Value::Date(d) => serde_json::json!({"_date": d.to_string()}),
            Value::Json(j) => j.clone(),
        }
    }

    /// Appends the value as JSON.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Value::Bool(true) => out.extend_from_slice(b"true"),
            Value::Bool(false) => out.extend_from_slice(b"false"),
            Value::Int(i) => write_display(out, i),
            Value::Float(f) => match serde_json::Number::from_f64(*f) {
                Some(n) => write_display(out, &n),
                // `Property::to_value` refuses these; a hand-made `Value` can still hold one.
                None => out.extend_from_slice(b"null"),
            },
            Value::String(s) => write_json_str(out, s),
            Value::Date(d) => {
                out.extend_from_slice(b"{\"_date\":\"");
                write_display(out, d);
                out.extend_from_slice(b"\"}");
            }
            Value::Json(j) => write_display(out, j),
        }
    }
}

/// As people read it: text without quotes, dates in ISO 8601.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(b) => b.fmt(f),
            Value::Int(i) => i.fmt(f),
            Value::Float(x) => x.fmt(f),
            Value::String(s) => s.fmt(f),
            Value::Date(d) => d.fmt(f),
            Value::Json(j) => j.fmt(f),
        }
    }
}

macro_rules! from {
    ($($ty:ty => |$value:ident| $made:expr;)*) => {$(
        impl From<$ty> for Value {
            fn from($value: $ty) -> Self {
                $made
            }
        }
    )*};
}
from! {
    &str => |s| Value::String(s.to_owned());
    String => |s| Value::String(s);
    i64 => |i| Value::Int(i);
    f64 => |x| Value::Float(x);
    bool => |b| Value::Bool(b);
    Date => |d| Value::Date(d);
}

/// The type of a property. Integers and floats are one type (`Number`) to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ValueType {
    /// `Boolean`
    Bool,
    /// `Number`, whole
    Int,
    /// `Number`
    Float,
    /// `String`
    String,
    /// `Datetime`
    Date,
    /// `JSON`
    Json,
}

impl ValueType {
    /// The name that the database gives it in GetSchema.
    #[must_use]
    pub const fn database_name(self) -> &'static str {
        match self {
            ValueType::Bool => "Boolean",
            ValueType::Int | ValueType::Float => "Number",
            ValueType::String => "String",
            ValueType::Date => "Datetime",
            ValueType::Json => "JSON",
        }
    }
}

/// Why a Rust value can't be stored as a property, or a stored one can't be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The integer does not fit the database's 64 signed bits.
    #[error("{0} does not fit the database's 64-bit signed integers; store it as text")]
    IntegerRange(String),
    /// NaN or an infinity.
    #[error("{0} can't be stored: JSON has no such number; leave the property out instead")]
    NotFinite(f64),
    /// A text that is no date.
    #[error("`{text}` is no date in ISO 8601: {message}")]
    NotADate {
        /// The text.
        text: String,
        /// What is wrong with it.
        message: String,
    },
    /// A time with more digits than the database keeps.
    #[error("{0} has digits beyond the microsecond, which the database does not keep; round it")]
    DatePrecision(String),
    /// Something other than an object or an array as a JSON property.
    #[error("{0} is no JSON object or array; give it a property type of its own")]
    NotAContainer(String),
    /// A value that its type can't be made into JSON.
    #[error("can't be written as JSON: {0}")]
    Unwritable(String),
    /// Text is read into a type that only borrows it.
    #[error("borrowed text can't be read back; make the field a `String` or a `Cow<'_, str>`")]
    Borrowed,
    /// What a function of the user's said.
    #[error("{0}")]
    Conversion(String),
    /// A function of the user's made a value of another type than its `TYPE`.
    #[error("the functions of `with` declare a {declared:?}, and made a {got:?}")]
    NotTheType {
        /// What they declare.
        declared: ValueType,
        /// What came.
        got: ValueType,
    },
    /// A stored value of another type than the field.
    #[error("{found} is no {expected}")]
    Unexpected {
        /// What the field takes.
        expected: &'static str,
        /// What the database has.
        found: String,
    },
}

impl ValueError {
    /// Says that a stored value is of another type than `expected`.
    #[must_use]
    pub fn unexpected(expected: &'static str, found: &Value) -> Self {
        ValueError::Unexpected { expected, found: found.to_json().to_string() }
    }
}

/// For functions that say in words what was wrong.
impl From<String> for ValueError {
    fn from(message: String) -> Self {
        ValueError::Conversion(message)
    }
}

/// For functions that say in words what was wrong.
impl From<&str> for ValueError {
    fn from(message: &str) -> Self {
        ValueError::Conversion(message.to_owned())
    }
}

/// For functions that can't fail.
impl From<std::convert::Infallible> for ValueError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

pub(crate) fn write_display(out: &mut Vec<u8>, x: &impl fmt::Display) {
    use std::io::Write as _;
    // Writing to a Vec can't fail.
    let _ = write!(out, "{x}");
}

/// Appends `s` as a JSON string, quotes included.
pub(crate) fn write_json_str(out: &mut Vec<u8>, s: &str) {
    if s.bytes().any(|b| b < b' ' || b == b'"' || b == b'\\') {
        // Serializing a str into a Vec can't fail.
        let _ = serde_json::to_writer(out, s);
    } else {
        // Nothing to escape, as in nearly all texts.
        out.push(b'"');
        out.extend_from_slice(s.as_bytes());
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_escaped_and_floats_keep_their_point() {
        let mut out = Vec::new();
        let values = [
            Value::from("a\"\n\u{1}é"),
            Value::Float(2.0),
            Value::Int(-3),
            Value::Bool(true),
            Value::Date("2021-07-01T09:30:00Z".parse().unwrap()),
            Value::Json(serde_json::json!({"a": ["b"]})),
        ];
        for v in values {
            v.write_json(&mut out);
            out.push(b' ');
        }
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\"a\\\"\\n\\u0001é\" 2.0 -3 true {\"_date\":\"2021-07-01T09:30:00+00:00\"} {\"a\":[\"b\"]} "
        );
    }

    #[test]
    fn answers_are_read_as_they_were_written() {
        for value in [
            Value::from("x"),
            Value::Float(0.5),
            Value::Int(-3),
            Value::Bool(false),
            Value::Date("1969-12-31T23:59:59.000001Z".parse().unwrap()),
            Value::Json(serde_json::json!({"_date": "x", "more": 1})),
            Value::Json(serde_json::json!([])),
        ] {
            let mut written = Vec::new();
            value.write_json(&mut written);
            let json: Json = serde_json::from_slice(&written).unwrap();
            assert_eq!(json, value.to_json());
            assert_eq!(Value::from_answer(&json), Ok(Some(value)));
        }
        assert_eq!(Value::from_answer(&Json::Null), Ok(None));
        assert!(Value::from_answer(&serde_json::json!({"_date": 3})).is_err());
    }
}
