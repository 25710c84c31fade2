//! Media over HTTP, from a server of our own that does all that servers do.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod local_web;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use adb_loaders::{MediaError, MediaErrorKind, MediaOptions, MediaReader, MediaRoot};
use adb_model::{MediaSource, ObjectKind};
use bytes::Bytes;
use local_web::{Answer, Asked, Web, cut, ok, part, status, to};

/// A server of this machine may be asked, and nobody is patient.
fn options() -> MediaOptions {
    let mut options = MediaOptions::default();
    options.allow_private = true;
    options.backoff = Duration::from_millis(1);
    options.max_bytes = 100_000;
    options
}

fn reader(options: MediaOptions) -> MediaReader {
    MediaReader::new(MediaRoot::new("."), options)
}

fn read(reader: &MediaReader, url: &str) -> Result<Bytes, MediaError> {
    reader.read(&MediaSource::Url(url.to_owned()))
}

fn refused(reader: &MediaReader, url: &str) -> String {
    read(reader, url).unwrap_err().to_string()
}

/// The first bytes of a PNG, and then as many as are wanted.
fn picture(len: usize) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    bytes.extend((0..len).map(|i| (i * 7 % 251) as u8));
    bytes
}

#[test]
fn what_is_there_comes_and_redirections_are_followed() {
    let web = Web::start(|asked| match asked.path.as_str() {
        "/a.png" => ok(picture(10)),
        "/moved" => to("/further?x=1"),
        "/further?x=1" => to("a.png"),
        _ => status(404),
    });
    let reader = reader(options());
    for path in ["/a.png", "/moved"] {
        assert_eq!(read(&reader, &web.url(path)).unwrap(), picture(10));
    }
    let asked = web.asked();
    assert!(asked.iter().all(|a| a.header("accept-encoding") == Some("identity")));
    let err = refused(&reader, &web.url("/gone.png?token=secret"));
    assert!(err.contains("404") && !err.contains("secret"), "{err}");
    assert_eq!(web.asked().len(), asked.len() + 1, "what is not there is asked for once");
}

#[test]
fn it_works_on_any_executor_and_none() {
    let web = Web::start(|_| ok(picture(10)));
    let reader = reader(options());
    let source = MediaSource::Url(web.url("/a.png"));
    assert_eq!(reader.read(&source).unwrap(), picture(10));
    // One without timers and without I/O.
    let bare = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(bare.block_on(reader.fetch(&source)).unwrap(), picture(10));
    let read_within = bare.block_on(async { reader.read(&source) });
    assert_eq!(read_within.unwrap(), picture(10));
}

#[test]
fn what_fails_in_passing_is_tried_again() {
    let web = Web::start(|asked| match (asked.path.as_str(), asked.before) {
        ("/busy.png", 0) => status(503),
        ("/busy.png", 1) => status(429),
        ("/busy.png", 2) => Answer::Cut(200, vec![], picture(50), 0),
        ("/busy.png", _) => ok(picture(10)),
        _ => status(500),
    });
    let mut options = options();
    options.attempts = 4;
    let reader = reader(options);
    assert_eq!(read(&reader, &web.url("/busy.png")).unwrap(), picture(10));
    let error = read(&reader, &web.url("/broken.png")).unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("500"), "{error}");
    assert_eq!(web.asked().iter().filter(|a| a.path == "/broken.png").count(), 4);
}

#[test]
fn a_server_is_left_alone_as_long_as_it_asks() {
    // It means it: who comes back too early is refused again.
    let first: Mutex<Option<Instant>> = Mutex::default();
    let web = Web::start(move |_| {
        let first = *first.lock().unwrap().get_or_insert_with(Instant::now);
        match first.elapsed() < Duration::from_secs(1) {
            true => Answer::Whole(429, vec![("retry-after", "1".to_owned())], vec![]),
            false => ok(picture(10)),
        }
    });
    let mut options = options();
    // One pause, and no more.
    options.attempts = 2;
    options.per_host = 3;
    let reader = reader(options);
    let urls: Vec<String> = (0..12).map(|i| web.url(&format!("/{i}.png"))).collect();
    let threads: Vec<_> = urls
        .into_iter()
        .map(|url| {
            let reader = reader.clone();
            std::thread::spawn(move || read(&reader, &url))
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap().unwrap(), picture(10));
    }
    // Only those that were under way already were refused.
    assert!(web.asked().len() <= 12 + 3, "{}", web.asked().len());
}

