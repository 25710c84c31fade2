//! REST: what a server may do, and what proxies in front of it do.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use adb_model::{Database, Fate};
use adb_protocol::rest;
use adb_remote::{Options, Remote};
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};

use super::{done, guarded, rejections, session, unguarded};

/// What a fake does with a request that is no login.
#[derive(Debug, Clone)]
enum Act {
    /// Answers properly.
    Answer,
    /// Answers properly, and closes the connection, as it says.
    AnswerAndClose,
    /// Answers properly, and closes the connection without a word.
    AnswerAndHangUp,
    /// Answers properly, in chunks that come slowly.
    Chunks,
    /// Answers with this JSON.
    Say(Json),
    /// Answers with a status, further lines of the head, and a body.
    Status(u16, &'static str, &'static str),
    /// Writes these bytes and hangs up.
    Raw(&'static [u8]),
    /// Hangs up without reading the body.
    HangUpEarly,
    /// Reads the request and hangs up.
    HangUp,
    Silence,
}

struct Fake {
    address: SocketAddr,
    /// Requests that were read whole, logins not counted.
    seen: Arc<AtomicUsize>,
    logins: Arc<AtomicUsize>,
}

fn answer(status: u16, head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} X\r\n{head}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn ok(json: &Json) -> Vec<u8> {
    let body = rest::encode(json.to_string().as_bytes(), &[]);
    answer(200, "Content-Type: application/json\r\n", &body)
}

impl Fake {
    /// One act for each request, the last one for all that follow; logins are let in, unless `door`
    /// says otherwise.
    async fn start(door: Option<Act>, acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, logins) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let fake = Self { address, seen: Arc::clone(&seen), logins: Arc::clone(&logins) };
        let step = Arc::new(AtomicUsize::new(0));
        let (door, acts) = (Arc::new(door), Arc::new(acts));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (seen, logins, step) =
                    (Arc::clone(&seen), Arc::clone(&logins), Arc::clone(&step));
                let (door, acts) = (Arc::clone(&door), Arc::clone(&acts));
                tokio::spawn(async move {
                    talk(stream, door.as_ref().as_ref(), &acts, &step, &seen, &logins).await
                });
            }
        });
        fake
    }

    fn remote(&self, options: Options) -> Remote {
        super::remote(self.address, true, options)
    }

    fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

/// Head and announced length of the next request.
async fn head(stream: &mut TcpStream) -> Option<(String, usize)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length?.parse().unwrap();
    Some((head, length))
}

async fn talk(
    mut stream: TcpStream,
    door: Option<&Act>,
    acts: &[Act],
    step: &AtomicUsize,
    seen: &AtomicUsize,
    logins: &AtomicUsize,
) -> Option<()> {
    loop {
        let (head, length) = head(&mut stream).await?;
        assert!(head.starts_with("post /api/ http/1.1\r\n"), "{head}");
        assert!(head.contains("\r\nhost: 127.0.0.1:"), "{head}");
        // Logins are short, and come without a token.
        let is_login = !head.contains("authorization: bearer adbs_");
        let act = match (is_login, door) {
            (true, None) => None,
            (true, Some(act)) => Some(act),
            (false, _) => acts.get(step.fetch_add(1, Ordering::SeqCst)).or(acts.last()),
        };
        if matches!(act, Some(Act::HangUpEarly)) {
            return None;
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.ok()?;
        if is_login {
            let n = logins.fetch_add(1, Ordering::SeqCst);
            if act.is_none() {
                let session = session(n, Duration::from_secs(3600)).to_answer("Authenticate");
                stream.write_all(&ok(&session)).await.ok()?;
                continue;
            }
        } else {
            seen.fetch_add(1, Ordering::SeqCst);
        }
        let proper = json!([{"X": {"status": 0}}]);
        match act? {
            Act::Answer => stream.write_all(&ok(&proper)).await.ok()?,
            Act::AnswerAndClose => {
                let body = rest::encode(proper.to_string().as_bytes(), &[]);
                stream.write_all(&answer(200, "Connection: close\r\n", &body)).await.ok()?;
                return None;
            }
            Act::AnswerAndHangUp => {
                stream.write_all(&ok(&proper)).await.ok()?;
                return None;
            }
            Act::Chunks => {
                let body = rest::encode(proper.to_string().as_bytes(), &[]);
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    .await
                    .ok()?;
                for chunk in body.chunks(4) {
                    let size = format!("{:x}\r\n", chunk.len());
                    stream.write_all(&[size.as_bytes(), chunk, b"\r\n"].concat()).await.ok()?;
                    sleep(Duration::from_millis(10)).await;
                }
                stream.write_all(b"0\r\n\r\n").await.ok()?;
            }
            Act::Say(json) => stream.write_all(&ok(json)).await.ok()?,
            Act::Status(status, head, body) => {
                stream.write_all(&answer(*status, head, body.as_bytes())).await.ok()?;
            }
            Act::Raw(bytes) => {
                stream.write_all(bytes).await.ok()?;
                return None;
            }
            Act::HangUpEarly | Act::HangUp => return None,
            Act::Silence => sleep(Duration::from_secs(3600)).await,
        }
    }
}

const PAGE: &str = "Content-Type: text/html\r\n";

/// Statuses of which it is not known whether the request was done, and answers that are cut.
#[tokio::test]
async fn what_is_guarded_is_sent_again_and_what_is_not_is_not() {
    let acts = [
        Act::HangUp,
        Act::Status(500, PAGE, "<html>oh</html>"),
        Act::Status(502, PAGE, "<html>Bad Gateway</html>"),
        Act::Status(504, "", ""),
        Act::Raw(b"HTTP/1.1 200 OK\r\n"),
        Act::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"json\":["),
        Act::Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"jso"),
    ];
    for act in acts {
        let fake = Fake::start(None, vec![act.clone(), Act::Answer]).await;
        assert_eq!(done(fake.remote(Options::default()).execute(guarded()).await).len(), 1);
        assert_eq!(fake.seen(), 2, "{act:?}");

        let fake = Fake::start(None, vec![act.clone(), Act::Answer]).await;
        let error = fake.remote(Options::default()).execute(unguarded()).await.unwrap_err();
        assert_eq!((error.fate(), fake.seen()), (Fate::Unknown, 1), "{act:?}: {error}");
        assert!(error.is_transient() && error.to_string().contains("not known"), "{error}");
    }
}

