//! Rows that come without a model document: one is made of what is seen.

use std::path::PathBuf;

use adb::{
    ClipVitB16, Database, Engine, Metric, ObjectKind, SetSpec,
    document::{LoadedModel, Set},
    ensure::{FilledBy, inspect_set},
    loaders::PlainModel,
};
use clap::ValueEnum;

use super::{running::Running, vectors::Vectors};
use crate::{embedders::chooser, model};

/// What the objects are to be, where no document says it.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "What the files become")]
pub(crate) struct Plain {
    /// The model document. Without it, the files become images with what is seen of them as
    /// properties.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["class", "id", "set", "kind"])]
    model: Option<PathBuf>,
    /// The class of the objects, which they bear as `user_type`. Without it they bear none.
    #[arg(long)]
    class: Option<String>,
    /// What identifies an object: the path of its file, or the hash of what is in it.
    #[arg(long, value_enum, default_value_t = By::Path)]
    id: By,
    /// What the objects are.
    #[arg(long, value_enum, default_value_t = Kind::Image)]
    kind: Kind,
    /// Embeds the images into this descriptor set.
    #[arg(long, value_name = "NAME")]
    set: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    Path,
    Content,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Image,
    Video,
    Blob,
}

impl Plain {
    /// The document, or else a model that `observed` fills with what is seen of the rows.
    pub(crate) async fn model(
        &self,
        vectors: &Vectors,
        running: &Running,
        observed: impl FnOnce(PlainModel) -> Result<PlainModel, adb::loaders::Error>,
    ) -> anyhow::Result<LoadedModel> {
        if let Some(path) = &self.model {
            return model::load(path);
        }
        let mut model = PlainModel::new(match self.kind {
            Kind::Image => ObjectKind::Image,
            Kind::Video => ObjectKind::Video,
            Kind::Blob => ObjectKind::Blob,
        });
        if let Some(class) = &self.class {
            model = model.class(class);
        }
        if let By::Content = self.id {
            model = model.by_content();
        }
        let mut model = observed(model)?;
        match &self.set {
            Some(set) if !matches!(self.kind, Kind::Image) => {
                anyhow::bail!(
                    "--set {set}: images alone can be embedded; leave out --kind, or --set"
                )
            }
            Some(set) => model = model.embed_into(self.set(set, vectors, running).await?),
            None => {}
        }
        Ok(model.document().load()?)
    }

    /// A set as the database has it, or as it is to be made for its embedder.
    async fn set(&self, name: &str, vectors: &Vectors, running: &Running) -> anyhow::Result<Set> {
        let spec = SetSpec::new::<ClipVitB16>("", Metric::Cosine, Engine::Hnsw);
        let mut set = Set {
            name: name.to_owned(),
            dimensions: spec.dimensions,
            metric: spec.metric,
            engine: spec.engine,
            embedder: spec.embedder.to_owned(),
        };
        // One that is yet to be made has no sets; what else is wrong is told when it is written to.
        let db = (!running.dry_run).then(|| running.db.read().ok()).flatten();
        let found = match db {
            None => None,
            Some(db) => {
                let db: &dyn Database = &*db;
                inspect_set(db, name).await?
            }
        };
        match (found, &vectors.embedder) {
            (Some(found), asked) => {
                set.dimensions = found.dimensions;
                set.metric = match found.metrics.first().map(String::as_str) {
                    Some("L2") => Metric::L2,
                    Some("IP") => Metric::InnerProduct,
                    _ => Metric::Cosine,
                };
                match (found.filled_by, asked) {
                    (Some(FilledBy::Embedder { name, .. }), _) => set.embedder = name,
                    (_, Some(asked)) => set.embedder.clone_from(asked),
                    _ => {}
                }
            }
            (None, Some(asked)) => {
                let (chooser, asked) = (chooser()?, asked.clone());
                let bundle = tokio::task::spawn_blocking(move || chooser.bundle(&asked)).await??;
                set.dimensions = bundle.identity().dimensions;
                set.embedder = bundle.identity().name.clone();
            }
            (None, None) => {
                if let Some(dimensions) = vectors.dimensions(name)? {
                    set.dimensions = dimensions;
                    set.embedder = "none".to_owned();
                }
            }
        }
        Ok(set)
    }
}
