//! `url` in AddImage, AddBlob and AddVideo: with a fetcher of the host's, without one, and over HTTP
//! from a server of our own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use adb_engine::{Engine, FetchError, Fetcher};
use adb_model::{Refusal, Response};
use bytes::Bytes;
use common::{Db, count, png, send};
use serde_json::{Value as Json, json};

/// Knows three addresses, and counts how often it is asked.
#[derive(Debug, Default)]
struct Shelf {
    asked: AtomicUsize,
}

impl Fetcher for Shelf {
    fn fetch(&self, url: &str, _limit: usize) -> Result<Bytes, FetchError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match url {
            "shelf:image" => Ok(png(5)),
            "shelf:text" => Ok(Bytes::from_static(b"<html>no image</html>")),
            "shelf:huge" => Ok(vec![0; 5000].into()),
            _ => Err(FetchError::new("it is not on the shelf")),
        }
    }
}

async fn refused(engine: &Engine, commands: Json, blobs: Vec<Bytes>) -> Refusal {
    match send(engine, commands, blobs).await {
        Response::Refused(refusal) => refusal,
        Response::Done { answers, .. } => panic!("answered: {answers:?}"),
    }
}

#[tokio::test]
async fn without_a_fetcher_the_error_says_what_to_do() {
    let db = Db::new();
    for kind in ["Image", "Blob", "Video"] {
        let add = json!([{"AddEntity": {"class": "Note"}}, {format!("Add{kind}"): {"url": "https://example.com/x"}}]);
        let refusal = db.refused(add, vec![]).await;
        assert_eq!(refusal.code.as_deref(), Some("no_fetcher"));
        assert_eq!(refusal.command, Some(1));
        assert!(refusal.info.contains("Options::fetcher"), "{}", refusal.info);
    }
    assert_eq!(db.count("Note").await, 0);
}

#[tokio::test]
async fn what_an_address_gives_is_stored_with_the_address() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Arc::new(Shelf::default());
    let engine =
        Engine::options().fetcher(shelf.clone()).media_limit(4000).open(dir.path()).unwrap();
    let add = json!([
        {"AddImage": {"url": "shelf:image", "properties": {"id": 1}, "if_not_found": {"id": ["==", 1]}}},
        {"AddBlob": {"properties": {"id": 2}}},
        {"AddBlob": {"url": "shelf:text", "properties": {"id": 3}}},
    ]);
    let (answers, _) =
        send(&engine, add.clone(), vec![Bytes::from_static(b"own")]).await.done().unwrap();
    assert!(answers.iter().all(|a| a.as_object().unwrap().values().all(|b| b["status"] == 0)));
    let find = json!([
        {"FindImage": {"with_url": "shelf:image", "urls": true, "blobs": true, "results": {"list": ["id"]}}},
        {"FindBlob": {"urls": true, "blobs": true, "results": {"list": ["id"]}}},
    ]);
    let (answers, blobs) = send(&engine, find, vec![]).await.done().unwrap();
    assert_eq!(
        answers[0]["FindImage"]["entities"],
        json!([{"_url": "shelf:image", "id": 1, "_blob_index": 0}])
    );
    assert_eq!(
        answers[1]["FindBlob"]["entities"],
        json!([{"id": 2, "_blob_index": 1}, {"_url": "shelf:text", "id": 3, "_blob_index": 2}])
    );
    assert_eq!(
        blobs,
        [png(5), Bytes::from_static(b"own"), Bytes::from_static(b"<html>no image</html>")]
    );
    // What is there already is not fetched again.
    let asked = shelf.asked.load(Ordering::Relaxed);
    let again = json!([add[0]]);
    let (answers, _) = send(&engine, again.clone(), vec![]).await.done().unwrap();
    assert_eq!(answers[0]["AddImage"]["status"], 2);
    assert_eq!(shelf.asked.load(Ordering::Relaxed), asked);
    // Unless the request itself takes it away before.
    let replace = json!([{"DeleteImage": {"constraints": {"id": ["==", 1]}}}, again[0]]);
    let (answers, _) = send(&engine, replace, vec![]).await.done().unwrap();
    assert_eq!(answers[1]["AddImage"]["status"], 0);
    assert_eq!(shelf.asked.load(Ordering::Relaxed), asked + 1);
    assert_eq!(count(&engine, "_Image").await, 1);
}

