//! `adb utils execute`

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use adb::{Answer, Database, Request, StoredSchema, ask};
use anyhow::bail;
use serde_json::{Value as Json, json};

use crate::{
    database::Db,
    exit::{Exit, usage},
    schema,
};

/// Kinds of objects, in the order in which they go: parts before what they are part of.
const KINDS: [&str; 10] = [
    "BoundingBox",
    "Polygon",
    "Frame",
    "Clip",
    "Image",
    "Video",
    "Blob",
    "Descriptor",
    "DescriptorSet",
    "Entity",
];

/// Ask for the database's state, or clear it.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  adb utils execute status --db my.adb
  adb utils execute summary --db my.adb")]
pub(crate) struct Execute {
    /// What to do.
    #[arg(value_enum)]
    what: What,
    #[command(flatten)]
    db: Db,
    /// Do not ask before something is removed.
    #[arg(long, overrides_with = "no_force")]
    force: bool,
    /// Ask before something is removed [default].
    #[arg(long, overrides_with = "force")]
    no_force: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum What {
    /// What the database says of itself.
    Status,
    /// What is in it; `adb schema` says it at length.
    Summary,
    /// Removes every object, connection and descriptor set.
    RemoveAll,
    /// Removes every index that was made.
    RemoveIndexes,
}

impl Execute {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        match self.what {
            What::Status => {
                let db = self.db.read()?;
                let (answers, _) = ask(&*db, Request::json(&json!([{"GetStatus": {}}]))).await?;
                println!("{:#}", answers.first().unwrap_or(&Json::Null));
            }
            What::Summary => {
                let db = self.db.read()?;
                let (answers, _) = ask(&*db, Request::json(&json!([{"GetStatus": {}}]))).await?;
                let status = Answer::at(&answers, 0)?;
                let text = |key: &str| status.get(key).and_then(Json::as_str).unwrap_or_default();
                println!("version {}, {}", text("version"), text("info"));
                schema::print(&StoredSchema::fetch(&*db).await?);
            }
            What::RemoveAll => {
                let db = self.db.open_existing()?;
                let found = StoredSchema::fetch(&*db).await?;
                let objects: u64 = found.classes.iter().map(|class| class.objects).sum();
                if !self.may(&format!("remove all {objects} objects and all connections"))? {
                    return Ok(Exit::Failed);
                }
                remove_all(&*db).await?;
                println!("{objects} objects are removed");
            }
            What::RemoveIndexes => {
                let db = self.db.open_existing()?;
                let indexes = indexes(&*db).await?;
                if !self.may(&format!("remove {} indexes", indexes.len()))? {
                    return Ok(Exit::Failed);
                }
                for index in &indexes {
                    let request = Request::json(&json!([{ "RemoveIndex": index }]));
                    ask(&*db, request).await?;
                }
                println!("{} indexes are removed", indexes.len());
            }
        }
        Ok(Exit::Well)
    }

    /// Asks who sits at the terminal; where nobody does, --force must have been given.
    fn may(&self, what: &str) -> anyhow::Result<bool> {
        if self.force {
            return Ok(true);
        }
        if !io::stdin().is_terminal() {
            usage!("this would {what}; say --force, since nobody can be asked here");
        }
        let mut terminal = io::stderr();
        write!(terminal, "this will {what} of {}. Go on? [y/N] ", self.db.address())?;
        terminal.flush()?;
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        Ok(matches!(line.trim(), "y" | "Y" | "yes"))
    }
}

/// In one transaction, then looks whether anything is left.
async fn remove_all(db: &dyn Database) -> anyhow::Result<()> {
    let everything = json!({"constraints": {"_uniqueid": ["!=", "0.0.0"]}});
    let commands: Json =
        KINDS.iter().map(|kind| json!({ format!("Delete{kind}"): everything })).collect();
    ask(db, Request::json(&commands)).await?;
    let request = json!([{"GetSchema": {"refresh": true}}]);
    let (answers, _) = ask(db, Request::json(&request)).await?;
    let left = Answer::at(&answers, 0)?;
    if ["entities", "connections"].iter().any(|part| left.get(part).is_some_and(|p| !p.is_null())) {
        bail!("something is left in the database; `adb schema` lists it");
    }
    Ok(())
}

/// Every index that was made, as RemoveIndex takes it; built-in ones stay.
async fn indexes(db: &dyn Database) -> anyhow::Result<Vec<Json>> {
    let entry = |target: &str, class: &str, property: &str| {
        (!property.starts_with('_'))
            .then(|| json!({"index_type": target, "class": class, "property_key": property}))
    };
    let mut indexes: Vec<Json> = Vec::new();
    let mut add = |index: Option<Json>| {
        // One class of connections may join several pairs of classes.
        indexes.extend(index.filter(|index| !indexes.contains(index)));
    };
    // Of classes without objects the schema says nothing; this does, where it is known.
    let request = Request::json(&json!([{"GetIndexes": {}}]));
    if let Ok((answers, _)) = db.execute(request).await?.done()
        && let Some(Json::Object(targets)) = Answer::at(&answers, 0)?.get("indexes")
    {
        for (target, classes) in targets {
            for (class, properties) in classes.as_object().into_iter().flatten() {
                for property in properties.as_object().into_iter().flatten() {
                    add(entry(target, class, property.0));
                }
            }
        }
    }
    let schema = StoredSchema::fetch(db).await?;
    for class in &schema.classes {
        for property in class.properties.iter().filter(|property| property.indexed) {
            add(entry("entity", &class.name, &property.name));
        }
    }
    for class in &schema.connections {
        for property in class.properties.iter().filter(|property| property.indexed) {
            add(entry("connection", &class.name, &property.name));
        }
    }
    Ok(indexes)
}
