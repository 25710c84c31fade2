//! Connections with properties of their own.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::{
    Children, DataModel, FieldPlace, GraphBuilder, ModelError, NodeId, Properties, Record,
    Relation, error::ModelErrorKind,
};

/// A struct with `#[derive(Connection)]`: a class of connections and what they bear.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a connection",
    label = "not a connection",
    note = "declare it: `#[derive(Connection)] struct {Self} {{ … }}`; for one without properties, give its class as text: `connect = \"{Self}\"`"
)]
pub trait Connection: Properties {
    /// Its class in the database.
    const CLASS: &'static str;
}

/// A child, and the connection to it: for fields with `connect = Type`.
///
/// In a source the two are one object: `{"name": "rice", "grams": 150}` is an `Ingredient` and
/// the `grams` of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Linked<E, T> {
    /// The connection.
    #[serde(flatten)]
    pub edge: E,
    /// The child.
    #[serde(flatten)]
    pub to: T,
}

/// `E: SameEdge<F>`: a field's children are joined by `E`, and its attribute names `F`.
#[diagnostic::on_unimplemented(
    message = "the attribute names the connection `{E}`, and the field's type another",
    label = "these are joined by `{Self}`; `()` is a connection without properties",
    note = "a field with `connect = {E}` holds `Linked<{E}, Child>`, or an `Option` or a `Vec` of these"
)]
pub trait SameEdge<E> {}

impl<E: Connection> SameEdge<E> for E {}

/// A field's children are joined without properties.
#[diagnostic::on_unimplemented(
    message = "the field's connections have properties: `{Self}`",
    label = "these connections bear a `{Self}`, and the attribute does not say so",
    note = "name the type: `connect = {Self}`; parts of an image or a video have no connections of their own"
)]
pub trait PlainEdge {}

impl PlainEdge for () {}

/// The type of a field's connections, as a value that macros can pass on: `EdgeOf::<T>::EDGE`. Where
/// `T` can't be connected, the compiler takes that of [`NoEdge`], and says so once, elsewhere.
#[doc(hidden)]
#[derive(Debug)]
pub struct EdgeOf<T>(PhantomData<T>);

impl<T: Children> EdgeOf<T> {
    /// Of a field that can be connected.
    pub const EDGE: PhantomData<T::Edge> = PhantomData;
}

/// Answers for fields that can't be connected.
#[doc(hidden)]
pub trait NoEdge {
    /// A connection that nothing is wrong with.
    const EDGE: PhantomData<AnyEdge> = PhantomData;
}

impl<T> NoEdge for EdgeOf<T> {}

/// A connection that fits all that is asked of one.
#[doc(hidden)]
#[derive(Debug)]
pub enum AnyEdge {}

impl PlainEdge for AnyEdge {}
impl<E> SameEdge<E> for AnyEdge {}

/// Has the compiler ask whether connections are plain.
#[doc(hidden)]
pub const fn plain_edge<E: PlainEdge>(_: PhantomData<E>) {}

/// Has the compiler ask whether connections are those of `F`.
#[doc(hidden)]
pub const fn same_edge<E: SameEdge<F>, F>(_: PhantomData<E>) {}

impl<E: Connection, T: DataModel> Children for Linked<E, T> {
    type Model = T::Bare;
    type Edge = E;
    const MANY: bool = false;
    fn add(
        &self,
        graph: &mut GraphBuilder,
        parent: NodeId,
        relation: Relation,
    ) -> Result<(), ModelError> {
        let child = self.to.build(graph)?;
        let mut properties = Vec::new();
        self.edge.add(&mut properties)?;
        graph.relate(parent, child, relation, properties);
        Ok(())
    }
    fn read(fetched: Option<&[Record]>, at: FieldPlace) -> Result<Self, ModelError> {
        let to = <T as Children>::read(fetched, at)?;
        let edge = fetched.and_then(|records| records.first()?.edge.as_deref());
        let edge = edge.ok_or_else(|| at.error(ModelErrorKind::NotFetched { field: at.field }))?;
        Ok(Self { edge: E::read(edge)?, to })
    }
}
