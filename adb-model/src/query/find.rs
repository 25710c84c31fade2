//! Searching by properties and connections.

use std::marker::PhantomData;

use serde_json::{Map, Value as Json, json};

use super::{
    Asks, Groups, Nearest, QueryError, groups,
    plan::{self, Commands, Reading, Shape, Target, Via},
};
use crate::{
    Answer, Children, Column, DataModel, Database, DescriptorSet, Dialect, Field, Filter, Link,
    Property, Request, Sort, database::ask, error::ModelError,
};

/// A search for objects of model `M`: begun by [`DataModel::find`], run by [`fetch`](Find::fetch),
/// or made a search by nearness by [`nearest`](Find::nearest).
#[derive(Debug)]
#[must_use = "a search does nothing until it is run"]
pub struct Find<M> {
    target: Target,
    pub(super) shape: Shape,
    pub(super) dialect: Dialect,
    sort: Vec<Sort<M>>,
    limit: Option<u64>,
    offset: u64,
    model: PhantomData<fn() -> M>,
}

impl<M: DataModel> Find<M> {
    pub(crate) fn new() -> Self {
        Self {
            target: Target::all(M::SCHEMA),
            shape: Shape::default(),
            dialect: Dialect::default(),
            sort: Vec::new(),
            limit: None,
            offset: 0,
            model: PhantomData,
        }
    }

    /// Only objects that pass. Several filters must all be passed.
    pub fn filter(mut self, filter: impl FnOnce(M::Columns) -> Filter<M>) -> Self {
        self.target.constraint = match (self.target.constraint, filter(M::columns()).constraint()) {
            (Ok(a), Ok(b)) => Ok(a.and(b)),
            (Err(e), _) | (_, Err(e)) => Err(e),
        };
        self
    }

    /// Only objects with a child among these.
    pub fn having<C: Children>(
        mut self,
        link: impl FnOnce(M::Columns) -> Link<M, C>,
        children: Find<C::Model>,
    ) -> Self {
        let relation = link(M::columns()).relation();
        self.target.edges.push(Via::new(relation, true, children.target));
        self
    }

    /// Only objects that are children of these.
    pub fn of<P: DataModel, C: Children<Model = M>>(
        mut self,
        link: impl FnOnce(P::Columns) -> Link<P, C>,
        parents: Find<P>,
    ) -> Self {
        let relation = link(P::columns()).relation();
        self.target.edges.push(Via::new(relation, false, parents.target));
        self
    }

    /// In this order; a second one decides among what the first leaves equal.
    pub fn sort(mut self, by: impl FnOnce(M::Columns) -> Sort<M>) -> Self {
        self.sort.push(by(M::columns()));
        self
    }

    /// At most so many.
    pub fn limit(mut self, objects: u64) -> Self {
        self.limit = Some(objects);
        self
    }

    /// Leaves out the first so many: pages are stable when the order is.
    pub fn offset(mut self, objects: u64) -> Self {
        self.offset = objects;
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

    /// Fetches children so many connections deep; 1 unless said otherwise. What lies deeper reads
    /// as an empty list, or as nothing.
    pub fn depth(mut self, connections: usize) -> Self {
        self.shape.depth = connections;
        self
    }

    /// Writes the search in another dialect.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// The `k` objects whose vectors in the set `S` are nearest to what is asked for.
    ///
    /// With a filter, these are the nearest among what passes it: `k` of them if so many pass.
    /// Sorting and limits of this search are not looked at: the order is that of nearness.
    ///
    /// What the set's embedder can't read is an error of the compiler: a text, say, in a set of
    /// pictures alone. Vectors can always be given.
    pub fn nearest<S: DescriptorSet>(self, query: impl Asks<S::Embedder>, k: usize) -> Nearest<M> {
        Nearest::new(S::SPEC, query.into(), k, self.target, self.shape, self.dialect)
    }

    /// What is to be changed: all that passes.
    pub(super) fn into_changed(self) -> Result<Target, QueryError> {
        match (self.limit, self.offset) {
            (None, 0) => Ok(self.target),
            _ => Err(QueryError::Limited),
        }
    }

    /// The objects.
    ///
    /// # Errors
    /// See [`QueryError`]. One object that can't be read fails all: a list without it would be
    /// wrong.
    pub async fn fetch(self, db: &dyn Database) -> Result<Vec<M>, QueryError> {
        let (request, command, parts) = self.plan()?;
        let (answers, blobs) = ask(db, request).await?;
        let reading = Reading { answers: &answers, blobs: &blobs };
        let records = reading.records(M::SCHEMA.kind, command, &parts)?;
        Ok(records.iter().map(M::read).collect::<Result<_, _>>()?)
    }

    /// The request that [`fetch`](Find::fetch) sends.
    ///
    /// # Errors
    /// When a filter compares with a value that the database can't hold.
    pub fn request(self) -> Result<Request, ModelError> {
        Ok(self.plan()?.0)
    }

    fn plan(self) -> Result<(Request, usize, Vec<plan::Part>), ModelError> {
        let order = Order {
            sort: self.sort.iter().map(sort_key).collect(),
            limit: self.limit,
            offset: self.offset,
        };
        planned(self.target, self.shape, order, self.dialect)
    }

    /// How many objects there are, whatever the limit.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn count(self, db: &dyn Database) -> Result<u64, QueryError> {
        let answers = self.aggregate(db, json!({"count": true})).await?;
        Ok(last(&answers)?.count())
    }

