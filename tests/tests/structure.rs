//! Values that refer to each other, and values that are refused.

use std::sync::Arc;

use adb::{FieldRole, Lowering, ModelErrorKind, ObjectKind, prelude::*};

#[derive(Clone, DataModel)]
struct Person {
    #[adb(id)]
    name: String,
    #[adb(connect = "Knows")]
    knows: Vec<Person>,
    #[adb(connect = "LivesIn")]
    home: Option<Arc<Place>>,
}

#[derive(DataModel)]
struct Place {
    #[adb(id)]
    name: String,
    #[adb(connect = "HasMayor")]
    mayor: Option<Box<Person>>,
}

fn person(name: &str) -> Person {
    Person { name: name.to_owned(), knows: Vec::new(), home: None }
}

#[test]
fn a_cycle_of_models_ends() {
    let names: Vec<_> = Person::SCHEMA.reachable().iter().map(|m| m.name).collect();
    assert_eq!(names, ["Person", "Place"]);
}

#[test]
fn a_cycle_of_values_ends_where_an_id_comes_again() {
    let town = Arc::new(Place { name: "Town".into(), mayor: Some(Box::new(person("Ada"))) });
    let ada = Person { home: Some(town), ..person("Ada") };
    let graph = ada.graph().unwrap();
    let names: Vec<_> = graph.nodes().iter().map(|n| n.identity.text()).collect();
    assert_eq!(names, ["Ada", "Town"]);
    let edges: Vec<_> =
        graph.edges().iter().map(|e| (e.src.index(), e.class, e.dst.index())).collect();
    assert_eq!(edges, [(1, "HasMayor", 0), (0, "LivesIn", 1)]);
}

#[test]
fn a_shared_pointer_is_one_node() {
    let town = Arc::new(Place { name: "Town".into(), mayor: None });
    let bob = Person { home: Some(town.clone()), ..person("Bob") };
    let ada = Person { home: Some(town), knows: vec![bob], ..person("Ada") };
    let graph = ada.graph().unwrap();
    assert_eq!(graph.nodes().len(), 3);
    assert_eq!(graph.edges().len(), 3);
}

#[test]
fn who_knows_himself_has_an_edge_to_himself() {
    let graph = Person { knows: vec![person("Ada")], ..person("Ada") }.graph().unwrap();
    assert_eq!(graph.nodes().len(), 1);
    let edge = &graph.edges()[0];
    assert_eq!((edge.src.index(), edge.dst.index()), (0, 0));
    let mut lowering = Lowering::new();
    assert_eq!(lowering.push(&graph).unwrap(), 0..2);
}

#[test]
fn an_empty_id_is_refused_and_named() {
    let error = person("").graph().unwrap_err();
    assert!(matches!(error.kind(), ModelErrorKind::EmptyId { field: "name" }));
    assert_eq!(error.place(), "Person");
}

#[derive(DataModel)]
struct Album {
    #[adb(id)]
    id: u64,
    score: Option<f64>,
    front: Image,
    #[adb(rename = "rear")]
    back: Option<Image>,
    #[adb(embed(set = "given", embedder = ClipVitB16, metric = L2, engine = Flat))]
    given: Embedding<512>,
    #[adb(embed(set = "given", embedder = ClipVitB16, metric = L2, engine = Flat))]
    perhaps: Option<Embedding<512>>,
    #[adb(skip, default = std::time::Instant::now)]
    note: std::time::Instant,
}

fn album() -> Album {
    Album {
        id: 1,
        score: None,
        front: Image::path("front.png"),
        back: None,
        given: [0.5; 512].into(),
        perhaps: None,
        note: std::time::Instant::now(),
    }
}

#[test]
fn pictures_of_an_entity_are_objects_of_their_own() {
    let mut album = album();
    album.back = Some(Image::path("back.png"));
    let graph = album.graph().unwrap();
    let classes: Vec<_> = graph.nodes().iter().map(|n| (n.kind, &*n.class)).collect();
    assert_eq!(
        classes,
        [
            (ObjectKind::Entity, "Album"),
            (ObjectKind::Image, "Album.front"),
            (ObjectKind::Image, "Album.rear"),
            (ObjectKind::Descriptor, "Album.given"),
        ]
    );
    assert_eq!(graph.edges().iter().map(|e| e.class).collect::<Vec<_>>(), ["front", "rear"]);
}

#[test]
fn what_is_absent_is_left_out() {
    let graph = album().graph().unwrap();
    assert_eq!(graph.nodes().len(), 3);
    assert!(graph.root().unwrap().properties.is_empty());
}

#[test]
fn a_vector_that_only_the_caller_has_must_be_given() {
    let mut album = album();
    album.given = Embedding::default();
    let error = album.graph().unwrap_err();
    assert!(matches!(error.kind(), ModelErrorKind::NoVector { set: "given" }), "{error}");
    assert_eq!(error.place(), "Album.given");
}

#[test]
fn a_value_that_the_database_cannot_hold_is_refused_with_its_field() {
    let mut album = album();
    album.score = Some(f64::NAN);
    assert_eq!(album.graph().unwrap_err().place(), "Album.score");
    album.score = None;
    album.id = u64::MAX;
    assert_eq!(album.graph().unwrap_err().place(), "Album.id");
}

