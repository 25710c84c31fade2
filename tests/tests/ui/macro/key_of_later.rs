use adb::prelude::*;

#[derive(DataModel)]
#[adb(video)]
struct Talk {
    #[adb(id)]
    id: u64,
    #[adb(flatten)]
    rest: Rest,
    // Not later, but serde's.
    #[adb(default)]
    title: String,
}

struct Rest;

fn main() {}
