//! Upsert: a value becomes what the database holds, whether it was there before or not, and only
//! the difference is written.
//!
//! [`DataModel::upsert`] does it for one value. Its steps, for programs that bring many:
//! [`look_up`] what is there, compare ([`Stored::plan`]), make the vectors that are
//! [wanted](Graph::wanted), fetch what has to be kept ([`Plan::complete`]), write
//! ([`Lowering::push_upsert`]).

mod comparison;
mod difference;
mod lower;
mod plan;
mod replace;
mod stored;
mod tree;

use std::collections::HashMap;

use crate::{
    DataModel, Database, DbError, Dialect, EmbedError, EmbedInput, Embedder, Graph, Lowering,
    NodeId, SetSpec,
    database::ask,
    embedder::only_vector,
    ensure::{EnsureError, FilledBy, check_fillers},
    error::{ModelError, ModelErrorKind},
};

pub use difference::Difference;
pub use plan::{Outcome, Plan};
pub use replace::Connections;
pub use stored::{Stored, look_up};

/// Why a value did not go in. Nothing of it did.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpsertError {
    /// The database could not be asked, or refused.
    #[error(transparent)]
    Database(#[from] DbError),
    /// A vector could not be made.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// The database can't hold the value, or something that is needed has not been read.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The set holds another embedder's vectors.
    #[error(transparent)]
    Set(#[from] EnsureError),
    /// Nobody is there to make a vector.
    #[error(
        "a vector of the set `{set}` has to be made, and there is no embedder: give one to `upsert().embedder(…)`, or give the value its vector"
    )]
    NoEmbedder {
        /// The set's name.
        set: &'static str,
    },
    /// Parts of other models would be lost.
    #[error(
        "`{class}` has other bytes now and must be replaced, and {parts} regions, clips or frames on it are of models that this one does not know: they would be lost; delete them first, or make them children of this model"
    )]
    ForeignParts {
        /// The object's class.
        class: String,
        /// How many there are.
        parts: usize,
    },
    /// Someone else changed the database meanwhile.
    #[error("`{class}` was changed by someone else meanwhile; try again")]
    Moved {
        /// The object's class.
        class: String,
    },
}

impl UpsertError {
    /// Whether another attempt can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            UpsertError::Database(e) => e.is_transient(),
            UpsertError::Set(e) => e.is_transient(),
            UpsertError::Moved { .. } => true,
            _ => false,
        }
    }
}

/// A value on its way into a database: begun by [`DataModel::upsert`], carried out by
/// [`write`](Upsert::write).
#[must_use = "nothing is written until `write` is called"]
pub struct Upsert<'v, M> {
    value: &'v M,
    embedder: Option<&'v dyn Embedder>,
    by_set: HashMap<String, &'v dyn Embedder>,
    dialect: Dialect,
}

impl<M> std::fmt::Debug for Upsert<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upsert").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}

/// What an upsert did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Upserted {
    /// What became of the value.
    pub outcome: Outcome,
    /// In which respects the database held it otherwise.
    pub differences: Vec<Difference>,
    /// Vectors that were made.
    pub embedded: usize,
}

impl<'v, M: DataModel> Upsert<'v, M> {
    pub(crate) fn new(value: &'v M) -> Self {
        Self { value, embedder: None, by_set: HashMap::new(), dialect: Dialect::default() }
    }

    /// Lets `embedder` make the vectors of every set that has none of its own.
    pub fn embedder(mut self, embedder: &'v dyn Embedder) -> Self {
        self.embedder = Some(embedder);
        self
    }

    /// Lets `embedder` make the vectors of one set.
    pub fn embedder_for(mut self, set: impl Into<String>, embedder: &'v dyn Embedder) -> Self {
        self.by_set.insert(set.into(), embedder);
        self
    }

