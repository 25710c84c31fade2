//! Makers of all inputs, generic models, makers that have no default.
use adb::prelude::*;

#[derive(DataModel)]
#[adb(video)]
struct Film {
    #[adb(id)]
    id: u64,
    film: Video,
    #[adb(clips, from = film, by = Shots)]
    shots: Vec<Shot>,
    #[adb(frames, from = film, by = every::Second)]
    frames: Option<Vec<Still>>,
}

#[derive(DataModel)]
#[adb(clip, row_id)]
struct Shot {
    span: TimeSpan,
}

#[derive(DataModel)]
#[adb(frame, row_id)]
struct Still {
    at: FrameNumber,
}

struct Shots;
impl ChildMaker for Shots {
    const NAME: &'static str = "shots";
    type From = Video;
    type Child = Shot;
    fn make(&self, film: MediaFile<'_>) -> Result<Vec<Shot>, MakeError> {
        let _ = film.bytes()?;
        Ok(Vec::new())
    }
}

mod every {
    use super::*;

    #[derive(Default)]
    pub(super) struct Second;
    impl ChildMaker for Second {
        const NAME: &'static str = "every_second";
        type From = Video;
        type Child = Still;
        fn make(&self, _: MediaFile<'_>) -> Result<Vec<Still>, MakeError> {
            Ok(vec![Still { at: FrameNumber(1) }])
        }
    }
}

#[derive(DataModel)]
struct Document<T, M> {
    #[adb(id)]
    id: u64,
    file: Option<Blob>,
    #[adb(connect = "Has", from = file, by = Parts<M>)]
    parts: Vec<Box<Part>>,
    #[adb(skip, default = std::marker::PhantomData::default)]
    kind: std::marker::PhantomData<(T, M)>,
}

#[derive(DataModel)]
#[adb(row_id)]
struct Part {
    number: u32,
}

struct Parts<M>(std::marker::PhantomData<fn() -> M>);
impl<M: 'static> ChildMaker for Parts<M> {
    const NAME: &'static str = "parts";
    type From = Blob;
    type Child = Box<Part>;
    fn make(&self, _: MediaFile<'_>) -> Result<Vec<Box<Part>>, MakeError> {
        Ok(Vec::new())
    }
}

fn made(schema: &'static adb::ModelSchema, field: usize) -> adb::MadeBy {
    match schema.fields[field].role {
        adb::FieldRole::Children { made: Some(made), .. } => made,
        _ => unreachable!("it is made"),
    }
}

fn main() {
    let shots = made(Film::SCHEMA, 2);
    assert_eq!((shots.maker, shots.from, shots.empty_stands), ("shots", "film", false));
    assert!((shots.by_default)().is_none());
    let frames = made(Film::SCHEMA, 3);
    assert!(frames.empty_stands);
    assert_eq!((frames.by_default)().unwrap().name(), "every_second");
    let parts = made(<Document<u8, u8>>::SCHEMA, 2);
    assert_eq!(parts.maker, "parts");
    // Without a file there is nothing to make.
    let document = Document::<u8, u8> {
        id: 1,
        file: None,
        parts: Vec::new(),
        kind: std::marker::PhantomData,
    };
    assert!(document.graph().unwrap().to_make().is_empty());
}
