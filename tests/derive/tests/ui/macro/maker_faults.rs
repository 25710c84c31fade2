use adb::prelude::*;

#[derive(DataModel)]
#[adb(image)]
struct Portrait {
    #[adb(id)]
    id: u64,
    photo: Image,
    #[adb(regions, by = Detector)]
    without_from: Vec<Face>,
    #[adb(regions, from = photo)]
    without_by: Vec<Face>,
    #[adb(regions, from = foto, by = Detector)]
    misspelt: Vec<Face>,
    #[adb(from = photo, by = Detector)]
    without_relation: Vec<Face>,
    #[adb(embed(set = Looks), from = photo)]
    look: Embedding<512>,
    #[adb(regions, from = photo, by = "Detector")]
    quoted: Vec<Face>,
    #[adb(regions, from = photo, maker = Detector)]
    other_word: Vec<Face>,
}

#[derive(DataModel)]
#[adb(bounding_box, row_id)]
struct Face {
    area: Rect,
}

#[derive(DescriptorSet)]
#[adb(name = "looks", embedder = ClipVitB16)]
struct Looks;

struct Detector;

fn main() {}
