use adb::prelude::*;

#[derive(DataModel)]
#[adb(content_id)]
struct Note {
    text: String,
}

#[derive(DataModel)]
#[adb(image, content_id)]
struct Photo {
    #[adb(id)]
    id: u64,
    photo: Image,
}

#[derive(DataModel)]
#[adb(image, row_id, content_id)]
struct Picture {
    photo: Image,
}

fn main() {}
