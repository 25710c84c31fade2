//! Conversions: properties that are stored through functions of the user's.

use std::time::Duration;

use adb::{FieldRole, GraphBuilder, document::Document, prelude::*};
use serde::Deserialize;
use serde_json::json;

use super::common::{empty, put};

/// A time as whole seconds.
mod seconds {
    use std::time::Duration;

    use adb::{Property as _, Value, ValueError, ValueType};

    pub(crate) const TYPE: ValueType = ValueType::Int;

    pub(crate) fn to_value(time: &Duration) -> Result<i64, ValueError> {
        if time.subsec_nanos() != 0 {
            return Err("only whole seconds are stored".into());
        }
        i64::try_from(time.as_secs()).map_err(|e| e.to_string().into())
    }

    pub(crate) fn from_value(value: Value) -> Result<Duration, ValueError> {
        u64::from_value(value).map(Duration::from_secs)
    }
}

/// A list as one text; a type instead of a module.
struct Words;

impl Words {
    const TYPE: adb::ValueType = adb::ValueType::String;

    #[expect(clippy::ptr_arg, reason = "what the field holds")]
    fn to_value(words: &Vec<String>) -> Result<String, String> {
        match words.iter().find(|word| word.contains(' ')) {
            Some(word) => Err(format!("`{word}` is not one word")),
            None => Ok(words.join(" ")),
        }
    }

    fn from_value(value: adb::Value) -> Result<Vec<String>, adb::ValueError> {
        Ok(String::from_value(value)?.split(' ').map(str::to_owned).collect())
    }
}

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
struct Plan {
    #[adb(id)]
    name: String,
    #[adb(with = seconds, index)]
    #[serde(deserialize_with = "whole")]
    cook: Duration,
    #[adb(with = seconds, rename = "rest_s")]
    #[serde(skip)]
    rest: Option<Duration>,
    #[adb(with = Words, default)]
    #[serde(skip)]
    tags: Vec<String>,
    #[adb(flatten)]
    #[serde(flatten)]
    more: More,
}

#[derive(Debug, Clone, PartialEq, Properties, Deserialize)]
struct More {
    #[adb(with = seconds)]
    #[serde(deserialize_with = "whole")]
    cool: Duration,
}

fn whole<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
    u64::deserialize(d).map(Duration::from_secs)
}

fn plan(name: &str, cook: u64, rest: Option<u64>) -> Plan {
    Plan {
        name: name.into(),
        cook: Duration::from_secs(cook),
        rest: rest.map(Duration::from_secs),
        tags: vec!["a".into(), name.into()],
        more: More { cool: Duration::from_secs(cook + 1) },
    }
}

#[tokio::test]
async fn converted_fields_go_in_are_searched_and_come_back() {
    let (_dir, db) = empty();
    let plans = [plan("bread", 3000, Some(7200)), plan("egg", 300, None)];
    put(&*db, &plans).await;
    let find = || Plan::find().sort(|p| p.cook.descending());
    assert_eq!(find().fetch(&*db).await.unwrap(), plans);
    let minute = Duration::from_secs(60);
    let quick = find().filter(|p| p.cook.lt(10 * minute).and(p.more.cool.gt(minute)));
    assert_eq!(quick.fetch(&*db).await.unwrap(), plans[1..]);
    let resting = find().filter(|p| p.rest.eq(120 * minute).and(p.rest.is_present()));
    assert_eq!(resting.fetch(&*db).await.unwrap(), plans[..1]);
    assert_eq!(find().filter(|p| p.rest.eq(None)).fetch(&*db).await.unwrap(), plans[1..]);
    let tagged = find().filter(|p| p.tags.eq(vec!["a".to_owned(), "egg".to_owned()]));
    tagged.update(&*db, |p| [p.rest.set(minute)]).await.unwrap();
    let egg = Plan::find().filter(|p| p.name.eq("egg")).fetch(&*db).await.unwrap().remove(0);
    assert_eq!(egg.rest, Some(minute));
    let err =
        Plan::find().update(&*db, |p| [p.tags.set(vec!["a b".to_owned()])]).await.unwrap_err();
    assert!(err.to_string().contains("`a b` is not one word"), "{err}");
}

#[test]
fn conversions_that_fail_name_the_field() {
    let mut plan = plan("egg", 300, None);
    plan.rest = Some(Duration::from_millis(1));
    let err = plan.graph().unwrap_err();
    assert_eq!(err.place(), "Plan.rest");
    assert!(err.to_string().contains("whole seconds"), "{err}");
    let role = |i: usize| Plan::SCHEMA.fields[i].role;
    let FieldRole::Property { optional, indexed, .. } = role(1) else { unreachable!() };
    assert!(!optional && indexed);
    let FieldRole::Property { optional, indexed, .. } = role(2) else { unreachable!() };
    assert!(optional && !indexed);
}

/// A document has the stored type, and no functions: rows say what is stored.
#[test]
fn converted_fields_in_a_document() {
    let document = Document::of(Plan::SCHEMA);
    let schema = document.to_json_schema();
    assert_eq!(schema.as_value()["$defs"]["Plan"]["properties"]["cook"]["type"], "integer");
    let row = json!({"name": "egg", "cook": 300, "cool": 301});
    let mut value: Plan = serde_json::from_value(row.clone()).unwrap();
    value.tags = vec!["soft".into()];
    let mut row = row;
    row["tags"] = "soft".into();
    let by_document = document.load().unwrap().graph_in(&row, GraphBuilder::new()).unwrap();
    assert_eq!(format!("{by_document:#?}"), format!("{:#?}", value.graph().unwrap()));
}

/// The functions contradict their own `TYPE`.
#[test]
fn a_value_of_another_type_than_declared_is_refused() {
    struct Wrong;
    impl Wrong {
        const TYPE: adb::ValueType = adb::ValueType::String;
        fn to_value(_: &u8) -> Result<i64, adb::ValueError> {
            Ok(1)
        }
        fn from_value(_: adb::Value) -> Result<u8, adb::ValueError> {
            Ok(1)
        }
    }
    #[derive(DataModel)]
    struct Thing {
        #[adb(id)]
        id: u64,
        #[adb(with = Wrong)]
        number: u8,
    }
    let err = Thing { id: 1, number: 1 }.graph().unwrap_err();
    assert_eq!(err.place(), "Thing.number");
    assert!(err.to_string().contains("declare a String, and made a Int"), "{err}");
}