#[test]
fn a_server_that_wants_to_be_left_alone_for_too_long_is_given_up() {
    let web = Web::start(|asked| {
        let late = if asked.path == "/a" { "86400" } else { "Tue, 01 Jan 2999 00:00:00 GMT" };
        Answer::Whole(503, vec![("retry-after", late.to_owned())], vec![])
    });
    let reader = reader(options());
    for path in ["/a", "/b"] {
        let err = refused(&reader, &web.url(path));
        assert!(err.contains("503") && err.contains("left alone for"), "{err}");
    }
    assert_eq!(web.asked().len(), 2);
}

#[test]
fn nothing_larger_than_the_limit_comes() {
    let web = Web::start(|asked| match asked.path.as_str() {
        // It says so; a body never comes.
        "/announced" => Answer::Cut(200, vec![], vec![0; 100_001], 0),
        "/endless" => Answer::Endless,
        _ => ok(vec![1; 100_000]),
    });
    let reader = reader(options());
    let err = refused(&reader, &web.url("/announced"));
    assert!(err.contains("100001 bytes, more than the limit of 100000"), "{err}");
    let err = refused(&reader, &web.url("/endless"));
    assert!(err.contains("more than the limit of 100000"), "{err}");
    assert_eq!(read(&reader, &web.url("/just")).unwrap().len(), 100_000);
    assert_eq!(web.asked().len(), 3, "nobody asks for it again");
}

#[test]
fn connections_that_are_cut_are_gone_on_with() {
    let body = picture(50_000);
    let sent = body.clone();
    let web = Web::start(move |asked| cut(part(asked, &sent, "\"one\""), 9_000));
    let mut options = options();
    // Each attempt brings something, so there may be more of them.
    options.attempts = 2;
    assert_eq!(read(&reader(options), &web.url("/a.png")).unwrap(), body);
    assert_eq!(web.parts(), [9_000, 18_000, 27_000, 36_000, 45_000]);
    assert!(web.asked().iter().skip(1).all(|a| a.header("if-range") == Some("\"one\"")));
}

#[test]
fn two_halves_are_of_one_object() {
    let (old, new) = (vec![1; 10_000], vec![2; 10_000]);
    let (before, after) = (old.clone(), new.clone());
    // It changes after the first half.
    let web = Web::start(move |asked| match (asked.path.as_str(), asked.before) {
        ("/changes", 0) => cut(part(asked, &before, "\"old\""), 5_000),
        ("/changes", _) => part(asked, &after, "\"new\""),
        // Says that a part is of the same, and its tag says otherwise.
        ("/lies", 0) => cut(part(asked, &before, "\"old\""), 5_000),
        ("/lies", 1) => Answer::Whole(
            206,
            vec![
                ("etag", "\"new\"".to_owned()),
                ("content-range", "bytes 5000-9999/10000".to_owned()),
            ],
            after[5_000..].to_vec(),
        ),
        ("/lies", _) => part(asked, &after, "\"new\""),
        // Another part than was asked for.
        ("/other", 0) => cut(part(asked, &before, "\"old\""), 5_000),
        ("/other", 1) => Answer::Whole(
            206,
            vec![("content-range", "bytes 4999-9999/10000".to_owned())],
            before[4_999..].to_vec(),
        ),
        ("/other", _) => part(asked, &before, "\"old\""),
        // Nothing tells what a half is of.
        ("/untagged", 0) => cut(ok(before.clone()), 5_000),
        ("/weak", 0) => cut(part(asked, &before, "W/\"old\""), 5_000),
        ("/weak" | "/untagged", _) => ok(after.clone()),
        // It can no parts.
        _ if asked.before == 0 => cut(part(asked, &before, "\"old\""), 5_000),
        _ => Answer::Whole(200, vec![("etag", "\"old\"".to_owned())], before.clone()),
    });
    let reader = reader(options());
    for (path, whole) in [
        ("/changes", &new),
        ("/lies", &new),
        ("/other", &old),
        ("/untagged", &new),
        ("/weak", &new),
        ("/no-parts", &old),
    ] {
        assert_eq!(read(&reader, &web.url(path)).unwrap(), *whole, "{path}");
    }
    let parts = web.asked();
    assert!(
        parts
            .iter()
            .filter(|a| matches!(a.path.as_str(), "/untagged" | "/weak"))
            .all(|a| a.from().is_none())
    );
}

