//! One value at a time.

use adb::{
    Dialect, Lowering, Request, ask, ensure,
    prelude::*,
    query::Query,
    upsert::{Difference, Outcome, UpsertError},
};
use serde_json::json;

use super::*;

#[tokio::test]
async fn what_is_not_there_is_added_and_what_is_there_is_left_alone() {
    let (_dir, db, tiny) = database().await;
    let done = dish().upsert().embedder(&tiny).write(&db).await.unwrap();
    assert_eq!((done.outcome, done.embedded), (Outcome::Added, 4));
    assert_eq!((tiny.count(), db.writes().len()), ((3, 1), 1));
    let there = read(&db).await;
    assert_eq!(there.ingredients, dish().ingredients);
    assert_eq!(there.look.as_slice(), Some([1.0, -1.0, -1.0, 1.0].as_slice()));

    let again = dish().upsert().embedder(&tiny).write(&db).await.unwrap();
    assert_eq!((again.outcome, again.embedded), (Outcome::Unchanged, 0));
    assert!(again.differences.is_empty(), "{:?}", again.differences);
    assert_eq!((tiny.count(), db.writes()), ((0, 0), vec![]));
    // As it was read, with its vectors or without, and with no one to embed.
    let bare = Dish::find().fetch(&db).await.unwrap().pop().unwrap();
    assert!(bare.photo.source().loaded().is_none());
    for dish in [there, bare] {
        let again = dish.upsert().write(&db).await.unwrap();
        assert_eq!(again.outcome, Outcome::Unchanged, "{:?}", again.differences);
    }
}

#[tokio::test]
async fn only_what_depends_on_a_changed_field_is_embedded_again() {
    let (_dir, db, tiny) = database().await;
    dish().upsert().embedder(&tiny).write(&db).await.unwrap();
    tiny.count();
    db.writes();

    let mut changed = dish();
    changed.name = "dal makhani".into();
    changed.upsert().embedder(&tiny).write(&db).await.unwrap();
    assert_eq!((tiny.count(), db.writes()), ((0, 0), vec![vec!["UpdateImage".to_owned()]]));

    changed.caption = "Black lentils".into();
    let done = changed.upsert().embedder(&tiny).write(&db).await.unwrap();
    assert_eq!(tiny.count(), (0, 1), "the text and nothing else");
    assert!(done.differences.iter().any(|d| matches!(
        d, Difference::Vector { class, embed: true } if class == "Dish.meaning")));
    let there = read(&db).await;
    assert_eq!(there.caption, "Black lentils");
    assert_eq!(there.meaning.as_slice(), Some([13.0, 0.0, 0.0, 2.0].as_slice()));
    assert_eq!((vectors(&db, "looks").await, vectors(&db, "meanings").await), (3, 1));

    // A region that lies elsewhere shows something else.
    changed.plates[1].area.x = 60;
    changed.upsert().embedder(&tiny).write(&db).await.unwrap();
    assert_eq!(tiny.count(), (1, 0));
    let there = read(&db).await;
    assert_eq!(there.plates[1].area.x, 60);
    assert_eq!(there.plates[1].look.as_slice(), Some([1.0, 60.0, 2.0, 1.0].as_slice()));

    // Nobody to embed: nothing is written.
    changed.caption = "Rice".into();
    db.writes();
    let error = changed.upsert().write(&db).await.unwrap_err();
    assert!(matches!(error, UpsertError::NoEmbedder { set: "meanings" }), "{error}");
    assert!(db.writes().is_empty());
}

#[tokio::test]
async fn the_database_becomes_what_the_value_says() {
    let (_dir, db, tiny) = database().await;
    dish().upsert().embedder(&tiny).write(&db).await.unwrap();
    let mut pot = dish();
    (pot.id, pot.plates) = (2, vec![]);
    pot.upsert().embedder(&tiny).write(&db).await.unwrap();

    let mut changed = dish();
    changed.cuisine = None;
    changed.ingredients = vec![has("lentils", None), has("cumin", Some(3))];
    changed.ingredients[0].to.vegan = Some(true);
    changed.plates = vec![plate(11, 50)];
    changed.plates[0].what = Some("flat".into());
    let done = changed.upsert().embedder(&tiny).write(&db).await.unwrap();
    assert_eq!((done.outcome, done.embedded), (Outcome::Updated, 0), "{:?}", done.differences);
    Dish::find().filter(|d| d.id.eq(2)).delete(&db).await.unwrap();
    let there = read(&db).await;
    assert_eq!(there.cuisine, None);
    changed.ingredients.reverse();
    assert_eq!(there.ingredients, changed.ingredients, "the edge of lentils lost its grams");
    assert_eq!(there.plates.len(), 1);
    assert_eq!(there.plates[0].what.as_deref(), Some("flat"));
    assert_eq!(Ingredient::find().count(&db).await.unwrap(), 3, "salt stays: others share it");
    assert_eq!(vectors(&db, "looks").await, 2, "a plate went with its vector");

    // What a value does not say of a child that others share stays.
    changed.ingredients = vec![has("cumin", Some(3)), has("lentils", None)];
    let done = changed.upsert().embedder(&tiny).write(&db).await.unwrap();
    assert_eq!(done.outcome, Outcome::Unchanged, "{:?}", done.differences);
    // No label, where one was: no Update takes it away.
    changed.plates[0].what = None;
    changed.upsert().embedder(&tiny).write(&db).await.unwrap();
    assert_eq!(read(&db).await.plates[0].what, None);
    assert_eq!(vectors(&db, "looks").await, 2);
}

