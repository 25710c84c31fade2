//! The macros of adb: [`DataModel`] and [`DescriptorSet`]. Use them through the facade, package
//! `adb-rs`, which has what their output names.
//!
#![doc = include_str!("../attributes.md")]

mod attr;
mod case;
mod ctxt;
mod declaration;
mod given;
mod krate;
mod model;
mod names;
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
