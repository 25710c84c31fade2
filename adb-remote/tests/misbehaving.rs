//! Servers that do what no server should: each test writes the script of one.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use adb_model::{Database, DbError, Fate, Request, Response};
use adb_protocol::{Configuration, Credentials, Hello, Message, frame, login::Session};
use adb_remote::{Options, Remote};
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What a fake does with a request that is no login.
#[derive(Debug, Clone)]
enum Act {
    /// Answers properly.
    Answer,
    /// Answers with these bytes in a frame.
    Payload(Vec<u8>),
    /// Writes these bytes, without a frame, and hangs up.
    Raw(Vec<u8>),
    /// Hangs up without reading the request whole.
    HangUpEarly,
    /// Reads the request and hangs up.
    HangUp,
    /// Reads the request and says nothing.
    Silence,
    /// Says that the session is over.
    NotAuthenticated,
}

/// A fake server: one act for each request, the last one for all that follow.
struct Fake {
    address: SocketAddr,
    /// Requests that were read whole, logins not counted.
    seen: Arc<AtomicUsize>,
    logins: Arc<AtomicUsize>,
}

fn framed(json: &Json) -> Vec<u8> {
    let message = Message { json: json.to_string().into(), ..Message::default() };
    message.encode(usize::MAX).unwrap().into_pieces().concat()
}

impl Fake {
    async fn start(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, logins) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (step, acts) = (Arc::new(AtomicUsize::new(0)), Arc::new(acts));
        let fake = Self { address, seen: Arc::clone(&seen), logins: Arc::clone(&logins) };
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (seen, logins) = (Arc::clone(&seen), Arc::clone(&logins));
                let (step, acts) = (Arc::clone(&step), Arc::clone(&acts));
                tokio::spawn(async move { talk(stream, &acts, &step, &seen, &logins).await });
            }
        });
        fake
    }

    fn remote(&self, options: Options) -> Remote {
        let credentials =
            Credentials::Password { username: "admin".into(), password: "hunter2".into() };
        let mut configuration = Configuration::new("fake", "127.0.0.1", credentials);
        configuration.port = self.address.port();
        configuration.use_ssl = false;
        configuration.retry_interval_seconds = 0.02;
        Remote::new(&configuration, options).unwrap()
    }

    fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

async fn talk(
    mut stream: TcpStream,
    acts: &[Act],
    step: &AtomicUsize,
    seen: &AtomicUsize,
    logins: &AtomicUsize,
) -> Option<()> {
    let mut hello = [0; Hello::BYTES];
    stream.read_exact(&mut hello).await.ok()?;
    stream.write_all(&hello).await.ok()?;
    loop {
        let mut header = [0; 4];
        stream.read_exact(&mut header).await.ok()?;
        let mut payload = vec![0; frame::length(header, usize::MAX).ok()?];
        let small = payload.len() < 1 << 16;
        if small {
            stream.read_exact(&mut payload).await.ok()?;
            let message = Message::decode(&payload.clone().into()).ok()?;
            let commands: Json = serde_json::from_slice(&message.json).ok()?;
            for command in ["Authenticate", "RefreshToken"] {
                if commands[0].get(command).is_some() {
                    let n = logins.fetch_add(1, Ordering::SeqCst);
                    let session = Session {
                        token: format!("adbs_{n}").into(),
                        expires_in: Duration::from_secs(3600),
                        refresh_token: "adbr_".into(),
                        refresh_expires_in: Duration::from_secs(3600),
                    };
                    stream.write_all(&framed(&session.to_answer(command))).await.ok()?;
                }
            }
            if commands[0].get("Authenticate").is_some() {
                continue;
            }
        }
        let act = &acts[step.fetch_add(1, Ordering::SeqCst).min(acts.len() - 1)];
        if !matches!(act, Act::HangUpEarly) {
            if !small {
                stream.read_exact(&mut payload).await.ok()?;
            }
            seen.fetch_add(1, Ordering::SeqCst);
        }
        match act {
            Act::HangUpEarly | Act::HangUp => return None,
            Act::Silence => tokio::time::sleep(Duration::from_secs(3600)).await,
            Act::Answer => {
                let answer = framed(&json!([{"X": {"status": 0}}]));
                stream.write_all(&answer).await.ok()?;
            }
            Act::NotAuthenticated => {
                let answer = framed(&json!({"status": -1, "info": "Not Authenticated!"}));
                stream.write_all(&answer).await.ok()?;
            }
            Act::Payload(payload) => {
                let header = frame::header(payload.len()).unwrap();
                stream.write_all(&[&header[..], payload].concat()).await.ok()?;
            }
            Act::Raw(bytes) => {
                stream.write_all(bytes).await.ok()?;
                return None;
            }
        }
    }
}

fn guarded() -> Request {
    Request::json(&json!([{"AddEntity": {"class": "A", "if_not_found": ["$id", "==", 1]}}]))
}

fn unguarded() -> Request {
    Request::json(&json!([{"AddEntity": {"class": "A"}}]))
}

