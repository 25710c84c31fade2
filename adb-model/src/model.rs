//! A data model: what `#[derive(DataModel)]` makes of a struct.

use std::sync::Arc;

use crate::{
    Graph, GraphBuilder, ModelError, ModelSchema, NodeId, Record, query::Find, upsert::Upsert,
};

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
    fn find() -> Find<Self> {
        Find::new()
    }

    /// Begins to bring this value into a database, whether it is there or not: what is there and
    /// the same stays as it is, what differs is changed.
    fn upsert(&self) -> Upsert<'_, Self> {
        Upsert::new(self)
    }

    /// The graph of this value alone.
    ///
    /// # Errors
    /// When the database can't hold a value.
    fn graph(&self) -> Result<Graph, ModelError> {
        self.graph_in(GraphBuilder::new())
    }

    /// The graph of this value in a builder that knows more, such as
    /// [for a row](GraphBuilder::for_row).
    ///
    /// # Errors
    /// When the database can't hold a value.
    fn graph_in(&self, mut builder: GraphBuilder) -> Result<Graph, ModelError> {
        self.build(&mut builder)?;
        Ok(builder.finish())
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
