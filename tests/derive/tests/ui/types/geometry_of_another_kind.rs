use adb::prelude::*;

#[derive(DataModel)]
struct Person {
    #[adb(id)]
    id: u64,
    face: Rect,
}

#[derive(DataModel)]
#[adb(frame)]
struct Still {
    #[adb(id)]
    id: u64,
    at: TimeOffset,
    until: TimeSpan,
}

fn main() {}
