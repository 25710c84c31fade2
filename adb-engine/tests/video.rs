//! Videos through the system's ffmpeg: what is known of them, frames, clips, operations. Without
//! ffmpeg these tests say so and pass; what the engine does then is tested with programs that only
//! claim to be it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says why")]

mod common;

use std::{
    path::Path,
    process::{Command, Stdio},
};

use adb_engine::Engine;
use adb_model::{Refusal, Response};
use bytes::Bytes;
use common::{Db, send};
use image::{GenericImageView, Rgb};
use serde_json::{Value as Json, json};

const SIDE: u32 = 64;
const FRAMES: u8 = 20;

/// Whether ffmpeg is there; says so if not.
fn ffmpeg() -> bool {
    let there = ["ffmpeg", "ffprobe"].iter().all(|program| {
        Command::new(program)
            .arg("-version")
            .stdout(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    });
    if !there {
        eprintln!("skipped: ffmpeg and ffprobe are not installed here");
    }
    there
}

/// What frame `n` shows: on the left its number in the red channel, on the right the same in blue.
fn colour(n: u8, right: bool) -> Rgb<u8> {
    let shade = 10 + 12 * n;
    if right { Rgb([0, 0, shade]) } else { Rgb([shade, 0, 0]) }
}

/// Twenty frames at ten a second, with a tone.
fn film(container: &str, codec: &[&str]) -> Bytes {
    let dir = tempfile::tempdir().unwrap();
    let (raw, made) = (dir.path().join("raw"), dir.path().join(format!("made.{container}")));
    let mut pixels = Vec::new();
    for n in 0..FRAMES {
        for _ in 0..SIDE {
            for x in 0..SIDE {
                pixels.extend(colour(n, x >= SIDE / 2).0);
            }
        }
    }
    std::fs::write(&raw, pixels).unwrap();
    let status = Command::new("ffmpeg")
        .args([
            "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x64", "-r", "10", "-i",
        ])
        .arg(&raw)
        .args(["-f", "lavfi", "-i", "sine=duration=2", "-shortest"])
        .args(codec)
        .arg(&made)
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::read(made).unwrap().into()
}

/// Every picture by itself, so that colours hardly suffer.
fn mp4() -> Bytes {
    film("mp4", &["-c:v", "mpeg4", "-q:v", "1", "-g", "1", "-c:a", "aac"])
}

/// Which frame a picture is: its shade, if both halves agree.
fn number(picture: &image::DynamicImage) -> u8 {
    let (w, h) = picture.dimensions();
    let rgb = picture.to_rgb8();
    let red = rgb.get_pixel(w / 4, h / 2)[0];
    let blue = rgb.get_pixel(3 * w / 4, h / 2)[2];
    let frame = |shade: u8| (f64::from(shade) - 10.0) / 12.0;
    assert!((frame(red) - frame(blue)).abs() < 0.8, "{red} and {blue}");
    ((frame(red) + frame(blue)) / 2.0).round() as u8
}

fn numbers(blobs: &[Bytes]) -> Vec<u8> {
    blobs.iter().map(|blob| number(&image::load_from_memory(blob).unwrap())).collect()
}

/// The frames of a video that came out, by their colours; and what ffprobe says of it.
fn look(video: &Bytes) -> (Vec<u8>, Json) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("video");
    std::fs::write(&file, video).unwrap();
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(&file)
        .args(["-vsync", "0"])
        .arg(dir.path().join("%03d.png"))
        .status()
        .unwrap();
    assert!(status.success());
    let mut pictures: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "png"))
        .collect();
    pictures.sort();
    let probe = Command::new("ffprobe")
        .args(["-v", "error", "-show_streams", "-show_format", "-of", "json"])
        .arg(&file)
        .output()
        .unwrap();
    let numbers = pictures.iter().map(|p| number(&image::open(p).unwrap())).collect();
    (numbers, serde_json::from_slice(&probe.stdout).unwrap())
}

async fn with(video: Bytes) -> Db {
    let db = Db::new();
    db.ask_with(json!([{"AddVideo": {"properties": {"id": 1}}}]), vec![video]).await;
    db
}

