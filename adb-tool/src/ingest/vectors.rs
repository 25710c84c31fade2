//! Who makes the vectors of rows: embedders, the rows themselves, or files beside them.

use adb::{
    Database, FieldRole, FieldSchema, ModelSchema, SetSpec,
    document::LoadedModel,
    loaders::{self, ObjectSource, PlainModel, WithVectors, shards, vectors_in},
};
use serde_json::{Value as Json, json};

use crate::{embedders::chooser, out};

/// Who makes vectors.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Vectors {
    /// Embedder for new sets: a bundle's name or directory.
    #[arg(long, conflicts_with = "no_embedder")]
    pub(crate) embedder: Option<String>,
    /// The rows bring their vectors.
    #[arg(long)]
    pub(crate) no_embedder: bool,
    /// Takes the vectors of a field (or of the set that it fills) from files of NumPy's, `.npy`: a
    /// row of theirs for each row of the source, in the same order. Several files, by a pattern such
    /// as `looks-{000..010}.npy` or by several of these, are read one after another. The field needs
    /// no embedder.
    #[arg(long, value_name = "FIELD=FILE", value_parser = of_field)]
    pub(crate) vectors: Vec<(String, String)>,
    /// Fields that had their vectors from files when a row failed: it has them still.
    #[arg(skip)]
    brought: Vec<String>,
}

impl Vectors {
    /// What a retry of failed rows wants to know.
    pub(crate) fn to_keep(&self) -> Json {
        json!({
            "embedder": self.embedder, "no_embedder": self.no_embedder,
            "brought": self.brought(),
        })
    }

    /// What [`to_keep`](Self::to_keep) kept, unless other options are given now.
    pub(crate) fn or_kept(self, kept: &Json) -> Self {
        let brought = kept["brought"].as_array().into_iter().flatten();
        let brought = brought.filter_map(|field| Some(field.as_str()?.to_owned())).collect();
        if self.embedder.is_some() || self.no_embedder {
            return Self { brought, ..self };
        }
        Self {
            embedder: kept["embedder"].as_str().map(str::to_owned),
            no_embedder: kept["no_embedder"].as_bool().unwrap_or_default(),
            vectors: Vec::new(),
            brought,
        }
    }

    /// Fields whose vectors rows bring, or files beside them.
    fn brought(&self) -> Vec<&str> {
        let of_files = self.vectors.iter().map(|(field, _)| field);
        of_files.chain(&self.brought).map(String::as_str).collect()
    }

    /// A source with the vectors that lie beside it.
    pub(crate) fn beside<S: ObjectSource>(
        &self,
        source: S,
        schema: &'static ModelSchema,
    ) -> Result<WithVectors<S>, loaders::Error> {
        let mut vectors = source.and_vectors();
        for (field, pattern) in &self.vectors {
            vectors = vectors.with_vectors(field, shards(pattern)?);
        }
        // Before an embedder is chosen for what is no field of theirs.
        vectors.check(schema)?;
        Ok(vectors)
    }

    /// How many components the vectors have that lie beside the rows for the set of a model that is
    /// made from what is seen.
    pub(crate) fn dimensions(&self, set: &str) -> Result<Option<usize>, loaders::Error> {
        let of_set = |field: &str| field == set || field == PlainModel::VECTORS;
        let Some((_, pattern)) = self.vectors.iter().find(|(field, _)| of_set(field)) else {
            return Ok(None);
        };
        let first = shards(pattern)?.into_iter().next();
        first.map(|file| Ok(vectors_in(&file)?.1)).transpose()
    }

    /// Whether no embedder need fill a set: all fields of it are brought.
    fn is_brought(&self, schema: &'static ModelSchema, set: &SetSpec) -> bool {
        let brought = self.brought();
        let names =
            |field: &FieldSchema| brought.contains(&field.key) || brought.contains(&set.name);
        !brought.is_empty()
            && schema.reachable().into_iter().all(|model| {
                model.fields.iter().all(|field| match field.role {
                    FieldRole::Embedding { set: other, .. } if other.name == set.name => {
                        std::ptr::eq(model, schema) && names(field)
                    }
                    _ => true,
                })
            })
    }

    /// Gives each set of a model its own embedder.
    pub(crate) async fn of_model(
        &self,
        mut ingest: loaders::Ingest,
        db: &dyn Database,
        model: LoadedModel,
    ) -> anyhow::Result<loaders::Ingest> {
        if self.no_embedder {
            return Ok(ingest);
        }
        for set in model.schema().sets() {
            if self.is_brought(model.schema(), &set) {
                continue;
            }
            let chosen = chooser()?.choose(db, &set, self.embedder.as_deref()).await?;
            chosen.notices.iter().for_each(out::notice);
            ingest = ingest.embedder_for(set.name, chosen.embedder);
        }
        Ok(ingest)
    }
}

/// `FIELD=FILE`. Files may have `=` in their names; fields have none.
fn of_field(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((field, file)) if !field.is_empty() && !file.is_empty() => {
            Ok((field.to_owned(), file.to_owned()))
        }
        _ => Err("it takes FIELD=FILE, such as look=looks.npy".to_owned()),
    }
}