fn done(result: Result<Response, DbError>) -> Vec<Json> {
    result.unwrap().done().unwrap().0
}

#[tokio::test]
async fn what_is_guarded_is_sent_again_and_what_is_not_is_not() {
    for act in [Act::HangUp, Act::Raw(vec![9, 0]), Act::Raw(vec![9, 0, 0, 0, 10, 7, b'['])] {
        let fake = Fake::start(vec![act.clone(), Act::Answer]).await;
        let db = fake.remote(Options::default());
        assert_eq!(done(db.execute(guarded()).await).len(), 1);
        assert_eq!(fake.seen(), 2, "{act:?}");

        let fake = Fake::start(vec![act.clone(), Act::Answer]).await;
        let db = fake.remote(Options::default());
        let error = db.execute(unguarded()).await.unwrap_err();
        assert_eq!((error.fate(), fake.seen()), (Fate::Unknown, 1), "{act:?}: {error}");
        assert!(error.is_transient() && error.to_string().contains("not known"), "{error}");
    }
}

#[tokio::test]
async fn what_never_arrived_is_sent_again_in_any_case() {
    let fake = Fake::start(vec![Act::HangUpEarly, Act::Answer]).await;
    let db = fake.remote(Options::default());
    // More than the socket's buffers hold, so that sending fails.
    let large = unguarded().with_blob(vec![0; 64 << 20]);
    assert_eq!(done(db.execute(large).await).len(), 1);
    assert_eq!(fake.seen(), 1);
}

#[tokio::test]
async fn it_gives_up_in_the_end() {
    let fake = Fake::start(vec![Act::HangUp]).await;
    let error = fake.remote(Options::default()).execute(guarded()).await.unwrap_err();
    assert_eq!((fake.seen(), error.fate()), (3, Fate::Unknown));

    let gone = Fake { address: ([127, 0, 0, 1], 1).into(), ..Fake::start(vec![]).await };
    let error = gone.remote(Options::default()).execute(unguarded()).await.unwrap_err();
    assert_eq!(error.fate(), Fate::NotApplied);
    assert!(error.is_transient() && error.to_string().contains("can't connect"), "{error}");
}

#[tokio::test]
async fn nonsense_is_told_as_such() {
    let cases: Vec<(Act, &str)> = vec![
        (Act::Payload(vec![0xff; 20]), "can't be read"),
        (Act::Payload(vec![10, 1, b'[']), "no JSON"),
        (Act::Payload(framed(&json!([]))[4..].to_vec()), "0 answers to 1"),
        (Act::Payload(framed(&json!([{}, {}]))[4..].to_vec()), "2 answers to 1"),
        (Act::Payload(framed(&json!({"info": "x"}))[4..].to_vec()), "without a status"),
        (Act::Payload(framed(&json!(7))[4..].to_vec()), "neither"),
        (Act::Raw(vec![0xff, 0xff, 0xff, 0xff]), "4294967295 bytes"),
    ];
    for (act, told) in cases {
        let fake = Fake::start(vec![act.clone()]).await;
        let error = fake.remote(Options::default()).execute(guarded()).await.unwrap_err();
        assert!(error.to_string().contains(told), "{act:?}: {error}");
        assert_eq!(error.fate(), Fate::Unknown, "{act:?}");
    }
}

#[tokio::test]
async fn a_session_that_ended_is_begun_again_once() {
    let fake = Fake::start(vec![Act::NotAuthenticated, Act::Answer]).await;
    let db = fake.remote(Options::default());
    assert_eq!(done(db.execute(unguarded()).await).len(), 1);
    assert_eq!(fake.logins.load(Ordering::SeqCst), 2);

    let fake = Fake::start(vec![Act::NotAuthenticated]).await;
    let answer = fake.remote(Options::default()).execute(unguarded()).await.unwrap();
    assert!(matches!(answer, Response::Refused(refusal) if refusal.info == "Not Authenticated!"));
    assert_eq!(fake.seen(), 2);
}

#[tokio::test]
async fn silence_ends() {
    let fake = Fake::start(vec![Act::Silence]).await;
    let limit = Duration::from_millis(150);
    let options = Options { answer: Some(limit), ..Options::default() };
    let start = Instant::now();
    let error = fake.remote(options).execute(unguarded()).await.unwrap_err();
    assert_eq!(error.fate(), Fate::Unknown);
    assert!(start.elapsed() >= limit && error.to_string().contains("150ms"), "{error}");

    // One that accepts and never says hello.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mute = Fake { address: listener.local_addr().unwrap(), ..Fake::start(vec![]).await };
    let options = Options { connect: Duration::from_millis(100), ..Options::default() };
    let error = mute.remote(options).execute(unguarded()).await.unwrap_err();
    assert_eq!(error.fate(), Fate::NotApplied);
}

#[tokio::test]
async fn other_protocols_are_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 12]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let web = Fake { address, ..Fake::start(vec![]).await };
    let error = web.remote(Options::default()).execute(unguarded()).await.unwrap_err();
    assert!(error.to_string().contains("HTTP") && !error.is_transient(), "{error}");
}