/// Statuses that come before anything is done.
#[tokio::test]
async fn what_was_turned_away_is_sent_again_in_any_case() {
    for status in [408, 429, 503] {
        let act = Act::Status(status, "Retry-After: 0\r\n", "busy");
        let fake = Fake::start(None, vec![act, Act::Answer]).await;
        assert_eq!(done(fake.remote(Options::default()).execute(unguarded()).await).len(), 1);
        assert_eq!(fake.seen(), 2, "{status}");
    }
    let fake = Fake::start(None, vec![Act::Status(429, "", "busy\n")]).await;
    let error = fake.remote(Options::default()).execute(unguarded()).await.unwrap_err();
    assert_eq!((fake.seen(), error.fate()), (3, Fate::NotApplied));
    assert!(error.is_transient() && error.to_string().contains("429: busy"), "{error}");
}

#[tokio::test]
async fn a_long_wait_is_the_callers_to_decide() {
    let act = Act::Status(503, "Retry-After: 600\r\n", "");
    let fake = Fake::start(None, vec![act]).await;
    let error = fake.remote(Options::default()).execute(unguarded()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(600)));
    assert_eq!((fake.seen(), error.fate()), (1, Fate::NotApplied));
    assert!(error.is_transient());

    // A short one is waited for.
    let act = Act::Status(429, "Retry-After: 1\r\n", "");
    let fake = Fake::start(None, vec![act, Act::Answer]).await;
    let start = std::time::Instant::now();
    done(fake.remote(Options::default()).execute(unguarded()).await);
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn what_never_arrived_is_sent_again_in_any_case() {
    let fake = Fake::start(None, vec![Act::HangUpEarly, Act::Answer]).await;
    // More than the socket's buffers hold, so that sending fails.
    let large = unguarded().with_blob(vec![0; 64 << 20]);
    assert_eq!(done(fake.remote(Options::default()).execute(large).await).len(), 1);
    assert_eq!(fake.seen(), 1);
}

#[tokio::test]
async fn what_no_other_attempt_mends() {
    let cases = [
        (Act::Status(403, "", "not from here"), "not from here"),
        (Act::Status(404, PAGE, "<html></html>"), "`host` and `port`"),
        (Act::Status(405, "", ""), "`host` and `port`"),
        (Act::Status(413, PAGE, "<html></html>"), "smaller batches"),
        (Act::Status(301, "Location: https://elsewhere/api/\r\n", ""), "https://elsewhere/api/"),
        (Act::Status(501, "", ""), "501"),
    ];
    for (act, told) in cases {
        let fake = Fake::start(None, vec![act.clone()]).await;
        let error = fake.remote(Options::default()).execute(guarded()).await.unwrap_err();
        assert!(error.to_string().contains(told), "{act:?}: {error}");
        assert_eq!((error.fate(), error.is_transient()), (Fate::NotApplied, false), "{error}");
        assert_eq!(fake.seen(), 1, "{act:?}");
    }
}

