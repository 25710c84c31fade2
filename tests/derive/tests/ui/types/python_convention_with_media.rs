use adb::prelude::*;

#[derive(DataModel)]
#[adb(convention = PythonSdk)]
struct Album {
    #[adb(id)]
    id: String,
    front: Image,
}

fn main() {}
