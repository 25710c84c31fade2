use adb::prelude::*;

#[derive(DataModel)]
#[adb(class = "_Image")]
struct Picture {
    #[adb(id)]
    id: u64,
}

#[derive(DataModel)]
struct _Hidden {
    #[adb(id)]
    id: u64,
}

fn main() {}