#[tokio::test]
async fn nonsense_is_told_as_such() {
    let cases = [
        (Act::Status(200, PAGE, "<html>Log in</html>"), "HTML"),
        (Act::Status(200, "", "\n <!doctype html>"), "HTML"),
        (Act::Status(200, "", "[]"), "can't be read"),
        (Act::Status(200, "", "{\"json\":[{}],\"blobs\":[\"*\"]}"), "blob 0"),
        (Act::Status(200, "", "{\"json\":[],\"blobs\":[]}"), "0 answers to 1"),
        (Act::Status(200, "", "{\"json\":7,\"blobs\":[]}"), "neither"),
        (Act::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"), "99999999999 bytes"),
    ];
    for (act, told) in cases {
        let fake = Fake::start(None, vec![act.clone()]).await;
        let error = fake.remote(Options::default()).execute(guarded()).await.unwrap_err();
        assert!(error.to_string().contains(told), "{act:?}: {error}");
        assert_eq!(error.fate(), Fate::Unknown, "{act:?}");
    }
    // Whoever speaks no HTTP.
    let fake = Fake::start(None, vec![Act::Raw(b"\x08\0\0\0\x01\0\0\0\x01\0\0\0")]).await;
    let error = fake.remote(Options::default()).execute(unguarded()).await.unwrap_err();
    assert_eq!(error.fate(), Fate::Unknown, "{error}");
}

#[tokio::test]
async fn a_session_that_ended_is_begun_again_once() {
    let rejections = rejections().map(Act::Say).into_iter();
    for rejection in rejections.chain([Act::Status(401, PAGE, "<html></html>")]) {
        let fake = Fake::start(None, vec![rejection.clone(), Act::Answer]).await;
        assert_eq!(done(fake.remote(Options::default()).execute(unguarded()).await).len(), 1);
        assert_eq!(fake.logins.load(Ordering::SeqCst), 2, "{rejection:?}");

        let fake = Fake::start(None, vec![rejection]).await;
        let error = fake.remote(Options::default()).execute(unguarded()).await.unwrap_err();
        assert!(!error.is_transient() && error.to_string().contains("just given"), "{error}");
        assert_eq!((fake.seen(), error.fate()), (2, Fate::NotApplied));
    }
}

/// Whatever a login meets, the request was not sent.
#[tokio::test]
async fn logins_that_fail_leave_the_request_unsent() {
    let cases = [
        (Act::Status(401, "", ""), "refused", 1),
        (Act::Status(403, "", "no"), "403: no", 1),
        (Act::Status(500, "", "oh"), "500: oh", 3),
        (Act::HangUp, "lost the connection", 3),
        (Act::Say(json!([{"Authenticate": {"status": -1, "info": "wrong"}}])), "wrong", 1),
        (Act::Status(200, PAGE, "<html>Log in</html>"), "HTML", 1),
    ];
    for (door, told, logins) in cases {
        let fake = Fake::start(Some(door.clone()), vec![Act::Answer]).await;
        let error = fake.remote(Options::default()).execute(unguarded()).await.unwrap_err();
        assert!(error.to_string().contains(told), "{door:?}: {error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        assert_eq!((error.fate(), fake.seen()), (Fate::NotApplied, 0), "{door:?}");
        assert_eq!(fake.logins.load(Ordering::SeqCst), logins, "{door:?}: {error}");
    }
}

#[tokio::test]
async fn slow_answers_are_waited_for_and_silence_ends() {
    let fake = Fake::start(None, vec![Act::Chunks]).await;
    assert_eq!(done(fake.remote(Options::default()).execute(unguarded()).await).len(), 1);
    let options = Options { answer: Some(Duration::from_millis(30)), ..Options::default() };
    for act in [Act::Chunks, Act::Silence] {
        let fake = Fake::start(None, vec![act]).await;
        let error = fake.remote(options).execute(unguarded()).await.unwrap_err();
        assert_eq!(error.fate(), Fate::Unknown, "{error}");
        assert!(error.to_string().contains("30ms"), "{error}");
    }
}

/// Connections are kept where that is allowed, and none that was closed is used again.
#[tokio::test]
async fn what_comes_after_an_answer_harms_no_later_request() {
    for act in [Act::Answer, Act::AnswerAndClose, Act::AnswerAndHangUp] {
        let fake = Fake::start(None, vec![act.clone()]).await;
        let db = fake.remote(Options::default());
        for n in 1..=3 {
            assert_eq!(done(db.execute(unguarded()).await).len(), 1);
            sleep(Duration::from_millis(50)).await;
            assert_eq!(fake.seen(), n, "{act:?}");
        }
    }
}
