//! One mistake is one error, however often the model is used: as a child, a region, a column.
use adb::prelude::*;

#[derive(DataModel)]
#[adb(bounding_box)]
struct Face {
    #[adb(idd)]
    id: u64,
    area: Rect,
}

#[derive(DataModel)]
#[adb(image)]
struct Photo {
    #[adb(id)]
    id: u64,
    photo: Image,
    #[adb(regions)]
    faces: Vec<Face>,
    #[adb(connect = "Main")]
    main: Option<Box<Face>>,
}

#[derive(DataModel)]
struct Person {
    #[adb(id)]
    name: String,
    #[adb(connect = "Has")]
    face: std::sync::Arc<Face>,
    #[adb(connect = Knows)]
    knows: Vec<Linked<Knows, Person>>,
    #[adb(embed(from = name, set = Names))]
    meaning: Embedding<512>,
}

#[derive(Connection)]
struct Knows {
    #[adb(renam = "since")]
    since: i64,
}

#[derive(DescriptorSet)]
#[adb(name = "names", embedder = ClipVitB16, metrik = L2)]
struct Names;

fn all(face: &Face, photo: &Photo, person: &Person) {
    let _ = (face.graph(), photo.graph(), person.graph());
    let _ = Photo::find().having(|p| p.faces, Face::find().filter(|f| f.id.eq(7)));
    let _ = Person::find().having(|p| p.knows, Person::find());
    let _ = Person::find().nearest::<Names>("a name", 5);
}

fn main() {}
