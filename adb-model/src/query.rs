//! Searching: from a model and a text, picture or vector to the nearest objects, in one round
//! trip.

use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json, json};

use crate::{
    Answer, DataModel, Database, DbError, DescriptorSet, EmbedError, Embedder, Metric, ObjectKind,
    Request, SetSpec,
    embedding::check_vector,
    ensure::{EnsureError, FilledBy, check_filler, find_set, read_set},
    error::{ModelError, ModelErrorKind},
    graph::{USER_TYPE, vector_bytes},
};

/// Why a search has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The database could not be asked, or refused.
    #[error(transparent)]
    Database(#[from] DbError),
    /// The query could not be embedded.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The set holds another embedder's vectors.
    #[error(transparent)]
    Set(#[from] EnsureError),
    /// The query's vector does not fit the set.
    #[error(transparent)]
    Vector(#[from] ModelError),
    /// There is no such set: nothing has been ingested yet.
    #[error("the database has no descriptor set `{0}`; ingest something first")]
    NoSet(&'static str),
    /// A property of a hit is not what the caller took it for.
    #[error("property `{property}` of a hit: {message}")]
    Property {
        /// Its name.
        property: String,
        /// Why it can't be read.
        message: String,
    },
}

impl QueryError {
    /// Whether another attempt can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            QueryError::Database(e) => e.is_transient(),
            QueryError::Set(e) => e.is_transient(),
            _ => false,
        }
    }
}

/// Begins a search for objects of model `M`.
#[derive(Debug)]
pub struct Find<M>(PhantomData<fn() -> M>);

impl<M: DataModel> Find<M> {
    /// All of `M`.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is begun through `M::find()`")]
    pub fn new() -> Self {
        Self(PhantomData)
    }

    /// The `k` objects whose vectors in the set `S` are nearest to what is asked for next.
    #[must_use]
    pub fn nearest<S: DescriptorSet>(self, query: impl Into<Query>, k: usize) -> Nearest<M> {
        Nearest { set: S::SPEC, query: query.into(), k, model: PhantomData }
    }
}

/// What nearness is measured to.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Query {
    /// A text, for the set's embedder.
    Text(String),
    /// An encoded picture, for the set's embedder.
    Image(Bytes),
    /// A vector that the caller made.
    Vector(Vec<f32>),
}

impl From<&str> for Query {
    fn from(text: &str) -> Self {
        Query::Text(text.to_owned())
    }
}

impl From<String> for Query {
    fn from(text: String) -> Self {
        Query::Text(text)
    }
}

impl From<Vec<f32>> for Query {
    fn from(vector: Vec<f32>) -> Self {
        Query::Vector(vector)
    }
}

/// A search by nearness, ready to run.
#[derive(Debug)]
pub struct Nearest<M> {
    set: SetSpec,
    query: Query,
    k: usize,
    model: PhantomData<fn() -> M>,
}

