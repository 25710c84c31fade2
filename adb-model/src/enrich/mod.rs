//! Objects that are stored already, and what they lack: found some at a time, made up for by whoever
//! runs embedders and makers.
//!
//! [`Walk`] gives the ids of all objects there are to look at; [`Missing`] looks some of them up and
//! says what each needs; [`fetch_blobs`] gets the pictures for that; what a [`Draft`] then makes is a
//! [`Graph`] of an object that exists and of parts that don't yet, to be made, embedded and
//! [lowered](crate::Lowering) as any other. Every part is guarded by an identity that follows from
//! the object's, so that two who do this at once, or one who does it again, make it once.

mod blobs;
mod of_model;
mod of_set;
mod walk;

use std::fmt;

use crate::{Database, DbError, Dialect, Graph, ModelSchema, SetSpec, kept::kept};

pub use blobs::{Blobs, fetch_blobs};
pub use walk::Walk;

/// What is to be made for stored objects.
#[derive(Debug, Clone, Copy)]
pub enum Missing {
    /// What one model declares of its own objects: descriptors that are made from a field, and
    /// children that a maker makes. Those of its children are missing from these.
    OfModel {
        /// The model.
        schema: &'static ModelSchema,
    },
    /// Descriptors of a second set, one for each that a first one has.
    OfSet {
        /// The set that is there.
        from: &'static str,
        /// The set to be filled.
        to: SetSpec,
        /// A model whose fields fill the first set, itself or one that it is connected to. It says
        /// what a vector of a text was made from.
        schema: Option<&'static ModelSchema>,
    },
    /// Nothing: each descriptor of a set once more, to be compared with itself.
    Again {
        /// The set.
        set: &'static str,
        /// As in [`Missing::OfSet`].
        schema: Option<&'static ModelSchema>,
    },
}

impl Missing {
    /// What can be missing from objects of a model and of those that it is connected to; of these
    /// first, since children that are made of an object come whole and need not be looked at.
    ///
    /// `embeds` answers whether there is an embedder for a set.
    #[must_use]
    pub fn of_models(schema: &'static ModelSchema, embeds: &dyn Fn(&SetSpec) -> bool) -> Vec<Self> {
        let models = schema.reachable().into_iter().rev();
        let declaring = models.filter(|model| of_model::declares_any(model, embeds));
        declaring.map(|schema| Missing::OfModel { schema }).collect()
    }

    /// Descriptors of the set `to`, one for each of the set `from`: see [`Missing::OfSet`].
    #[must_use]
    pub fn of_set(from: &str, to: SetSpec, schema: Option<&'static ModelSchema>) -> Self {
        Missing::OfSet { from: kept(from), to, schema }
    }

    /// Each descriptor of a set once more: see [`Missing::Again`].
    #[must_use]
    pub fn again(set: &str, schema: Option<&'static ModelSchema>) -> Self {
        Missing::Again { set: kept(set), schema }
    }

    /// The objects to look at.
    #[must_use]
    pub fn walk(&self, dialect: Dialect) -> Walk {
        match self {
            Missing::OfModel { schema } => Walk::of_model(dialect, schema),
            Missing::OfSet { from: set, .. } | Missing::Again { set, .. } => {
                Walk::of_set(dialect, set)
            }
        }
    }

    /// Looks some objects up, by their unique ids. Those that are gone are not among the answers.
    ///
    /// `embeds` answers whether there is an embedder for a set: fields of others are passed over.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn look_up(
        &self,
        dialect: Dialect,
        db: &dyn Database,
        unique_ids: &[String],
        embeds: &(dyn Fn(&SetSpec) -> bool + Sync),
    ) -> Result<Vec<Object>, DbError> {
        match *self {
            Missing::OfModel { schema } => {
                of_model::look_up(dialect, db, schema, unique_ids, embeds).await
            }
            Missing::OfSet { from, to, schema } => {
                let task = of_set::Task { from, to, schema, anew: false };
                of_set::look_up(dialect, db, &task, unique_ids).await
            }
            Missing::Again { set, schema } => {
                let to = SetSpec::named(set);
                let task = of_set::Task { from: set, to, schema, anew: true };
                of_set::look_up(dialect, db, &task, unique_ids).await
            }
        }
    }
}

/// A stored object.
#[derive(Debug)]
pub struct Object {
    /// The database's id of it.
    pub unique_id: String,
    /// What to call it before a person.
    pub name: String,
    /// What it lacks.
    pub lacks: Lacks,
}

/// What a stored object lacks.
#[derive(Debug)]
pub enum Lacks {
    /// Nothing.
    Nothing,
    /// This.
    Something(Draft),
    /// Something that can't be made, and why.
    Unmakeable(String),
}

/// The database's id of a blob's object, and of which kind that is.
pub type BlobAt = (crate::ObjectKind, String);

type Build = Box<dyn FnOnce(&Blobs) -> Result<Graph, String> + Send>;

/// What is to be made for an object, before the pictures are there that it is made from.
pub struct Draft {
    /// The blobs that it takes.
    pub blobs: Vec<BlobAt>,
    build: Build,
}

impl Draft {
    /// The object and what it lacks, with the blobs that it takes.
    ///
    /// # Errors
    /// In words: when a blob could not be had, or the object is not what its model says.
    pub fn graph(self, blobs: &Blobs) -> Result<Graph, String> {
        (self.build)(blobs)
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("blobs", &self.blobs).finish_non_exhaustive()
    }
}