#[tokio::test]
async fn what_an_address_does_not_give_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::options()
        .fetcher(Arc::new(Shelf::default()))
        .media_limit(4000)
        .open(dir.path())
        .unwrap();
    for (add, code, says) in [
        (
            json!({"AddImage": {"url": "shelf:text"}}),
            Some("bad_image"),
            "what `shelf:text` gives is not an image",
        ),
        (json!({"AddBlob": {"url": "shelf:huge"}}), Some("fetch"), "more than 4000 bytes"),
        (json!({"AddBlob": {"url": "shelf:none"}}), Some("fetch"), "not on the shelf"),
        (json!({"AddBlob": {"url": 5}}), None, "must be a string"),
        (json!({"AddImage": {"url": "shelf:image", "format": "png"}}), None, "stored as it is"),
        (json!({"AddVideo": {"url": "shelf:image", "codec": "h264"}}), None, "stored as it is"),
    ] {
        let refusal =
            refused(&engine, json!([{"AddEntity": {"class": "Note"}}, add]), vec![]).await;
        assert_eq!(refusal.code.as_deref(), code, "{}", refusal.info);
        assert!(refusal.info.contains(says), "{}", refusal.info);
    }
    // An address and a blob: the blob belongs to nobody.
    let both = refused(&engine, json!([{"AddBlob": {"url": "shelf:text"}}]), vec![png(1)]).await;
    assert_eq!(both.code.as_deref(), Some("blobs"));
    assert_eq!(count(&engine, "Note").await, 0);
    // A guard that matches, by a reference: the address is asked, what it says does not matter.
    let guarded = json!([{"AddEntity": {"class": "Note", "_ref": 1}}, {"AddBlob": {"url": "shelf:none", "if_not_found": 1}}]);
    let (answers, _) = send(&engine, guarded, vec![]).await.done().unwrap();
    assert_eq!(answers[1]["AddBlob"]["status"], 2);
}

