use adb::prelude::*;

#[derive(DataModel)]
#[adb(video)]
struct Film {
    #[adb(id)]
    id: u64,
    poster: Image,
}

fn main() {}
