//! Lists of properties: structs that a model takes in, and those that connections bear.

use std::{marker::PhantomData, ops::Deref};

use crate::{FieldRole, FieldSchema, Inside, ModelError, Record, Value};

/// A struct with `#[derive(Properties)]` or `#[derive(Connection)]`: each of its fields is one
/// property of the object that it is a part of.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be flattened: it is no list of properties",
    label = "not a struct of properties",
    note = "`flatten` takes a struct with `#[derive(Properties)]`, whose fields become properties of this object",
    note = "a map has no fields that are known: nest it and keep it as JSON, `AsJson<{Self}>`, or keep it from the database with `#[adb(skip)]`",
    note = "another data model is a child: `#[adb(connect = \"HasPart\")]`"
)]
pub trait Properties: Sized {
    /// Its properties as columns of the model `M` that takes it in.
    type Columns<M>;

    /// Its fields, each a [`FieldRole::Property`].
    const FIELDS: &'static [FieldSchema];

    /// Appends the properties that are there.
    ///
    /// # Errors
    /// When the database can't hold one.
    fn add(&self, to: &mut Vec<(&'static str, Value)>) -> Result<(), ModelError>;

    /// Reads them back from the object that has them.
    ///
    /// # Errors
    /// When it lacks something that the struct needs, or has it with another type.
    fn read(record: &Record) -> Result<Self, ModelError>;

    /// The columns.
    fn columns<'c, M>() -> &'c Self::Columns<M>;
}

/// The columns of a flattened struct `T` in the model `M`: its fields are those of
/// [`Properties::Columns`].
#[derive(Debug)]
pub struct FlatColumns<M, T>(PhantomData<fn() -> (M, T)>);

impl<M, T> FlatColumns<M, T> {
    /// Asks nothing of `T`, so that a struct that can't be flattened is one error.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "columns are made by the macros alone")]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<M, T> Clone for FlatColumns<M, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<M, T> Copy for FlatColumns<M, T> {}

impl<M, T: Properties> Deref for FlatColumns<M, T> {
    type Target = T::Columns<M>;
    fn deref(&self) -> &Self::Target {
        T::columns()
    }
}

/// Fields of a struct and of those that it flattens, as one list, made by the compiler.
#[doc(hidden)]
#[derive(Debug)]
pub struct FieldList {
    fields: [FieldSchema; FieldList::MOST],
    len: usize,
}

/// Some fields, and the field that holds them if they are a flattened struct's.
#[doc(hidden)]
pub type SomeFields<'a> = (Option<Inside>, &'a [FieldSchema]);

impl FieldList {
    const MOST: usize = 128;

    /// All of them, in order.
    #[must_use]
    pub const fn joined(parts: &[SomeFields<'_>]) -> Self {
        let nobody = FieldSchema::named(
            "",
            FieldRole::Property {
                value_type: crate::ValueType::Json,
                optional: true,
                indexed: false,
            },
        );
        let mut list = Self { fields: [nobody; Self::MOST], len: 0 };
        // Iterators can't be used in constants yet.
        let mut i = 0;
        while i < parts.len() {
            let (inside, fields) = parts[i];
            let mut j = 0;
            while j < fields.len() {
                assert!(
                    list.len < Self::MOST,
                    "a model that flattens structs has at most 128 fields"
                );
                list.fields[list.len] =
                    FieldSchema { inside: within(inside, fields[j].inside), ..fields[j] };
                list.len += 1;
                j += 1;
            }
            i += 1;
        }
        list
    }

    /// As a list.
    #[must_use]
    pub const fn as_slice(&self) -> &[FieldSchema] {
        self.fields.split_at(self.len).0
    }
}

/// Where a field is that is inside of something already.
#[expect(clippy::panic, reason = "run by the compiler alone, whose error it is")]
const fn within(outer: Option<Inside>, inner: Option<Inside>) -> Option<Inside> {
    match (outer, inner) {
        (None, inner) => inner,
        (outer, None) => outer,
        (Some(outer), Some(inner)) => Some(Inside {
            field: outer.field,
            key: match (outer.key, inner.key) {
                (None, key) | (key, None) => key,
                (Some(_), Some(_)) => panic!(
                    "a flattened struct flattens another, and rows have neither flat: add \
                     `#[serde(flatten)]` to one of the two fields"
                ),
            },
        }),
    }
}

/// The first of `names` that is a property of `fields`, too; as many as there are if none is.
#[doc(hidden)]
#[must_use]
pub const fn clash(names: &[&str], fields: &[FieldSchema]) -> usize {
    let mut i = 0;
    while i < names.len() {
        let mut j = 0;
        while j < fields.len() {
            if same(names[i].as_bytes(), fields[j].property.as_bytes()) {
                return i;
            }
            j += 1;
        }
        i += 1;
    }
    i
}

/// Whether two lists have a property in common.
#[doc(hidden)]
#[must_use]
pub const fn clash_of(a: &[FieldSchema], b: &[FieldSchema]) -> bool {
    let mut i = 0;
    while i < a.len() {
        if clash(&[a[i].property], b) == 0 {
            return true;
        }
        i += 1;
    }
    false
}

const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ValueType;

    const fn text(name: &'static str) -> FieldSchema {
        let value_type = ValueType::String;
        FieldSchema::named(
            name,
            FieldRole::Property { value_type, optional: false, indexed: false },
        )
    }

    #[test]
    fn lists_are_joined_in_order_and_know_where_they_came_from() {
        const OUTER: Inside = Inside { field: "outer", key: Some("o") };
        const INNER: Inside = Inside { field: "inner", key: None };
        const LIST: &FieldList = &FieldList::joined(&[
            (None, &[text("a")]),
            (Some(OUTER), &[text("b"), FieldSchema { inside: Some(INNER), ..text("c") }]),
            (None, &[text("d")]),
        ]);
        let fields: Vec<_> = LIST.as_slice().iter().map(|f| (f.name, f.inside)).collect();
        assert_eq!(fields, [("a", None), ("b", Some(OUTER)), ("c", Some(OUTER)), ("d", None)]);
    }

    #[test]
    fn names_that_are_taken_twice_are_found() {
        const LIST: &[FieldSchema] = &[text("ab"), text("cd")];
        assert_eq!(clash(&["a", "abc", "cd"], LIST), 2);
        assert_eq!(clash(&["a", "abc"], LIST), 2);
        assert!(clash_of(&[text("x"), text("ab")], LIST) && !clash_of(&[text("x")], LIST));
    }
}
