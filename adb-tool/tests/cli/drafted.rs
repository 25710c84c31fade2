use adb::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(DescriptorSet)]
#[adb(name = "dish_pictures", embedder = ClipVitB16, metric = Cosine, engine = Hnsw)]
struct DishPicture;

#[derive(DataModel, Serialize, Deserialize)]
#[adb(image)]
struct Dish {
    #[adb(id)]
    dish_id: i64,
    url: Image,
    name: String,
    contributor: Option<String>,
    location: Option<String>,
    cuisine: Option<String>,
    caption: String,
    #[adb(connect = "HasIngredient")]
    #[serde(default)]
    ingredients: Vec<Ingredient>,
    #[adb(embed(from = url, set = DishPicture))]
    look: Embedding<512>,
}

#[derive(DataModel, Serialize, Deserialize)]
struct Ingredient {
    #[adb(id)]
    name: String,
}
