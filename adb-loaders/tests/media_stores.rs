//! Media in buckets, and listings of buckets and of web servers, from servers of our own.

mod local_bucket;
mod local_web;

use std::time::Duration;

use adb_loaders::{
    Entry, ListedObjects, Listing, MediaError, MediaErrorKind, MediaOptions, MediaReader,
    MediaRoot, ObjectSource as _,
};
use adb_model::{MediaSource, ModelSchema};
use bytes::Bytes;
use local_bucket::{Bucket, Trouble};
use local_web::{Answer, Web, ok, status};

fn options(bucket: &Bucket) -> MediaOptions {
    let mut options = MediaOptions::default();
    options.backoff = Duration::from_millis(1);
    options.attempts = 3;
    options.max_bytes = 100_000;
    bucket.settings(&mut options);
    options
}

/// Addresses of rows may not lead to this machine; where buckets lie is said by the user.
fn reader(bucket: &Bucket) -> MediaReader {
    MediaReader::new(MediaRoot::new("."), options(bucket))
}

fn read(reader: &MediaReader, url: &str) -> Result<Bytes, MediaError> {
    reader.read(&MediaSource::Url(url.to_owned()))
}

const CLOUDS: [&str; 2] = ["s3", "gs"];

fn photos(trouble: &[Trouble]) -> Bucket {
    Bucket::start(
        &[
            ("a.jpg", b"at the top".to_vec()),
            ("cats/1 one.jpg", b"cat one".to_vec()),
            ("cats/2.jpg", b"cat two".to_vec()),
            ("cats/old/3.jpg", b"cat three".to_vec()),
            ("catsuits/4.jpg", b"no cat".to_vec()),
            ("large.jpg", vec![1; 100_001]),
        ],
        trouble,
    )
}

#[test]
fn objects_are_read() {
    let bucket = photos(&[]);
    let reader = reader(&bucket);
    for cloud in CLOUDS {
        assert_eq!(read(&reader, &format!("{cloud}://photos/a.jpg")).unwrap(), "at the top");
        assert_eq!(read(&reader, &format!("{cloud}://photos/cats/1 one.jpg")).unwrap(), "cat one");
        let none = read(&reader, &format!("{cloud}://photos/none.jpg")).unwrap_err();
        assert!(matches!(none.kind(), MediaErrorKind::NotFound), "{none}");
        assert!(none.to_string().contains("photos/none.jpg does not exist"), "{none}");
        let large = read(&reader, &format!("{cloud}://photos/large.jpg")).unwrap_err();
        assert!(large.to_string().contains("100001 bytes, more than the limit"), "{large}");
    }
    let signed = |a: &local_web::Asked| a.header("authorization").is_some();
    let asked = bucket.web.asked();
    assert!(asked[..4].iter().all(signed) && !asked[4..].iter().any(signed));
}

#[test]
fn stores_that_are_busy_are_asked_again() {
    for cloud in CLOUDS {
        let bucket = photos(&[
            ("/photos/a.jpg", 503, "SlowDown"),
            ("/photos/a.jpg", 429, "TooManyRequests"),
            ("/photos/cats", 403, "AccessDenied"),
            ("/photos/large", 301, "PermanentRedirect"),
        ]);
        let reader = reader(&bucket);
        let url = |key: &str| format!("{cloud}://photos/{key}");
        assert_eq!(read(&reader, &url("a.jpg")).unwrap(), "at the top");
        assert_eq!(bucket.web.asked().len(), 3);
        let denied = read(&reader, &url("cats/2.jpg")).unwrap_err();
        assert!(denied.to_string().contains("403 (AccessDenied: as told)"), "{denied}");
        let moved = read(&reader, &url("large.jpg")).unwrap_err().to_string();
        assert!(moved.contains("`eu-west-1`; set AWS_REGION"), "{moved}");
        assert_eq!(bucket.web.asked().len(), 5, "neither is better the second time");
    }
}

#[test]
fn objects_that_are_cut_off_are_gone_on_with() {
    let body: Vec<u8> = (0..10_000u32).map(|i| (i % 251) as u8).collect();
    let sent = body.clone();
    let web =
        Web::start(move |asked| local_web::cut(local_web::part(asked, &sent, "\"tag\""), 4_000));
    let bucket = Bucket { web };
    for cloud in CLOUDS {
        assert_eq!(read(&reader(&bucket), &format!("{cloud}://photos/a")).unwrap(), body);
    }
    assert_eq!(bucket.web.parts(), [4_000, 8_000, 4_000, 8_000]);
    assert_eq!(bucket.web.asked()[1].header("if-match"), Some("\"tag\""));
}

#[test]
fn objects_are_kept_and_asked_for_again() {
    let bucket = photos(&[]);
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(&bucket);
    options.cache = Some(dir.path().to_owned());
    for cloud in CLOUDS {
        for _ in 0..2 {
            let reader = MediaReader::new(MediaRoot::new("."), options.clone());
            assert_eq!(read(&reader, &format!("{cloud}://photos/a.jpg")).unwrap(), "at the top");
        }
    }
    let asked = bucket.web.asked();
    let conditional = asked.iter().filter(|a| a.header("if-none-match").is_some()).count();
    assert_eq!((asked.len(), conditional), (4, 2));
}

fn entries(reader: &MediaReader, address: &str) -> Result<Vec<Entry>, MediaError> {
    Listing::open(reader, address)?.collect()
}

