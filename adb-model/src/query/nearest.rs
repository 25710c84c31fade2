//! Searching by nearness.

use std::marker::PhantomData;

use serde_json::{Map, Value as Json, json};

use super::{
    Query, QueryError,
    plan::{self, Commands, Part, Reading, Shape, Target},
};
use crate::{
    Answer, Constraint, DataModel, Database, Dialect, EmbedError, Embedder, FieldRole, Metric,
    ModelSchema, NoFace, Record, Request, SetSpec,
    answer::unique_id,
    embedder::only_vector,
    embedding::check_vector,
    ensure::{FilledBy, check_filler, find_set, read_set},
    error::{ModelError, ModelErrorKind},
    graph::{USER_TYPE, vector_bytes},
};

/// A search by nearness, ready to run.
#[derive(Debug)]
#[must_use = "a search does nothing until it is run"]
pub struct Nearest<M> {
    set: SetSpec,
    query: Query,
    k: usize,
    target: Target,
    shape: Shape,
    dialect: Dialect,
    own_only: bool,
    model: PhantomData<fn() -> M>,
}

/// An object that was found.
#[derive(Debug, Clone)]
pub struct Hit<M> {
    /// What the database measured: see [`Metric`] for which way is nearer.
    pub distance: f64,
    /// How it was measured.
    pub metric: Metric,
    /// The object's unique id.
    pub unique_id: String,
    /// The object.
    pub value: M,
}

/// The request of a search, and where its answers are.
struct Plan {
    request: Request,
    /// How many descriptors it asks for.
    neighbours: usize,
    set: usize,
    descriptors: usize,
    /// Where what they describe is; nothing if the descriptors themselves are what is wanted.
    owners: Option<usize>,
    parts: Vec<Part>,
}

impl<M: DataModel> Nearest<M> {
    pub(super) fn new(
        set: SetSpec,
        query: Query,
        k: usize,
        target: Target,
        shape: Shape,
        dialect: Dialect,
    ) -> Self {
        Self { set, query, k, target, shape, dialect, own_only: false, model: PhantomData }
    }

    /// Fetches pictures and other media as well.
    pub fn with_blobs(mut self) -> Self {
        self.shape.blobs = true;
        self
    }

    /// Looks among the vectors of this model alone from the start.
    ///
    /// A set may hold vectors of several models. A search without a filter takes the nearest of
    /// them all, which costs least, and is asked again among this model's own where the others
    /// took so many places that hits are missing. This saves the first attempt. With a filter it
    /// changes nothing.
    pub fn among_own(mut self) -> Self {
        self.own_only = true;
        self
    }

