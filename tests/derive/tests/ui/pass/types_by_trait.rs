//! No type is known by its name: aliases, wrappers and types of one's own do.
use adb::{Property, Value, ValueError, ValueType, prelude::*};

type Maybe<T> = Option<T>;
type Words = String;
type Look = Embedding<512>;

enum Course {
    Main,
}

impl Property for Course {
    const TYPE: ValueType = ValueType::String;
    fn to_value(&self) -> Result<Value, ValueError> {
        Ok(Value::from("main"))
    }
    fn from_value(_: Value) -> Result<Self, ValueError> {
        Ok(Course::Main)
    }
}

#[derive(DataModel)]
struct Dish {
    #[adb(id)]
    id: Words,
    course: Maybe<Course>,
    photo: Maybe<Image>,
    back: Image,
    a: bool,
    b: i8,
    c: f32,
    #[adb(embed(from = photo, set = "looks", embedder = ClipVitB16))]
    look: Maybe<Look>,
    #[adb(embed(set = "given", embedder = ClipVitL14, metric = L2, engine = Flat))]
    given: Option<Embedding<768>>,
    #[adb(connect = "PartOf")]
    whole: std::sync::Arc<Dish2>,
    #[adb(connect = "Beside")]
    beside: Vec<Option<Box<Dish2>>>,
}

#[derive(DataModel)]
struct Dish2 {
    #[adb(id)]
    id: u8,
}

fn main() {
    let dish = Dish {
        id: "a".into(),
        course: Some(Course::Main),
        photo: None,
        back: Image::path("b.png"),
        a: true,
        b: 1,
        c: 0.5,
        look: None,
        given: None,
        whole: std::sync::Arc::new(Dish2 { id: 1 }),
        beside: vec![None, Some(Box::new(Dish2 { id: 2 }))],
    };
    assert_eq!(dish.graph().unwrap().nodes().len(), 4);
}
