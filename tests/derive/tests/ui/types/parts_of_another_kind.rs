use adb::prelude::*;

#[derive(DataModel)]
struct Person {
    #[adb(id)]
    name: String,
}

#[derive(DataModel)]
#[adb(clip)]
struct Scene {
    #[adb(id)]
    id: u64,
    span: TimeSpan,
}

#[derive(DataModel)]
#[adb(image)]
struct Photo {
    #[adb(id)]
    id: u64,
    photo: Image,
    #[adb(regions)]
    people: Vec<Person>,
    #[adb(regions)]
    scene: Option<Scene>,
    #[adb(descriptors)]
    texts: Vec<Person>,
}

#[derive(DataModel)]
#[adb(video)]
struct Film {
    #[adb(id)]
    id: u64,
    film: Video,
    #[adb(frames)]
    scenes: Vec<Scene>,
}

fn main() {}
