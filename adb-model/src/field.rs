//! How a field of a struct becomes part of a graph: traits, so that no type is known by its name.

use std::borrow::Cow;

use crate::{
    Blob, Image, MediaSource, ObjectKind, Property, Record, Value, Video,
    error::{ModelError, ModelErrorKind},
    graph::{Entered, GraphBuilder, NodeId},
    schema::FieldKind,
};

/// A field without a role attribute: a property or media, as its type says.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be stored as a property",
    label = "not text, a number, a boolean, a date, JSON, an `Image`, or an `Option` of one",
    note = "a child model, or a list of them: `#[adb(connect = \"HasPart\")]`",
    note = "a list of texts or numbers, or a struct: a property holds one value, so keep it as JSON, `AsJson<{Self}>`, or make each a child model",
    note = "an embedding: `#[adb(embed(from = photo, set = Photos))]`, without `from` if you give the vectors yourself",
    note = "a type of your own that is one value: `#[derive(Property)]`, or implement `adb::Property` for it",
    note = "a field that the database need not see: `#[adb(skip)]`"
)]
pub trait Field: Sized {
    /// The type without `Option`.
    type Stored;

    /// What the type is stored as.
    const KIND: FieldKind;

    /// Adds the field to its node.
    ///
    /// # Errors
    /// When the database can't hold the value.
    fn add(&self, graph: &mut GraphBuilder, node: NodeId, at: FieldPlace)
    -> Result<(), ModelError>;

    /// The blob that it holds, if it is media.
    fn media(&self) -> Option<(ObjectKind, &MediaSource)> {
        None
    }

    /// Whether a stored object has nothing for this field.
    fn is_absent(record: &Record, at: FieldPlace) -> bool;

    /// Reads the field back.
    ///
    /// # Errors
    /// When the object lacks it, or has it with another type.
    fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError>;
}

/// The blob of that kind, if one of them is.
#[doc(hidden)]
#[must_use]
pub fn media_of_kind<const N: usize>(
    kind: ObjectKind,
    all: [Option<(ObjectKind, &MediaSource)>; N],
) -> Option<&MediaSource> {
    all.into_iter().flatten().find(|(of, _)| *of == kind).map(|(_, media)| media)
}

/// Where a field stands: for names in the database and in errors.
#[derive(Debug, Clone, Copy)]
pub struct FieldPlace {
    /// The struct's name.
    pub model: &'static str,
    /// The field's name in Rust.
    pub field: &'static str,
    /// The property's name.
    pub property: &'static str,
}

impl FieldPlace {
    /// An error at this place.
    #[must_use]
    pub fn error(self, kind: ModelErrorKind) -> ModelError {
        ModelError::new(Cow::Owned(format!("{}.{}", self.model, self.field)), kind)
    }
}

// Who has neither is told of fields, which is what the macro speaks of.
#[diagnostic::do_not_recommend]
impl<T: Property> Field for T {
    type Stored = T;
    const KIND: FieldKind = FieldKind::Property { value_type: T::TYPE, optional: false };
    fn add(
        &self,
        graph: &mut GraphBuilder,
        node: NodeId,
        at: FieldPlace,
    ) -> Result<(), ModelError> {
        let value = self.to_value().map_err(|e| at.error(e.into()))?;
        graph.property(node, at.property, value);
        Ok(())
    }
    fn is_absent(record: &Record, at: FieldPlace) -> bool {
        record.lacks(at.property)
    }
    fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError> {
        crate::value::read_property(record, at)
    }
}

