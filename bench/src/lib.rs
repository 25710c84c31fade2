//! What the measuring programs share: the Cookbook's models, its files, and an embedder.

mod clock;
mod figures;
mod nobody;
mod nowhere;
mod record;

use std::{
    fs,
    path::{Path, PathBuf},
};

use adb::{
    MediaSource,
    embedders::{Bundle, Cache, OnnxEmbedder},
    prelude::*,
};
use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

pub use clock::{Clock, Used, peak_megabytes, print};
pub use figures::{Figures, found_at};
pub use nobody::Nobody;
pub use nowhere::Nowhere;
pub use record::{lower, record, vector};

/// The space in which photos of dishes lie.
#[derive(Debug, DescriptorSet)]
#[adb(name = "dish_photos", embedder = ClipVitB16, metric = Cosine, engine = Flat)]
pub struct DishPhotos;

/// A photo of a dish, as the Cookbook has it.
#[derive(Debug, DataModel, Serialize, Deserialize)]
#[adb(image)]
pub struct Dish {
    /// The row's own number.
    #[adb(id)]
    pub dish_id: u64,
    /// What it is called; two dishes may share a name.
    pub name: String,
    /// Where it is eaten.
    #[adb(index)]
    pub cuisine: Option<String>,
    /// What is on the plate.
    pub caption: String,
    /// Who cooked it.
    pub contributor: Option<String>,
    /// Where that was.
    pub location: Option<String>,
    /// How it is made.
    pub recipe_url: Option<String>,
    /// The picture.
    #[serde(rename = "url")]
    pub photo: Image,
    /// Its place among the others.
    #[adb(embed(from = photo, set = DishPhotos))]
    pub look: Embedding<512>,
    /// What it is made of.
    #[adb(connect = "HasIngredient")]
    #[serde(default)]
    pub ingredients: Vec<Ingredient>,
}

/// What dishes are made of; dishes share it.
#[derive(Debug, DataModel, Serialize, Deserialize)]
pub struct Ingredient {
    /// Its name.
    #[adb(id)]
    pub name: String,
}

/// The rows of a directory in the Cookbook's layout.
///
/// # Errors
/// When `dishes.json` can't be read.
pub fn read_dishes(directory: &Path) -> anyhow::Result<Vec<Dish>> {
    let path = directory.join("dishes.json");
    let text = fs::read(&path).with_context(|| format!("{} can't be read", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not as expected", path.display()))
}

/// Where a dish's picture lies, relative to the directory: the `url` of its row.
///
/// # Errors
/// When it is no file.
pub fn photo(dish: &Dish) -> anyhow::Result<&Path> {
    match dish.photo.source() {
        MediaSource::Path(path) => Ok(path),
        other => bail!("dish {}: {other:?} is no file", dish.dish_id),
    }
}

/// The embedder of a bundle's directory, or else the starter in the cache.
///
/// # Errors
/// When there is no such bundle.
pub fn embedder(bundle: Option<&Path>, threads: usize) -> anyhow::Result<OnnxEmbedder> {
    let cache = Cache::from_env()?;
    let directory = bundle.map_or_else(|| cache.bundle_dir("starter-512"), PathBuf::from);
    Ok(OnnxEmbedder::new(Bundle::open(directory)?, cache).threads(threads))
}

/// All cores.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The searches of `./demo`, and the names of the dishes that a person would accept
/// (docs/search-figures.md says why).
pub const SEARCHES: [(&str, &[&str]); 3] = [
    (
        "creamy curry",
        &[
            "Butter chicken",
            "butter chicken with special fried rice and assorted naan breads",
            "rajma chawal",
            "moong dal",
        ],
    ),
    ("pizza with tomato and basil", &["Pesto tomato pizza"]),
    ("a chocolate dessert", &["Chocolate icecream", "Pain au chocolat"]),
];
