//! The macros of adb: [`DataModel`], [`DescriptorSet`], [`Connection`] and [`Property`]. Use them through the facade, package
//! `adb-rs`, which has what their output names.
//!
#![doc = include_str!("../attributes.md")]

mod attr;
mod case;
mod connection;
mod ctxt;
mod declaration;
mod given;
mod krate;
mod model;
mod names;
mod property;
mod respan;
mod serde_names;
mod set;
#[cfg(test)]
mod snapshots;

use proc_macro::TokenStream;

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
    connection::derive(input.into()).into()
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