    /// Writes the commands in another dialect.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Brings the value in.
    ///
    /// One that is not there is added, with its children. Of one that is there, properties that
    /// differ are set and those that are `None` now removed; children are added and connected,
    /// connections that hold no longer taken away, while the children themselves stay, since
    /// others may share them; regions, clips, frames and pictures that are gone are deleted. Of
    /// children, properties that the value has are set and others kept. A picture with other bytes
    /// is replaced: deleted and added anew in one request, with its vectors, its regions and all
    /// its connections, those that others have made included. Only vectors whose source has
    /// changed are made anew; one that is given is written if it differs.
    ///
    /// Media that are not given as bytes are taken for unchanged if the stored ones came from the
    /// same place. The sets must be there: see [`ensure`](crate::ensure()).
    ///
    /// # Errors
    /// See [`UpsertError`].
    pub async fn write(self, db: &dyn Database) -> Result<Upserted, UpsertError> {
        let mut graph = self.value.graph()?;
        let stored = look_up(db, M::SCHEMA, &mut [&mut graph]).await?.pop().unwrap_or_default();
        let identity = |set: &SetSpec| self.of(set).map(Embedder::identity);
        let mut plan = stored.plan(&mut graph, M::SCHEMA, identity)?;
        self.check_sets(db, &graph).await?;
        let embedded = self.embed(&mut graph, &mut plan)?;
        if plan.replaces() {
            let connections = Connections::of(db, M::SCHEMA).await?;
            plan.complete(db, &mut graph, &connections).await?;
        }
        let mut lowering = Lowering::with_dialect(self.dialect);
        if !lowering.push_upsert(&graph, &plan)?.is_empty() {
            ask(db, lowering.finish()).await?;
        }
        let (outcome, differences) = (plan.outcome(), plan.differences().to_vec());
        Ok(Upserted { outcome, differences, embedded })
    }

    fn of(&self, set: &SetSpec) -> Option<&'v dyn Embedder> {
        self.by_set.get(set.name).copied().or(self.embedder)
    }

    /// Refuses embedders that are not those of the sets which their vectors would go into.
    async fn check_sets(&self, db: &dyn Database, graph: &Graph) -> Result<(), UpsertError> {
        let mut fillers: Vec<(&'static str, FilledBy)> = Vec::new();
        for (_, set, _) in graph.wanted()? {
            if let Some(embedder) = self.of(&set)
                && !fillers.iter().any(|(name, _)| *name == set.name)
            {
                fillers.push((set.name, FilledBy::of(Some(embedder.identity()))));
            }
        }
        Ok(check_fillers(db, &fillers).await?)
    }

    /// Makes the vectors that are wanted.
    fn embed(&self, graph: &mut Graph, plan: &mut Plan) -> Result<usize, UpsertError> {
        let wanted: Vec<(NodeId, SetSpec, EmbedInput)> =
            graph.wanted()?.into_iter().map(|(id, set, input)| (id, set, input.clone())).collect();
        let mut made = wanted.len();
        for (id, set, input) in wanted {
            let embedder = self.of(&set).ok_or(UpsertError::NoEmbedder { set: set.name })?;
            let unread = |media: &crate::MediaSource| {
                let class = graph.nodes()[id.index()].class.clone();
                ModelError::new(class, ModelErrorKind::unread(media))
            };
            let vectors = match &input {
                EmbedInput::Text(text) => embedder.embed_texts(&[text])?,
                EmbedInput::Image(media) => {
                    let bytes = media.loaded().ok_or_else(|| unread(media))?;
                    embedder.embed_images(&[embedder.prepare_image(bytes, None)?])?
                }
                EmbedInput::Region(media, rect) => {
                    let bytes = media.loaded().ok_or_else(|| unread(media))?;
                    embedder.embed_images(&[embedder.prepare_image(bytes, Some(*rect))?])?
                }
                EmbedInput::Face(media, otherwise) => {
                    let bytes = media.loaded().ok_or_else(|| unread(media))?;
                    match embedder.prepare_face(bytes, *otherwise, None)?.into_image() {
                        Some(image) => embedder.embed_images(&[image])?,
                        None if plan.leave_out(graph, id) => {
                            made -= 1;
                            continue;
                        }
                        None => return Err(EmbedError::NoFace.into()),
                    }
                }
                EmbedInput::OwnRegion => Vec::new(),
            };
            graph.fill(id, only_vector(vectors, embedder)?)?;
        }
        Ok(made)
    }
}
