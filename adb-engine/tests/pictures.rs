//! Operations on images, formats, and crops.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::io::Cursor;

use bytes::Bytes;
use common::Db;
use image::{DynamicImage, GenericImageView, GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use serde_json::{Value as Json, json};

fn encoded(image: &DynamicImage, format: ImageFormat) -> Bytes {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner().into()
}

/// Four grey pixels in two rows: 10 20 30 / 40 50 60.
fn small() -> DynamicImage {
    GrayImage::from_fn(3, 2, |x, y| Luma([(10 * (3 * y + x + 1)) as u8])).into()
}

async fn with(images: &[Bytes]) -> Db {
    let db = Db::new();
    let adds: Vec<Json> =
        (0..images.len()).map(|i| json!({"AddImage": {"properties": {"id": i}}})).collect();
    db.ask_with(json!(adds), images.to_vec()).await;
    db
}

async fn one(db: &Db, rest: Json) -> Bytes {
    let mut body = json!({"blobs": true});
    for (key, value) in rest.as_object().unwrap() {
        body[key] = value.clone();
    }
    db.ask_with(json!([{ "FindImage": body }]), vec![]).await.1.remove(0)
}

fn grey(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
    let image = image::load_from_memory(bytes).unwrap().into_luma8();
    (image.width(), image.height(), image.into_raw())
}

#[tokio::test]
async fn operations_in_order() {
    let db = with(&[encoded(&small(), ImageFormat::Png)]).await;
    for (operations, width, height, pixels) in [
        (json!([{"type": "threshold", "value": 35}]), 3, 2, vec![0, 0, 0, 40, 50, 60]),
        (json!([{"type": "crop", "x": 1, "y": 0, "width": 2, "height": 1}]), 2, 1, vec![20, 30]),
        (json!([{"type": "flip", "code": 0}]), 3, 2, vec![40, 50, 60, 10, 20, 30]),
        (json!([{"type": "flip", "code": 1}]), 3, 2, vec![30, 20, 10, 60, 50, 40]),
        (json!([{"type": "flip", "code": -1}]), 3, 2, vec![60, 50, 40, 30, 20, 10]),
        (
            json!([{"type": "rotate", "angle": 90, "resize": true}]),
            2,
            3,
            vec![30, 60, 20, 50, 10, 40],
        ),
        (
            json!([{"type": "rotate", "angle": -90, "resize": true}]),
            2,
            3,
            vec![40, 10, 50, 20, 60, 30],
        ),
        (json!([{"type": "rotate", "angle": 180}]), 3, 2, vec![60, 50, 40, 30, 20, 10]),
        (json!([{"type": "rotate", "angle": 360}]), 3, 2, vec![10, 20, 30, 40, 50, 60]),
        (
            json!([{"type": "crop", "x": 0, "y": 0, "width": 1, "height": 1}, {"type": "resize", "width": 2, "height": 3}]),
            2,
            3,
            vec![10; 6],
        ),
        (json!([]), 3, 2, vec![10, 20, 30, 40, 50, 60]),
    ] {
        let made = one(&db, json!({"operations": operations})).await;
        assert_eq!(grey(&made), (width, height, pixels), "{operations}");
    }
    for (size, expected) in [
        (json!({"width": 6}), (6, 4)),
        (json!({"height": 1}), (2, 1)),
        (json!({"scale": 2.0}), (6, 4)),
        (json!({"scale": 0.001}), (1, 1)),
    ] {
        let mut resize = size.clone();
        resize["type"] = json!("resize");
        let made = one(&db, json!({"operations": [resize]})).await;
        assert_eq!(image::load_from_memory(&made).unwrap().dimensions(), expected, "{size}");
    }
    for (operation, says) in [
        (
            json!({"type": "crop", "x": 1, "y": 0, "width": 3, "height": 1}),
            "not within the image of 3 × 2",
        ),
        (json!({"type": "resize", "width": 100_000, "height": 100_000}), "is not worked on"),
        (json!({"type": "resize", "scale": 1e300}), "is not worked on"),
        (json!({"type": "resize"}), "resize takes"),
        (json!({"type": "sharpen"}), "there is no operation \"sharpen\""),
        (json!({"type": "preview"}), "is for videos"),
        (json!({"type": "threshold", "value": 256}), "from 0 to 255"),
        (json!({"type": "flip", "code": 0, "x": 1}), "there is no parameter `operations.x`"),
    ] {
        let find = json!([{"FindImage": {"blobs": true, "operations": [operation]}}]);
        let refusal = db.refused(find, vec![]).await;
        assert!(refusal.info.contains(says), "{operation}: {}", refusal.info);
    }
}

#[tokio::test]
async fn slanted_turns_are_counterclockwise() {
    let mut canvas = RgbImage::new(21, 21);
    canvas.put_pixel(20, 10, Rgb([255, 0, 0]));
    let db = with(&[encoded(&canvas.into(), ImageFormat::Png)]).await;
    let rotate = json!({"operations": [{"type": "rotate", "angle": 45}]});
    let made = image::load_from_memory(&one(&db, rotate).await).unwrap().into_rgb8();
    // What was on the right is now up right.
    let brightest = made.enumerate_pixels().max_by_key(|(_, _, p)| p[0]).unwrap();
    assert_eq!((brightest.0, brightest.1), (17, 3));
    let grown = json!({"operations": [{"type": "rotate", "angle": 45, "resize": true}]});
    let made = image::load_from_memory(&one(&db, grown).await).unwrap();
    assert_eq!(made.dimensions(), (30, 30));
}

#[tokio::test]
async fn formats_are_kept_or_changed() {
    let (png, jpg) = (encoded(&small(), ImageFormat::Png), encoded(&small(), ImageFormat::Jpeg));
    let db = with(&[png.clone(), jpg.clone()]).await;
    let by_id = |id: i64, rest: Json| {
        let mut find = json!({"constraints": {"id": ["==", id]}});
        for (key, value) in rest.as_object().unwrap() {
            find[key] = value.clone();
        }
        find
    };
    let is = |bytes: &Bytes| image::guess_format(bytes).unwrap();
    assert_eq!(one(&db, by_id(0, json!({}))).await, png);
    assert_eq!(one(&db, by_id(1, json!({}))).await, jpg);
    let flip = json!({"operations": [{"type": "flip", "code": 0}]});
    assert_eq!(is(&one(&db, by_id(0, flip.clone())).await), ImageFormat::Png);
    assert_eq!(is(&one(&db, by_id(1, flip)).await), ImageFormat::Jpeg);
    assert_eq!(is(&one(&db, by_id(0, json!({"as_format": "jpg"}))).await), ImageFormat::Jpeg);
    assert_eq!(is(&one(&db, by_id(1, json!({"as_format": "png"}))).await), ImageFormat::Png);
    // When it is stored.
    let add = json!([{"AddImage": {"properties": {"id": 2}, "format": "jpg",
        "operations": [{"type": "resize", "width": 9, "height": 9}]}}]);
    db.ask_with(add, vec![png]).await;
    let stored = one(&db, by_id(2, json!({}))).await;
    assert_eq!(is(&stored), ImageFormat::Jpeg);
    assert_eq!(image::load_from_memory(&stored).unwrap().dimensions(), (9, 9));
    // Transparency has no place in a JPEG.
    let clear = DynamicImage::new_rgba16(2, 2);
    db.ask_with(
        json!([{"AddImage": {"properties": {"id": 3}}}]),
        vec![encoded(&clear, ImageFormat::Png)],
    )
    .await;
    assert_eq!(is(&one(&db, by_id(3, json!({"as_format": "jpg"}))).await), ImageFormat::Jpeg);
    for (blob, says) in [
        (&b"GIF89a"[..], "neither JPEG nor PNG"),
        (&b"\x89PNG\r\n\x1a\nno more"[..], "can't be decoded"),
    ] {
        let add = json!([{"AddImage": {"format": "png"}}]);
        let refusal = db.refused(add, vec![Bytes::from_static(blob)]).await;
        assert_eq!(refusal.code.as_deref(), Some("bad_image"));
        assert!(refusal.info.contains(says), "{}", refusal.info);
    }
}

#[tokio::test]
async fn boxes_are_cut_out_of_their_images() {
    let db = with(&[encoded(&small(), ImageFormat::Png)]).await;
    let boxed = |x: f64, y: f64, width: f64, height: f64| json!({"AddBoundingBox": {"image_ref": 1, "rectangle": {"x": x, "y": y, "width": width, "height": height}}});
    db.ask(json!([
        {"FindImage": {"_ref": 1}},
        boxed(1.0, 0.0, 1.0, 2.0),
        boxed(2.0, 1.0, 50.0, 50.0),
        {"AddPolygon": {"image_ref": 1, "polygons": [[[0, 0], [2, 0], [0, 1]]]}},
    ]))
    .await;
    let (answers, blobs) = db
        .ask_with(
            json!([
                {"FindBoundingBox": {"blobs": true, "areas": true}},
                {"FindPolygon": {"blobs": true, "as_format": "jpg"}},
            ]),
            vec![],
        )
        .await;
    assert_eq!(
        answers[0]["FindBoundingBox"]["entities"][1],
        json!({"_area": 2500, "_blob_index": 1})
    );
    assert_eq!(grey(&blobs[0]), (1, 2, vec![20, 50]));
    assert_eq!(grey(&blobs[1]), (1, 1, vec![60]), "as far as it lies in the image");
    assert_eq!(image::guess_format(&blobs[2]).unwrap(), ImageFormat::Jpeg);
    assert_eq!(image::load_from_memory(&blobs[2]).unwrap().dimensions(), (2, 1));
    db.ask(json!([{"FindImage": {"_ref": 1}}, boxed(70.0, 0.0, 1.0, 1.0)])).await;
    let refusal = db.refused(json!([{"FindBoundingBox": {"blobs": true}}]), vec![]).await;
    assert!(refusal.info.contains("outside of its image of 3 × 2"), "{}", refusal.info);
}
