//! Lists of properties depend on no name that a user can take, and take all that models take.
#![deny(warnings, missing_docs, unused_qualifications)]
//! A crate that documents all.
use adb::{Properties, prelude::*};

mod inside {
    use adb::{Value, ValueError, ValueType};

    pub(crate) const TYPE: ValueType = ValueType::Bool;
    pub(crate) fn to_value(value: &std::time::Duration) -> Result<bool, ValueError> {
        Ok(value.is_zero())
    }
    pub(crate) fn from_value(_: Value) -> Result<std::time::Duration, ValueError> {
        Ok(std::time::Duration::ZERO)
    }
}

#[allow(dead_code)]
struct Option;
#[allow(dead_code)]
struct Vec;

#[derive(Properties)]
struct Text<'a, T: Clone, const N: usize>
where
    Self: Sized,
{
    text: &'a str,
    r#type: T,
    #[adb(with = inside)]
    time: ::std::option::Option<std::time::Duration>,
    #[adb(skip)]
    nothing: [u8; 4],
    #[adb(default, index)]
    columns: TextColumns,
}

#[derive(Default, Property)]
enum TextColumns {
    #[default]
    One,
}

#[derive(Properties)]
struct None {}

#[derive(DataModel)]
struct Note<'a, T: Clone> {
    #[adb(id)]
    id: u64,
    #[adb(flatten)]
    r#type: Text<'a, T, 3>,
    #[adb(flatten)]
    none: None,
    #[adb(with = inside)]
    time_of_note: std::time::Duration,
}

/// A connection with parameters, and no bounds written down.
#[derive(Connection)]
struct Knows<T> {
    since: T,
}

#[derive(DataModel)]
struct Person {
    #[adb(id)]
    id: u64,
    #[adb(connect = Knows<i64>)]
    knows: ::std::vec::Vec<Linked<Knows<i64>, Person>>,
}

fn main() {
    assert_eq!(Text::<'static, u8, 1>::FIELDS.len(), 4);
    let _ = Note::<'static, f64>::find()
        .filter(|n| n.r#type.text.eq("a").and(n.r#type.r#type.gt(0.5)))
        .filter(|n| n.r#type.time.is_absent().or(n.time_of_note.eq(std::time::Duration::ZERO)))
        .filter(|n| n.r#type.columns.eq(TextColumns::One));
    let _ = |n: Note<'static, u8>| (n.id, n.r#type.nothing, n.none);
    let _ = |p: Person| p.knows.into_iter().map(|k| k.edge.since).sum::<i64>();
}
