//! How a field of a struct becomes part of a graph: traits, so that no type is known by its name.

use std::{borrow::Cow, sync::Arc};

use crate::{
    Blob, EmbedInput, Embedding, Image, MediaSource, ModelSchema, ObjectKind, Property, Record,
    SetSpec, Value, Video,
    error::{ModelError, ModelErrorKind},
    graph::{Entered, GraphBuilder, NodeId, Relation},
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

/// A field with `#[adb(embed(…))]`: an [`Embedding`], or an `Option` of one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't hold an embedding",
    label = "expected `Embedding<N>`",
    note = "declare the field as `Embedding<N>`, where N is the embedder's dimension"
)]
pub trait EmbeddingField: Sized {
    /// The vector's type, without `Option`.
    type Vector;
    /// Whether an object may be without one.
    const OPTIONAL: bool;
    /// The vector, when the caller gave one.
    fn vector(&self) -> Option<Arc<[f32]>>;

    /// Adds the descriptor for a field that is made from another, or given all the same; answers
    /// as [`GraphBuilder::descriptor`] does.
    ///
    /// # Errors
    /// When a given vector does not fit the set.
    fn add_from(
        &self,
        source: Option<EmbedInput>,
        graph: &mut GraphBuilder,
        owner: NodeId,
        at: FieldPlace,
        set: SetSpec,
    ) -> Result<Option<NodeId>, ModelError> {
        graph.descriptor(owner, at.property, set, self.vector(), source)
    }

    /// Adds the descriptor for a field that only the caller can fill; answers as
    /// [`GraphBuilder::descriptor`] does.
    ///
    /// # Errors
    /// When the vector does not fit the set, or is missing and not an `Option`.
    fn add_given(
        &self,
        graph: &mut GraphBuilder,
        owner: NodeId,
        at: FieldPlace,
        set: SetSpec,
    ) -> Result<Option<NodeId>, ModelError> {
        let vector = self.vector();
        if vector.is_none() && !Self::OPTIONAL {
            return Err(at.error(ModelErrorKind::NoVector { set: set.name }));
        }
        graph.descriptor(owner, at.property, set, vector, None)
    }

    /// Reads the vector back; "to be filled" when it was not fetched.
    ///
    /// # Errors
    /// When the stored vector has another length.
    fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError>;
}

impl<const N: usize> EmbeddingField for Embedding<N> {
    type Vector = Self;
    const OPTIONAL: bool = false;
    fn vector(&self) -> Option<Arc<[f32]>> {
        self.shared()
    }
    fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError> {
        match record.vector(at.field) {
            None => Ok(Self::default()),
            Some(vector) => Self::from_shared(vector).map_err(|e| at.error(e.into())),
        }
    }
}

impl<T: EmbeddingField> EmbeddingField for Option<T> {
    type Vector = T::Vector;
    const OPTIONAL: bool = true;
    fn vector(&self) -> Option<Arc<[f32]>> {
        self.as_ref().and_then(EmbeddingField::vector)
    }
    fn read(record: &Record, at: FieldPlace) -> Result<Self, ModelError> {
        record.vector(at.field).map(|_| T::read(record, at)).transpose()
    }
}

/// A field that a vector can be made from: `embed(from = …)` names one.
#[diagnostic::on_unimplemented(
    message = "nothing can be embedded from a `{Self}`",
    label = "an embedding is made from an `Image` or a `String`",
    note = "name another field in `from = …`, or leave `from` out and give the vectors yourself"
)]
pub trait EmbedSource {
    /// What an embedder must accept: [`Image`] or [`String`].
    type Modality: ?Sized;
    /// What to embed, when there is anything.
    fn input(&self) -> Option<EmbedInput>;
}

impl EmbedSource for Image {
    type Modality = Image;
    fn input(&self) -> Option<EmbedInput> {
        Some(EmbedInput::Image(self.source().clone()))
    }
}

/// The rectangle's part of the picture that contains it.
impl EmbedSource for crate::Rect {
    type Modality = Image;
    fn input(&self) -> Option<EmbedInput> {
        Some(EmbedInput::OwnRegion)
    }
}

impl EmbedSource for String {
    type Modality = String;
    fn input(&self) -> Option<EmbedInput> {
        Some(EmbedInput::Text(self.clone()))
    }
}

impl<T: EmbedSource> EmbedSource for Option<T> {
    type Modality = T::Modality;
    fn input(&self) -> Option<EmbedInput> {
        self.as_ref().and_then(EmbedSource::input)
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

/// A struct with `#[derive(DataModel)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a data model",
    label = "not a data model",
    note = "add `#[derive(DataModel)]` to `{Self}`"
)]
pub trait DataModel: Sized {
    /// The model's properties and connections, for filters and sorting.
    type Columns;

    /// The struct itself, when this is a pointer to one.
    type Bare: DataModel;

    /// What the macro knows of the struct.
    const SCHEMA: &'static ModelSchema;

    /// Adds this value, and all that hangs on it, to a graph.
    ///
    /// # Errors
    /// When the database can't hold a value.
    fn build(&self, graph: &mut GraphBuilder) -> Result<NodeId, ModelError>;

    /// The columns.
    fn columns() -> Self::Columns;

    /// Reads a stored object back.
    ///
    /// # Errors
    /// When it lacks something that the struct needs, or has it with another type.
    fn read(record: &Record) -> Result<Self, ModelError>;

    /// Begins a search for objects of this model.
    fn find() -> crate::query::Find<Self> {
        crate::query::Find::new()
    }

