//! A second descriptor set beside a first one, by another embedder.

use adb_model::{
    Engine, Metric, ModelSchema, SetSpec,
    enrich::Missing,
    ensure::{FilledBy, ensure_set, inspect_set},
};

use super::{Ingest, Report, Run, run::ThisRun};
use crate::{Error, ErrorKind, MediaRoot};

/// What [`Ingest::reembed`] reads and fills.
#[derive(Debug, Clone)]
#[must_use = "it says what to do; `Ingest::reembed` does it"]
pub struct Reembed {
    from: String,
    to: String,
    metric: Option<Metric>,
    engine: Option<Engine>,
    schema: Option<&'static ModelSchema>,
}

impl Reembed {
    /// From the set `from` into the set `to`, which is made if it is not there: with the metric of
    /// the first one, searched by `HNSW`.
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Self {
        Self { from: from.into(), to: to.into(), metric: None, engine: None, schema: None }
    }

    /// Measures nearness in the second set another way.
    pub fn metric(mut self, metric: Metric) -> Self {
        self.metric = Some(metric);
        self
    }

    /// Searches the second set another way.
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Names a model that fills the first set, itself or by its children. It is needed for vectors
    /// that were made from texts, and for those of entities: without a model, a descriptor is known
    /// to be made from the image that it hangs on, or from the box in an image.
    pub fn model(mut self, schema: &'static ModelSchema) -> Self {
        self.schema = Some(schema);
        self
    }
}

impl Ingest {
    /// Fills a second descriptor set: for each descriptor of the first one, the picture is read
    /// from the database that it hangs on, and embedded by the second set's embedder. What comes
    /// of it hangs on the same object, with the same label and properties. Descriptors of the first
    /// set count as rows of the report: as `added` those that the second set got one for, as
    /// `existed` those that it had one for.
    ///
    /// The first set stays as it is; models that are told to use the second one find in it what
    /// they would have put there. A second run goes on where the first one ended.
    ///
    /// # Errors
    /// When it can't start. What stops it on the way is in
    /// [`Report::broken_off`].
    pub async fn reembed(self, reembed: Reembed) -> Result<Report, Error> {
        let name = format!("reembed {} into {}", reembed.from, reembed.to);
        let this = ThisRun::new(name, reembed.schema, self.existing);
        let run = Run::begin(self, this, MediaRoot::new("."), None, None, None);
        let context = run.context.clone();
        let no_source = |why: &str| {
            Error::from(ErrorKind::NoSource { set: reembed.from.clone(), why: why.into() })
        };
        if reembed.from == reembed.to {
            return Err(no_source("it is the one to be filled; name another"));
        }
        let from = inspect_set(&context.db, &reembed.from).await?;
        let from = from.ok_or_else(|| no_source("the database has none of that name"))?;
        let mut to = SetSpec::named(&reembed.to);
        to.metric = match reembed.metric {
            Some(metric) => metric,
            None => from.metrics.iter().find_map(|m| Metric::named(m)).unwrap_or(Metric::Cosine),
        };
        to.engine = reembed.engine.unwrap_or(Engine::Hnsw);
        let embedder = context
            .embedders
            .of(&to)
            .ok_or_else(|| ErrorKind::NoEmbedder { set: reembed.to.clone() })?;
        let identity = embedder.identity();
        to.dimensions = identity.dimensions;
        ensure_set(context.dialect, &context.db, &to, &FilledBy::of(Some(identity))).await?;
        let missing = Missing::of_set(&reembed.from, to, reembed.schema);
        run.over(vec![missing]).await
    }
}
