//! What the macros write, as files that people can read: `snapshots/`.
//!
//! After a deliberate change, `UPDATE_SNAPSHOTS=1 cargo test -p adb-derive` writes them anew; read
//! the difference.

use std::path::Path;

use proc_macro2::TokenStream;
use quote::quote;

use crate::{model, set};

#[track_caller]
fn assert_snapshot(name: &str, expansion: TokenStream) {
    let file = syn::parse2(expansion).expect("an expansion is a list of items");
    let text = prettyplease::unparse(&file);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == stored, "{name} differs from what is stored; it would now be:\n{text}");
}

#[test]
fn an_image_with_an_embedding_and_children() {
    let dish = quote! {
        /// A photo of a dish.
        #[derive(DataModel)]
        #[adb(image)]
        struct Dish {
            #[adb(id)]
            dish_id: u64,
            /// What it is called.
            name: String,
            #[adb(index)]
            cuisine: Option<String>,
            #[serde(rename = "url")]
            photo: Image,
            #[adb(embed(from = photo, set = DishPhotos))]
            look: Embedding<512>,
            #[adb(connect = "HasIngredient")]
            ingredients: Vec<Ingredient>,
            #[adb(skip)]
            note: String,
        }
    };
    assert_snapshot("dish.rs", model::derive(dish));
}

#[test]
fn a_generic_entity() {
    let holder = quote! {
        #[adb(class = "holder", crate = crate::facade)]
        struct Holder<'a, T: Clone, const N: usize> {
            #[adb(id)]
            r#type: &'a str,
            #[adb(connect = "Holds")]
            held: Vec<T>,
            #[adb(connect = "Next")]
            next: Option<Box<Holder<'a, T, N>>>,
            #[adb(embed(set = "given", embedder = ClipVitB16, metric = L2, engine = Flat))]
            look: Embedding<N>,
        }
    };
    assert_snapshot("generic.rs", model::derive(holder));
}

#[test]
fn a_descriptor_set() {
    let photos = quote! {
        #[adb(name = "dish_photos", embedder = ClipVitB16)]
        struct DishPhotos;
    };
    assert_snapshot("set.rs", set::derive(photos));
}

#[test]
fn stand_ins_beside_errors() {
    let mut tokens = model::derive(quote! {
        struct Dish<T> { name: T }
    });
    tokens.extend(set::derive(quote! {
        #[adb(nam = "dish_photos")]
        struct DishPhotos;
    }));
    assert_snapshot("stand_in.rs", tokens);
}