/// An id that no other kind of thing has.
#[derive(Debug, Clone, PartialEq, Property)]
struct DishId(u64);

#[derive(Debug, Clone, PartialEq, Property)]
struct Code<T>(T);

#[derive(Property, Debug, PartialEq)]
enum Course {
    Main,
}

/// Every field is a property, however it is wrapped.
#[derive(Debug, PartialEq, DataModel)]
struct Wrapped {
    #[adb(id)]
    id: DishId,
    #[adb(id)]
    code: Code<Arc<str>>,
    #[adb(id)]
    course: Course,
    boxed: Box<i32>,
    shared: Arc<Code<f64>>,
    perhaps: Option<Box<str>>,
    big: i128,
    unsigned: u64,
    float: f32,
}

fn wrapped() -> Wrapped {
    Wrapped {
        id: DishId(7),
        code: Code("x".into()),
        course: Course::Main,
        boxed: Box::new(-1),
        shared: Arc::new(Code(0.5)),
        perhaps: Some("é".into()),
        big: i128::from(i64::MIN),
        unsigned: i64::MAX as u64,
        float: 0.25,
    }
}

#[test]
fn newtypes_and_pointers_are_what_they_hold() {
    let graph = wrapped().graph().unwrap();
    let root = graph.root().unwrap();
    let id: Vec<_> = root.identity.parts().iter().map(|(n, v)| (*n, v.to_string())).collect();
    assert_eq!(id, [("id", "7".into()), ("code", "x".into()), ("course", "Main".into())]);
    let shown: Vec<_> = root.properties.iter().map(|(_, v)| v.to_string()).collect();
    let (least, most) = (i64::MIN.to_string(), i64::MAX.to_string());
    assert_eq!(shown, ["-1", "0.5", "é", &least, &most, "0.25"]);
}

#[tokio::test]
async fn newtypes_and_pointers_are_searched_and_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let db = adb::connect(dir.path().join("db").to_str().unwrap()).unwrap();
    adb::ensure(&*db, Wrapped::SCHEMA, |_| None).await.unwrap();
    for _ in 0..2 {
        let mut lowering = Lowering::new();
        lowering.push(&wrapped().graph().unwrap()).unwrap();
        db.execute(lowering.finish()).await.unwrap().done().unwrap();
    }
    let find = Wrapped::find().filter(|w| w.id.eq(DishId(7)).and(w.course.eq(Course::Main)));
    assert_eq!(find.fetch(&*db).await.unwrap(), [wrapped()]);
    let find = Wrapped::find().filter(|w| w.code.ne(Code("x".into())));
    assert_eq!(find.count(&*db).await.unwrap(), 0);
}

#[test]
fn numbers_that_the_database_cannot_hold_name_their_field() {
    let place = |change: fn(&mut Wrapped)| {
        let mut value = wrapped();
        change(&mut value);
        let err = value.graph().unwrap_err();
        assert!(matches!(err.kind(), ModelErrorKind::Value(_)), "{err}");
        err.place().to_owned()
    };
    assert_eq!(place(|w| w.big = i128::MAX), "Wrapped.big");
    assert_eq!(place(|w| w.big = i128::from(i64::MIN) - 1), "Wrapped.big");
    assert_eq!(place(|w| w.unsigned = u64::MAX), "Wrapped.unsigned");
    assert_eq!(place(|w| w.id = DishId(u64::MAX)), "Wrapped.id");
    assert_eq!(place(|w| w.float = f32::NAN), "Wrapped.float");
    assert_eq!(place(|w| w.shared = Arc::new(Code(f64::INFINITY))), "Wrapped.shared");
}

#[test]
fn skipped_fields_are_not_in_the_schema() {
    assert!(album().note.elapsed().as_secs() < u64::MAX);
    assert!(Album::SCHEMA.fields.iter().all(|f| f.name != "note"));
}

#[test]
fn a_set_declared_on_the_spot_says_all() {
    let set = Album::SCHEMA.sets()[0];
    assert_eq!((set.name, set.dimensions, set.embedder), ("given", 512, "clip-vit-b-16"));
    assert_eq!((set.metric, set.engine), (adb::Metric::L2, adb::Engine::Flat));
    // Two fields, one declaration.
    assert_eq!(Album::SCHEMA.sets().len(), 1);
}

#[derive(DescriptorSet)]
#[adb(name = "plain", embedder = ClipVitL14)]
struct Plain;

#[test]
fn defaults_of_a_set() {
    let set = <Plain as DescriptorSet>::SPEC;
    assert_eq!((set.metric, set.engine), (adb::Metric::Cosine, adb::Engine::Hnsw));
    assert_eq!((set.dimensions, set.embedder), (768, "clip-vit-l-14"));
}

#[derive(DataModel)]
struct Holder<T> {
    #[adb(id)]
    id: u64,
    #[adb(connect = "Holds")]
    held: Vec<T>,
}

#[test]
fn a_generic_model_has_the_schema_of_its_arguments() {
    let FieldRole::Children { model, .. } = Holder::<Person>::SCHEMA.fields[1].role else {
        unreachable!("it is a child")
    };
    assert_eq!(model.get().name, "Person");
    let holder = Holder { id: 1, held: vec![person("Ada")] };
    assert_eq!(holder.graph().unwrap().nodes().len(), 2);
}
