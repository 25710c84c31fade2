//! The macros of adb: [`DataModel`], [`DescriptorSet`], [`Connection`], [`Properties`] and
//! [`Property`]. Use them through the facade, package `adb-rs`, which has what their output names.
//!
#![doc = include_str!("../attributes.md")]

mod attr;
mod bounds;
mod case;
mod converted;
mod ctxt;
mod declaration;
mod flattened;
mod given;
mod krate;
mod model;
mod names;
mod properties;
mod property;
mod respan;
mod serde_names;
mod set;
mod shown;
#[cfg(test)]
mod snapshots;

use proc_macro::TokenStream;

use properties::What;

/// Makes a struct a data model: what its objects are in the database, and how a value becomes
/// them.
///
/// ```
/// use adb::prelude::*;
///
/// /// Doc comments travel into the schema.
/// #[derive(DataModel)]
/// struct Ingredient {
///     #[adb(id)]
///     name: String,
///     #[adb(index)]
///     vegan: Option<bool>,
/// }
///
/// assert_eq!(Ingredient::SCHEMA.class, "Ingredient");
/// assert_eq!(Ingredient::SCHEMA.doc, "Doc comments travel into the schema.");
/// let graph = Ingredient { name: "rice".into(), vegan: Some(true) }.graph()?;
/// assert_eq!(graph.nodes().len(), 1);
/// # Ok::<_, adb::ModelError>(())
/// ```
///
/// ---
#[doc = include_str!("../attributes.md")]
#[proc_macro_derive(DataModel, attributes(adb))]
pub fn data_model(input: TokenStream) -> TokenStream {
    model::derive(input.into()).into()
}

/// Declares a descriptor set: a name in the database, the embedder whose vectors it holds, and how
/// they are compared and searched. All models that name it agree by construction.
///
/// ```
/// use adb::prelude::*;
///
/// #[derive(DescriptorSet)]
/// #[adb(name = "dish_photos", embedder = ClipVitB16)]
/// struct DishPhotos;
///
/// let set = <DishPhotos as DescriptorSet>::SPEC;
/// assert_eq!((set.name, set.dimensions), ("dish_photos", 512));
/// assert_eq!((set.metric, set.engine), (adb::Metric::Cosine, adb::Engine::Hnsw));
/// ```
///
/// The keys of `#[adb(…)]` are described with [`DataModel`], under "On a descriptor set".
#[proc_macro_derive(DescriptorSet, attributes(adb))]
pub fn descriptor_set(input: TokenStream) -> TokenStream {
    set::derive(input.into()).into()
}

/// Makes a struct a class of connections: what each connection of it bears. Its fields are
/// properties, or `Option`s of them.
///
/// ```
/// use adb::prelude::*;
///
/// #[derive(Connection)]
/// struct HasIngredient {
///     grams: Option<f64>,
/// }
///
/// #[derive(DataModel)]
/// struct Dish {
///     #[adb(id)]
///     name: String,
///     #[adb(connect = HasIngredient)]
///     ingredients: Vec<Linked<HasIngredient, Ingredient>>,
/// }
///
/// #[derive(DataModel)]
/// struct Ingredient {
///     #[adb(id)]
///     name: String,
/// }
///
/// let rice = Ingredient { name: "rice".into() };
/// let edge = HasIngredient { grams: Some(150.0) };
/// let dish = Dish { name: "pilaf".into(), ingredients: vec![Linked { edge, to: rice }] };
/// assert_eq!(dish.graph()?.edges()[0].properties, [("grams", 150.0.into())]);
/// # Ok::<_, adb::ModelError>(())
/// ```
///
/// The keys of `#[adb(…)]` are described with [`DataModel`], under "On a connection".
#[proc_macro_derive(Connection, attributes(adb))]
pub fn connection(input: TokenStream) -> TokenStream {
    properties::derive(What::Connection, input.into()).into()
}

/// Makes a struct a list of properties that data models take in with `#[adb(flatten)]`: its fields
/// become properties of their objects, as serde's `flatten` has it with the keys of a row.
///
/// ```
/// use adb::prelude::*;
///
/// #[derive(Properties)]
/// struct Nutrition {
///     kcal: f64,
///     #[adb(index)]
///     vegan: Option<bool>,
/// }
///
/// #[derive(DataModel)]
/// struct Dish {
///     #[adb(id)]
///     name: String,
///     #[adb(flatten)]
///     nutrition: Nutrition,
/// }
///
/// let dish = Dish { name: "dal".into(), nutrition: Nutrition { kcal: 150.0, vegan: None } };
/// assert_eq!(dish.graph()?.nodes()[0].properties, [("kcal", 150.0.into())]);
/// let _ = Dish::find().filter(|d| d.nutrition.kcal.lt(200.0));
/// # Ok::<_, adb::ModelError>(())
/// ```
///
/// The keys of `#[adb(…)]` are described with [`DataModel`], under "On a list of properties".
#[proc_macro_derive(Properties, attributes(adb))]
pub fn properties(input: TokenStream) -> TokenStream {
    properties::derive(What::Properties, input.into()).into()
}

/// Makes a type one property: an enum whose variants have no fields is stored as text, a struct
/// with one field as that field is.
///
/// ```
/// use adb::prelude::*;
///
/// #[derive(Debug, PartialEq, Property)]
/// #[adb(rename_all = "kebab-case")]
/// enum Course { Starter, MainDish }
///
/// #[derive(Property)]
/// struct Grams(f64);
///
/// assert_eq!(Course::MainDish.to_value()?.to_string(), "main-dish");
/// assert_eq!(Course::from_value("starter".into())?, Course::Starter);
/// assert_eq!(Grams(2.5).to_value()?, adb::Value::Float(2.5));
/// # Ok::<_, adb::ValueError>(())
/// ```
///
/// Texts of variants are those that serde reads, as far as serde's `rename` and `rename_all` are
/// there; `#[adb(rename = "…")]` on a variant and `#[adb(rename_all = "…")]` on the enum give
/// others.
#[proc_macro_derive(Property, attributes(adb))]
pub fn property(input: TokenStream) -> TokenStream {
    property::derive(input.into()).into()
}
