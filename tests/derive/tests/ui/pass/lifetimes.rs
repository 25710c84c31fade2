//! Models that borrow, and fields of the model's own type.
use adb::prelude::*;

#[derive(DataModel)]
struct Line<'a, 'b: 'a> {
    #[adb(id)]
    number: u32,
    text: &'a str,
    note: Option<&'b str>,
    #[adb(connect = "Next")]
    next: Vec<Self>,
}

#[derive(DataModel)]
struct WithDefault<T: Clone = String>
where
    T: PartialEq,
{
    #[adb(id)]
    id: u64,
    value: T,
}

fn main() {
    let last = Line { number: 2, text: "b", note: None, next: vec![] };
    let line = Line { number: 1, text: "a", note: Some("c"), next: vec![last] };
    assert_eq!(line.graph().unwrap().nodes().len(), 2);
    let _ = WithDefault { id: 1, value: 0.5 }.graph().unwrap();
    let _ = WithDefault::<String>::SCHEMA;
}
