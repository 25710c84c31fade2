//! Columns: what can be searched by, with the field's own name and type.
#![deny(warnings, missing_docs)]
//! A crate that documents all.
use adb::prelude::*;

#[derive(DataModel)]
#[adb(image)]
struct Dish {
    #[adb(id)]
    id: u64,
    name: String,
    cuisine: Option<String>,
    r#type: bool,
    #[adb(connect = "HasIngredient")]
    ingredients: Vec<Box<Ingredient>>,
    photo: Image,
    #[adb(connect(class = "Beside", direction = in))]
    beside: Option<std::sync::Arc<Dish>>,
}

#[derive(DataModel)]
struct Ingredient {
    #[adb(id)]
    name: String,
    /// The macro's own struct must not hide it.
    columns: Option<IngredientColumns>,
}

#[derive(Property)]
enum IngredientColumns {
    One,
}

#[derive(DataModel)]
struct Holder<'a, T: Clone>
where
    Self: Sized,
{
    #[adb(id)]
    id: &'a str,
    held: T,
    #[adb(connect = "Next")]
    next: Vec<Self>,
}

/// Nothing but its row.
#[derive(DataModel)]
#[adb(row_id)]
struct Bare {}

fn main() {
    let _ = Dish::find()
        .filter(|d| d.cuisine.eq("Indian").and(d.name.ne("x")).or(d.r#type.eq(true)))
        .filter(|d| d.id.within(3..9))
        .having(|d| d.ingredients, Ingredient::find().filter(|i| i.name.eq("rice")))
        .having(|d| d.beside, Dish::find())
        .sort(|d| d.name.ascending());
    let _ = Ingredient::find().of(|d: <Dish as DataModel>::Columns| d.ingredients, Dish::find());
    let _ = Ingredient::find().filter(|i| i.columns.eq(IngredientColumns::One));
    let _ = Holder::<'static, f64>::find().filter(|h| h.held.gt(0.5).and(h.id.eq("a")));
    let _ = <Bare as DataModel>::SCHEMA;
    let _ = |h: &Holder<'static, u8>| (h.next.len(), h.held, h.id);
}
