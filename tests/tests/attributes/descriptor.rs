//! Models of descriptors: the object is the vector.

use adb::{ModelErrorKind, check::check, prelude::*, query::Query, upsert::Outcome};
use adb_tests::Two;
use serde::Deserialize;
use serde_json::json;

use super::common::{agree, count, counted, empty, ingest, put};

#[derive(DescriptorSet)]
#[adb(name = "chunks", embedder = Two, metric = L2, engine = Flat)]
struct Chunks;

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
#[adb(descriptor)]
struct Chunk {
    #[adb(id)]
    number: i64,
    #[adb(index)]
    text: String,
    #[adb(label)]
    topic: Option<String>,
    #[adb(embed(from = text, set = Chunks))]
    meaning: Embedding<2>,
    #[adb(connect = "Cites")]
    #[serde(default)]
    cites: Vec<Chunk>,
}

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
struct Article {
    #[adb(id)]
    title: String,
    #[adb(descriptors)]
    chunks: Vec<Chunk>,
}

/// Another class of vectors in the same set.
#[derive(Debug, Clone, PartialEq, DataModel)]
#[adb(descriptor)]
struct Headline {
    #[adb(id)]
    number: i64,
    #[adb(embed(set = Chunks))]
    meaning: Embedding<2>,
}

fn chunk(number: i64, topic: Option<&str>) -> Chunk {
    Chunk {
        number,
        text: format!("text {number}"),
        topic: topic.map(str::to_owned),
        meaning: Embedding::from([number as f32, 0.0]),
        cites: vec![],
    }
}

fn articles() -> [Article; 2] {
    let article = |title: &str, chunks| Article { title: title.into(), chunks };
    let mut second = vec![chunk(3, Some("soup")), chunk(4, None)];
    second[0].cites = vec![chunk(9, None)];
    [article("one", vec![chunk(1, None), chunk(2, Some("soup"))]), article("two", second)]
}

#[tokio::test]
async fn descriptors_are_objects_with_properties_label_and_owner() {
    let (_dir, db) = empty();
    put(&*db, &articles()).await;
    put(&*db, &articles()).await;
    assert_eq!(count(&*db, "FindDescriptor", counted()).await, 5, "a second time adds nothing");
    let owned = json!({"with_class": "_DescriptorConnection", "results": {"count": true}});
    assert_eq!(count(&*db, "FindConnection", owned).await, 4, "by the system's own connection");
    let found = Article::find().sort(|a| a.title.ascending()).depth(2).with_vectors();
    let mut found = found.fetch(&*db).await.unwrap();
    for article in &mut found {
        article.chunks.sort_by_key(|c| c.number);
    }
    assert_eq!(found, articles());

    let soup =
        Chunk::find().filter(|c| c.text.eq("text 3")).with_vectors().fetch(&*db).await.unwrap();
    assert_eq!(soup, articles()[1].chunks[..1]);
    let bare = Chunk::find().filter(|c| c.number.eq(4)).fetch(&*db).await.unwrap();
    assert!(bare[0].meaning.as_slice().is_none(), "vectors come when they are asked for");
    let of_one = Chunk::find().of(|a| a.chunks, Article::find().filter(|a| a.title.eq("one")));
    assert_eq!(of_one.count(&*db).await.unwrap(), 2);
    let having = Article::find().having(|a| a.chunks, Chunk::find().filter(|c| c.number.eq(3)));
    assert_eq!(having.fetch(&*db).await.unwrap()[0].title, "two");
    let cited = Chunk::find().of(|c| c.cites, Chunk::find()).fetch(&*db).await.unwrap();
    assert_eq!(cited[0].number, 9);
    let differences = check(&*db, &[Article::SCHEMA], |_| None).await.unwrap();
    assert!(differences.is_empty(), "{differences:?}");
}

#[tokio::test]
async fn the_nearest_descriptors_are_the_objects_themselves() {
    let (_dir, db) = empty();
    put(&*db, &articles()).await;
    // Nearer than all, and of another class.
    let headlines: Vec<Headline> =
        (0..8).map(|number| Headline { number, meaning: Embedding::from([2.25, 0.0]) }).collect();
    put(&*db, &headlines).await;
    let near = vec![2.2, 0.0];
    for dialect in [adb::Dialect::Classic, adb::Dialect::Expression] {
        let find = || Chunk::find().dialect(dialect);
        let nearest = find().with_vectors().nearest::<Chunks>(near.clone(), 3);
        let hits = nearest.fetch_by(&*db, &near).await.unwrap();
        assert_eq!(hits.iter().map(|h| h.value.number).collect::<Vec<_>>(), [2, 3, 1]);
        assert!((hits[0].distance - 0.04).abs() < 1e-4, "{}", hits[0].distance);
        assert_eq!(hits[0].value, chunk(2, Some("soup")));
        assert_eq!(hits[1].value.cites.len(), 1, "children come along");
        let some = find().filter(|c| c.number.gt(2));
        let hits = some
            .nearest::<Chunks>(Query::Vector(near.clone()), 2)
            .fetch_by(&*db, &near)
            .await
            .unwrap();
        assert_eq!(hits.iter().map(|h| h.value.number).collect::<Vec<_>>(), [3, 4]);
        let of_one = find().of(|a| a.chunks, Article::find().filter(|a| a.title.eq("one")));
        let hits = of_one.nearest::<Chunks>(near.clone(), 9).fetch_by(&*db, &near).await.unwrap();
        assert_eq!(hits.iter().map(|h| h.value.number).collect::<Vec<_>>(), [2, 1]);
    }
}