#[tokio::test]
async fn a_video_is_looked_at_when_it_is_added() {
    if !ffmpeg() {
        return;
    }
    for (container, codec) in [
        ("mp4", &["-c:v", "mpeg4", "-c:a", "aac"][..]),
        ("avi", &["-c:v", "mpeg4", "-c:a", "mp2"]),
        ("mkv", &["-c:v", "mpeg4", "-c:a", "mp2"]),
    ] {
        let video = film(container, codec);
        let db = with(video.clone()).await;
        let find = json!([{"FindVideo": {"blobs": true, "results": {"all_properties": true}}}]);
        let (answers, blobs) = db.ask_with(find, vec![]).await;
        let found = &answers[0]["FindVideo"]["entities"][0];
        assert_eq!(found["_fps"], 10.0, "{container}");
        assert_eq!(found["_frame_count"], 20);
        assert_eq!((&found["_frame_width"], &found["_frame_height"]), (&json!(64), &json!(64)));
        let seconds = found["_duration_us"].as_f64().unwrap() / 1e6;
        assert!((1.9..2.2).contains(&seconds), "{seconds}");
        assert_eq!(blobs, [video], "as it came");
    }
}

#[tokio::test]
async fn bytes_that_are_no_video_are_stored_all_the_same() {
    let db = with(Bytes::from_static(b"not really a video")).await;
    // A playlist would make a decoder open other files.
    let playlist =
        Bytes::from_static(b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n");
    db.ask_with(json!([{"AddVideo": {"properties": {"id": 2}}}]), vec![playlist]).await;
    let (answers, _) =
        db.ask_with(json!([{"FindVideo": {"results": {"all_properties": true}}}]), vec![]).await;
    for found in answers[0]["FindVideo"]["entities"].as_array().unwrap() {
        assert_eq!(found.as_object().unwrap().len(), 2, "{found}");
    }
    if ffmpeg() {
        let refusal = db
            .refused(
                json!([{"FindVideo": {"_ref": 1, "constraints": {"id": ["==", 2]}}}, {"ExtractFrames": {"video_ref": 1, "frame_spec": [0]}}]),
                vec![],
            )
            .await;
        assert_eq!(refusal.code.as_deref(), Some("bad_video"), "{}", refusal.info);
        assert_eq!(refusal.command, Some(1));
    }
}

#[tokio::test]
async fn frames_are_those_that_were_asked_for() {
    if !ffmpeg() {
        return;
    }
    let db = with(mp4()).await;
    let add = |rest: Json| {
        let mut body = json!({"video_ref": 1});
        for (key, value) in rest.as_object().unwrap() {
            body[key] = value.clone();
        }
        json!({ "AddFrame": body })
    };
    db.ask(json!([
        {"FindVideo": {"_ref": 1}},
        add(json!({"frame_number": 7, "label": "seven"})),
        add(json!({"frame_number": 0})),
        add(json!({"time_offset": "00:00:01.500000"})),
        add(json!({"time_offset": "00:00:00.299999"})),
        add(json!({"time_fraction": 0.5})),
        add(json!({"time_fraction": 1})),
        add(json!({"frame_number": 7})),
    ]))
    .await;
    let find = json!([{"FindFrame": {"blobs": true, "as_format": "png"}}]);
    let (answers, blobs) = db.ask_with(find, vec![]).await;
    assert_eq!(answers[0]["FindFrame"]["returned"], 7);
    assert_eq!(numbers(&blobs), [7, 0, 15, 2, 10, 19, 7]);
    assert!(blobs.iter().all(|b| image::guess_format(b).unwrap() == image::ImageFormat::Png));
    // Formats and operations, as with images.
    let find = json!([{"FindFrame": {"with_label": "seven", "blobs": true, "operations": [
        {"type": "crop", "x": 0, "y": 0, "width": 32, "height": 64}, {"type": "resize", "width": 8, "height": 8}]}}]);
    let (_, blobs) = db.ask_with(find, vec![]).await;
    assert_eq!(image::guess_format(&blobs[0]).unwrap(), image::ImageFormat::Jpeg);
    let small = image::load_from_memory(&blobs[0]).unwrap();
    assert_eq!(small.dimensions(), (8, 8));
    assert!(small.to_rgb8().get_pixel(7, 4)[2] < 20, "the red half");
    // One that is not there.
    db.ask(json!([{"FindVideo": {"_ref": 1}}, add(json!({"frame_number": 20, "label": "none"}))]))
        .await;
    let find = json!([{"FindFrame": {"with_label": "none", "blobs": true}}]);
    let refusal = db.refused(find, vec![]).await;
    assert!(refusal.info.contains("there is no frame 20"), "{}", refusal.info);
}

/// With a video that was looked at, each of a frame's positions tells the others.
#[cfg(unix)]
#[tokio::test]
async fn positions_of_frames_are_told_in_every_unit() {
    let dir = tempfile::tempdir().unwrap();
    let facts = r#"echo '{"streams": [{"width": 2, "height": 2, "avg_frame_rate": "25/1", "nb_read_packets": "500"}]}'"#;
    let engine = with_programs(dir.path(), "exit 0", facts, 60_000);
    let add = json!([
        {"AddVideo": {"_ref": 1}},
        {"AddFrame": {"video_ref": 1, "label": "number", "frame_number": 25}},
        {"AddFrame": {"video_ref": 1, "label": "offset", "time_offset": "00:00:01.039999"}},
        {"AddFrame": {"video_ref": 1, "label": "fraction", "time_fraction": 0.5}},
    ]);
    send(&engine, add, vec![Bytes::from_static(b"bytes")]).await.done().unwrap();
    let list = ["_frame_number", "_time_offset", "_time_fraction"];
    let find = json!([
        {"FindFrame": {"results": {"list": list}}},
        {"FindFrame": {"in_frame_number_range": {"start": 25, "stop": 25}, "labels": true}},
        {"FindFrame": {"in_time_offset_range": {"start": "00:00:09", "stop": "00:00:11"}, "labels": true}},
        {"FindFrame": {"in_time_fraction_range": {"start": 0.04, "stop": 0.051}, "labels": true}},
        {"FindFrame": {"constraints": {"_frame_number": [">", 25]}, "labels": true}},
    ]);
    let (answers, _) = send(&engine, find, vec![]).await.done().unwrap();
    let of = |i: usize| &answers[i]["FindFrame"]["entities"];
    assert_eq!(
        *of(0),
        json!([
            {"_frame_number": 25, "_time_offset": "00:00:01.000000", "_time_fraction": 0.05},
            {"_frame_number": 25, "_time_offset": "00:00:01.039999", "_time_fraction": 0.051_999_95},
            {"_frame_number": 250, "_time_offset": "00:00:10.000000", "_time_fraction": 0.5},
        ])
    );
    assert_eq!(*of(1), json!([{"_label": "number"}, {"_label": "offset"}]));
    assert_eq!(*of(2), json!([{"_label": "fraction"}]));
    assert_eq!(*of(3), json!([{"_label": "number"}]));
    assert_eq!(*of(4), json!([{"_label": "fraction"}]));
}

#[tokio::test]
async fn regions_of_frames_are_cut_out() {
    if !ffmpeg() {
        return;
    }
    let db = with(mp4()).await;
    db.ask(json!([
        {"FindVideo": {"_ref": 1}},
        {"AddFrame": {"_ref": 2, "video_ref": 1, "frame_number": 12}},
        {"AddBoundingBox": {"image_ref": 2, "rectangle": {"x": 40, "y": 8, "width": 10, "height": 6}}},
        {"AddPolygon": {"image_ref": 2, "polygons": [[[2, 2], [20, 2], [2, 9]]]}},
    ]))
    .await;
    let (_, blobs) = db
        .ask_with(
            json!([{"FindBoundingBox": {"blobs": true, "as_format": "png"}}, {"FindPolygon": {"blobs": true, "as_format": "png"}}]),
            vec![],
        )
        .await;
    let near = |blob: &Bytes, expected: Rgb<u8>| {
        let picture = image::load_from_memory(blob).unwrap().to_rgb8();
        let found = *picture.get_pixel(picture.width() / 2, picture.height() / 2);
        let far = found.0.iter().zip(expected.0).any(|(a, b)| a.abs_diff(b) > 8);
        assert!(!far, "{found:?} for {expected:?}");
        picture.dimensions()
    };
    assert_eq!(near(&blobs[0], colour(12, true)), (10, 6));
    assert_eq!(near(&blobs[1], colour(12, false)), (18, 7));
}

#[tokio::test]
async fn extracting_frames_makes_no_objects() {
    if !ffmpeg() {
        return;
    }
    let db = with(mp4()).await;
    let extract = |spec: Json| json!([{"FindVideo": {"_ref": 1}}, {"ExtractFrames": {"video_ref": 1, "frame_spec": spec, "as_format": "png"}}]);
    for (spec, expected) in [
        (json!([0, 19, 5]), vec![0, 19, 5]),
        (json!([3, 3]), vec![3, 3]),
        (json!({"start": 4, "stop": 12, "step": 4}), vec![4, 8, 12]),
        (json!({"start": 17}), vec![17, 18, 19]),
        (json!({"step": 15}), vec![0, 15]),
        (json!({"start": 18, "stop": 99}), vec![18, 19]),
        (json!([]), vec![]),
    ] {
        let (answers, blobs) = db.ask_with(extract(spec.clone()), vec![]).await;
        let mut expected_answer = json!({"status": 0, "returned": expected.len()});
        if !expected.is_empty() {
            expected_answer["blobs_start"] = json!(0);
        }
        assert_eq!(answers[1]["ExtractFrames"], expected_answer, "{spec}");
        assert_eq!(numbers(&blobs), expected, "{spec}");
    }
    for (spec, says) in [
        (json!([20]), "names frame 20"),
        (json!([-1]), "counted from 0"),
        (json!({"start": 3, "stop": 2}), "not before it"),
        (json!({"step": 0}), "above 0"),
        (json!({"from": 1}), "there is no parameter `frame_spec.from`"),
        (json!("all"), "must be an object"),
    ] {
        let refusal = db.refused(extract(spec.clone()), vec![]).await;
        assert!(refusal.info.contains(says), "{spec}: {}", refusal.info);
    }
    assert_eq!(db.count("_Frame").await, 0);
    // All writes would wait for it.
    let mut writing = extract(json!([1]));
    writing.as_array_mut().unwrap().push(json!({"AddEntity": {"class": "Note"}}));
    let refusal = db.refused(writing, vec![]).await;
    assert_eq!(refusal.code.as_deref(), Some("writes"), "{}", refusal.info);
    assert_eq!(db.count("Note").await, 0);
}

#[tokio::test]
async fn clips_are_cut_to_the_frame() {
    if !ffmpeg() {
        return;
    }
    let db = with(mp4()).await;
    for (label, range) in [
        ("frames", json!({"frame_number_range": {"start": 5, "stop": 9}})),
        ("times", json!({"time_offset_range": {"start": "00:00:00.5", "stop": "00:00:01"}})),
        ("between", json!({"time_offset_range": {"start": "00:00:00.55", "stop": "00:00:00.56"}})),
        ("fractions", json!({"time_fraction_range": {"start": 0.5, "stop": 1}})),
    ] {
        let mut add = json!({"video_ref": 1, "label": label});
        for (key, value) in range.as_object().unwrap() {
            add[key] = value.clone();
        }
        db.ask(json!([{"FindVideo": {"_ref": 1}}, {"AddClip": add}])).await;
    }
    let clip = async |label: &str, rest: Json| {
        let mut body = json!({"with_label": label, "blobs": true});
        for (key, value) in rest.as_object().unwrap() {
            body[key] = value.clone();
        }
        let (_, blobs) = db.ask_with(json!([{ "FindClip": body }]), vec![]).await;
        look(&blobs[0])
    };
    for (label, expected) in [
        ("frames", vec![5, 6, 7, 8, 9]),
        ("times", vec![5, 6, 7, 8, 9, 10]),
        ("between", vec![5]),
        ("fractions", (10..20).collect()),
    ] {
        let (frames, probe) = clip(label, json!({})).await;
        assert_eq!(frames, expected, "{label}");
        let streams = probe["streams"].as_array().unwrap();
        assert_eq!(streams[0]["codec_name"], "h264", "{label}");
        assert_eq!(streams.len(), 2, "the sound is there: {label}");
        let seconds: f64 = streams[1]["duration"].as_str().unwrap().parse().unwrap();
        assert!((seconds - expected.len() as f64 / 10.0).abs() < 0.06, "{label}: {seconds} s");
    }
    let (frames, probe) = clip("frames", json!({"as_codec": "xvid", "as_container": "avi"})).await;
    assert_eq!(frames, [5, 6, 7, 8, 9]);
    assert_eq!(probe["format"]["format_name"], "avi");
    assert_eq!(probe["streams"][0]["codec_name"], "mpeg4");
    // Every picture stands by itself here, so a fast cut is as exact.
    let (frames, probe) = clip("frames", json!({"fast_cut": true})).await;
    assert_eq!(frames, [5, 6, 7, 8, 9]);
    assert_eq!(probe["streams"][0]["codec_name"], "mpeg4", "copied");
    let wrong = json!([{"FindClip": {"blobs": true, "fast_cut": true, "as_codec": "h264"}}]);
    let refusal = db.refused(wrong, vec![]).await;
    assert!(refusal.info.contains("goes with neither"), "{}", refusal.info);
}

#[tokio::test]
async fn operations_on_videos() {
    if !ffmpeg() {
        return;
    }
    let db = with(mp4()).await;
    let made = async |operations: Json| {
        let find = json!([{"FindVideo": {"blobs": true, "operations": operations}}]);
        let (_, blobs) = db.ask_with(find, vec![]).await;
        look(&blobs[0])
    };
    let size = |probe: &Json| {
        (probe["streams"][0]["width"].as_u64(), probe["streams"][0]["height"].as_u64())
    };
    let all: Vec<u8> = (0..20).collect();
    for (operation, frames, width, height) in [
        (json!({"type": "resize", "width": 32, "height": 16}), all.clone(), 32, 16),
        (json!({"type": "resize", "width": 33}), all.clone(), 33, 33),
        (json!({"type": "resize", "scale": 0.5}), all.clone(), 32, 32),
        (json!({"type": "crop", "x": 16, "y": 1, "width": 32, "height": 21}), all.clone(), 32, 21),
        (json!({"type": "interval", "start": 2, "stop": 10, "step": 4}), vec![2, 6, 10], 64, 64),
        (json!({"type": "interval", "start": 18}), vec![18, 19], 64, 64),
        (json!({"type": "preview", "max_frame_count": 3}), vec![0, 1, 2], 64, 64),
        (json!({"type": "preview", "max_time_fraction": 0.2}), vec![0, 1, 2, 3], 64, 64),
        (
            json!({"type": "preview", "max_time_offset": "00:00:00.5", "max_size_mb": 5}),
            vec![0, 1, 2, 3, 4],
            64,
            64,
        ),
    ] {
        let (found, probe) = made(json!([operation])).await;
        assert_eq!(found, frames, "{operation}");
        assert_eq!(size(&probe), (Some(width), Some(height)), "{operation}");
    }
    let (frames, _) = made(json!([
        {"type": "interval", "start": 10, "stop": 19}, {"type": "interval", "start": 1, "stop": 3}, {"type": "resize", "width": 48, "height": 48}
    ]))
    .await;
    assert_eq!(frames, [11, 12, 13], "in order");
    // Frame 10 has the shade 130: below 136 nothing of it is left.
    let find = json!([{"FindVideo": {"blobs": true, "operations": [
        {"type": "interval", "start": 10, "stop": 11}, {"type": "threshold", "value": 136}]}}]);
    let (_, blobs) = db.ask_with(find, vec![]).await;
    let frames = reds(&blobs[0]);
    assert!(frames[0] < 20 && frames[1] > 110, "{frames:?}");
    for (operation, says) in [
        (
            json!({"type": "crop", "x": 60, "y": 0, "width": 10, "height": 10}),
            "not within the video of 64 × 64",
        ),
        (json!({"type": "resize", "width": 100_000, "height": 100_000}), "is not worked on"),
        (json!({"type": "interval", "start": 20}), "begins with frame 20 of 20"),
        (json!({"type": "interval", "step": 0}), "above 0"),
        (json!({"type": "flip", "code": 0}), "is for images"),
        (json!({"type": "preview", "max_time_fraction": 2}), "from 0 to 1"),
        (json!({"type": "sharpen"}), "there is no operation"),
    ] {
        let find = json!([{"FindVideo": {"blobs": true, "operations": [operation]}}]);
        let refusal = db.refused(find, vec![]).await;
        assert!(refusal.info.contains(says), "{operation}: {}", refusal.info);
    }
}

/// The red of the left half of each frame.
fn reds(video: &Bytes) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("video");
    std::fs::write(&file, video).unwrap();
    let out = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(&file)
        .args(["-vsync", "0", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .output()
        .unwrap();
    let frame = (SIDE * SIDE * 3) as usize;
    let middle = ((SIDE * SIDE / 2 + SIDE / 4) * 3) as usize;
    out.stdout.chunks(frame).map(|f| f[middle]).collect()
}

#[tokio::test]
async fn a_video_is_made_anew_when_it_is_added() {
    if !ffmpeg() {
        return;
    }
    let db = Db::new();
    let add = json!([{"AddVideo": {"codec": "h264", "container": "mov", "operations": [
        {"type": "interval", "start": 0, "stop": 9}, {"type": "resize", "width": 32, "height": 32}]}}]);
    db.ask_with(add, vec![mp4()]).await;
    let find = json!([{"FindVideo": {"blobs": true, "results": {"list": ["_frame_count", "_frame_width", "_fps"]}}}]);
    let (answers, blobs) = db.ask_with(find, vec![]).await;
    let mut found = answers[0]["FindVideo"]["entities"][0].clone();
    found.as_object_mut().unwrap().shift_remove("_blob_index");
    assert_eq!(found, json!({"_frame_count": 10, "_frame_width": 32, "_fps": 10.0}));
    assert_eq!(look(&blobs[0]).0, (0..10).collect::<Vec<u8>>());
    // What can't be made is not stored.
    let add = json!([{"AddVideo": {"codec": "h264"}}]);
    let refusal = db.refused(add, vec![Bytes::from_static(b"no video")]).await;
    assert_eq!(refusal.code.as_deref(), Some("bad_video"), "{}", refusal.info);
    assert_eq!(db.count("_Video").await, 1);
}

/// A database whose ffmpeg and ffprobe are these scripts.
#[cfg(unix)]
fn with_programs(dir: &Path, ffmpeg: &str, ffprobe: &str, limit_ms: u64) -> Engine {
    use std::os::unix::fs::PermissionsExt as _;
    let program = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    let (ffmpeg, ffprobe) = (program("ffmpeg", ffmpeg), program("ffprobe", ffprobe));
    Engine::options()
        .ffmpeg(ffmpeg, ffprobe)
        .video_time_limit(std::time::Duration::from_millis(limit_ms))
        .media_limit(100_000)
        .open(dir.join("db"))
        .unwrap()
}

#[cfg(unix)]
const FACTS: &str = r#"echo '{"streams": [{"width": 2, "height": 2, "avg_frame_rate": "10/1", "nb_read_packets": "9"}]}'"#;

/// One frame, and one clip, of a video that only the programs have seen.
#[cfg(unix)]
async fn ask_programs(engine: &Engine) -> [Response; 2] {
    send(
        engine,
        json!([
            {"AddVideo": {"_ref": 1}}, {"AddFrame": {"video_ref": 1, "frame_number": 3}},
            {"AddClip": {"video_ref": 1, "frame_number_range": {"start": 1, "stop": 2}}},
        ]),
        vec![Bytes::from_static(b"bytes")],
    )
    .await
    .done()
    .unwrap();
    [
        send(engine, json!([{"FindFrame": {"blobs": true, "as_format": "png"}}]), vec![]).await,
        send(engine, json!([{"FindClip": {"blobs": true}}]), vec![]).await,
    ]
}

fn refusal(response: Response) -> Refusal {
    match response {
        Response::Refused(refusal) => refusal,
        Response::Done { answers, .. } => panic!("answered: {answers:?}"),
    }
}

#[cfg(unix)]
#[tokio::test]
async fn programs_that_misbehave_are_stopped_and_told_of() {
    let picture = r"printf 'P6\n2 2\n255\nabcdefghijkl'";
    let cases: [(&str, &str, &str, [&str; 2]); 8] = [
        // What a well-behaved one does, so that the others fail for their own reasons.
        ("well", picture, FACTS, ["", "made no video"]),
        ("hangs", "sleep 600", FACTS, ["was stopped", "was stopped"]),
        ("garbage", "head -c 5000 /dev/zero", FACTS, ["it is no picture", "made no video"]),
        ("says no", "echo 'no such thing' >&2; exit 1", FACTS, ["no such thing", "no such thing"]),
        ("nothing", "exit 0", FACTS, ["it ended early", "made no video"]),
        // To its output, to its complaints, and into the file that it was to write.
        ("floods", "cat /dev/zero", FACTS, ["it is no picture", "was stopped"]),
        ("complains", "cat /dev/zero >&2", FACTS, ["was stopped", "was stopped"]),
        (
            "fills",
            r#"for out; do :; done; case "$out" in /*) cat /dev/zero > "$out";; esac"#,
            FACTS,
            ["it ended early", "more than 100000 bytes"],
        ),
    ];
    for (name, ffmpeg, ffprobe, says) in cases {
        let dir = tempfile::tempdir().unwrap();
        // Short where the time has to run out, long where a busy machine must not make it.
        let limit = match name {
            "hangs" | "complains" => 1000,
            "floods" => 4000,
            _ => 60_000,
        };
        let engine = with_programs(dir.path(), ffmpeg, ffprobe, limit);
        let answers = ask_programs(&engine).await;
        for (answer, says) in answers.into_iter().zip(says) {
            if says.is_empty() {
                assert_eq!(answer.done().unwrap().1.len(), 1, "{name}");
                continue;
            }
            let refusal = refusal(answer);
            assert!(refusal.info.contains(says), "{name}: {}", refusal.info);
            assert!(refusal.code.is_some() && refusal.command == Some(0), "{name}");
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_probe_that_misbehaves_costs_the_facts_only() {
    for (name, ffprobe, says) in [
        ("hangs", "sleep 600", "was stopped"),
        ("garbage", "echo garbage", "not a video"),
        (
            "nonsense",
            r#"echo '{"streams": [{"width": -1, "avg_frame_rate": "0/0"}]}'"#,
            "not a video",
        ),
        (
            "huge",
            r#"echo '{"streams": [{"width": 100000, "height": 100000, "avg_frame_rate": "1/1", "nb_read_packets": "9"}]}'"#,
            "is not worked on",
        ),
        ("says no", "echo 'never seen it' >&2; exit 3", "never seen it"),
        ("floods", "cat /dev/zero", "it is too long"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let limit = if name == "hangs" { 1000 } else { 60_000 };
        let engine = with_programs(dir.path(), "exit 0", ffprobe, limit);
        for answer in ask_programs(&engine).await {
            let refusal = refusal(answer);
            assert!(refusal.info.contains(says), "{name}: {}", refusal.info);
        }
        let find = json!([{"FindVideo": {"results": {"list": ["_fps"]}, "blobs": true}}]);
        let (answers, blobs) = send(&engine, find, vec![]).await.done().unwrap();
        assert_eq!(blobs, ["bytes"], "{name}");
        if name != "huge" {
            assert_eq!(answers[0]["FindVideo"]["entities"][0]["_fps"], Json::Null, "{name}");
        }
    }
}

#[tokio::test]
async fn without_ffmpeg_the_error_says_how_to_mend_it() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = dir.path().join("nowhere");
    let engine = Engine::options().ffmpeg(&nowhere, &nowhere).open(dir.path().join("db")).unwrap();
    send(
        &engine,
        json!([{"AddVideo": {"_ref": 1}}, {"AddFrame": {"video_ref": 1, "frame_number": 3}}]),
        vec![Bytes::from_static(b"bytes")],
    )
    .await
    .done()
    .unwrap();
    for find in [
        json!([{"FindFrame": {"blobs": true}}]),
        json!([{"FindVideo": {"blobs": true, "as_codec": "h264"}}]),
        json!([{"AddVideo": {"codec": "h264"}}]),
    ] {
        let blobs = match find[0].get("AddVideo") {
            Some(_) => vec![Bytes::from_static(b"bytes")],
            None => vec![],
        };
        let refusal = refusal(send(&engine, find, blobs).await);
        assert_eq!(refusal.code.as_deref(), Some("no_decoder"));
        assert!(refusal.info.contains("install ffmpeg"), "{}", refusal.info);
    }
    let (_, blobs) =
        send(&engine, json!([{"FindVideo": {"blobs": true}}]), vec![]).await.done().unwrap();
    assert_eq!(blobs, ["bytes"], "what was stored needs no decoder");
}
