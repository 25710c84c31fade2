//! What may be absent brings no false errors.
#![deny(warnings)]
use adb::prelude::*;

#[derive(DescriptorSet)]
#[adb(name = "photos", embedder = ClipVitB16)]
struct Photos;

#[derive(DataModel)]
struct Person {
    #[adb(id)]
    id: u64,
    name: Option<String>,
    photo: Option<Image>,
    film: Option<Video>,
    file: Option<Blob>,
    #[adb(embed(from = photo, set = Photos, label = name))]
    look: Option<Embedding<512>>,
    #[adb(embed(from = name, set = Photos))]
    called: Embedding<512>,
    #[adb(embed(set = Photos))]
    given: Option<Embedding<512>>,
    #[adb(connect = "Knows")]
    knows: Option<Vec<Person>>,
}

fn main() {
    let person = Person {
        id: 1,
        name: None,
        photo: None,
        film: None,
        file: None,
        look: None,
        called: Embedding::default(),
        given: None,
        knows: None,
    };
    assert_eq!(person.graph().unwrap().nodes().len(), 1);
    let _ = (person.look, person.called, person.given, person.knows);
}