    /// Begins to bring this value into a database, whether it is there or not: what is there and
    /// the same stays as it is, what differs is changed.
    fn upsert(&self) -> crate::upsert::Upsert<'_, Self> {
        crate::upsert::Upsert::new(self)
    }

    /// The graph of this value alone.
    ///
    /// # Errors
    /// When the database can't hold a value.
    fn graph(&self) -> Result<crate::Graph, ModelError> {
        self.graph_in(GraphBuilder::new())
    }

    /// The graph of this value in a builder that knows more, such as
    /// [for a row](GraphBuilder::for_row).
    ///
    /// # Errors
    /// When the database can't hold a value.
    fn graph_in(&self, mut builder: GraphBuilder) -> Result<crate::Graph, ModelError> {
        self.build(&mut builder)?;
        Ok(builder.finish())
    }
}

/// A field with `#[adb(connect = …)]`: one child model, an `Option`, a `Vec`, a `Box` or an `Arc`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be connected: it is neither a data model nor several of one",
    label = "not a data model",
    note = "`connect` takes `T`, `Option<T>`, `Vec<T>`, `Box<T>` or `Arc<T>`, where `T` has `#[derive(DataModel)]`"
)]
pub trait Children: Sized {
    /// The children's model.
    type Model: DataModel;
    /// The connection's type: `()` when it has no properties.
    type Edge;
    /// Whether there can be more than one.
    const MANY: bool;
    /// Whether there need not be any.
    const OPTIONAL: bool = false;
    /// The children's schema.
    #[must_use]
    fn schema() -> &'static ModelSchema {
        Self::Model::SCHEMA
    }
    /// Adds the children and their edges.
    ///
    /// # Errors
    /// When the database can't hold a value.
    fn add(
        &self,
        graph: &mut GraphBuilder,
        parent: NodeId,
        relation: Relation,
    ) -> Result<(), ModelError>;
    /// Reads the children back: `fetched` is nothing when they were not asked for.
    ///
    /// # Errors
    /// When there is not exactly one and the field takes exactly one; when a child can't be read.
    fn read(fetched: Option<&[Record]>, at: FieldPlace) -> Result<Self, ModelError>;
}

// Who is no model is told of fields, which can hold several.
#[diagnostic::do_not_recommend]
impl<T: DataModel> Children for T {
    type Model = T::Bare;
    type Edge = ();
    const MANY: bool = false;
    fn add(
        &self,
        graph: &mut GraphBuilder,
        parent: NodeId,
        relation: Relation,
    ) -> Result<(), ModelError> {
        let child = self.build(graph)?;
        graph.relate(parent, child, relation, Vec::new());
        Ok(())
    }
    fn read(fetched: Option<&[Record]>, at: FieldPlace) -> Result<Self, ModelError> {
        match fetched {
            None => Err(at.error(ModelErrorKind::NotFetched { field: at.field })),
            Some([]) => Err(at.error(ModelErrorKind::Absent { property: at.field })),
            Some([first, ..]) => <T as DataModel>::read(first),
        }
    }
}

/// One child or none.
impl<T: Children> Children for Option<T> {
    type Model = T::Model;
    type Edge = T::Edge;
    const MANY: bool = T::MANY;
    const OPTIONAL: bool = true;
    fn add(
        &self,
        graph: &mut GraphBuilder,
        parent: NodeId,
        relation: Relation,
    ) -> Result<(), ModelError> {
        self.iter().try_for_each(|child| child.add(graph, parent, relation))
    }
    fn read(fetched: Option<&[Record]>, at: FieldPlace) -> Result<Self, ModelError> {
        match fetched {
            None | Some([]) => Ok(None),
            some => T::read(some, at).map(Some),
        }
    }
}

/// An edge to each child.
impl<T: Children> Children for Vec<T> {
    type Model = T::Model;
    type Edge = T::Edge;
    const MANY: bool = true;
    fn add(
        &self,
        graph: &mut GraphBuilder,
        parent: NodeId,
        relation: Relation,
    ) -> Result<(), ModelError> {
        self.iter().try_for_each(|child| child.add(graph, parent, relation))
    }
    fn read(fetched: Option<&[Record]>, at: FieldPlace) -> Result<Self, ModelError> {
        let each = fetched.unwrap_or_default().chunks(1);
        each.map(|child| T::read(Some(child), at)).collect()
    }
}

/// A box with a model in it is that model.
impl<T: DataModel> DataModel for Box<T> {
    type Columns = T::Columns;
    type Bare = T::Bare;
    const SCHEMA: &'static ModelSchema = T::SCHEMA;
    fn build(&self, graph: &mut GraphBuilder) -> Result<NodeId, ModelError> {
        (**self).build(graph)
    }
    fn columns() -> Self::Columns {
        T::columns()
    }
    fn read(record: &Record) -> Result<Self, ModelError> {
        T::read(record).map(Box::new)
    }
}

/// A pointer to a model is that model; shared by two parents, it is one node by its id.
impl<T: DataModel> DataModel for Arc<T> {
    type Columns = T::Columns;
    type Bare = T::Bare;
    const SCHEMA: &'static ModelSchema = T::SCHEMA;
    fn build(&self, graph: &mut GraphBuilder) -> Result<NodeId, ModelError> {
        (**self).build(graph)
    }
    fn columns() -> Self::Columns {
        T::columns()
    }
    fn read(record: &Record) -> Result<Self, ModelError> {
        T::read(record).map(Arc::new)
    }
}
