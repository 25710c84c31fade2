//! Models that several tests share.

use adb::prelude::*;
use serde::{Deserialize, Serialize};

/// The space in which photos of dishes lie.
#[derive(Debug, DescriptorSet)]
#[adb(name = "dish_photos", embedder = ClipVitB16, metric = Cosine, engine = Hnsw)]
pub struct DishPhotos;

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
