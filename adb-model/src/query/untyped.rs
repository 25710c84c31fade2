//! Searching without a model in the program: for command lines and other tools.

use std::cmp::Ordering;

use serde_json::{Map, Value as Json, json};

use super::{
    QueryError,
    plan::{self, Commands, PROPERTIES, Reading},
};
use crate::{
    Answer, Constraint, Database, Dialect, Metric, ObjectKind, Record, Request, StoredSchema,
    database::ask,
    embedding::check_vector,
    ensure::FoundSet,
    error::{ModelError, ModelErrorKind},
    graph::{USER_TYPE, vector_bytes},
};

/// How often a search is asked again with twice the neighbours, where several vectors of one object
/// took the places of others.
const AGAIN: usize = 4;

/// What vectors may describe: objects of one class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// What its objects are.
    pub kind: ObjectKind,
    /// The class of entities; of others the system's name, such as `_Image`.
    pub class: String,
}

impl Described {
    /// Objects of a class in GetSchema; nothing for classes that no command finds.
    #[must_use]
    pub fn class(name: &str) -> Option<Self> {
        Some(Self { kind: ObjectKind::of_stored_class(name)?, class: name.to_owned() })
    }

    /// All classes that the vectors of a database are joined to, and the vectors themselves last:
    /// one that is joined to nothing is an object of its own.
    #[must_use]
    pub fn all(schema: &StoredSchema) -> Vec<Self> {
        let vectors = ObjectKind::Descriptor.system_class();
        let mut all: Vec<Self> = Vec::new();
        for connection in &schema.connections {
            let (src, dst) = (Some(connection.src.as_str()), Some(connection.dst.as_str()));
            let other = match (src == vectors, dst == vectors) {
                (true, false) => &connection.dst,
                (false, true) => &connection.src,
                _ => continue,
            };
            all.extend(Self::class(other).filter(|one| !all.contains(one)));
        }
        all.extend(vectors.and_then(Self::class));
        all
    }

    /// What objects with this constraint are found by.
    fn select(&self, body: &mut Map<String, Json>, constraint: &Constraint, dialect: Dialect) {
        if self.kind == ObjectKind::Entity {
            body.insert("with_class".to_owned(), self.class.as_str().into());
        }
        if !constraint.is_everything() {
            body.insert("constraints".to_owned(), constraint.to_json(dialect));
        }
    }
}

/// A search by nearness for objects of any class.
///
/// With a constraint it is lowered as [`Nearest`](super::Nearest) is: the constraint finds objects,
/// and the search is among the vectors that are joined to them, so that as many are found as pass.
#[derive(Debug, Clone)]
pub struct NearestAny {
    set: FoundSet,
    metric: Metric,
    k: usize,
    among: Vec<Described>,
    constraint: Constraint,
    pictures: bool,
    dialect: Dialect,
}

/// An object of any class that was found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AnyHit {
    /// What the database measured.
    pub distance: f64,
    /// How it was measured.
    pub metric: Metric,
    /// What it is. A vector itself, if it is joined to nothing.
    pub kind: ObjectKind,
    /// Its class: an entity's, else its `user_type`, else the system's.
    pub class: String,
    /// The object.
    pub record: Record,
}

impl NearestAny {
    /// A search in a set for the `k` nearest objects of these classes.
    #[must_use]
    pub fn new(set: FoundSet, k: usize, among: Vec<Described>) -> Self {
        let metric = set.metrics.iter().find_map(|name| Metric::named(name));
        Self {
            metric: metric.unwrap_or(Metric::L2),
            set,
            k,
            among,
            constraint: Constraint::All(Vec::new()),
            pictures: false,
            dialect: Dialect::default(),
        }
    }

    /// Only objects that pass.
    #[must_use]
    pub fn filter(mut self, constraint: Constraint) -> Self {
        self.constraint = self.constraint.and(constraint);
        self
    }

    /// Fetches pictures as well, and the parts of pictures that regions are.
    #[must_use]
    pub fn with_pictures(mut self) -> Self {
        self.pictures = true;
        self
    }

    /// Writes the search in another dialect.
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Runs the search, with a vector of the embedder that fills the set: whose that is, is the
    /// caller's to see to. Answered in order of nearness.
    ///
    /// # Errors
    /// When the vector does not fit the set, or the database can't be asked.
    pub async fn fetch(
        &self,
        db: &dyn Database,
        vector: &[f32],
    ) -> Result<Vec<AnyHit>, QueryError> {
        check_vector(vector, self.set.dimensions)
            .map_err(|e| ModelError::new(self.set.name.clone(), ModelErrorKind::Embedding(e)))?;
        let mut neighbours = self.k;
        for _ in 0..AGAIN {
            let (hits, vectors) = self.nearest(db, vector, neighbours).await?;
            if hits.len() >= self.k || vectors < neighbours {
                return Ok(self.first(hits));
            }
            neighbours = neighbours.saturating_mul(2);
        }
        let (hits, _) = self.nearest(db, vector, neighbours).await?;
        Ok(self.first(hits))
    }

    fn first(&self, mut hits: Vec<AnyHit>) -> Vec<AnyHit> {
        hits.truncate(self.k);
        hits
    }

    /// The request that [`fetch`](Self::fetch) begins with.
    #[must_use]
    pub fn request(&self, vector: &[f32]) -> Request {
        self.plan(vector, self.k).0
    }

