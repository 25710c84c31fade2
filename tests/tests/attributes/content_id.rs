//! Identity by content: the same bytes are one object.

use std::{fs, path::Path};

use adb::{
    Lowering, MediaSource, ModelErrorKind, ObjectKind, check::check, graph::content_id, prelude::*,
};
use serde::Deserialize;
use serde_json::json;

use super::common::{Looks, agree, count, counted, empty, ingest, png};

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
#[adb(image, content_id)]
struct Photo {
    photo: Image,
    title: String,
    #[adb(embed(from = photo, set = Looks))]
    look: Embedding<2>,
}

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
struct Album {
    #[adb(id)]
    title: String,
    #[adb(connect = "Shows")]
    photos: Vec<Photo>,
}

#[test]
fn bytes_in_code_are_identified_at_once() {
    let photo = |grey| Photo {
        photo: Image::bytes(png(grey)),
        title: String::new(),
        look: Embedding::default(),
    };
    let graph = photo(1).graph().unwrap();
    let root = graph.root().unwrap();
    assert_eq!(root.identity.parts()[0], ("adb_sha256", content_id(&png(1)).into()));
    assert!(!graph.is_unidentified());
    let album = Album { title: "a".into(), photos: vec![photo(1), photo(2), photo(1)] };
    let graph = album.graph().unwrap();
    let images = graph.nodes().iter().filter(|n| n.kind == ObjectKind::Image);
    assert_eq!(images.count(), 2, "the same bytes are the same object");
}

#[test]
fn a_path_is_identified_when_it_has_been_read() {
    let row = json!({"title": "a", "photos": [
        {"photo": "a.png", "title": "one", "look": null},
        {"photo": "b.png", "title": "two"}]});
    agree::<Album>(&row);
    let album: Album = serde_json::from_value(row).unwrap();
    let mut graph = album.graph().unwrap();
    assert!(graph.is_unidentified());
    let err = Lowering::new().push(&graph).unwrap_err();
    assert!(matches!(err.kind(), ModelErrorKind::Unidentified(path) if path == "a.png"), "{err}");
    let before: Vec<_> = graph.edges().iter().map(|e| e.edge_id).collect();
    let mut read = Vec::new();
    graph
        .identify(|source| {
            read.push(source.origin().unwrap());
            Ok::<_, ()>(png(if source == &MediaSource::from_text("a.png") { 1 } else { 2 }).into())
        })
        .unwrap();
    assert_eq!(read, ["a.png", "b.png"], "each once, though each is embedded as well");
    // What is made from identities is made anew.
    let given = |grey| Photo {
        photo: Image::bytes(png(grey)),
        title: String::new(),
        look: Embedding::default(),
    };
    let in_code = Album { title: "a".into(), photos: vec![given(1), given(2)] }.graph().unwrap();
    let ids = |graph: &adb::Graph| {
        let nodes = graph.nodes().iter().map(|n| n.identity.clone());
        let edges = graph.edges().iter().map(|e| e.edge_id);
        (nodes.collect::<Vec<_>>(), edges.collect::<Vec<_>>())
    };
    assert_eq!(ids(&graph), ids(&in_code));
    assert_ne!(ids(&graph).1, before);
}

fn write_pictures(dir: &Path, pictures: &[(&str, u8)]) {
    for (name, grey) in pictures {
        fs::write(dir.join(name), png(*grey)).unwrap();
    }
}

#[tokio::test]
async fn the_same_picture_is_one_object_whatever_its_file_is_called() {
    let (dir, db) = empty();
    write_pictures(dir.path(), &[("a.png", 1), ("b.png", 2), ("copy.png", 1)]);
    let row = |file: &str| json!({"photo": file, "title": "x", "look": [0.5, 1.0]});
    let first =
        ingest::<Photo>(&db, dir.path(), &json!([row("a.png"), row("b.png"), row("copy.png")]))
            .await;
    assert_eq!((first.added, first.existed, first.failed), (2, 1, 0), "{first}");
    assert_eq!(count(&*db, "FindImage", counted()).await, 2);
    assert_eq!(count(&*db, "FindDescriptor", counted()).await, 2);

    // Renamed, and other pixels under the old name.
    write_pictures(dir.path(), &[("a.png", 3), ("moved.png", 2)]);
    let second =
        ingest::<Photo>(&db, dir.path(), &json!([row("moved.png"), row("a.png"), row("none.png")]))
            .await;
    assert_eq!((second.added, second.existed, second.failed), (1, 1, 1), "{second}");
    assert!(second.failures[0].reason.contains("none.png"), "{second}");
    assert_eq!(count(&*db, "FindImage", counted()).await, 3);
    let differences = check(&*db, &[Photo::SCHEMA], |_| None).await.unwrap();
    assert!(differences.is_empty(), "the index on the hash is there: {differences:?}");
}

#[tokio::test]
async fn children_are_identified_by_content_too() {
    let (dir, db) = empty();
    write_pictures(dir.path(), &[("a.png", 1), ("b.png", 2), ("copy.png", 1)]);
    let photo = |file: &str| json!({"photo": file, "title": "x", "look": [0.5, 1.0]});
    let rows = json!([
        {"title": "one", "photos": [photo("a.png"), photo("b.png"), photo("copy.png")]},
        {"title": "two", "photos": [photo("copy.png")]},
    ]);
    let first = ingest::<Album>(&db, dir.path(), &rows).await;
    assert_eq!((first.added, first.failed), (2, 0), "{first}");
    assert_eq!(count(&*db, "FindImage", counted()).await, 2);
    let edges = json!({"with_class": "Shows", "results": {"count": true}});
    assert_eq!(count(&*db, "FindConnection", edges).await, 3);
    let again = ingest::<Album>(&db, dir.path(), &rows).await;
    assert_eq!((again.existed, again.objects_added, again.connections_added), (2, 0, 0), "{again}");
    let albums =
        Album::find().sort(|a| a.title.ascending()).with_vectors().fetch(&*db).await.unwrap();
    assert_eq!(albums.iter().map(|a| a.photos.len()).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(albums[1].photos[0].look, Embedding::from([0.5, 1.0]));
}
