//! Reading objects by a model that the compiler does not know.

use serde_json::json;

use super::{
    QueryError,
    find::{Order, planned},
    plan::{Reading, Shape, Target},
};
use crate::{Constraint, Database, Dialect, ModelSchema, Record, database::ask};

/// A search for objects of a model that is known when the program runs: [`Find`](super::Find)
/// without its type.
///
/// They come in the order of their identity, so that pages are stable as long as nobody writes.
#[derive(Debug, Clone)]
#[must_use = "a search does nothing until it is run"]
pub struct Records {
    schema: &'static ModelSchema,
    constraint: Constraint,
    shape: Shape,
    dialect: Dialect,
}

impl Records {
    /// All objects of a model, without media, vectors and children.
    pub fn of(schema: &'static ModelSchema) -> Self {
        let shape = Shape { depth: 0, ..Shape::default() };
        let (constraint, dialect) = (Constraint::All(Vec::new()), Dialect::default());
        Self { schema, constraint, shape, dialect }
    }

    /// Only objects that pass.
    pub fn filter(mut self, constraint: Constraint) -> Self {
        self.constraint = self.constraint.and(constraint);
        self
    }

    /// Fetches pictures and other media as well.
    pub fn with_blobs(mut self) -> Self {
        self.shape.blobs = true;
        self
    }

    /// Fetches the vectors of embedding fields as well.
    pub fn with_vectors(mut self) -> Self {
        self.shape.vectors = true;
        self
    }

    /// Fetches children so many connections deep.
    pub fn depth(mut self, connections: usize) -> Self {
        self.shape.depth = connections;
        self
    }

    /// Writes the search in another dialect.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// At most `limit` objects after the first `offset`.
    ///
    /// # Errors
    /// When the database can't be asked, or refuses.
    pub async fn page(
        &self,
        db: &dyn Database,
        offset: u64,
        limit: u64,
    ) -> Result<Vec<Record>, QueryError> {
        let mut target = Target::all(self.schema);
        target.constraint = Ok(self.constraint.clone());
        let by = |property: &str| json!({"key": property, "order": "ascending"});
        let mut sort: Vec<_> = self.schema.ids().map(|field| by(field.property)).collect();
        if sort.is_empty() {
            sort.push(by("_uniqueid"));
        }
        let order = Order { sort, limit: Some(limit), offset };
        let (request, command, parts) = planned(target, self.shape, order, self.dialect)?;
        let (answers, blobs) = ask(db, request).await?;
        let reading = Reading { answers: &answers, blobs: &blobs };
        Ok(reading.records(self.schema.kind, command, &parts)?)
    }
}
