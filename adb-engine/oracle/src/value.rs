//! Values and their types.

use std::cmp::Ordering;

use adb_model::jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::{Value as Json, json};

/// A property's value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Int(i64),
    Float(f64),
    Text(String),
    Bool(bool),
    /// Microseconds since 1970, UTC.
    Date(i64),
    /// An object or an array.
    Json(Json),
}

/// The type of a property; integers and floats are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Number,
    String,
    Boolean,
    Datetime,
    Json,
}

impl Type {
    /// As GetSchema has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Type::Number => "Number",
            Type::String => "String",
            Type::Boolean => "Boolean",
            Type::Datetime => "Datetime",
            Type::Json => "JSON",
        }
    }
}

impl Value {
    /// As `properties` and classic constraints write it; nothing for null.
    pub(crate) fn read(json: &Json) -> Result<Option<Self>, String> {
        Ok(Some(match json {
            Json::Null => return Ok(None),
            Json::Bool(b) => Value::Bool(*b),
            Json::Number(n) => match (n.as_i64(), n.is_u64()) {
                (Some(i), _) => Value::Int(i),
                (None, true) => return Err(format!("{n} is beyond 64 signed bits")),
                (None, false) => Value::Float(n.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Value::Text(text.clone()),
            Json::Object(object) if object.len() == 1 && object.contains_key("_date") => {
                Value::read_date(&object["_date"])?
            }
            Json::Object(_) | Json::Array(_) => Value::Json(json.clone()),
        }))
    }

    pub(crate) fn read_date(json: &Json) -> Result<Self, String> {
        let micros = json.as_str().and_then(date);
        micros.map(Value::Date).ok_or_else(|| format!("{json} is no date"))
    }

    /// As answers show it.
    pub(crate) fn show(&self) -> Json {
        match self {
            Value::Int(i) => json!(i),
            Value::Float(x) => json!(x),
            Value::Text(text) => json!(text),
            Value::Bool(b) => json!(b),
            Value::Json(json) => json.clone(),
            Value::Date(micros) => {
                let (second, rest) = (micros / 1_000_000, (micros % 1_000_000) as i32);
                let at = Timestamp::new(second, rest * 1000).unwrap_or(Timestamp::UNIX_EPOCH);
                json!({"_date": format!("{}+00:00", TimeZone::UTC.to_datetime(at))})
            }
        }
    }

    pub(crate) fn kind(&self) -> Type {
        match self {
            Value::Int(_) | Value::Float(_) => Type::Number,
            Value::Text(_) => Type::String,
            Value::Bool(_) => Type::Boolean,
            Value::Date(_) => Type::Datetime,
            Value::Json(_) => Type::Json,
        }
    }

    /// This constant as one of the other's type; text may be a date.
    pub(crate) fn fitting(&self, kind: Type) -> Option<Value> {
        match self {
            Value::Text(text) if kind == Type::Datetime => date(text).map(Value::Date),
            same if same.kind() == kind => Some(same.clone()),
            _ => None,
        }
    }

    /// Values of one type, in order. JSON is compared as text.
    pub(crate) fn order(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Int(a), Value::Int(b)) | (Value::Date(a), Value::Date(b)) => a.cmp(b),
            (Value::Float(a), Value::Float(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
            (Value::Int(a), Value::Float(b)) => mixed(*a, *b),
            (Value::Float(a), Value::Int(b)) => mixed(*b, *a).reverse(),
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Json(a), Value::Json(b)) => a.to_string().cmp(&b.to_string()),
            _ => Ordering::Equal,
        }
    }

    /// Values of any types, as sorting has them: what counts (numbers, false before true, dates)
    /// before what reads.
    pub(crate) fn order_any(&self, other: &Value) -> Ordering {
        let plain = |value: &Value| match value {
            Value::Bool(b) => Value::Int(i64::from(*b)),
            Value::Date(micros) => Value::Int(*micros),
            Value::Json(json) => Value::Text(json.to_string()),
            other => other.clone(),
        };
        let (a, b) = (plain(self), plain(other));
        match (a.kind() == Type::Number, b.kind() == Type::Number) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            _ => a.order(&b),
        }
    }

    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Value::Int(i) => Some(*i as f64),
            Value::Float(x) => Some(*x),
            _ => None,
        }
    }
}

/// Exactly: 2⁵³ + 1 is not the float next to it.
fn mixed(a: i64, b: f64) -> Ordering {
    let whole = i128::from(a).cmp(&(b.trunc() as i128));
    whole.then_with(|| 0.0_f64.partial_cmp(&b.fract()).unwrap_or(Ordering::Equal))
}

/// `Sat Jun 04 18:59:32 UTC 2019`; the day of the week says nothing.
fn printed(text: &str) -> Option<DateTime> {
    let [_, month, day, time, "UTC", year] = text.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    DateTime::strptime("%Y %b %d %H:%M:%S", format!("{year} {month} {day} {time}")).ok()
}

/// ISO 8601, with or without zone (none is UTC); or as `date` prints it.
fn date(text: &str) -> Option<i64> {
    let text = text.trim();
    let local = |civil: DateTime| TimeZone::UTC.to_timestamp(civil).ok();
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse::<DateTime>().ok().and_then(local))
        .or_else(|| printed(text).and_then(local))
        .map(Timestamp::as_microsecond)
}
