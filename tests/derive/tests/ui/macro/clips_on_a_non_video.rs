use adb::prelude::*;

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
    #[adb(clips)]
    scenes: Vec<Scene>,
    #[adb(frames)]
    stills: Vec<Scene>,
}

fn main() {}
