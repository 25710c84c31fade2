//! Databases to put values into, and rows that struct and document must read alike.

use std::{fs, io::Cursor, path::Path, sync::Arc};

use adb::{
    Database, GraphBuilder, Lowering,
    document::Document,
    ensure,
    graph::row_identity,
    loaders::{Ingest, JsonSource, Report},
    prelude::*,
};
use adb_tests::Two;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

/// The space in which pictures lie.
#[derive(DescriptorSet)]
#[adb(name = "looks", embedder = Two, metric = L2, engine = Flat)]
pub(crate) struct Looks;

/// A database with nothing in it.
pub(crate) fn empty() -> (tempfile::TempDir, Arc<dyn Database>) {
    let dir = tempfile::tempdir().unwrap();
    let db = adb::connect(dir.path().join("db").to_str().unwrap()).unwrap();
    (dir, db)
}

/// Values in a database, each in a request of its own.
pub(crate) async fn put<M: DataModel>(db: &dyn Database, values: &[M]) {
    ensure(db, M::SCHEMA, |_| None).await.unwrap();
    for value in values {
        let mut lowering = Lowering::new();
        lowering.push(&value.graph().unwrap()).unwrap();
        db.execute(lowering.finish()).await.unwrap().done().unwrap();
    }
}

pub(crate) async fn count(db: &dyn Database, command: &str, body: Json) -> u64 {
    let request = adb::Request::json(&json!([{ command: body }]));
    let (answers, _) = adb::ask(db, request).await.unwrap();
    answers[0][command]["count"].as_u64().unwrap()
}

pub(crate) fn counted() -> Json {
    json!({"results": {"count": true}})
}

/// A row gives one graph, by the struct and by its document.
pub(crate) fn agree<M: DataModel + DeserializeOwned>(row: &Json) {
    let identity = row_identity("rows.json", 1, row.to_string().as_bytes());
    let value: M = serde_json::from_value(row.clone()).unwrap();
    let by_struct = value.graph_in(GraphBuilder::for_row(identity)).unwrap();
    let document = Document::of(M::SCHEMA);
    let text = serde_json::to_string(&document).unwrap();
    let loaded = Document::parse(&text).unwrap().load().unwrap();
    let by_document = loaded.graph_in(row, GraphBuilder::for_row(identity)).unwrap();
    assert_eq!(format!("{by_struct:#?}"), format!("{by_document:#?}"));
}

/// A picture of `grey`, one pixel wide.
pub(crate) fn png(grey: u8) -> Vec<u8> {
    let picture = image::GrayImage::from_pixel(1, 1, image::Luma([grey]));
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

/// Ingests rows from a file beside what they name.
pub(crate) async fn ingest<M>(db: &Arc<dyn Database>, dir: &Path, rows: &Json) -> Report
where
    M: DataModel + DeserializeOwned + Send + 'static,
{
    fs::write(dir.join("rows.json"), rows.to_string()).unwrap();
    let source = JsonSource::<M>::open(dir.join("rows.json")).unwrap();
    let report = Ingest::new(db.clone()).run(source).await.unwrap();
    assert!(report.adds_up(), "{report}");
    report
}
