use adb::prelude::*;

#[derive(DataModel)]
#[adb(video)]
struct Talk {
    #[adb(id)]
    id: u64,
    #[adb(was = "name")]
    title: String,
    // Not later, but serde's.
    #[adb(alias = "heading")]
    subtitle: String,
}

fn main() {}