#[tokio::test]
async fn other_pixels_replace_the_object_and_every_connection_stays() {
    // However it is written, and when a request comes twice.
    for (dialect, twice) in
        [(Dialect::Classic, false), (Dialect::Expression, false), (Dialect::Classic, true)]
    {
        let (_dir, db, tiny) = database().await;
        db.twice.store(twice, Ordering::Relaxed);
        let menu = Menu {
            title: "lunch".into(),
            dishes: vec![Linked { edge: Offers { price: 9 }, to: dish() }],
        };
        menu.upsert().embedder(&tiny).dialect(dialect).write(&db).await.unwrap();
        // What adb knows nothing of: a guest who likes the dish, a vector of another program, and
        // one that is joined by a connection of its own.
        let foreign = json!([
            {"FindImage": {"_ref": 1, "constraints": {"id": ["==", 1]}}},
            {"AddEntity": {"_ref": 2, "class": "Guest", "properties": {"name": "Ada"}}},
            {"AddConnection": {"class": "Likes", "src": 2, "dst": 1, "properties": {"stars": 5}}},
            {"AddConnection": {"class": "Likes", "src": 1, "dst": 2}},
            {"AddDescriptorSet": {"name": "theirs", "dimensions": 2}},
            {"AddDescriptor": {"set": "theirs", "label": "x", "properties": {"of": "a"}, "connect": {"ref": 1}}},
            {"AddDescriptor": {"set": "theirs", "properties": {"of": "b"}, "connect": {"ref": 1, "class": "embeds"}}},
        ]);
        let vector = || bytes::Bytes::from(vec![0; 8]);
        let request = Request::json(&foreign).with_blob(vector()).with_blob(vector());
        ask(&*db.inner, request).await.unwrap();
        tiny.count();
        db.writes();

        let mut changed = dish();
        changed.photo = picture(2);
        let done = changed.upsert().embedder(&tiny).dialect(dialect).write(&db).await.unwrap();
        assert_eq!(done.outcome, Outcome::Updated);
        assert_eq!(tiny.count(), (3, 0), "the photo and its plates; the text is the same");
        let writes = db.writes();
        assert_eq!(writes.len(), 1, "one request: {writes:?}");

        let there = read(&db).await;
        assert_eq!(there.photo, picture(2));
        assert_eq!(there.look.as_slice(), Some([2.0, -1.0, -1.0, 1.0].as_slice()));
        assert_eq!(there.meaning.as_slice(), Some([13.0, 0.0, 0.0, 2.0].as_slice()));
        assert_eq!(there.plates.len(), 2);
        assert_eq!(there.ingredients, dish().ingredients);
        let menus = Menu::find().depth(1).fetch(&db).await.unwrap();
        assert_eq!(menus[0].dishes.len(), 1);
        assert_eq!(menus[0].dishes[0].edge.price, 9);
        for (class, edges) in [("Likes", 2), ("embeds", 1), ("Has", 2), ("Offers", 1)] {
            let body = json!({ "with_class": class });
            assert_eq!(count(&db, "FindConnection", body).await, edges, "{class}");
        }
        let near = json!({"with_class": "Likes", "constraints": {"stars": ["==", 5]}});
        assert_eq!(count(&db, "FindConnection", near).await, 1);
        let body = json!({"constraints": {"of": ["==", "a"]}, "with_label": "x",
                          "is_connected_to": {"ref": 1}});
        let find = json!([{"FindImage": {"_ref": 1}},
                          {"FindDescriptor": {"results": {"count": true}}}]);
        let mut find = find;
        for (key, value) in body.as_object().unwrap() {
            find[1]["FindDescriptor"][key] = value.clone();
        }
        let (answers, _) = ask(&db, Request::json(&find)).await.unwrap();
        assert_eq!(answers[1]["FindDescriptor"]["count"], 1, "{answers:?}");
        // No orphan: every vector and every plate hangs on something.
        assert_eq!((vectors(&db, "looks").await, vectors(&db, "meanings").await), (3, 1));
        assert_eq!(vectors(&db, "theirs").await, 2);
        assert_eq!(count(&db, "FindBoundingBox", json!({})).await, 2);
        assert_eq!(count(&db, "FindImage", json!({})).await, 1);

        let again = changed.upsert().embedder(&tiny).write(&db).await.unwrap();
        assert_eq!(again.outcome, Outcome::Unchanged, "{:?}", again.differences);
        let hits = Dish::find()
            .nearest::<Looks>(Query::Vector(vec![2.0, -1.0, -1.0, 1.0]), 1)
            .fetch_by(&db, &[2.0, -1.0, -1.0, 1.0])
            .await
            .unwrap();
        assert_eq!((hits[0].value.id, hits[0].distance), (1, 0.0));
    }
}