#[test]
fn a_size_that_is_not_true_is_noticed() {
    let web = Web::start(|_| Answer::Cut(200, vec![], picture(1000), 508));
    let mut options = options();
    options.attempts = 2;
    let err = read(&reader(options), &web.url("/a.png")).unwrap_err();
    assert!(matches!(err.kind(), MediaErrorKind::Cut { got: 508, announced: Some(1008) }), "{err}");
    assert!(err.to_string().contains("after 508 bytes of the 1008"), "{err}");
}

#[test]
fn nobody_waits_for_ever() {
    let web = Web::start(|asked| match asked.path.as_str() {
        "/silent" => Answer::Silent,
        "/drips" => Answer::Drips,
        _ => ok(picture(10)),
    });
    let mut options = options();
    options.attempts = 2;
    options.connect_timeout = Duration::from_millis(200);
    options.idle_timeout = Duration::from_millis(200);
    let patient = reader(options.clone());
    options.total_timeout = Duration::from_millis(900);
    let impatient = reader(options);
    for (reader, path, says) in [
        (&patient, "/silent", "there was no answer"),
        (&impatient, "/drips", "it was not there within 0.9 s"),
    ] {
        let err = read(reader, &web.url(path)).unwrap_err();
        assert!(err.is_transient() && err.to_string().contains(says), "{err}");
    }
    assert!(read(&patient, &web.url("/a.png")).is_ok());
}

#[test]
fn a_page_is_no_picture() {
    let web = Web::start(|asked| match asked.path.as_str() {
        "/page" => ok("<!doctype html><title>Not here</title>"),
        "/zip" => {
            Answer::Whole(200, vec![("content-encoding", "gzip".to_owned())], b"\x1f\x8b".to_vec())
        }
        _ => ok(""),
    });
    let reader = reader(options());
    let page = MediaSource::Url(web.url("/page"));
    let err = reader.read_kind(&page, ObjectKind::Image).unwrap_err().to_string();
    assert!(err.contains("an HTML page (\"Not here\"), where an image is needed"), "{err}");
    assert!(reader.read_kind(&page, ObjectKind::Blob).is_ok(), "a blob may be a page");
    assert!(reader.read(&page).is_ok());
    assert!(refused(&reader, &web.url("/empty")).contains("is empty"));
    assert!(refused(&reader, &web.url("/zip")).contains("compressed (`gzip`)"));
    // None of this is better the second time.
    assert_eq!(web.asked().len(), 5);
}

#[test]
fn addresses_that_are_not_of_the_public_net_are_refused() {
    let web = Web::start(|asked| match asked.path.as_str() {
        "/to-metadata" => to("http://169.254.169.254/latest/meta-data/"),
        "/to-name" => to("http://localhost:1/x"),
        "/to-file" => to("file:///etc/passwd"),
        "/in-circles" => to("/in-circles"),
        "/to-self" => to("/a.png"),
        _ => ok(picture(10)),
    });
    let mut strict = options();
    strict.allow_private = false;
    let reader = reader(strict.clone());
    let port = web.address.port();
    for host in
        ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "0.0.0.0", "[::ffff:127.0.0.1]"]
    {
        let err = refused(&reader, &format!("http://{host}:{port}/a.png"));
        assert!(err.contains("not an address of the public net"), "{host}: {err}");
        assert!(err.contains("--allow-private"), "{err}");
    }
    for url in ["http://10.0.0.1/x", "http://[fd00:ec2::254]/x", "http://169.254.169.254/x"] {
        assert!(refused(&reader, url).contains("not an address of the public net"), "{url}");
    }
    assert!(web.asked().is_empty());
    // The first hop goes to a stand-in for a public server, which leads on.
    strict.trusting = Some(web.address);
    let reader = self::reader(strict);
    for (path, says) in [
        ("/to-metadata", "leads to 169.254.169.254"),
        ("/to-name", "not an address of the public net"),
        ("/to-file", "`file:`, which is not followed"),
        ("/in-circles", "leads on more than"),
    ] {
        let err = refused(&reader, &web.url(path));
        assert!(err.contains(says), "{path}: {err}");
    }
    assert!(read(&reader, &web.url("/to-self")).is_ok());
    assert!(refused(&reader, "http://me:secret@127.0.0.1/x").contains("a name or a password"));
}

