//! The record that is measured on its way to a request.

use adb::{Graph, Image, Lowering, ModelError, Request};

use crate::{Dish, Ingredient};

/// Its embedding.
#[must_use]
pub fn vector() -> [f32; 512] {
    std::array::from_fn(|i| (i as f32 * 0.37).sin())
}

/// The record of `bench/model.py`, field by field.
#[must_use]
pub fn record(vector: &[f32; 512]) -> Dish {
    Dish {
        dish_id: 4,
        name: "Butter chicken".into(),
        cuisine: Some("Indian".into()),
        caption: "Chicken in Creamy tomato based gravy".into(),
        contributor: Some("gautam".into()),
        location: Some("NJ".into()),
        recipe_url: Some("https://www.indianhealthyrecipes.com/butter-chicken/".into()),
        // Bytes are passed on, not copied; a picture's size makes no difference.
        photo: Image::bytes(&b"no picture"[..]),
        look: (*vector).into(),
        ingredients: vec![
            Ingredient { name: "chicken".into() },
            Ingredient { name: "tomato".into() },
        ],
    }
}

/// The request of one graph.
///
/// # Errors
/// When the graph is not complete.
pub fn lower(graph: &Graph) -> Result<Request, ModelError> {
    let mut lowering = Lowering::new();
    lowering.push(graph)?;
    Ok(lowering.finish())
}