#[tokio::test]
async fn regions_of_which_the_model_knows_nothing_are_not_lost() {
    let (_dir, db, tiny) = database().await;
    dish().upsert().embedder(&tiny).write(&db).await.unwrap();
    let foreign = json!([
        {"FindImage": {"_ref": 1}},
        {"AddBoundingBox": {"image_ref": 1, "rectangle": {"x": 0, "y": 0, "width": 1, "height": 1}}},
    ]);
    ask(&db, Request::json(&foreign)).await.unwrap();
    db.writes();
    let mut changed = dish();
    changed.photo = picture(2);
    let error = changed.upsert().embedder(&tiny).write(&db).await.unwrap_err();
    assert!(matches!(error, UpsertError::ForeignParts { parts: 1, .. }), "{error}");
    assert!(db.writes().is_empty());
    assert_eq!(read(&db).await.photo, picture(1));
}

#[tokio::test]
async fn given_vectors_are_compared_with_those_that_are_stored() {
    let (_dir, db, tiny) = database().await;
    let mut given = dish();
    given.look = [0.5; 4].into();
    given.upsert().embedder(&tiny).write(&db).await.unwrap();
    let again = given.upsert().embedder(&tiny).write(&db).await.unwrap();
    assert_eq!(again.outcome, Outcome::Unchanged, "{:?}", again.differences);
    given.look = [0.25; 4].into();
    tiny.count();
    let done = given.upsert().embedder(&tiny).write(&db).await.unwrap();
    let expected = Difference::Vector { class: "Dish.look".into(), embed: false };
    assert_eq!((done.differences, tiny.count()), (vec![expected], (0, 0)));
    assert_eq!(read(&db).await.look, given.look);
    assert_eq!(vectors(&db, "looks").await, 3);
}

#[tokio::test]
async fn what_went_in_without_a_note_of_its_source_is_compared_and_noted() {
    let (_dir, db, tiny) = database().await;
    let mut plain = dish();
    (plain.look, plain.meaning) = ([1.0; 4].into(), [2.0; 4].into());
    for plate in &mut plain.plates {
        plate.look = [3.0; 4].into();
    }
    let mut lowering = Lowering::new();
    lowering.push(&plain.graph().unwrap()).unwrap();
    ask(&db, lowering.finish()).await.unwrap();
    let mut changed = dish();
    changed.caption = "Black lentils".into();
    changed.upsert().embedder(&tiny).write(&db).await.unwrap();
    assert_eq!(tiny.count(), (0, 1), "the same picture needs no new vector");
    let again = changed.upsert().embedder(&tiny).write(&db).await.unwrap();
    assert_eq!(again.outcome, Outcome::Unchanged, "{:?}", again.differences);
    changed.photo = picture(7);
    changed.upsert().embedder(&tiny).write(&db).await.unwrap();
    assert_eq!(tiny.count(), (3, 0));
    assert_eq!(read(&db).await.photo, picture(7));
}

/// An entity whose picture is an object of its own.
#[derive(Debug, Clone, PartialEq, DataModel)]
struct Cook {
    #[adb(id)]
    name: String,
    portrait: Option<Image>,
    #[adb(embed(from = portrait, set = Looks))]
    look: Option<Embedding<4>>,
}

