//! Structured values in one property.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value as Json;

use super::{Property, Value, ValueError, ValueType};

/// Stores a value that serde can write as one JSON property: the way out for lists and structs
/// that need no objects of their own.
///
/// Such a property can be read back, but not be searched by its parts.
///
/// ```
/// use adb_model::{AsJson, Property, Value};
/// let tags = AsJson(vec!["vegan".to_owned(), "quick".to_owned()]);
/// assert_eq!(tags.to_value().unwrap().to_string(), r#"["vegan","quick"]"#);
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct AsJson<T>(pub T);

impl<T: Serialize + DeserializeOwned> Property for AsJson<T> {
    const TYPE: ValueType = ValueType::Json;
    fn to_value(&self) -> Result<Value, ValueError> {
        let json =
            serde_json::to_value(&self.0).map_err(|e| ValueError::Unwritable(e.to_string()))?;
        container(json)
    }
    fn from_value(value: Value) -> Result<Self, ValueError> {
        let json = value.to_json();
        match T::deserialize(&json) {
            Ok(read) => Ok(Self(read)),
            Err(e) => Err(ValueError::Unexpected {
                expected: std::any::type_name::<T>(),
                found: format!("{json} ({e})"),
            }),
        }
    }
}

/// JSON of any shape. An object or an array, when it is stored; anything else has a type of its
/// own.
impl Property for Json {
    const TYPE: ValueType = ValueType::Json;
    fn to_value(&self) -> Result<Value, ValueError> {
        container(self.clone())
    }
    fn from_value(value: Value) -> Result<Self, ValueError> {
        Ok(value.to_json())
    }
}

/// An object with `_date` alone would come back as a date.
fn container(json: Json) -> Result<Value, ValueError> {
    match &json {
        Json::Object(o) if o.len() == 1 && o.contains_key("_date") => {
            Err(ValueError::NotAContainer(json.to_string()))
        }
        Json::Object(_) | Json::Array(_) => Ok(Value::Json(json)),
        _ => Err(ValueError::NotAContainer(json.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_and_objects_come_back() {
        let lists = AsJson(vec![1u8, 2]);
        assert_eq!(AsJson::from_value(lists.to_value().unwrap()), Ok(lists));
        assert!(AsJson::<Vec<u8>>::from_value(Value::Json(json!(["a"]))).is_err());
    }

    #[test]
    fn scalars_and_disguised_dates_are_refused() {
        for json in [json!(1), json!("a"), json!(null), json!({"_date": "2020-01-01"})] {
            assert!(matches!(json.to_value(), Err(ValueError::NotAContainer(_))), "{json}");
        }
    }
}
