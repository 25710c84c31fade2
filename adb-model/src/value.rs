//! Property values: what the database can store beside an object.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{FieldPlace, ModelError};

/// One property value, as the query language knows it.
///
/// ```
/// use adb_model::Value;
/// assert_eq!(Value::from("dal"), Value::String("dal".into()));
/// assert_eq!(Value::Int(7).to_string(), "7");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
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
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(b) => b.fmt(f),
            Value::Int(i) => i.fmt(f),
            Value::Float(x) => x.fmt(f),
            Value::String(s) => s.fmt(f),
        }
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Value::String(s.to_owned())
    }
}

impl From<String> for Value {
    fn from(s: String) -> Self {
        Value::String(s)
    }
}

impl From<i64> for Value {
    fn from(i: i64) -> Self {
        Value::Int(i)
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Bool(b)
    }
}

/// The type of a property. Integers and floats are one type (`Number`) to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// Why a Rust value can't be stored as a property.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The integer does not fit the database's 64 signed bits.
    #[error("{0} does not fit the database's 64-bit signed integers; store it as text")]
    IntegerRange(String),
    /// NaN or an infinity.
    #[error("{0} can't be stored: JSON has no such number; leave the property out instead")]
    NotFinite(f64),
}

/// A Rust type that is stored as one property.
///
/// Implemented for strings, integers, floats and `bool`. Implement it for a type of your own to
/// store that as one of these:
///
/// ```
/// use adb_model::{Property, Value, ValueError, ValueType};
///
/// enum Course { Starter, Main }
///
/// impl Property for Course {
///     const TYPE: ValueType = ValueType::String;
///     fn to_value(&self) -> Result<Value, ValueError> {
///         Ok(Value::from(match self { Course::Starter => "starter", Course::Main => "main" }))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored as a property",
    label = "not a string, a number, a boolean, or an `Option` of one",
    note = "a child model: `#[adb(connect = \"HasPart\")]`",
    note = "a field that the database need not see takes `#[adb(skip)]`",
    note = "a type of your own can implement `adb::Property`"
)]
pub trait Property {
    /// The type of the stored property.
    const TYPE: ValueType;

    /// The value to store.
    ///
    /// # Errors
    /// When the database can't hold this value: see [`ValueError`].
    fn to_value(&self) -> Result<Value, ValueError>;
}

/// A property that can tell one object from another: an integer or text, never a float or an
/// `Option`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be an `#[adb(id)]`",
    label = "an id is an integer or a string",
    note = "floats don't compare exactly, and an `Option` may be absent: such a row could not be found again"
)]
pub trait IdProperty: Property {
    /// The type of the stored id.
    const ID_TYPE: ValueType = <Self as Property>::TYPE;

    /// The id as it is stored.
    ///
    /// # Errors
    /// When the database can't hold it: see [`ValueError`].
    fn id(&self, at: FieldPlace) -> Result<Value, ModelError> {
        self.to_value().map_err(|e| at.error(e.into()))
    }
}

macro_rules! integers {
    ($($t:ty),*) => {$(
        impl Property for $t {
            const TYPE: ValueType = ValueType::Int;
            fn to_value(&self) -> Result<Value, ValueError> {
                i64::try_from(*self).map(Value::Int).map_err(|_| ValueError::IntegerRange(self.to_string()))
            }
        }
        impl IdProperty for $t {}
    )*};
}
integers!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

macro_rules! floats {
    ($($t:ty),*) => {$(
        impl Property for $t {
            const TYPE: ValueType = ValueType::Float;
            fn to_value(&self) -> Result<Value, ValueError> {
                let x = f64::from(*self);
                if x.is_finite() { Ok(Value::Float(x)) } else { Err(ValueError::NotFinite(x)) }
            }
        }
    )*};
}
floats!(f32, f64);

impl Property for bool {
    const TYPE: ValueType = ValueType::Bool;
    fn to_value(&self) -> Result<Value, ValueError> {
        Ok(Value::Bool(*self))
    }
}

impl Property for String {
    const TYPE: ValueType = ValueType::String;
    fn to_value(&self) -> Result<Value, ValueError> {
        Ok(Value::String(self.clone()))
    }
}
impl IdProperty for String {}

impl Property for &str {
    const TYPE: ValueType = ValueType::String;
    fn to_value(&self) -> Result<Value, ValueError> {
        Ok(Value::from(*self))
    }
}
impl IdProperty for &str {}

pub(crate) fn write_display(out: &mut Vec<u8>, x: &impl fmt::Display) {
    use std::io::Write as _;
    // Writing to a Vec can't fail.
    let _ = write!(out, "{x}");
}

/// Appends `s` as a JSON string, quotes included.
pub(crate) fn write_json_str(out: &mut Vec<u8>, s: &str) {
    // Serializing a str into a Vec can't fail.
    let _ = serde_json::to_writer(out, s);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_beyond_i64_are_refused_not_wrapped() {
        assert_eq!(
            u64::MAX.to_value(),
            Err(ValueError::IntegerRange("18446744073709551615".into()))
        );
        assert_eq!((i64::MAX as u64).to_value(), Ok(Value::Int(i64::MAX)));
    }

    #[test]
    fn nan_and_infinities_are_refused() {
        assert!(f64::NAN.to_value().is_err());
        assert!(f32::INFINITY.to_value().is_err());
        assert_eq!(0.5f32.to_value(), Ok(Value::Float(0.5)));
    }

    #[test]
    fn json_is_escaped_and_floats_keep_their_point() {
        let mut out = Vec::new();
        for v in [Value::from("a\"\n\u{1}é"), Value::Float(2.0), Value::Int(-3), Value::Bool(true)]
        {
            v.write_json(&mut out);
            out.push(b' ');
        }
        assert_eq!(String::from_utf8(out).unwrap(), "\"a\\\"\\n\\u0001é\" 2.0 -3 true ");
    }
}