#[tokio::test]
async fn pictures_of_entities_come_change_and_go() {
    let (_dir, db, tiny) = database().await;
    ensure(&db, Cook::SCHEMA, |_| Some(tiny.identity())).await.unwrap();
    let mut cook = Cook { name: "Ada".into(), portrait: None, look: None };
    let mut expected = Vec::new();
    for (portrait, embedded) in [(None, 0), (Some(picture(1)), 1), (Some(picture(2)), 1), (None, 0)]
    {
        cook.portrait.clone_from(&portrait);
        let done = cook.upsert().embedder(&tiny).write(&db).await.unwrap();
        assert_eq!(done.embedded, embedded, "{:?}", done.differences);
        let there = Cook::find().with_blobs().fetch(&db).await.unwrap();
        assert_eq!((there.len(), &there[0].portrait), (1, &portrait));
        let pictures = u64::from(portrait.is_some());
        assert_eq!(count(&db, "FindImage", json!({})).await, pictures);
        assert_eq!(vectors(&db, "looks").await, pictures);
        expected.push(done.outcome);
    }
    assert_eq!(expected[0], Outcome::Added);
    assert!(expected[1..].iter().all(|o| *o == Outcome::Updated));
}

#[derive(Debug, Clone, PartialEq, DataModel)]
struct Track {
    #[adb(id)]
    id: u64,
    title: String,
    #[adb(embed(set = Looks))]
    sound: Embedding<4>,
}

#[tokio::test]
async fn a_vector_of_ones_own_is_read_before_its_value_is_changed() {
    let (_dir, db, _) = database().await;
    let track = Track { id: 1, title: "a".into(), sound: [0.5; 4].into() };
    track.upsert().write(&db).await.unwrap();
    db.writes();

    let mut bare = Track::find().fetch(&db).await.unwrap().pop().unwrap();
    bare.title = "b".into();
    let error = bare.upsert().write(&db).await.unwrap_err().to_string();
    for part in ["Track.sound", "`looks`", "with_vectors()"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    assert!(db.writes().is_empty());

    let mut whole = Track::find().with_vectors().fetch(&db).await.unwrap().pop().unwrap();
    whole.title = "b".into();
    let done = whole.upsert().write(&db).await.unwrap();
    assert_eq!(done.outcome, Outcome::Updated);
    assert!(!done.differences.iter().any(|d| matches!(d, Difference::Vector { .. })));
}

#[derive(Debug, Clone, PartialEq, DataModel)]
struct Clip {
    #[adb(id)]
    id: u64,
    title: String,
    #[adb(embed(set = Looks))]
    sound: Option<Embedding<4>>,
}

#[tokio::test]
async fn a_vector_that_was_not_fetched_is_not_taken_away() {
    let (_dir, db, _) = database().await;
    for (id, sound) in [(1, Some([0.5; 4].into())), (2, None)] {
        Clip { id, title: "a".into(), sound }.upsert().write(&db).await.unwrap();
    }
    let read = async || Clip::find().with_vectors().fetch(&db).await.unwrap();
    let before = read().await;
    assert_eq!((before[0].sound.is_some(), before[1].sound.is_none()), (true, true));
    for mut bare in Clip::find().fetch(&db).await.unwrap() {
        bare.title = "b".into();
        let error = bare.upsert().write(&db).await.unwrap_err().to_string();
        assert!(error.contains("Clip.sound") && error.contains("with_vectors()"), "{error}");
    }
    assert_eq!(read().await, before);
    for mut whole in read().await {
        whole.title = "b".into();
        whole.upsert().write(&db).await.unwrap();
    }
    assert_eq!(read().await[0].sound, before[0].sound);
    Clip { id: 1, title: "b".into(), sound: None }.upsert().write(&db).await.unwrap();
    assert!(read().await.iter().all(|clip| clip.sound.is_none()));
}

#[tokio::test]
async fn media_that_nobody_has_read_are_refused_with_a_way_on() {
    let (_dir, db, tiny) = database().await;
    dish().upsert().embedder(&tiny).write(&db).await.unwrap();
    let mut elsewhere = dish();
    elsewhere.photo = Image::path("other.png");
    let error = elsewhere.upsert().embedder(&tiny).write(&db).await.unwrap_err().to_string();
    for part in ["`other.png` has not been read", "Image::bytes", "ingestion", "Dish"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }

    // What shows something else now is made from a picture that was not fetched.
    let mut moved = Dish::find().fetch(&db).await.unwrap().pop().unwrap();
    moved.plates[0].area.x += 1;
    let error = moved.upsert().embedder(&tiny).write(&db).await.unwrap_err().to_string();
    assert!(error.contains("were not fetched") && error.contains("with_blobs()"), "{error}");
}
