//! Models without `user_type`: databases that plain CSV filled.

use adb::{check::check, prelude::*};
use serde::Deserialize;
use serde_json::json;

use super::common::{agree, count, empty, png, put};

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
#[adb(image, untyped)]
struct Picture {
    #[adb(id)]
    id: i64,
    #[adb(index)]
    label: Option<String>,
    photo: Image,
    #[adb(regions)]
    #[serde(default)]
    boxes: Vec<Mark>,
}

#[derive(Debug, Clone, PartialEq, DataModel, Deserialize)]
#[adb(bounding_box, untyped)]
struct Mark {
    #[adb(id)]
    number: i64,
    area: Rect,
}

#[tokio::test]
async fn what_plain_csv_filled_is_found_changed_and_added_to_without_a_type() {
    let (_dir, db) = empty();
    // As the loaders of the Python SDK write it: no `user_type`.
    let add = json!([{"AddImage": {"_ref": 1, "properties": {"id": 1, "label": "cat"}}},
                     {"AddBoundingBox": {"image_ref": 1, "rectangle": {"x": 0, "y": 0, "width": 1, "height": 1},
                                         "properties": {"number": 7}}}]);
    let request = adb::Request::json(&add).with_blob(png(1));
    db.execute(request).await.unwrap().done().unwrap();

    let all = Picture::find().with_blobs().fetch(&*db).await.unwrap();
    assert_eq!((all.len(), all[0].id, all[0].boxes[0].number), (1, 1, 7));
    assert_eq!(all[0].photo, Image::bytes(png(1)));
    // The same picture is there already, another is not.
    let picture = |id, grey| Picture {
        id,
        label: Some("cat".into()),
        photo: Image::bytes(png(grey)),
        boxes: vec![],
    };
    put(&*db, &[picture(1, 1), picture(2, 2)]).await;
    assert_eq!(Picture::find().count(&*db).await.unwrap(), 2);
    let stored = Picture::find().filter(|p| p.id.eq(2));
    assert_eq!(stored.update(&*db, |p| [p.label.set("dog")]).await.unwrap(), 1);
    assert_eq!(Picture::find().filter(|p| p.label.eq("dog")).count(&*db).await.unwrap(), 1);
    let typed = json!({"results": {"count": true}, "constraints": {"user_type": ["!=", ""]}});
    assert_eq!(count(&*db, "FindImage", typed).await, 0);
    let differences = check(&*db, &[Picture::SCHEMA], |_| None).await.unwrap();
    assert!(differences.is_empty(), "{differences:?}");
    let deleted = Picture::find().filter(|p| p.id.eq(1)).delete(&*db).await.unwrap();
    assert_eq!((deleted.objects, deleted.parts), (1, 1));
    agree::<Picture>(&json!({"id": 1, "photo": "a.png", "boxes": [
        {"number": 1, "area": {"x": 0, "y": 0, "width": 1, "height": 1}}]}));
}
