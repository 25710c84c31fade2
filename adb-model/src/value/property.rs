//! Which Rust types are properties.

use std::{borrow::Cow, rc::Rc, sync::Arc};

use jiff::{Timestamp, civil};
use uuid::Uuid;

use super::{Date, Value, ValueError, ValueType};
use crate::{FieldPlace, ModelError, Record, error::ModelErrorKind};

/// A Rust type that is stored as one property.
///
/// Implemented for text, integers, floats, `bool`, dates ([`jiff::Timestamp`],
/// [`jiff::civil::Date`], [`jiff::civil::DateTime`]), [`Uuid`], `Url` (with the
/// feature `url`), JSON
/// ([`serde_json::Value`], [`AsJson`](super::AsJson)), and `Box`, `Rc` and `Arc` of these.
/// Implement it for a type of your own to store that as one of these:
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
///     fn from_value(value: Value) -> Result<Self, ValueError> {
///         match String::from_value(value)?.as_str() {
///             "starter" => Ok(Course::Starter),
///             "main" => Ok(Course::Main),
///             other => Err(ValueError::Unexpected { expected: "course", found: other.into() }),
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored as a property",
    label = "not text, a number, a boolean, a date, JSON, or an `Option` of one",
    note = "a child model: `#[adb(connect = \"HasPart\")]`",
    note = "a list or a struct can go into one property as JSON: `AsJson<{Self}>`",
    note = "a type of your own that is one value: `#[derive(Property)]`, or implement `adb::Property` for it",
    note = "a field that the database need not see: `#[adb(skip)]`"
)]
pub trait Property: Sized {
    /// The type of the stored property.
    const TYPE: ValueType;

    /// The value to store.
    ///
    /// # Errors
    /// When the database can't hold this value: see [`ValueError`].
    fn to_value(&self) -> Result<Value, ValueError>;

    /// The Rust value of a stored one.
    ///
    /// # Errors
    /// When that is of another type.
    fn from_value(value: Value) -> Result<Self, ValueError>;
}

/// A property that can tell one object from another: an integer, text or a UUID, never a float or
/// an `Option`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be an `#[adb(id)]`",
    label = "an id is an integer, text or a UUID",
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

    /// Reads the id back.
    ///
    /// # Errors
    /// When the object lacks it, or has it with another type.
    fn read_id(record: &Record, at: FieldPlace) -> Result<Self, ModelError> {
        read(record, at)
    }
}

/// A field of a [`Connection`](crate::Connection): a property, or an `Option` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored as a property",
    label = "not text, a number, a boolean, a date, JSON, or an `Option` of one",
    note = "a connection has properties only: pictures, embeddings and children belong to the objects at its ends",
    note = "a list or a struct can go into one property as JSON: `AsJson<{Self}>`"
)]
pub trait PropertyField: Sized {
    /// The property's type.
    const TYPE: ValueType;
    /// Whether it may be absent.
    const OPTIONAL: bool;

    /// The value to store, if there is one.
    ///
    /// # Errors
    /// When the database can't hold it.
    fn value(&self, at: FieldPlace) -> Result<Option<Value>, ModelError>;

    /// Reads the field back.
    ///
    /// # Errors
    /// When the object lacks it, or has it with another type.
    fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError>;
}

#[diagnostic::do_not_recommend]
impl<T: Property> PropertyField for T {
    const TYPE: ValueType = <T as Property>::TYPE;
    const OPTIONAL: bool = false;
    fn value(&self, at: FieldPlace) -> Result<Option<Value>, ModelError> {
        self.to_value().map(Some).map_err(|e| at.error(e.into()))
    }
    fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError> {
        read(record, at)
    }
}

impl<T: Property> PropertyField for Option<T> {
    const TYPE: ValueType = <T as Property>::TYPE;
    const OPTIONAL: bool = true;
    fn value(&self, at: FieldPlace) -> Result<Option<Value>, ModelError> {
        self.as_ref().map_or(Ok(None), |value| value.value(at))
    }
    fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError> {
        if record.lacks(at.property) { Ok(None) } else { read(record, at).map(Some) }
    }
}

/// Reads a property that must be there.
pub(crate) fn read<T: Property>(record: &Record, at: FieldPlace) -> Result<T, ModelError> {
    match record.get(at.property) {
        Ok(Some(value)) => T::from_value(value).map_err(|e| at.error(e.into())),
        Ok(None) => Err(at.error(ModelErrorKind::Absent { property: at.property })),
        Err(e) => Err(at.error(e.into())),
    }
}

