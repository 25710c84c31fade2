//! `adb check` and `adb migrate`: a model document beside a database.

use std::{collections::HashMap, path::PathBuf};

use adb::{
    Database, Embedder as _, EmbedderIdentity, ModelSchema, SetSpec,
    ensure::{CALLER, FilledBy, inspect_set},
    loaders::Counted,
    migrate::{self, Change},
};

use crate::{database::Db, embedders::chooser, exit::Exit, model, out};

/// Say in what a model and the database differ. Changes nothing.
///
/// Ends with 1 if something does not fit.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  adb check examples/data/cookbook/dish.model.json --db my.adb
  adb check examples/data/cookbook/dish.model.json --db my.adb --plan")]
pub(crate) struct Check {
    /// The model document.
    model: PathBuf,
    #[command(flatten)]
    db: Db,
    /// Say what `adb migrate` would do about it.
    #[arg(long)]
    plan: bool,
}

/// Make the database follow a model: make sets and indexes, rename properties.
///
/// Nothing is done unless all can be. The second time there is nothing to do.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb migrate examples/data/cookbook/dish.model.json --db my.adb")]
pub(crate) struct Migrate {
    /// The model document.
    model: PathBuf,
    #[command(flatten)]
    db: Db,
    /// Embedder for new sets: a bundle's name or directory.
    #[arg(long, value_name = "NAME", conflicts_with = "no_embedder")]
    embedder: Option<String>,
    /// New sets are filled with vectors that rows bring.
    #[arg(long)]
    no_embedder: bool,
}

impl Check {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let schema = model::load(&self.model)?.schema();
        let db = self.db.read()?;
        let plan = migrate::plan_for(&*db, schema, |_| None).await?;
        if self.plan {
            println!("{plan}");
            return Ok(if plan.is_blocked() { Exit::Failed } else { Exit::Well });
        }
        let mut fits = true;
        for change in &plan.changes {
            match change {
                Change::ToMake(found) | Change::Note(found) | Change::Blocked(found) => {
                    let kind = if found.is_note() { "note" } else { "differs" };
                    println!("{kind}: {found}");
                    fits &= found.is_note();
                }
                // A property under its former name is no difference to rows that are added now.
                rename @ (Change::Rename { .. } | Change::BlockedRename { .. }) => {
                    let done_by = if rename.is_to_do() { "; `adb migrate` does it" } else { "" };
                    println!("differs: {rename}{done_by}");
                    fits = false;
                }
                // Rows that are added have it.
                _ => {}
            }
        }
        if fits {
            println!("the database fits the model");
            return Ok(Exit::Well);
        }
        Ok(Exit::Failed)
    }
}

impl Migrate {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let schema = model::load(&self.model)?.schema();
        let db = self.db.open_existing()?;
        let fillers = self.fillers(&*db, schema).await?;
        let filler = |set: &SetSpec| fillers.get(set.name);
        let before = migrate::plan_for(&*db, schema, filler).await?;
        if !before.is_to_do() && !before.is_blocked() {
            println!("{before}");
            return Ok(Exit::Well);
        }
        let done = migrate::migrate_for(&*db, schema, filler).await?;
        println!("{before}");
        println!(
            "done: {} and {} made, {} renamed",
            Counted(done.sets_made as u64, "set"),
            Counted(done.indexes_made as u64, "index"),
            Counted(done.renamed, "object")
        );
        Ok(Exit::Well)
    }

    /// Who fills the model's sets: of those that are there, whoever they say; of new ones, whoever
    /// would on ingestion.
    async fn fillers(
        &self,
        db: &dyn Database,
        schema: &'static ModelSchema,
    ) -> anyhow::Result<HashMap<&'static str, EmbedderIdentity>> {
        let mut fillers = HashMap::new();
        for set in schema.sets() {
            match inspect_set(db, set.name).await? {
                Some(found) => {
                    if let Some(FilledBy::Embedder { name, hash }) = found.filled_by {
                        let (dimensions, images, texts) = (found.dimensions, true, true);
                        let identity = EmbedderIdentity { name, hash, dimensions, images, texts };
                        fillers.insert(set.name, identity);
                    }
                }
                None if self.no_embedder || set.embedder == CALLER => {}
                None => {
                    let chosen = chooser()?.choose(db, &set, self.embedder.as_deref()).await?;
                    chosen.notices.iter().for_each(out::notice);
                    fillers.insert(set.name, chosen.embedder.identity().clone());
                }
            }
        }
        Ok(fillers)
    }
}