    /// The hits, and how many vectors the fullest of the searches gave.
    async fn nearest(
        &self,
        db: &dyn Database,
        vector: &[f32],
        neighbours: usize,
    ) -> Result<(Vec<AnyHit>, usize), QueryError> {
        let (request, searches) = self.plan(vector, neighbours);
        let (answers, blobs) = ask(db, request).await?;
        let reading = Reading { answers: &answers, blobs: &blobs };
        let mut found: Vec<AnyHit> = Vec::new();
        let mut vectors = 0;
        for search in &searches {
            let descriptors = Answer::at(&answers, search.descriptors)?;
            vectors = vectors.max(descriptors.entities().len());
            for descriptor in descriptors.entities().iter().filter_map(Json::as_object) {
                found.extend(self.described(&reading, search, descriptor)?);
            }
        }
        found.sort_by(|a, b| self.order(a.distance, b.distance));
        let mut hits: Vec<AnyHit> = Vec::new();
        for hit in found {
            // Two vectors of one object: the nearer one counts.
            if hits.iter().all(|known| known.record.unique_id() != hit.record.unique_id()) {
                hits.push(hit);
            }
        }
        Ok((hits, vectors))
    }

    /// Stable, so that what is equally near stays in the database's order.
    fn order(&self, a: f64, b: f64) -> Ordering {
        match self.metric {
            Metric::L2 => a.total_cmp(&b),
            _ => b.total_cmp(&a),
        }
    }

    fn described(
        &self,
        reading: &Reading<'_>,
        search: &Search,
        descriptor: &Map<String, Json>,
    ) -> Result<Vec<AnyHit>, QueryError> {
        let id = descriptor.get("_uniqueid").and_then(Json::as_str).unwrap_or_default();
        let distance = descriptor.get("_distance").and_then(Json::as_f64).unwrap_or(f64::NAN);
        let hit = |described: &Described, record: Record| AnyHit {
            distance,
            metric: self.metric,
            kind: described.kind,
            class: class_of(described, &record),
            record,
        };
        let mut hits = Vec::new();
        for (described, command) in &search.owners {
            let owners = reading.group(described.kind, *command, id, &[])?;
            hits.extend(owners.into_iter().map(|record| hit(described, record)));
        }
        if let Some(itself) = search.itself.as_ref().filter(|_| hits.is_empty()) {
            let record = Record::new(ObjectKind::Descriptor, descriptor, &[]);
            hits.push(hit(itself, record));
        }
        Ok(hits)
    }

    fn plan(&self, vector: &[f32], neighbours: usize) -> (Request, Vec<Search>) {
        let mut commands = Commands::new(self.dialect);
        let is_vector = |one: &&Described| one.kind == ObjectKind::Descriptor;
        let itself = self.among.iter().find(is_vector);
        let others = || self.among.iter().filter(|one| !is_vector(one));
        let mut searches = Vec::new();
        if self.constraint.is_everything() {
            let near = commands.reference();
            let descriptors = commands.push(self.search(neighbours, near));
            let owners = others().map(|one| (one.clone(), self.owners(&mut commands, one, near)));
            let owners = owners.collect();
            searches.push(Search { descriptors, owners, itself: itself.cloned() });
        } else {
            for one in others() {
                let among = commands.reference();
                let mut body = Map::new();
                one.select(&mut body, &self.constraint, self.dialect);
                body.insert("_ref".to_owned(), among.into());
                commands.push(plan::find(one.kind, body));
                let near = commands.reference();
                let mut search = self.search(neighbours, near);
                search["FindDescriptor"]["is_connected_to"] = json!({ "ref": among });
                search["FindDescriptor"]["knn_first"] = false.into();
                let descriptors = commands.push(search);
                let owners = vec![(one.clone(), self.owners(&mut commands, one, near))];
                searches.push(Search { descriptors, owners, itself: None });
            }
            if let Some(one) = itself {
                let near = commands.reference();
                let mut search = self.search(neighbours, near);
                search["FindDescriptor"]["constraints"] = self.constraint.to_json(self.dialect);
                search["FindDescriptor"]["knn_first"] = false.into();
                let descriptors = commands.push(search);
                searches.push(Search {
                    descriptors,
                    owners: Vec::new(),
                    itself: Some(one.clone()),
                });
            }
        }
        let vector = vector_bytes(vector);
        let request = searches
            .iter()
            .fold(commands.request(), |request, _| request.with_blob(vector.clone()));
        (request, searches)
    }

    fn search(&self, neighbours: usize, reference: u32) -> Json {
        json!({"FindDescriptor": {
            "_ref": reference, "set": self.set.name, "k_neighbors": neighbours,
            "metric": self.metric.wire_name(), "distances": true, "uniqueids": true,
            "labels": true, "results": {"all_properties": true},
        }})
    }

    fn owners(&self, commands: &mut Commands, one: &Described, near: u32) -> usize {
        let mut body = plan::fetched(one.kind, PROPERTIES);
        let is_picture =
            matches!(one.kind, ObjectKind::Image | ObjectKind::BoundingBox | ObjectKind::Polygon);
        if self.pictures && is_picture {
            body.insert("blobs".to_owned(), true.into());
        }
        one.select(&mut body, &self.constraint, self.dialect);
        body.insert("is_connected_to".to_owned(), json!({ "ref": near }));
        body.insert("group_by_source".to_owned(), true.into());
        commands.push(plan::find(one.kind, body))
    }
}

/// Where the answers of one search are.
struct Search {
    descriptors: usize,
    owners: Vec<(Described, usize)>,
    /// Whether a vector that describes nothing is a hit.
    itself: Option<Described>,
}

fn class_of(described: &Described, record: &Record) -> String {
    let user_type = record.properties().get(USER_TYPE).and_then(Json::as_str);
    match described.kind {
        ObjectKind::Entity => described.class.clone(),
        _ => user_type.unwrap_or(&described.class).to_owned(),
    }
}