    /// The sum of a property; nothing if no object has it.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn sum<T>(
        self,
        db: &dyn Database,
        column: impl FnOnce(M::Columns) -> Column<M, T>,
    ) -> Result<Option<f64>, QueryError> {
        self.number(db, "sum", "_sum", column(M::columns()).property()).await
    }

    /// The mean of a property; nothing if no object has it.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn average<T>(
        self,
        db: &dyn Database,
        column: impl FnOnce(M::Columns) -> Column<M, T>,
    ) -> Result<Option<f64>, QueryError> {
        self.number(db, "average", "_avg", column(M::columns()).property()).await
    }

    /// The smallest value of a property; nothing if no object has it.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn min<T: Field<Stored: Property>>(
        self,
        db: &dyn Database,
        column: impl FnOnce(M::Columns) -> Column<M, T>,
    ) -> Result<Option<T::Stored>, QueryError> {
        self.extreme(db, "min", column(M::columns()).property()).await
    }

    /// The greatest value of a property; nothing if no object has it.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn max<T: Field<Stored: Property>>(
        self,
        db: &dyn Database,
        column: impl FnOnce(M::Columns) -> Column<M, T>,
    ) -> Result<Option<T::Stored>, QueryError> {
        self.extreme(db, "max", column(M::columns()).property()).await
    }

    /// In groups, one for each value of a property: for counts, sums and the like of each.
    pub fn group_by<K: Field<Stored: Property>>(
        self,
        column: impl FnOnce(M::Columns) -> Column<M, K>,
    ) -> Groups<M, K::Stored> {
        Groups::new(self, column(M::columns()).property())
    }

    async fn extreme<T: Property>(
        self,
        db: &dyn Database,
        what: &str,
        property: &'static str,
    ) -> Result<Option<T>, QueryError> {
        let answers = self.aggregate(db, json!({ what: [property] })).await?;
        let values = last(&answers)?.get(&format!("_{what}"));
        Ok(groups::read(property, values.and_then(|values| values.get(property)))?)
    }

    async fn number(
        self,
        db: &dyn Database,
        what: &str,
        key: &str,
        property: &str,
    ) -> Result<Option<f64>, QueryError> {
        let answers = self.aggregate(db, json!({ what: [property] })).await?;
        Ok(last(&answers)?.get(key).and_then(|values| values.get(property)?.as_f64()))
    }

    pub(super) async fn aggregate(
        self,
        db: &dyn Database,
        results: Json,
    ) -> Result<Vec<Json>, QueryError> {
        let mut commands = Commands::new(self.dialect);
        let mut body = Map::new();
        body.insert("results".to_owned(), results);
        commands.select(&mut body, self.target)?;
        commands.push(plan::find(M::SCHEMA.kind, body));
        Ok(ask(db, commands.request()).await?.0)
    }
}

pub(super) fn last(answers: &[Json]) -> Result<Answer<'_>, QueryError> {
    Ok(Answer::at(answers, answers.len().saturating_sub(1))?)
}

fn sort_key<M>(sort: &Sort<M>) -> Json {
    let order = if sort.descending { "descending" } else { "ascending" };
    json!({"key": sort.property, "order": order})
}

/// Which of the objects that pass are wanted, and in what order.
#[derive(Debug, Default)]
pub(super) struct Order {
    pub(super) sort: Vec<Json>,
    pub(super) limit: Option<u64>,
    pub(super) offset: u64,
}

/// The request that finds objects, where among its answers they are, and where what hangs on them.
pub(super) fn planned(
    target: Target,
    shape: Shape,
    order: Order,
    dialect: Dialect,
) -> Result<(Request, usize, Vec<plan::Part>), ModelError> {
    let schema = target.schema;
    let mut commands = Commands::new(dialect);
    let mut body = plan::fetched(schema.kind, shape);
    commands.select(&mut body, target)?;
    let reference = plan::has_parts(schema, shape).then(|| commands.reference());
    if let Some(reference) = reference {
        body.insert("_ref".to_owned(), reference.into());
    }
    if !order.sort.is_empty() {
        commands.shaping(&mut body, "sort", order.sort.into());
    }
    if let Some(limit) = order.limit {
        commands.shaping(&mut body, "limit", limit.into());
    }
    if order.offset > 0 {
        body.insert("offset".to_owned(), order.offset.into());
    }
    let command = commands.push(plan::find(schema.kind, body));
    let parts = match reference {
        Some(reference) => commands.parts(schema, reference, shape),
        None => Vec::new(),
    };
    Ok((commands.request(), command, parts))
}
