//! Fields that hold other models: children, and how they are joined to their parent.

use crate::{
    DataModel, FieldPlace, GraphBuilder, ModelError, ModelErrorKind, ModelSchema, NodeId, Record,
    Relation,
};

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