#[test]
fn hosts_are_not_asked_more_often_at_once_than_allowed() {
    let slow = |_: &Asked| {
        std::thread::sleep(Duration::from_millis(20));
        ok(picture(10))
    };
    let run = |web: &Web, hosts: &[&str], all: usize, per_host: usize| {
        let mut options = options();
        (options.downloads, options.per_host) = (all, per_host);
        let reader = reader(options);
        let threads: Vec<_> = (0..24)
            .map(|i| {
                let host = hosts[i % hosts.len()];
                let url = format!("http://{host}:{}/{i}.png", web.address.port());
                let reader = reader.clone();
                std::thread::spawn(move || read(&reader, &url).unwrap())
            })
            .collect();
        threads.into_iter().for_each(|t| assert_eq!(t.join().unwrap(), picture(10)));
        web.most_at_once()
    };
    let one = Web::start(slow);
    assert!(run(&one, &["127.0.0.1"], 20, 2) <= 2);
    let two = Web::start(slow);
    let most = run(&two, &["127.0.0.1", "localhost"], 3, 2);
    assert!(most <= 3, "{most}");
}

#[test]
fn what_was_fetched_once_is_asked_for_only_if_it_changed() {
    let changed = Arc::new(Mutex::new(false));
    let state = changed.clone();
    let web = Web::start(move |asked| {
        let etag = if *state.lock().unwrap() { "\"2\"" } else { "\"1\"" };
        let body = picture(if etag == "\"1\"" { 10 } else { 20 });
        match asked.path.as_str() {
            "/tagged" if asked.header("if-none-match") == Some(etag) => {
                Answer::Whole(304, vec![], vec![])
            }
            "/tagged" => Answer::Whole(200, vec![("etag", etag.to_owned())], body),
            "/fresh" => Answer::Whole(200, vec![("cache-control", "max-age=600".to_owned())], body),
            "/secret" => Answer::Whole(
                200,
                vec![("etag", etag.to_owned()), ("cache-control", "no-store".to_owned())],
                body,
            ),
            _ => ok(body),
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let mut options = options();
    options.cache = Some(dir.path().join("cache"));
    let get = |path: &str| {
        let before = web.asked().len();
        // Each time a process of its own, as far as it can tell.
        let bytes = read(&reader(options.clone()), &web.url(path)).unwrap();
        (bytes.len() - 8, web.asked().split_off(before))
    };
    for path in ["/tagged", "/fresh", "/secret", "/plain"] {
        assert_eq!(get(path).0, 10, "{path}");
    }
    // 304: what was kept is given.
    let (len, asked) = get("/tagged");
    assert_eq!((len, asked[0].header("if-none-match")), (10, Some("\"1\"")));
    let (len, asked) = get("/fresh");
    assert_eq!((len, asked.len()), (10, 0));
    for path in ["/secret", "/plain"] {
        let (_, asked) = get(path);
        assert_eq!(asked.len(), 1, "{path}");
        assert_eq!(asked[0].header("if-none-match"), None, "{path}");
    }
    *changed.lock().unwrap() = true;
    assert_eq!(get("/tagged").0, 20);
    assert_eq!(get("/fresh").0, 10, "it was said to hold for ten minutes");
    // What a crash left behind is not believed.
    let files = walk(dir.path());
    assert_eq!(files.len(), 2, "{files:?}");
    for file in &files {
        let whole = std::fs::read(file).unwrap();
        std::fs::write(file, &whole[..whole.len() - 3]).unwrap();
    }
    let (len, asked) = get("/fresh");
    assert_eq!((len, asked.len()), (20, 1));
    let (len, asked) = get("/tagged");
    assert_eq!((len, asked[0].header("if-none-match")), (20, None));
    // Addresses may hold secrets.
    for file in walk(dir.path()) {
        let text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
        assert!(!text.contains("127.0.0.1") && !text.contains("tagged"), "{text}");
    }
}

fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    entries.flat_map(|p| if p.is_dir() { walk(&p) } else { vec![p] }).collect()
}

#[test]
fn schemes_that_nobody_follows_are_named() {
    let reader = reader(options());
    let err = refused(&reader, "ftp://x/y.png");
    assert!(err.contains("`ftp:` is none of http, https, s3, gs"), "{err}");
    let Err(stored) = reader.read(&MediaSource::Stored("1".into())) else { panic!("it was read") };
    assert!(stored.to_string().contains("can't be read"), "{stored}");
}