#[test]
fn a_bucket_is_listed_page_by_page() {
    for cloud in CLOUDS {
        let bucket = photos(&[]);
        let names = |address: &str| {
            let entries = entries(&reader(&bucket), address).unwrap();
            entries.into_iter().map(|e| e.name).collect::<Vec<_>>()
        };
        let cats = ["1 one.jpg", "2.jpg", "old/3.jpg"];
        assert_eq!(names(&format!("{cloud}://photos/cats")), cats);
        assert_eq!(names(&format!("{cloud}://photos/cats/")), cats);
        assert_eq!(names(&format!("{cloud}://photos")).len(), 6);
        let found = entries(&reader(&bucket), &format!("{cloud}://photos/cats")).unwrap();
        assert_eq!((found[0].size, found[0].etag.as_deref()), (Some(7), Some("\"tag\"")));
        // What is listed can be read.
        assert_eq!(read(&reader(&bucket), &found[0].url).unwrap(), "cat one");
    }
}

#[test]
fn a_listing_that_fails_goes_on_where_it_was() {
    // The first page, then the second one and the third.
    let trouble = [
        ("/photos?", 503, "SlowDown"),
        ("continuation-token=cats", 500, "InternalError"),
        ("start-after", 503, "SlowDown"),
    ];
    let bucket = photos(&trouble);
    assert_eq!(entries(&reader(&bucket), "s3://photos/").unwrap().len(), 6);
    let bucket = photos(&[("/photos?", 503, "SlowDown"); 3]);
    let err = entries(&reader(&bucket), "s3://photos/").unwrap_err().to_string();
    assert!(err.contains("503 (SlowDown"), "{err}");
    let bucket = photos(&[]);
    assert!(entries(&reader(&bucket), "s3://others/").is_err());
}

#[test]
fn a_web_server_is_listed_by_its_links() {
    let web = Web::start(|asked| match asked.path.as_str() {
        "/pub/" => ok("<a href='../'>up</a><a href='?C=M'>sort</a><a href='a%20b.jpg'>a</a>\
             <a href='cats/'>cats</a><a href='/pub/z.jpg'>z</a><a href='/other.jpg'>o</a>"),
        "/pub/cats/" => ok("<a href='1.jpg'>1</a><a href='/pub/'>up</a><a href='./'>self</a>"),
        "/pub/a%20b.jpg" => ok("a picture"),
        "/broken/" => ok("<a href='x/'>x</a>"),
        _ => status(404),
    });
    let mut options = MediaOptions::default();
    options.allow_private = true;
    let reader = MediaReader::new(MediaRoot::new("."), options);
    let found = entries(&reader, &web.url("/pub")).unwrap();
    let names: Vec<&str> = found.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["a b.jpg", "z.jpg", "cats/1.jpg"]);
    assert_eq!(read(&reader, &found[0].url).unwrap(), "a picture");
    assert!(web.asked().iter().all(|a| !a.path.contains('?') && a.path != "/"));
    // A folder that is missing is told, rather than that its files are.
    let err = entries(&reader, &web.url("/broken/")).unwrap_err().to_string();
    assert!(err.contains("/broken/x/") && err.contains("404"), "{err}");
}

#[test]
fn a_listing_that_nobody_takes_ends() {
    let web = Web::start(|asked| match asked.path.as_str() {
        "/" => {
            let links: String = (0..3000).map(|i| format!("<a href='{i}.jpg'>{i}</a>")).collect();
            ok(format!("{links}<a href='more/'>more</a>"))
        }
        _ => Answer::Silent,
    });
    let mut options = MediaOptions::default();
    options.allow_private = true;
    let reader = MediaReader::new(MediaRoot::new("."), options);
    let mut listing = Listing::open(&reader, &web.url("/")).unwrap();
    assert_eq!(listing.next().unwrap().unwrap().name, "0.jpg");
    drop(listing);
    assert_eq!(web.asked().len(), 1);
}

#[test]
fn a_bucket_is_a_source_with_a_table_beside_it() {
    let bucket = photos(&[]);
    let dir = tempfile::tempdir().unwrap();
    let table = dir.path().join("stars.csv");
    std::fs::write(&table, "file,stars\n2.jpg,5\nold/3,4\nnone.jpg,1\n").unwrap();
    let source = ListedObjects::new("s3://photos/cats", options(&bucket))
        .folder_as("age")
        .table(&table, "file")
        .glob("**/*.jpg")
        .unwrap();
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    let read = source.read(&ModelSchema::BARE, &mut |row, _| {
        match row.object {
            Ok(object) => rows.push(object.unwrap().into_object().unwrap()),
            Err(reason) => faults.push((row.at.to_string(), reason)),
        }
        std::ops::ControlFlow::Continue(())
    });
    read.unwrap();
    let rows: Vec<String> =
        rows.into_iter().map(|row| serde_json::Value::Object(row).to_string()).collect();
    assert_eq!(
        rows,
        [
            r#"{"source":"s3://photos/cats/1 one.jpg"}"#,
            r#"{"stars":"5","source":"s3://photos/cats/2.jpg"}"#,
            r#"{"age":"old","source":"s3://photos/cats/old/3.jpg"}"#,
        ]
    );
    // A line of the table without a file is told: by its path without an ending there is none.
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[1].1.contains("is called \"none.jpg\""), "{faults:?}");
    // What can't be listed ends the reading.
    let other = ListedObjects::new("s3://others/", options(&bucket));
    let failed = other.read(&ModelSchema::BARE, &mut |_, _| std::ops::ControlFlow::Continue(()));
    assert!(failed.unwrap_err().to_string().contains("s3://others/"));
}