fn unexpected<T>(expected: &'static str, found: &Value) -> Result<T, ValueError> {
    Err(ValueError::unexpected(expected, found))
}

macro_rules! integers {
    ($($t:ty),*) => {$(
        impl Property for $t {
            const TYPE: ValueType = ValueType::Int;
            fn to_value(&self) -> Result<Value, ValueError> {
                i64::try_from(*self).map(Value::Int).map_err(|_| ValueError::IntegerRange(self.to_string()))
            }
            fn from_value(value: Value) -> Result<Self, ValueError> {
                match whole(&value).map(Self::try_from) {
                    Some(Ok(i)) => Ok(i),
                    _ => unexpected(stringify!($t), &value),
                }
            }
        }
        impl IdProperty for $t {}
    )*};
}
integers!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

/// The database does not tell 2 from 2.0.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(i) => Some(*i),
        // Beyond 2⁵³ a float has no exact integers to give.
        Value::Float(x) if x.fract() == 0.0 && x.abs() <= 9_007_199_254_740_992.0 => {
            Some(*x as i64)
        }
        _ => None,
    }
}

macro_rules! floats {
    ($($t:ty),*) => {$(
        impl Property for $t {
            const TYPE: ValueType = ValueType::Float;
            fn to_value(&self) -> Result<Value, ValueError> {
                let x = f64::from(*self);
                if x.is_finite() { Ok(Value::Float(x)) } else { Err(ValueError::NotFinite(x)) }
            }
            fn from_value(value: Value) -> Result<Self, ValueError> {
                match value {
                    Value::Float(x) => Ok(x as $t),
                    Value::Int(i) => Ok(i as $t),
                    other => unexpected(stringify!($t), &other),
                }
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
    fn from_value(value: Value) -> Result<Self, ValueError> {
        match value {
            Value::Bool(b) => Ok(b),
            other => unexpected("boolean", &other),
        }
    }
}

impl Property for String {
    const TYPE: ValueType = ValueType::String;
    fn to_value(&self) -> Result<Value, ValueError> {
        Ok(Value::String(self.clone()))
    }
    fn from_value(value: Value) -> Result<Self, ValueError> {
        match value {
            Value::String(s) => Ok(s),
            other => unexpected("text", &other),
        }
    }
}
impl IdProperty for String {}

/// Types that are stored as text that they parse again.
macro_rules! texts {
    ($($t:ty, $name:literal, |$text:ident| $read:expr;)*) => {$(
        impl Property for $t {
            const TYPE: ValueType = ValueType::String;
            fn to_value(&self) -> Result<Value, ValueError> {
                Ok(Value::String(self.to_string()))
            }
            fn from_value(value: Value) -> Result<Self, ValueError> {
                let $text = String::from_value(value)?;
                match $read {
                    Some(read) => Ok(read),
                    None => unexpected($name, &Value::String($text)),
                }
            }
        }
        impl IdProperty for $t {}
    )*};
}
texts! {
    Cow<'_, str>, "text", |text| Some(Cow::Owned(text.clone()));
    Box<str>, "text", |text| Some(text.as_str().into());
    Rc<str>, "text", |text| Some(text.as_str().into());
    Arc<str>, "text", |text| Some(text.as_str().into());
    char, "single character", |text| text.parse().ok();
    Uuid, "UUID", |text| Uuid::parse_str(&text).ok();
}

/// Borrowed text can be written; a model that is to be read back owns its text, or may own it, as
/// `Cow<'_, str>` does.
impl Property for &str {
    const TYPE: ValueType = ValueType::String;
    fn to_value(&self) -> Result<Value, ValueError> {
        Ok(Value::from(*self))
    }
    fn from_value(_: Value) -> Result<Self, ValueError> {
        Err(ValueError::Borrowed)
    }
}
impl IdProperty for &str {}

#[cfg(feature = "url")]
texts! {
    url::Url, "URL", |text| url::Url::parse(&text).ok();
}

impl Property for Timestamp {
    const TYPE: ValueType = ValueType::Date;
    fn to_value(&self) -> Result<Value, ValueError> {
        Date::try_from(*self).map(Value::Date)
    }
    fn from_value(value: Value) -> Result<Self, ValueError> {
        date(&value).map(Date::timestamp)
    }
}

/// Taken to be in UTC.
impl Property for civil::DateTime {
    const TYPE: ValueType = ValueType::Date;
    fn to_value(&self) -> Result<Value, ValueError> {
        Date::try_from(*self).map(Value::Date)
    }
    fn from_value(value: Value) -> Result<Self, ValueError> {
        date(&value).map(Date::utc)
    }
}

/// Stored as its midnight in UTC.
impl Property for civil::Date {
    const TYPE: ValueType = ValueType::Date;
    fn to_value(&self) -> Result<Value, ValueError> {
        self.to_datetime(civil::Time::midnight()).to_value()
    }
    fn from_value(value: Value) -> Result<Self, ValueError> {
        let at = date(&value)?.utc();
        if at.time() == civil::Time::midnight() {
            Ok(at.date())
        } else {
            unexpected("date without a time", &value)
        }
    }
}

fn date(value: &Value) -> Result<Date, ValueError> {
    match value {
        Value::Date(d) => Ok(*d),
        other => unexpected("date", other),
    }
}

macro_rules! pointers {
    ($($pointer:ident),*) => {$(
        impl<T: Property> Property for $pointer<T> {
            const TYPE: ValueType = T::TYPE;
            fn to_value(&self) -> Result<Value, ValueError> {
                (**self).to_value()
            }
            fn from_value(value: Value) -> Result<Self, ValueError> {
                T::from_value(value).map($pointer::new)
            }
        }
        impl<T: IdProperty> IdProperty for $pointer<T> {}
    )*};
}
pointers!(Box, Rc, Arc);

#[cfg(test)]
mod tests {
    use super::*;

    fn comes_back<T: Property + PartialEq + std::fmt::Debug>(value: T) {
        let stored = value.to_value().unwrap();
        assert_eq!(stored.value_type(), T::TYPE);
        assert_eq!(T::from_value(stored), Ok(value));
    }

    #[test]
    fn every_type_comes_back() {
        comes_back(7u8);
        comes_back(i64::MIN);
        comes_back(0.1f32);
        comes_back(-1e300f64);
        comes_back(true);
        comes_back("é".to_owned());
        comes_back('é');
        comes_back(Cow::Borrowed("x"));
        comes_back(Arc::<str>::from("x"));
        comes_back(Uuid::from_u128(7));
        #[cfg(feature = "url")]
        comes_back(url::Url::parse("https://example.com/a?b=c").unwrap());
        comes_back("2021-07-01T09:30:00.123456Z".parse::<Timestamp>().unwrap());
        comes_back(civil::date(1815, 12, 10));
        comes_back(civil::date(1815, 12, 10).at(1, 2, 3, 4000));
        comes_back(Box::new(3u16));
        comes_back(serde_json::json!({"a": [1, null]}));
    }

    #[test]
    fn integers_beyond_i64_are_refused_not_wrapped() {
        assert_eq!(
            u64::MAX.to_value(),
            Err(ValueError::IntegerRange("18446744073709551615".into()))
        );
        assert_eq!((i64::MAX as u64).to_value(), Ok(Value::Int(i64::MAX)));
    }

    #[test]
    fn numbers_are_one_type_to_the_database() {
        assert_eq!(u8::from_value(Value::Float(2.0)), Ok(2));
        assert_eq!(f32::from_value(Value::Int(2)), Ok(2.0));
        assert!(u8::from_value(Value::Float(2.5)).is_err());
        assert!(u8::from_value(Value::Int(256)).is_err());
        assert!(i64::from_value(Value::Float(1e300)).is_err());
    }

    #[test]
    fn nan_and_infinities_are_refused() {
        assert!(f64::NAN.to_value().is_err());
        assert!(f32::INFINITY.to_value().is_err());
        assert_eq!(0.5f32.to_value(), Ok(Value::Float(0.5)));
    }

    #[test]
    fn what_is_of_another_type_is_named() {
        let err = bool::from_value(Value::from("yes")).unwrap_err();
        assert_eq!(err.to_string(), "\"yes\" is no boolean");
        assert!(Uuid::from_value(Value::from("7")).unwrap_err().to_string().contains("no UUID"));
        assert!(
            civil::Date::from_value(Value::Date("2020-01-01T01:00:00Z".parse().unwrap())).is_err()
        );
    }
}