macro_rules! media_fields {
    ($($ty:ident),*) => {$(
        impl Field for $ty {
            type Stored = Self;
            const KIND: FieldKind = FieldKind::Media { kind: ObjectKind::$ty, optional: false };
            fn add(
                &self,
                graph: &mut GraphBuilder,
                node: NodeId,
                at: FieldPlace,
            ) -> Result<(), ModelError> {
                graph.media(node, ObjectKind::$ty, at.property, self.source());
                Ok(())
            }
            fn media(&self) -> Option<(ObjectKind, &MediaSource)> {
                Some((ObjectKind::$ty, self.source()))
            }
            fn is_absent(record: &Record, at: FieldPlace) -> bool {
                record.media(ObjectKind::$ty, at.field, at.property).is_none()
            }
            fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError> {
                record
                    .media(ObjectKind::$ty, at.field, at.property)
                    .map(Self::from)
                    .ok_or_else(|| at.error(ModelErrorKind::Absent { property: at.property }))
            }
        }
    )*};
}

media_fields!(Image, Video, Blob);

/// A field's value as it is stored, if it is one: what a row is filled up with that lacks it.
pub fn default_of<T: Field>(value: &T, at: FieldPlace) -> Option<Value> {
    let mut graph = GraphBuilder::new();
    let id = vec![("", Value::Bool(true))];
    let (Entered::New(node) | Entered::Known(node)) =
        graph.enter(ObjectKind::Entity, at.model, id).ok()?;
    value.add(&mut graph, node, at).ok()?;
    let graph = graph.finish();
    match graph.nodes() {
        // Media of an entity would be a second node.
        [node] => node.properties.first().map(|(_, value)| value.clone()),
        _ => None,
    }
}

/// An absent value is left out.
impl<T: Field> Field for Option<T> {
    type Stored = T::Stored;
    const KIND: FieldKind = match T::KIND {
        FieldKind::Property { value_type, .. } => {
            FieldKind::Property { value_type, optional: true }
        }
        FieldKind::Media { kind, .. } => FieldKind::Media { kind, optional: true },
        FieldKind::Geometry { of, property, .. } => {
            FieldKind::Geometry { of, property, optional: true }
        }
    };
    fn add(
        &self,
        graph: &mut GraphBuilder,
        node: NodeId,
        at: FieldPlace,
    ) -> Result<(), ModelError> {
        self.as_ref().map_or(Ok(()), |value| value.add(graph, node, at))
    }
    fn media(&self) -> Option<(ObjectKind, &MediaSource)> {
        self.as_ref().and_then(Field::media)
    }
    fn is_absent(_: &Record, _: FieldPlace) -> bool {
        false // `None` is as good a value as any
    }
    fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError> {
        if T::is_absent(record, at) { Ok(None) } else { T::read(record, at).map(Some) }
    }
}

/// A field with `#[adb(label)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a label",
    label = "a label is a `String` or an `Option<String>`"
)]
pub trait LabelField: Sized {
    /// Whether it may be absent.
    const OPTIONAL: bool;
    /// The label.
    fn label(&self) -> Option<&str>;
    /// Reads the label back.
    ///
    /// # Errors
    /// When the object has none and the field needs one.
    fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError>;
}

impl LabelField for String {
    const OPTIONAL: bool = false;
    fn label(&self) -> Option<&str> {
        Some(self)
    }
    fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError> {
        let label = record.label().map(str::to_owned);
        label.ok_or_else(|| at.error(ModelErrorKind::Absent { property: "_label" }))
    }
}

impl LabelField for Option<String> {
    const OPTIONAL: bool = true;
    fn label(&self) -> Option<&str> {
        self.as_deref()
    }
    fn read(record: &Record, _: FieldPlace) -> Result<Self, ModelError> {
        Ok(record.label().map(str::to_owned))
    }
}

/// A field with `#[adb(skip)]`: the database does not have it, so reading makes it anew.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no default, so a skipped field of this type can't be made when an object is read",
    label = "the database does not have this field",
    note = "implement `Default` for `{Self}`, or say what to put there: `#[adb(skip, default = function)]`"
)]
pub trait SkippedField: Sized {
    /// What a field gets that is not stored.
    fn made() -> Self;
}

// The bound is what the message above says in other words.
#[diagnostic::do_not_recommend]
impl<T: Default> SkippedField for T {
    fn made() -> Self {
        T::default()
    }
}