    /// Runs the search: one request, two if other models' vectors took the places of hits;
    /// answered in order of nearness.
    ///
    /// Vectors of another embedder than the set's own are refused, since nearness to them has no
    /// meaning.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn fetch(
        self,
        db: &dyn Database,
        embedder: &dyn Embedder,
    ) -> Result<Vec<Hit<M>>, QueryError> {
        let filler = match &self.query {
            Query::Vector(_) => None,
            _ => Some(FilledBy::of(Some(embedder.identity()))),
        };
        let vector = match &self.query {
            Query::Text(text) => only_vector(embedder.embed_texts(&[text])?, embedder)?,
            Query::Image(bytes) => {
                let prepared = match self.face() {
                    None => embedder.prepare_image(bytes, None)?,
                    Some(otherwise) => embedder
                        .prepare_face(bytes, otherwise, None)?
                        .into_image()
                        .ok_or(EmbedError::NoFace)?,
                };
                only_vector(embedder.embed_images(&[prepared])?, embedder)?
            }
            Query::Vector(v) => v.clone(),
        };
        self.run(db, &vector, filler).await
    }

    /// Whether this model has faces of pictures in the set: then one is looked for in the query,
    /// too.
    fn face(&self) -> Option<NoFace> {
        M::SCHEMA.fields.iter().find_map(|field| match field.role {
            FieldRole::Embedding { set, face, .. } if set.name == self.set.name => face,
            _ => None,
        })
    }

    /// Runs the search with a vector that the caller made, whatever the query was.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn fetch_by(
        self,
        db: &dyn Database,
        vector: &[f32],
    ) -> Result<Vec<Hit<M>>, QueryError> {
        self.run(db, vector, None).await
    }

    /// The request that a search with this vector sends.
    ///
    /// # Errors
    /// When the vector does not fit the set, or a filter compares with a value that the database
    /// can't hold.
    pub fn request(self, vector: &[f32]) -> Result<Request, ModelError> {
        Ok(self.plan(vector)?.request)
    }

    async fn run(
        self,
        db: &dyn Database,
        vector: &[f32],
        filler: Option<FilledBy>,
    ) -> Result<Vec<Hit<M>>, QueryError> {
        let (set, k) = (self.set, self.k);
        let may_be_shared = !self.own_only && self.target.is_everything();
        let again = may_be_shared.then(|| Self {
            target: Target::all(M::SCHEMA),
            query: Query::Vector(Vec::new()),
            own_only: true,
            ..self
        });
        let plan = self.plan(vector)?;
        let found = answered::<M>(db, set, &plan, filler).await?;
        match again {
            // The set has more, and not all that it gave is this model's.
            Some(again) if found.hits.len() < k && found.descriptors >= plan.neighbours => {
                let plan = again.plan(vector)?;
                Ok(answered::<M>(db, set, &plan, None).await?.first(k))
            }
            _ => Ok(found.first(k)),
        }
    }

    /// The set (whose vectors are these?); the objects that pass, if not all do; the nearest
    /// descriptors; the objects that they describe.
    ///
    /// A server's KNN searches first and filters after unless told otherwise, and its constraints
    /// see the descriptor's own properties only. So the filter finds the objects, and the search
    /// is among the descriptors that are connected to them.
    fn plan(self, vector: &[f32]) -> Result<Plan, ModelError> {
        check_vector(vector, self.set.dimensions)
            .map_err(|e| ModelError::new(self.set.name, ModelErrorKind::Embedding(e)))?;
        let schema = M::SCHEMA;
        let mut commands = Commands::new(self.dialect);
        let set = commands.push(find_set(self.set.name));
        if schema.own_vector().is_some() {
            return self.plan_descriptors(vector, commands, set);
        }
        let among = if self.target.is_everything() {
            None
        } else {
            let mut body = Map::new();
            commands.select(&mut body, self.target)?;
            let reference = commands.reference();
            body.insert("_ref".to_owned(), reference.into());
            commands.push(plan::find(schema.kind, body));
            Some(reference)
        };
        let near = commands.reference();
        let own = own_classes(schema, &self.set);
        // An object has as many vectors in the set as fields that fill it: so many must be asked
        // for to be sure of k objects.
        let neighbours = self.k.saturating_mul(own.len().max(1));
        let mut search = json!({
            "_ref": near, "set": self.set.name, "k_neighbors": neighbours,
            "metric": self.set.metric.wire_name(), "distances": true, "uniqueids": true,
        });
        if let Some(reference) = among {
            search["is_connected_to"] = json!({ "ref": reference });
            search["knn_first"] = false.into();
        } else if self.own_only {
            let own = Constraint::one_of(USER_TYPE, own.into_iter().map(Into::into));
            search["constraints"] = own.to_json(self.dialect);
            search["knn_first"] = false.into();
        }
        let descriptors = commands.push(json!({ "FindDescriptor": search }));
        let mut body = plan::fetched(schema.kind, self.shape);
        body.insert("is_connected_to".to_owned(), json!({ "ref": near }));
        body.insert("group_by_source".to_owned(), true.into());
        commands.of_model(&mut body, schema, Constraint::All(Vec::new()));
        let own = plan::has_parts(schema, self.shape).then(|| commands.reference());
        if let Some(own) = own {
            body.insert("_ref".to_owned(), own.into());
        }
        let owners = commands.push(plan::find(schema.kind, body));
        let parts = match own {
            Some(own) => commands.parts(schema, own, self.shape),
            None => Vec::new(),
        };
        let request = commands.request().with_blob(vector_bytes(vector));
        Ok(Plan { request, neighbours, set, descriptors, owners: Some(owners), parts })
    }

    /// Where the descriptors themselves are the model's objects, one command finds them: the
    /// nearest among those of its class that pass.
    fn plan_descriptors(
        self,
        vector: &[f32],
        mut commands: Commands,
        set: usize,
    ) -> Result<Plan, ModelError> {
        let schema = M::SCHEMA;
        let mut body = plan::fetched(schema.kind, self.shape);
        commands.select(&mut body, self.target)?;
        body.insert("set".to_owned(), self.set.name.into());
        body.insert("k_neighbors".to_owned(), self.k.into());
        body.insert("metric".to_owned(), self.set.metric.wire_name().into());
        body.insert("distances".to_owned(), true.into());
        body.insert("knn_first".to_owned(), false.into());
        let own = plan::has_parts(schema, self.shape).then(|| commands.reference());
        if let Some(own) = own {
            body.insert("_ref".to_owned(), own.into());
        }
        let descriptors = commands.push(plan::find(schema.kind, body));
        let parts = match own {
            Some(own) => commands.parts(schema, own, self.shape),
            None => Vec::new(),
        };
        let request = commands.request().with_blob(vector_bytes(vector));
        Ok(Plan { request, neighbours: self.k, set, descriptors, owners: None, parts })
    }
}