#[cfg(feature = "fetch")]
mod http {
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        net::{TcpListener, TcpStream},
        thread,
        time::Duration,
    };

    use adb_engine::HttpFetcher;

    use super::*;

    /// A server that answers each path in its own way, until the process ends.
    fn server() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming() {
                thread::spawn(move || answer(stream.unwrap(), port));
            }
        });
        port
    }

    fn answer(mut stream: TcpStream, port: u16) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        while lines.next().is_some_and(|line| line.is_ok_and(|l| !l.is_empty())) {}
        let path = first.split(' ').nth(1).unwrap();
        let mut say = |text: &str| {
            let _ = stream.write_all(text.as_bytes());
        };
        let redirect = |to: String| {
            format!(
                "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            )
        };
        match path {
            "/image" => {
                let body = png(9);
                say(&format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                ));
                let _ = stream.write_all(&body);
            }
            "/page" => say(
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>",
            ),
            "/to-image" => say(&redirect("/image".to_owned())),
            "/to-private" => say(&redirect(format!("http://169.254.169.254:{port}/secret"))),
            "/to-file" => say(&redirect("file:///etc/passwd".to_owned())),
            "/to-other" => say(&redirect("http://elsewhere.invalid/".to_owned())),
            "/in-circles" => say(&redirect("/in-circles".to_owned())),
            "/nowhere" => {
                say("HTTP/1.1 302 Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
            "/announces" => {
                say("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\nconnection: close\r\n\r\n");
            }
            "/floods" => {
                say("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
                while stream.write_all(&[0; 4096]).is_ok() {}
            }
            "/silent" => thread::sleep(Duration::from_secs(60)),
            "/drips" => {
                say("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\nconnection: close\r\n\r\n");
                while stream.write_all(b".").is_ok() {
                    thread::sleep(Duration::from_millis(50));
                }
            }
            "/breaks" => {
                say("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\nconnection: close\r\n\r\nhalf");
            }
            "/busy" => say(
                "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            ),
            _ => {
                say("HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\nconnection: close\r\n\r\nnone");
            }
        }
    }

    fn fetcher() -> HttpFetcher {
        HttpFetcher::new()
            .allow_private(true)
            .max_bytes(100_000)
            .time_limit(Duration::from_secs(60))
    }

    fn engine(dir: &tempfile::TempDir, fetcher: HttpFetcher) -> Engine {
        Engine::options().fetcher(Arc::new(fetcher)).open(dir.path()).unwrap()
    }

    #[tokio::test]
    async fn images_are_fetched_and_redirections_followed() {
        let (port, dir) = (server(), tempfile::tempdir().unwrap());
        let engine = engine(&dir, fetcher());
        let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
        let add =
            json!([{"AddImage": {"url": url("/image")}}, {"AddImage": {"url": url("/to-image")}}]);
        send(&engine, add, vec![]).await.done().unwrap();
        let find = json!([{"FindImage": {"urls": true, "blobs": true}}]);
        let (answers, blobs) = send(&engine, find, vec![]).await.done().unwrap();
        assert_eq!(blobs, [png(9), png(9)]);
        assert_eq!(answers[0]["FindImage"]["entities"][1]["_url"], url("/to-image"));
    }

    #[tokio::test]
    async fn what_servers_may_do_wrong_is_told() {
        let (port, dir) = (server(), tempfile::tempdir().unwrap());
        let engine = engine(&dir, fetcher().hosts(["127.0.0.1", "169.254.169.254"]));
        for (path, says) in [
            ("/missing", "404"),
            ("/busy", "503"),
            ("/page", "is not an image"),
            ("/announces", "more than 100000 bytes"),
            ("/floods", "more than 100000 bytes"),
            ("/breaks", "can't be fetched"),
            ("/in-circles", "more than 5 times"),
            ("/nowhere", "does not say where"),
            ("/to-file", "`file:` is not followed"),
            ("/to-other", "none of those that may be asked"),
        ] {
            let add = json!([{"AddImage": {"url": format!("http://127.0.0.1:{port}{path}")}}]);
            let refusal = refused(&engine, add, vec![]).await;
            assert!(refusal.info.contains(says), "{path}: {}", refusal.info);
        }
        assert_eq!(count(&engine, "_Image").await, 0);
    }

    #[tokio::test]
    async fn slow_servers_are_left() {
        let (port, dir) = (server(), tempfile::tempdir().unwrap());
        let engine = engine(&dir, fetcher().time_limit(Duration::from_millis(800)));
        for path in ["/silent", "/drips"] {
            let add = json!([{"AddImage": {"url": format!("http://127.0.0.1:{port}{path}")}}]);
            let refusal = refused(&engine, add, vec![]).await;
            assert!(refusal.info.contains("longer than 0.8 seconds"), "{path}: {}", refusal.info);
        }
    }

    #[tokio::test]
    async fn private_addresses_are_refused_by_name_by_number_and_after_redirections() {
        let (port, dir) = (server(), tempfile::tempdir().unwrap());
        let engine = engine(&dir, fetcher().allow_private(false));
        for host in ["127.0.0.1", "localhost", "[::1]", "2130706433", "0.0.0.0"] {
            let add = json!([{"AddBlob": {"url": format!("http://{host}:{port}/image")}}]);
            let refusal = refused(&engine, add, vec![]).await;
            assert!(refusal.info.contains("public net"), "{host}: {}", refusal.info);
        }
        // The first hop goes to a stand-in for a public server, which leads to a private place.
        let hop = OnlyHere(fetcher().allow_private(false), port);
        let error = hop.fetch("/to-private").unwrap_err().to_string();
        assert!(error.contains("169.254.169.254"), "{error}");
        assert!(hop.fetch("/to-image").is_ok());
    }

    /// Takes this test's own server for a public one, and nothing else.
    struct OnlyHere(HttpFetcher, u16);

    impl OnlyHere {
        fn fetch(&self, path: &str) -> Result<Bytes, FetchError> {
            let own = std::net::SocketAddr::from(([127, 0, 0, 1], self.1));
            let fetcher = self.0.clone().trusting(own);
            fetcher.fetch(&format!("http://127.0.0.1:{}{path}", self.1), 1 << 20)
        }
    }
}
