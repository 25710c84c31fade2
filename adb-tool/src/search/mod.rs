//! `adb search`: what is near to a text, a picture or a vector.

mod filter;
mod protocol;
mod query;
mod sheet;
mod shown;
mod sixel;
mod thumbnails;

use std::path::PathBuf;

use adb::{Database, StoredSchema, ensure::FoundSet, nearest_name, query::NearestAny};
use anyhow::{Context as _, bail};

use protocol::Thumbnails;

use crate::{
    database::Db,
    exit::{Exit, usage},
};

/// Find what looks or reads most like a text or a picture.
///
/// The text or picture becomes a vector by the embedder that the set was filled with, and the
/// objects whose vectors are nearest are shown, the nearest first. With --where, these are the
/// nearest among the objects that pass.
#[derive(clap::Args)]
#[command(
    after_help = "Filters compare properties with values: == != < <= > >=, in [..], &&, ||, !, ( ).
A property alone means that it is true; `x == null` that an object lacks it.

Examples:
  adb search --db my.adb --set dish_photos \"creamy curry\" -k 3
  adb search --db my.adb --set dish_photos \"creamy curry\" --where 'cuisine == \"Indian\"' --json
  adb search --db my.adb --set dish_photos --image examples/data/cookbook/images/pizza.png \\
      --html similar.html"
)]
pub(crate) struct Search {
    /// What to look for.
    #[arg(conflicts_with_all = ["image", "vector"])]
    text: Option<String>,
    #[command(flatten)]
    db: Db,
    /// The descriptor set to look in; may be left out if there is one only.
    #[arg(long, value_name = "NAME")]
    set: Option<String>,
    /// How many to show.
    #[arg(short, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    k: u32,
    /// Only objects that pass, such as `cuisine == "Indian" && year > 2000 && !vegan`.
    #[arg(long = "where", value_name = "FILTER")]
    filter: Option<String>,
    /// Look for what is like this picture.
    #[arg(long, value_name = "FILE", conflicts_with = "vector")]
    image: Option<PathBuf>,
    /// Compare the picture as a whole, also with an embedder that looks for faces.
    #[arg(long, requires = "image")]
    whole: bool,
    /// Look for what is near to this vector: a JSON array, or an object with one under `vector`.
    #[arg(long, value_name = "FILE")]
    vector: Option<PathBuf>,
    /// The embedder of a set that does not say who filled it: a bundle's name or directory.
    #[arg(long, value_name = "NAME")]
    embedder: Option<String>,
    /// Properties to show, in this order [default: the first few].
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    show: Vec<String>,
    /// Print a JSON array instead of a table.
    #[arg(long)]
    json: bool,
    /// Write a page with the pictures that were found: one file, with nothing beside it.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// How pictures are shown in the terminal.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Thumbnails::Auto, conflicts_with = "json")]
    thumbnails: Thumbnails,
}

impl Search {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        if self.text.is_none() && self.image.is_none() && self.vector.is_none() {
            usage!("what is to be looked for? give a text, --image FILE or --vector FILE");
        }
        let db = self.db.read()?;
        let schema = StoredSchema::fetch(&*db).await?;
        let set = self.set(&schema)?;
        let mut among = adb::query::Described::all(&schema);
        let mut constraint = None;
        if let Some(text) = &self.filter {
            let read = filter::read(text, &schema, &mut among)?;
            constraint = Some(read);
        }
        shown::check(&self.show, &schema)?;
        let vector = self.vector(&*db, set).await?;
        let protocol = if self.json { None } else { self.thumbnails.protocol() };
        let mut search = NearestAny::new(set.clone(), self.k as usize, among);
        if let Some(constraint) = constraint {
            search = search.filter(constraint);
        }
        if self.html.is_some() || protocol.is_some() {
            search = search.with_pictures();
        }
        let hits = search.fetch(&*db, &vector).await?;
        let table = shown::Shown::of(&hits, &self.show);
        if self.json {
            println!("{:#}", table.json());
        } else if hits.is_empty() {
            println!("nothing was found");
        } else {
            match protocol {
                Some(protocol) => thumbnails::print(protocol, &table),
                None => println!("{}", table.text()),
            }
        }
        if let Some(path) = &self.html {
            let page = sheet::page(&self.title(), &table);
            std::fs::write(path, page).with_context(|| path.display().to_string())?;
            crate::out::notice(format_args!("wrote {}", path.display()));
        }
        Ok(Exit::Well)
    }

    fn set<'s>(&self, schema: &'s StoredSchema) -> anyhow::Result<&'s FoundSet> {
        let names = || schema.sets.iter().map(|set| set.name.as_str());
        let listed = || names().collect::<Vec<_>>().join(", ");
        match &self.set {
            Some(name) => match schema.sets.iter().find(|set| set.name == *name) {
                Some(set) => Ok(set),
                None if schema.sets.is_empty() => {
                    bail!("the database has no descriptor set; ingest something first")
                }
                None => match nearest_name(name, names()) {
                    Some(near) => {
                        bail!("the database has no descriptor set `{name}`; is it `{near}`?")
                    }
                    None => {
                        bail!("the database has no descriptor set `{name}`; it has {}", listed())
                    }
                },
            },
            None => match schema.sets.as_slice() {
                [one] => Ok(one),
                [] => bail!("the database has no descriptor set; ingest something first"),
                _ => usage!(
                    "the database has several descriptor sets; say which: --set {}",
                    listed()
                ),
            },
        }
    }

    async fn vector(&self, db: &dyn Database, set: &FoundSet) -> anyhow::Result<Vec<f32>> {
        if let Some(path) = &self.vector {
            return query::from_file(path);
        }
        let embedder = query::embedder(db, set, self.embedder.as_deref()).await?;
        match (&self.text, &self.image) {
            (_, Some(path)) => query::of_picture(&*embedder, path, self.whole),
            (Some(text), None) => query::of_text(&*embedder, text),
            (None, None) => usage!("what is to be looked for?"),
        }
    }

    /// What was asked, for people.
    fn title(&self) -> String {
        let asked = match (&self.text, &self.image, &self.vector) {
            (Some(text), ..) => format!("“{text}”"),
            (_, Some(path), _) | (.., Some(path)) => path.display().to_string(),
            _ => String::new(),
        };
        match &self.filter {
            Some(filter) => format!("{asked}, where {filter}"),
            None => asked,
        }
    }
}
