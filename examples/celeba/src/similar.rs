//! `similar`: faces like one in the database, or like one in a file.

use std::fs;

use adb::{
    Constraint, DataModel as _, Database, DescriptorSet as _, Embedder as _, embedders::Chooser,
    query::Hit,
};
use anyhow::Context as _;
use comfy_table::{Table, presets};

use crate::face::{Face, Looks, People};

/// Find the faces that are most like one.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  celeba similar --db celeba.adb 000001.jpg --where 'Black_Hair && !Eyeglasses && Young'
  celeba similar --db celeba.adb somebody.jpg -k 3 --by looks

Attributes are named as in CelebA's table; `5_o_Clock_Shadow` stands in backquotes.")]
pub(crate) struct Similar {
    /// A face in the database, by its image_id; or else a picture file, for the set's embedder.
    image: String,
    /// What they must show, such as 'Smiling && !Wearing_Hat'.
    #[arg(long = "where", value_name = "EXPRESSION")]
    filter: Option<Constraint>,
    /// How many.
    #[arg(short, default_value_t = 5)]
    k: usize,
    /// What likeness is.
    #[arg(long, value_enum, default_value_t = By::People)]
    by: By,
    /// The database: a directory, or a server's address.
    #[arg(long, default_value = "celeba.adb")]
    db: String,
    /// Print a JSON array instead of a table.
    #[arg(long)]
    json: bool,
}

/// Which of the two vectors counts.
#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum By {
    /// FaceNet's: the same person.
    People,
    /// CLIP's: the same looks.
    Looks,
}

impl Similar {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let db = adb::connect(&self.db)?;
        let vector = self.vector(&*db).await?;
        let filter = self.filter.clone().unwrap_or(Constraint::All(Vec::new()));
        let faces = Face::find().filter(|_| filter.into());
        let hits = match self.by {
            By::People => {
                faces.nearest::<People>(vector.clone(), self.k).fetch_by(&*db, &vector).await?
            }
            By::Looks => {
                faces.nearest::<Looks>(vector.clone(), self.k).fetch_by(&*db, &vector).await?
            }
        };
        show(hits, self.json);
        Ok(())
    }

    /// The vector of the face that others are to be like.
    async fn vector(&self, db: &dyn Database) -> anyhow::Result<Vec<f32>> {
        let stored = Face::find()
            .filter(|face| face.image_id.eq(self.image.as_str()))
            .with_vectors()
            .fetch(db)
            .await?;
        if let Some(face) = stored.into_iter().next() {
            let vector = match self.by {
                By::People => face.person,
                By::Looks => face.look,
            };
            return Ok(vector.as_slice().context("this face has no such vector")?.to_vec());
        }
        let picture = fs::read(&self.image).with_context(|| {
            format!(
                "{0}: no face in the database has this image_id, and no file this name",
                self.image
            )
        })?;
        let set = match self.by {
            By::People => People::SPEC,
            By::Looks => Looks::SPEC,
        };
        let embedder = Chooser::from_env()?.choose_to_search(db, &set, None).await?.embedder;
        let prepared = embedder.prepare_image(&picture, None)?;
        embedder.embed_images(&[prepared])?.pop().context("the embedder gave no vector")
    }
}

fn show(hits: Vec<Hit<Face>>, json: bool) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["rank", "face", "similarity", "person", "shows"]);
    let mut list = Vec::new();
    for (rank, Hit { value: face, distance, .. }) in (1..).zip(hits) {
        let shows = face.attributes.shown();
        let person = face.identity.map(|number| number.to_string()).unwrap_or_default();
        table.add_row([
            rank.to_string(),
            face.image_id.clone(),
            format!("{distance:.3}"),
            person,
            shows.join(", "),
        ]);
        list.push(serde_json::json!({
            "rank": rank, "image_id": face.image_id, "similarity": distance,
            "identity": face.identity, "shows": shows,
        }));
    }
    println!(
        "{}",
        if json { serde_json::Value::from(list).to_string() } else { table.to_string() }
    );
}