/// The classes of the descriptors that a model's fields put into a set.
fn own_classes(schema: &ModelSchema, set: &SetSpec) -> Vec<String> {
    let fields = schema.fields.iter().filter(
        |field| matches!(field.role, FieldRole::Embedding { set: of, .. } if of.name == set.name),
    );
    fields.map(|field| plan::descriptors(schema, field).1.into_owned()).collect()
}

/// What a search found.
struct Found<M> {
    hits: Vec<Hit<M>>,
    /// How many vectors the database gave.
    descriptors: usize,
}

impl<M> Found<M> {
    fn first(mut self, k: usize) -> Vec<Hit<M>> {
        self.hits.truncate(k);
        self.hits
    }
}

async fn answered<M: DataModel>(
    db: &dyn Database,
    set: SetSpec,
    plan: &Plan,
    filler: Option<FilledBy>,
) -> Result<Found<M>, QueryError> {
    let response = db.execute(plan.request.clone()).await?;
    let (answers, blobs) = match response.done() {
        Ok(done) => done,
        // The commands name the set, so a database without it refuses all of them: ask again
        // for the set alone before that is called an error.
        Err(refusal) => {
            return Err(match crate::ensure::inspect_set(db, set.name).await? {
                None => QueryError::NoSet(set.name),
                Some(_) => QueryError::Database(refusal.into()),
            });
        }
    };
    let found =
        read_set(set.name, &Answer::at(&answers, plan.set)?).ok_or(QueryError::NoSet(set.name))?;
    if let Some(filler) = filler {
        check_filler(&found, &filler)?;
    }
    let reading = Reading { answers: &answers, blobs: &blobs };
    let descriptors = Answer::at(&answers, plan.descriptors)?.entities().len();
    Ok(Found { hits: hits(set.metric, &reading, plan)?, descriptors })
}

/// Joins descriptors and objects by unique id, keeping the order of nearness.
fn hits<M: DataModel>(
    metric: Metric,
    reading: &Reading<'_>,
    plan: &Plan,
) -> Result<Vec<Hit<M>>, QueryError> {
    let descriptors = Answer::at(reading.answers, plan.descriptors)?;
    let mut hits: Vec<Hit<M>> = Vec::new();
    for descriptor in descriptors.entities() {
        let Some(id) = unique_id(descriptor) else { continue };
        let distance = descriptor.get("_distance").and_then(Json::as_f64).unwrap_or(f64::NAN);
        let owners: Vec<Record> = match plan.owners {
            Some(owners) => reading.group(M::SCHEMA.kind, owners, id, &plan.parts)?,
            None => reading.each(M::SCHEMA.kind, std::slice::from_ref(descriptor), &plan.parts)?,
        };
        for owner in owners {
            // Two vectors of one object: the nearer one counts.
            if hits.iter().all(|h| h.unique_id != owner.unique_id) {
                let value = M::read(&owner)?;
                hits.push(Hit { distance, metric, unique_id: owner.unique_id, value });
            }
        }
    }
    Ok(hits)
}
