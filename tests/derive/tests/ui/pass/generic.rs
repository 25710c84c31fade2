//! Bounds come from the types of the fields.
use adb::prelude::*;

#[derive(DataModel)]
struct Boxed<'a, I, T, const N: usize>
where
    I: Clone,
{
    #[adb(id)]
    id: I,
    label: Option<&'a str>,
    photo: Image,
    #[adb(connect = "Holds")]
    inner: Vec<T>,
    #[adb(connect = "Next")]
    next: Option<Box<Boxed<'a, I, T, N>>>,
    #[adb(embed(from = photo, set = "looks", embedder = ClipVitB16))]
    look: Embedding<N>,
    #[adb(skip)]
    extra: std::marker::PhantomData<T>,
}

#[derive(DataModel)]
struct Part {
    #[adb(id)]
    id: u64,
}

fn main() {
    let boxed = Boxed::<String, Part, 512> {
        id: "a".to_owned(),
        label: None,
        photo: Image::path("a.png"),
        inner: vec![Part { id: 1 }],
        next: None,
        look: Embedding::default(),
        extra: std::marker::PhantomData,
    };
    let _ = boxed.extra;
    assert_eq!(boxed.graph().unwrap().nodes().len(), 4);
}
