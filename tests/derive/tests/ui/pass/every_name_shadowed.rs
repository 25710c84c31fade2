//! What the macro writes depends on no name that a user can take.
#![deny(warnings, unused_qualifications)]

mod elsewhere {
    pub use adb as facade;
}

mod adb {}
mod core {}
mod std {}

use elsewhere::facade::{DataModel, DescriptorSet};

#[allow(dead_code)]
struct Option;
#[allow(dead_code)]
struct Some;
#[allow(dead_code)]
struct Result;
#[allow(dead_code)]
trait Field {}
#[allow(dead_code)]
struct Image;
#[allow(dead_code)]
fn node() {}
#[allow(dead_code, non_upper_case_globals)]
const graph: u8 = 1;
#[allow(dead_code, non_upper_case_globals)]
const id: u8 = 1;

#[derive(DescriptorSet)]
#[adb(crate = elsewhere::facade, name = "texts", embedder = elsewhere::facade::ClipVitB16)]
struct Texts;

#[derive(DataModel)]
#[adb(crate = "elsewhere::facade")]
struct Dish {
    #[adb(id)]
    r#type: u64,
    node: String,
    graph: ::std::option::Option<String>,
    #[adb(embed(from = node, set = Texts))]
    look: elsewhere::facade::Embedding<512>,
    #[adb(connect = "Next")]
    id: Vec<Dish>,
}

fn main() {
    let _ = <Dish as DataModel>::SCHEMA;
    let _ = <Texts as DescriptorSet>::SPEC;
    let _ = |d: &Dish| (d.r#type, d.id.len());
}
