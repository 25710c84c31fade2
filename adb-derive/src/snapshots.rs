//! What the macros write, as files that people can read: `snapshots/`.
//!
//! After a deliberate change, `UPDATE_GOLDEN=1 cargo test -p adb-derive` writes them anew; read
//! the difference.

use std::path::Path;

use proc_macro2::TokenStream;
use quote::quote;

use crate::{
    model,
    properties::{self, What},
    set,
};

#[track_caller]
fn assert_snapshot(name: &str, expansion: TokenStream) {
    let file = syn::parse2(expansion).expect("an expansion is a list of items");
    let text = prettyplease::unparse(&file);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
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
fn what_is_flattened_and_what_is_converted() {
    let food = quote! {
        struct Food<T> {
            #[adb(id)]
            id: u64,
            #[serde(flatten)]
            nutrition: Nutrition,
            #[adb(flatten)]
            more: T,
            #[adb(with = seconds, index, default)]
            cook: Option<Duration>,
        }
    };
    assert_snapshot("flatten.rs", model::derive(food));
}

#[test]
fn a_list_of_properties() {
    let nutrition = quote! {
        struct Nutrition<T> {
            /// Energy.
            #[adb(index)]
            kcal: f64,
            other: T,
            #[adb(with = seconds)]
            time: Duration,
            #[adb(flatten)]
            origin: Origin,
            #[adb(skip)]
            note: String,
        }
    };
    assert_snapshot("properties.rs", properties::derive(What::Properties, nutrition));
}

#[test]
fn a_connection() {
    let has = quote! {
        #[adb(class = "Has")]
        struct HasIngredient {
            #[adb(default)]
            grams: Option<f64>,
        }
    };
    assert_snapshot("connection.rs", properties::derive(What::Connection, has));
}

#[test]
fn an_image_identified_by_content_without_a_type() {
    let photo = quote! {
        #[adb(image, content_id, untyped)]
        struct Photo {
            photo: Image,
            title: Option<String>,
            #[adb(embed(from = photo, set = Photos, label = title))]
            look: Embedding<512>,
        }
    };
    assert_snapshot("content_id.rs", model::derive(photo));
}

#[test]
fn a_descriptor() {
    let chunk = quote! {
        #[adb(descriptor)]
        struct Chunk {
            #[adb(id)]
            number: u64,
            text: String,
            #[adb(label)]
            topic: Option<String>,
            #[adb(embed(from = text, set = Chunks))]
            meaning: Embedding<512>,
            #[adb(descriptors)]
            parts: Vec<Chunk>,
        }
    };
    assert_snapshot("descriptor.rs", model::derive(chunk));
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
    tokens.extend(properties::derive(
        What::Connection,
        quote! {
            #[adb(klass = "Has")]
            struct HasIngredient<T> { grams: T }
        },
    ));
    assert_snapshot("stand_in.rs", tokens);
}