#[tokio::test]
async fn descriptors_are_upserted_as_what_they_hang_on_is() {
    let (_dir, db) = empty();
    put(&*db, &articles()).await;
    let read = async |title: &str| {
        let find = Article::find().depth(2).with_vectors().filter(|a| a.title.eq(title));
        let mut found: Vec<Article> = find.fetch(&*db).await.unwrap();
        found[0].chunks.sort_by_key(|c| c.number);
        found.remove(0)
    };
    let [mut one, two] = articles();
    for article in [&one, &two] {
        let done = article.upsert().write(&*db).await.unwrap();
        assert_eq!(done.outcome, Outcome::Unchanged, "{:?}", done.differences);
    }
    // A property; then a vector and a label.
    one.chunks[0].text = "another".into();
    let done = one.upsert().write(&*db).await.unwrap();
    assert_eq!(done.outcome, Outcome::Updated);
    assert_eq!(done.differences.len(), 1, "{:?}", done.differences);
    assert_eq!(read("one").await, one);
    one.chunks[0].meaning = Embedding::from([0.5, 0.5]);
    one.chunks[1].topic = None;
    one.chunks.push(chunk(7, Some("bread")));
    assert_eq!(one.upsert().write(&*db).await.unwrap().outcome, Outcome::Updated);
    assert_eq!(read("one").await, one);
    let done = one.upsert().write(&*db).await.unwrap();
    assert_eq!(done.outcome, Outcome::Unchanged, "{:?}", done.differences);
    // What is gone is deleted: it hangs on this one alone.
    one.chunks.remove(0);
    assert_eq!(one.upsert().write(&*db).await.unwrap().outcome, Outcome::Updated);
    assert_eq!(read("one").await, one);
    assert_eq!(Chunk::find().filter(|c| c.number.eq(1)).count(&*db).await.unwrap(), 0);
    // One that is cited is replaced, and remains so; others are as they were.
    let cited = Chunk { meaning: Embedding::from([8.0, 8.0]), ..chunk(9, None) };
    assert_eq!(cited.upsert().write(&*db).await.unwrap().outcome, Outcome::Updated);
    let found = Chunk::find().of(|c| c.cites, Chunk::find()).with_vectors();
    assert_eq!(found.fetch(&*db).await.unwrap(), [cited]);
    let mut rest = read("two").await;
    rest.chunks[0].cites.clear();
    let mut expected = two.clone();
    expected.chunks[0].cites.clear();
    assert_eq!(rest, expected);
}

#[tokio::test]
async fn descriptors_are_changed_and_deleted() {
    let (_dir, db) = empty();
    put(&*db, &articles()).await;
    let err = Chunk::find().update(&*db, |c| [c.text.set("new")]).await.unwrap_err();
    assert!(err.to_string().contains("a vector was made from it"), "{err}");
    let deleted = Chunk::find().filter(|c| c.number.eq(9)).delete(&*db).await.unwrap();
    assert_eq!((deleted.objects, deleted.parts), (1, 0));
    let deleted = Article::find().filter(|a| a.title.eq("one")).delete(&*db).await.unwrap();
    assert_eq!((deleted.objects, deleted.parts), (1, 2), "with what hangs on it alone");
    assert_eq!(Chunk::find().count(&*db).await.unwrap(), 2);
}

#[tokio::test]
async fn rows_of_descriptors_are_ingested() {
    let (dir, db) = empty();
    let rows = json!([{"number": 1, "text": "a", "topic": "soup", "meaning": [1, 0],
                       "cites": [{"number": 2, "text": "b", "meaning": [2, 0]}]}]);
    agree::<Chunk>(&rows[0]);
    agree::<Article>(&json!({"title": "x", "chunks": [rows[0].clone()]}));
    let report = ingest::<Chunk>(&db, dir.path(), &rows).await;
    assert_eq!(
        (report.added, report.objects_added, report.connections_added),
        (1, 2, 1),
        "{report}"
    );
    // Both ends of a new connection exist.
    let mut rows = rows;
    rows[0]["cites"] = json!([{"number": 2, "text": "b", "meaning": [2, 0]}, {"number": 3, "text": "c", "meaning": [3, 0]}]);
    let report = ingest::<Chunk>(&db, dir.path(), &rows).await;
    assert_eq!(
        (report.existed, report.objects_added, report.connections_added),
        (1, 1, 1),
        "{report}"
    );
    let labelled = json!({"set": "chunks", "with_label": "soup", "results": {"count": true}});
    assert_eq!(count(&*db, "FindDescriptor", labelled).await, 1);
}

#[test]
fn a_descriptor_without_a_vector_is_refused() {
    let headline = Headline { number: 1, meaning: Embedding::default() };
    let err = headline.graph().unwrap_err();
    assert!(matches!(err.kind(), ModelErrorKind::NoVector { set: "chunks" }), "{err}");
    assert_eq!(err.place(), "Headline.meaning");
}
