//! Lists of properties: structs that a model takes in, and those that connections bear.

use std::{marker::PhantomData, ops::Deref};

use crate::{FieldRole, FieldSchema, Inside, ModelError, Record, Value, schema::same};

/// A struct with `#[derive(Properties)]` or `#[derive(Connection)]`: each of its fields is one
/// property of the object that it is a part of.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be flattened: it is no list of properties",
    label = "not a struct of properties",
    note = "`flatten` takes a struct with `#[derive(Properties)]`, or an `Option` of one, whose fields become properties of this object",
    note = "a map has no fields that are known: nest it and keep it as JSON, `AsJson<{Self}>`, or keep it from the database with `#[adb(skip)]`",
    note = "another data model is a child: `#[adb(connect = \"HasPart\")]`"
)]
pub trait Properties: Sized {
    /// Its properties as columns of the model `M` that takes it in.
    type Columns<M>;

    /// Its fields, each a [`FieldRole::Property`].
    const FIELDS: &'static [FieldSchema];

    /// Whether an object may be without all of them.
    const OPTIONAL: bool = false;

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

/// An object that has none of the properties is one without the struct; so `Some` of a struct that
/// stores nothing comes back as `None`.
impl<T: Properties> Properties for Option<T> {
    type Columns<M> = T::Columns<M>;
    const FIELDS: &'static [FieldSchema] = T::FIELDS;
    const OPTIONAL: bool = true;
    fn add(&self, to: &mut Vec<(&'static str, Value)>) -> Result<(), ModelError> {
        self.as_ref().map_or(Ok(()), |properties| properties.add(to))
    }
    fn read(record: &Record) -> Result<Self, ModelError> {
        match T::FIELDS.iter().all(|field| record.lacks(field.property)) {
            true => Ok(None),
            false => T::read(record).map(Some),
        }
    }
    fn columns<'c, M>() -> &'c Self::Columns<M> {
        T::columns()
    }
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
                list.fields[list.len] = taken_in(inside, fields[j]);
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

/// A field of a struct that is taken in.
const fn taken_in(outer: Option<Inside>, field: FieldSchema) -> FieldSchema {
    let role = match (outer, field.inside, field.role) {
        // Of a struct that may be absent from the one that is taken in: then it may be absent,
        // whatever else of that one is there.
        (
            Some(_),
            Some(Inside { optional: true, .. }),
            FieldRole::Property { value_type, indexed, .. },
        ) => FieldRole::Property { value_type, optional: true, indexed },
        (.., role) => role,
    };
    FieldSchema { inside: within(outer, field.inside), role, ..field }
}

/// Where a field is that is inside of something already.
#[expect(clippy::panic, reason = "run by the compiler alone, whose error it is")]
const fn within(outer: Option<Inside>, inner: Option<Inside>) -> Option<Inside> {
    match (outer, inner) {
        (None, inner) => inner,
        (outer, None) => outer,
        (Some(outer), Some(inner)) => Some(Inside {
            field: outer.field,
            optional: outer.optional || inner.optional,
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
            if same(names[i], fields[j].property) {
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
        const OUTER: Inside = Inside { field: "outer", key: Some("o"), optional: false };
        const INNER: Inside = Inside { field: "inner", key: None, optional: false };
        const LIST: &FieldList = &FieldList::joined(&[
            (None, &[text("a")]),
            (Some(OUTER), &[text("b"), FieldSchema { inside: Some(INNER), ..text("c") }]),
            (None, &[text("d")]),
        ]);
        let fields: Vec<_> = LIST.as_slice().iter().map(|f| (f.name, f.inside)).collect();
        assert_eq!(fields, [("a", None), ("b", Some(OUTER)), ("c", Some(OUTER)), ("d", None)]);
    }

    #[test]
    fn what_may_be_absent_as_a_whole_is_told_from_what_may_be_absent_in_it() {
        const INNER: Inside = Inside { field: "inner", key: None, optional: true };
        const OUTER: Inside = Inside { field: "outer", key: None, optional: false };
        const ONCE: &FieldList = &FieldList::joined(&[(Some(INNER), &[text("a")])]);
        const TWICE: &FieldList = &FieldList::joined(&[(Some(OUTER), ONCE.as_slice())]);
        let is_optional = |role| matches!(role, FieldRole::Property { optional: true, .. });
        let [once] = ONCE.as_slice() else { panic!("it is one") };
        assert!(once.may_be_absent() && !is_optional(once.role), "{once:?}");
        let [twice] = TWICE.as_slice() else { panic!("it is one") };
        assert_eq!(twice.inside, Some(Inside { optional: true, ..OUTER }));
        assert!(is_optional(twice.role), "what else `outer` has may be there: {twice:?}");
    }

    #[test]
    fn names_that_are_taken_twice_are_found() {
        const LIST: &[FieldSchema] = &[text("ab"), text("cd")];
        assert_eq!(clash(&["a", "abc", "cd"], LIST), 2);
        assert_eq!(clash(&["a", "abc"], LIST), 2);
        assert!(clash_of(&[text("x"), text("ab")], LIST) && !clash_of(&[text("x")], LIST));
    }
}
