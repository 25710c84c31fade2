//! What several tests share: models, embedders, files that texts are held against.

pub mod counting;
pub mod golden;

use adb::prelude::*;
use serde::{Deserialize, Serialize};

/// The space in which photos of dishes lie.
#[derive(Debug, DescriptorSet)]
#[adb(name = "dish_photos", embedder = ClipVitB16, metric = Cosine, engine = Hnsw)]
pub struct DishPhotos;

/// An embedder that exists at compile time alone: rows bring their vectors.
#[derive(Debug)]
pub struct Four;

impl adb::EmbedderSpec for Four {
    const NAME: &'static str = "four";
    const DIMENSIONS: usize = 4;
}
impl adb::Produces<Embedding<4>> for Four {}
impl adb::Accepts<Image> for Four {}

/// Another of that sort.
#[derive(Debug)]
pub struct Two;

impl adb::EmbedderSpec for Two {
    const NAME: &'static str = "two";
    const DIMENSIONS: usize = 2;
}
impl adb::Produces<Embedding<2>> for Two {}
impl adb::Accepts<Image> for Two {}
impl adb::Accepts<String> for Two {}

/// A space of four dimensions.
#[derive(Debug, DescriptorSet)]
#[adb(name = "looks", embedder = Four, metric = L2, engine = Flat)]
pub struct Looks;

/// A photo of a dish, and what is known of it.
#[derive(Debug, Clone, PartialEq, DataModel, Serialize, Deserialize)]
#[adb(image)]
pub struct Dish {
    /// Its number in the Cookbook.
    #[adb(id)]
    pub dish_id: u64,
    /// What it is called.
    pub name: String,
    /// Where it comes from.
    #[adb(index)]
    pub cuisine: Option<String>,
    /// A sentence about it.
    pub caption: String,
    /// Where the recipe is.
    pub recipe_url: Option<String>,
    /// The picture.
    #[serde(rename = "url")]
    pub photo: Image,
    /// What the picture shows.
    #[adb(embed(from = photo, set = DishPhotos))]
    pub look: Embedding<512>,
    /// What is in it.
    #[adb(connect = "HasIngredient")]
    pub ingredients: Vec<Ingredient>,
}

/// What dishes are made of; dishes share it.
#[derive(Debug, Clone, PartialEq, DataModel, Serialize, Deserialize)]
pub struct Ingredient {
    /// Its name, which no other has.
    #[adb(id)]
    pub name: String,
}

/// How a dish and an ingredient belong together.
#[derive(Debug, Clone, PartialEq, Connection, Serialize, Deserialize)]
pub struct HasIngredient {
    /// How much of it.
    pub grams: Option<f64>,
}

/// A dish that says how much of everything is in it.
#[derive(Debug, Clone, PartialEq, DataModel, Serialize, Deserialize)]
pub struct Recipe {
    /// Its name.
    #[adb(id)]
    pub name: String,
    /// The edition of the book: the two together are one recipe.
    #[adb(id)]
    pub edition: u32,
    /// When it is served.
    pub course: Course,
    /// What is in it.
    #[adb(connect = HasIngredient)]
    pub ingredients: Vec<Linked<HasIngredient, Ingredient>>,
    /// The recipes that it is a part of.
    #[adb(connect(class = "HasPart", direction = in))]
    #[serde(default)]
    pub part_of: Vec<Recipe>,
}

/// When a dish is served.
#[derive(Debug, Clone, Copy, PartialEq, Property, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Course {
    /// First.
    Starter,
    /// Then.
    MainDish,
}

/// The space in which faces lie.
#[derive(Debug, DescriptorSet)]
#[adb(name = "faces", embedder = ClipVitB16)]
pub struct FaceLooks;

/// A photo of people.
#[derive(Debug, Clone, PartialEq, DataModel, Serialize, Deserialize)]
#[adb(image)]
pub struct Portrait {
    /// Its number.
    #[adb(id)]
    pub id: u64,
    /// The picture.
    pub photo: Image,
    /// The faces in it.
    #[adb(regions)]
    pub faces: Vec<Face>,
}

/// A face in a photo.
#[derive(Debug, Clone, PartialEq, DataModel, Serialize, Deserialize)]
#[adb(bounding_box, row_id)]
pub struct Face {
    /// Where it is.
    pub area: Rect,
    /// Whose it is.
    #[adb(label)]
    pub who: Option<String>,
    /// What it looks like: that part of the photo.
    #[adb(embed(from = area, set = FaceLooks))]
    pub look: Embedding<512>,
}

/// A film with its scenes.
#[derive(Debug, Clone, PartialEq, DataModel, Serialize, Deserialize)]
#[adb(video)]
pub struct Film {
    /// Its title.
    #[adb(id)]
    pub title: String,
    /// The film.
    pub film: Video,
    /// Its scenes.
    #[adb(clips)]
    pub scenes: Vec<Scene>,
    /// A picture of it.
    #[adb(frames)]
    pub poster: Option<Still>,
}

/// A scene of a film.
#[derive(Debug, Clone, PartialEq, DataModel, Serialize, Deserialize)]
#[adb(clip, row_id)]
pub struct Scene {
    /// Its number in the film.
    pub number: u32,
    /// From when to when.
    pub span: TimeSpan,
    /// What happens.
    #[adb(embed(set = "scenes", embedder = ClipVitB16))]
    pub meaning: Embedding<512>,
}

/// A moment of a film.
#[derive(Debug, Clone, PartialEq, DataModel, Serialize, Deserialize)]
#[adb(frame, row_id)]
pub struct Still {
    /// When.
    pub at: TimeOffset,
}