impl<M: DataModel> Nearest<M> {
    /// Runs the search: one request, answered in order of nearness.
    ///
    /// Vectors of another embedder than the set's own are refused, since nearness to them has no
    /// meaning.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn fetch(
        &self,
        db: &dyn Database,
        embedder: &dyn Embedder,
    ) -> Result<Vec<Hit>, QueryError> {
        let filler = match &self.query {
            Query::Vector(_) => None,
            _ => Some(FilledBy::of(Some(embedder.identity()))),
        };
        let vector = match &self.query {
            Query::Text(text) => first(embedder.embed_texts(&[text])?, embedder)?,
            Query::Image(bytes) => {
                first(embedder.embed_images(vec![embedder.prepare_image(bytes)?])?, embedder)?
            }
            Query::Vector(v) => v.clone(),
        };
        self.run(db, &vector, filler).await
    }

    /// Runs the search with a vector that the caller made, whatever the query was.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn fetch_by(
        &self,
        db: &dyn Database,
        vector: &[f32],
    ) -> Result<Vec<Hit>, QueryError> {
        self.run(db, vector, None).await
    }

    async fn run(
        &self,
        db: &dyn Database,
        vector: &[f32],
        filler: Option<FilledBy>,
    ) -> Result<Vec<Hit>, QueryError> {
        let request = self.request(vector)?;
        let response = db.execute(request).await?;
        let (answers, _) = match response.done() {
            Ok(done) => done,
            // The commands name the set, so a database without it refuses all of them: ask again
            // for the set alone before that is called an error.
            Err(refusal) => {
                return Err(match crate::ensure::inspect_set(db, self.set.name).await? {
                    None => QueryError::NoSet(self.set.name),
                    Some(_) => QueryError::Database(refusal.into()),
                });
            }
        };
        let found = read_set(self.set.name, &Answer::at(&answers, 0)?)
            .ok_or(QueryError::NoSet(self.set.name))?;
        if let Some(filler) = filler {
            check_filler(&found, &filler)?;
        }
        Ok(self.read(&Answer::at(&answers, 1)?, &Answer::at(&answers, 2)?))
    }

    /// The set (whose vectors are these?), the nearest descriptors, and the objects that they
    /// describe.
    fn request(&self, vector: &[f32]) -> Result<Request, ModelError> {
        check_vector(vector, self.set.dimensions)
            .map_err(|e| ModelError::new(self.set.name, ModelErrorKind::Embedding(e)))?;
        let schema = M::SCHEMA;
        let mut owner = json!({
            "is_connected_to": {"ref": 1}, "group_by_source": true, "uniqueids": true,
            "results": {"all_properties": true},
        });
        if schema.kind == ObjectKind::Entity {
            owner["with_class"] = json!(schema.class);
        } else {
            owner["constraints"] = json!({ USER_TYPE: ["==", schema.class] });
        }
        let commands = json!([
            find_set(self.set.name),
            {"FindDescriptor": {
                "_ref": 1, "set": self.set.name, "k_neighbors": self.k,
                "metric": self.set.metric.wire_name(), "distances": true, "uniqueids": true,
            }},
            { format!("Find{}", schema.kind.command_suffix()): owner },
        ]);
        Ok(Request::json(&commands).with_blob(vector_bytes(vector)))
    }

    /// Joins descriptors and objects by unique id, keeping the order of nearness.
    fn read(&self, descriptors: &Answer<'_>, owners: &Answer<'_>) -> Vec<Hit> {
        let groups = owners.get("entities").and_then(Json::as_object);
        let mut hits: Vec<Hit> = Vec::new();
        for descriptor in descriptors.entities() {
            let Some(id) = descriptor.get("_uniqueid").and_then(Json::as_str) else { continue };
            let distance = descriptor.get("_distance").and_then(Json::as_f64).unwrap_or(f64::NAN);
            let objects = groups.and_then(|g| g.get(id)).and_then(Json::as_array);
            for object in objects.into_iter().flatten().filter_map(Json::as_object) {
                let mut properties = object.clone();
                let unique_id = match properties.shift_remove("_uniqueid") {
                    Some(Json::String(id)) => id,
                    _ => String::new(),
                };
                // Two vectors of one object: the nearer one counts.
                if hits.iter().all(|h| h.unique_id != unique_id) {
                    hits.push(Hit { distance, metric: self.set.metric, unique_id, properties });
                }
            }
        }
        hits
    }
}

fn first(vectors: Vec<Vec<f32>>, embedder: &dyn Embedder) -> Result<Vec<f32>, EmbedError> {
    vectors.into_iter().next().ok_or_else(|| EmbedError::Inference {
        embedder: embedder.identity().name.clone(),
        message: "it gave no vector".to_owned(),
    })
}

/// An object that was found.
#[derive(Debug, Clone)]
pub struct Hit {
    /// What the database measured: see [`Metric`] for which way is nearer.
    pub distance: f64,
    /// How it was measured.
    pub metric: Metric,
    /// The object's unique id.
    pub unique_id: String,
    /// Its properties.
    pub properties: Map<String, Json>,
}

impl Hit {
    /// A property; nothing if the object lacks it.
    ///
    /// # Errors
    /// When it has another type.
    pub fn get<T: DeserializeOwned>(&self, property: &str) -> Result<Option<T>, QueryError> {
        self.properties
            .get(property)
            .filter(|v| !v.is_null())
            .map(T::deserialize)
            .transpose()
            .map_err(|e: serde_json::Error| QueryError::Property {
                property: property.to_owned(),
                message: e.to_string(),
            })
    }
}
