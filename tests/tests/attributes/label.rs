//! Labels of vectors.

use adb::prelude::*;
use serde::Deserialize;
use serde_json::json;

use super::common::{Looks, agree, empty, png, put};

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
struct Person {
    #[adb(id)]
    id: i64,
    name: Option<String>,
    photo: Image,
    #[adb(embed(from = photo, set = Looks, label = name))]
    look: Embedding<2>,
}

#[tokio::test]
async fn a_vector_is_labelled_by_another_field() {
    let (_dir, db) = empty();
    let person = |id: i64, name: Option<&str>| Person {
        id,
        name: name.map(str::to_owned),
        photo: Image::bytes(png(id as u8)),
        look: Embedding::from([id as f32, 0.0]),
    };
    put(&*db, &[person(1, Some("Ada")), person(2, None), person(3, Some("Bob"))]).await;
    let classify = json!([{"ClassifyDescriptor": {"set": "looks", "k_neighbors": 1}}]);
    let vector = [2.9f32, 0.0].iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let request = adb::Request::json(&classify).with_blob(vector);
    let (answers, _) = adb::ask(&*db, request).await.unwrap();
    assert_eq!(answers[0]["ClassifyDescriptor"]["label"], "Bob");
    let ada = Person::find().filter(|p| p.name.eq("Ada")).with_vectors().fetch(&*db).await.unwrap();
    assert_eq!(ada[0].look, Embedding::from([1.0, 0.0]));
    let err = Person::find().update(&*db, |p| [p.name.set("Eve")]).await.unwrap_err();
    assert!(err.to_string().contains("it is a vector's label"), "{err}");
    agree::<Person>(&json!({"id": 1, "name": "Ada", "photo": "a.png"}));
    agree::<Person>(&json!({"id": 1, "photo": "a.png"}));
}
