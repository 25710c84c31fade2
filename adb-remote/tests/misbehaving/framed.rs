//! The framed protocol.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use adb_model::{Database, Fate};
use adb_protocol::{Hello, Message, Protocols, VERSION, frame};
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
    /// Answers properly, a few bytes at a time.
    Slowly,
    /// Answers properly, and hangs up.
    AnswerAndHangUp,
    /// Answers properly, and goes on talking.
    AnswerAndMore,
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
    /// Answers with this JSON.
    Say(Json),
}

/// What a fake does with a login, or with the renewal of a session.
#[derive(Debug, Clone, Copy)]
enum LogIn {
    /// Lets it in, for so many seconds.
    Session(u64),
    Refuse,
    HangUp,
    Nonsense,
}

/// All that a fake does: the last of each list for all that follow.
#[derive(Debug, Clone)]
struct Script {
    hello: Vec<u8>,
    logins: Vec<LogIn>,
    renewals: Vec<LogIn>,
    acts: Vec<Act>,
}

impl From<Vec<Act>> for Script {
    fn from(acts: Vec<Act>) -> Self {
        let hello = Hello::client(Protocols::PLAIN).to_bytes().to_vec();
        let session = vec![LogIn::Session(3600)];
        Self { hello, logins: session.clone(), renewals: session, acts }
    }
}

fn nth<T>(list: &[T], n: usize) -> Option<&T> {
    list.get(n).or(list.last())
}

/// A fake server.
struct Fake {
    address: SocketAddr,
    counted: Arc<Counted>,
}

/// What a fake has seen.
#[derive(Default)]
struct Counted {
    step: AtomicUsize,
    /// Requests that were read whole, logins not counted.
    seen: AtomicUsize,
    logins: AtomicUsize,
    renewals: AtomicUsize,
}

fn framed(json: &Json) -> Vec<u8> {
    let message = Message { json: json.to_string().into(), ..Message::default() };
    message.encode(usize::MAX).unwrap().into_pieces().concat()
}

impl Fake {
    async fn start(script: impl Into<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (script, counted) = (Arc::new(script.into()), Arc::new(Counted::default()));
        let fake = Self { address, counted: Arc::clone(&counted) };
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (script, counted) = (Arc::clone(&script), Arc::clone(&counted));
                tokio::spawn(async move { talk(stream, &script, &counted).await });
            }
        });
        fake
    }

    fn remote(&self, options: Options) -> Remote {
        super::remote(self.address, false, options)
    }

    fn seen(&self) -> usize {
        self.counted.seen.load(Ordering::SeqCst)
    }

    /// How often somebody logged in, and renewed a session.
    fn sessions(&self) -> (usize, usize) {
        let read = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        (read(&self.counted.logins), read(&self.counted.renewals))
    }
}

async fn talk(mut stream: TcpStream, script: &Script, counted: &Counted) -> Option<()> {
    let mut hello = [0; Hello::BYTES];
    stream.read_exact(&mut hello).await.ok()?;
    stream.write_all(&script.hello).await.ok()?;
    if script.hello.len() < Hello::BYTES {
        return None;
    }
    loop {
        let mut header = [0; 4];
        stream.read_exact(&mut header).await.ok()?;
        let mut payload = vec![0; frame::length(header, usize::MAX).ok()?];
        let small = payload.len() < 1 << 16;
        if small {
            stream.read_exact(&mut payload).await.ok()?;
            let message = Message::decode(&payload.clone().into()).ok()?;
            let commands: Json = serde_json::from_slice(&message.json).ok()?;
            let begins = [
                ("Authenticate", &script.logins, &counted.logins),
                ("RefreshToken", &script.renewals, &counted.renewals),
            ];
            let begin = begins.into_iter().find(|(name, ..)| commands[0].get(name).is_some());
            if let Some((command, acts, counter)) = begin {
                let n = counter.fetch_add(1, Ordering::SeqCst);
                let answer = match nth(acts, n)? {
                    LogIn::Session(seconds) => {
                        let lifetime = Duration::from_secs(*seconds);
                        framed(&session(n, lifetime).to_answer(command))
                    }
                    LogIn::Refuse => framed(&json!([{command: {"status": -1, "info": "no"}}])),
                    LogIn::HangUp => return None,
                    LogIn::Nonsense => framed(&json!([{"Hello": {"status": 0}}])),
                };
                stream.write_all(&answer).await.ok()?;
                continue;
            }
        }
        let act = nth(&script.acts, counted.step.fetch_add(1, Ordering::SeqCst))?;
        if !matches!(act, Act::HangUpEarly) {
            if !small {
                stream.read_exact(&mut payload).await.ok()?;
            }
            counted.seen.fetch_add(1, Ordering::SeqCst);
        }
        let answer = framed(&json!([{"X": {"status": 0}}]));
        match act {
            Act::HangUpEarly | Act::HangUp => return None,
            Act::Silence => sleep(Duration::from_secs(3600)).await,
            Act::Answer => stream.write_all(&answer).await.ok()?,
            Act::Slowly => {
                for few in answer.chunks(3) {
                    stream.write_all(few).await.ok()?;
                    sleep(Duration::from_millis(10)).await;
                }
            }
            Act::AnswerAndHangUp => {
                stream.write_all(&answer).await.ok()?;
                return None;
            }
            Act::AnswerAndMore => {
                stream.write_all(&answer).await.ok()?;
                sleep(Duration::from_millis(30)).await;
                stream.write_all(b"and another thing").await.ok()?;
            }
            Act::Say(json) => stream.write_all(&framed(json)).await.ok()?,
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

    let gone = super::remote(([127, 0, 0, 1], 1).into(), false, Options::default());
    let error = gone.execute(unguarded()).await.unwrap_err();
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
        (Act::Raw(vec![1, 0, 0, 0, 10, 0, 0]), "cut off"),
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
    for rejection in rejections() {
        let fake = Fake::start(vec![Act::Say(rejection.clone()), Act::Answer]).await;
        let db = fake.remote(Options::default());
        assert_eq!(done(db.execute(unguarded()).await).len(), 1);
        assert_eq!(fake.sessions(), (2, 0));

        // One that takes none of its own sessions.
        let fake = Fake::start(vec![Act::Say(rejection)]).await;
        let error = fake.remote(Options::default()).execute(unguarded()).await.unwrap_err();
        assert!(!error.is_transient() && error.to_string().contains("just given"), "{error}");
        assert_eq!((fake.seen(), error.fate()), (2, Fate::NotApplied));
    }
}

/// What is not quite a rejection is an answer: the request is not sent again.
#[tokio::test]
async fn other_refusals_end_no_session() {
    let refusals = [
        json!({"status": -1, "info": "Not Authenticated! really"}),
        json!({"status": -1, "info": "Not Authenticated!", "code": "forbidden"}),
        json!({"status": 4, "info": "too much"}),
    ];
    for refusal in refusals {
        let fake = Fake::start(vec![Act::Say(refusal.clone())]).await;
        let answer = fake.remote(Options::default()).execute(unguarded()).await.unwrap();
        let refused = answer.done().unwrap_err();
        assert_eq!((refused.status, fake.seen()), (refusal["status"].as_i64().unwrap(), 1));
    }
}

#[tokio::test]
async fn sessions_that_end_soon_are_renewed_or_begun_anew() {
    let soon = |renewals: Vec<LogIn>| Script {
        logins: vec![LogIn::Session(1)],
        renewals,
        ..Script::from(vec![Act::Answer])
    };
    // Renewed; refused, and begun anew; cut, and tried again.
    let cases = [
        (vec![LogIn::Session(3600)], (1, 1)),
        (vec![LogIn::Refuse], (2, 1)),
        (vec![LogIn::HangUp, LogIn::Session(3600)], (2, 1)),
    ];
    for (renewals, sessions) in cases {
        let shown = format!("{renewals:?}");
        let fake = Fake::start(soon(renewals)).await;
        let db = fake.remote(Options::default());
        done(db.execute(unguarded()).await);
        sleep(Duration::from_millis(600)).await;
        done(db.execute(unguarded()).await);
        assert_eq!((fake.seen(), fake.sessions()), (2, sessions), "{shown}");
    }
}

#[tokio::test]
async fn logins_that_fail_leave_the_request_unsent() {
    let with = |logins: Vec<LogIn>| Script { logins, ..Script::from(vec![Act::Answer]) };
    let cases: [(Vec<LogIn>, &str, bool); 3] = [
        (vec![LogIn::Refuse], "refused: no", false),
        (vec![LogIn::Nonsense], "no answer to Authenticate", false),
        (vec![LogIn::HangUp], "lost the connection", true),
    ];
    for (logins, told, transient) in cases {
        let fake = Fake::start(with(logins)).await;
        let error = fake.remote(Options::default()).execute(unguarded()).await.unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        assert_eq!((error.fate(), error.is_transient()), (Fate::NotApplied, transient));
        assert_eq!((fake.seen(), fake.sessions().0), (0, if transient { 3 } else { 1 }));
    }
    // A login that was cut is tried again; unguarded or not, the request has not been sent.
    let fake = Fake::start(with(vec![LogIn::HangUp, LogIn::Session(60)])).await;
    done(fake.remote(Options::default()).execute(unguarded()).await);
    assert_eq!((fake.seen(), fake.sessions().0), (1, 2));
}

#[tokio::test]
async fn hellos_that_are_none() {
    let hello = |version, protocols| Hello { version, protocols }.to_bytes().to_vec();
    let cases: [(Vec<u8>, &str, bool); 5] = [
        // Of another version, as such a server refuses it.
        (hello(0, Protocols::NONE), "does not offer plain TCP", false),
        (hello(VERSION, Protocols::TLS), "it answers: TLS", false),
        (hello(VERSION, Protocols::from_bits(9)), "unknown protocols", false),
        (vec![9, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0], "length", false),
        (hello(VERSION, Protocols::PLAIN)[..7].to_vec(), "can't connect", true),
    ];
    for (hello, told, transient) in cases {
        let fake = Fake::start(Script { hello, ..Script::from(vec![Act::Answer]) }).await;
        let error = fake.remote(Options::default()).execute(unguarded()).await.unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
        assert_eq!((error.fate(), error.is_transient()), (Fate::NotApplied, transient), "{error}");
        assert_eq!((fake.seen(), fake.sessions()), (0, (0, 0)));
    }
}

/// Another version that answers in the same form is taken, as the SDK takes it.
#[tokio::test]
async fn a_newer_server_that_speaks_the_same() {
    let hello = Hello { version: 2, protocols: Protocols::PLAIN }.to_bytes().to_vec();
    let fake = Fake::start(Script { hello, ..Script::from(vec![Act::Answer]) }).await;
    done(fake.remote(Options::default()).execute(unguarded()).await);
}

#[tokio::test]
async fn slow_answers_are_waited_for() {
    let fake = Fake::start(vec![Act::Slowly]).await;
    assert_eq!(done(fake.remote(Options::default()).execute(unguarded()).await).len(), 1);

    // Each byte in time, and all together too late.
    let options = Options { answer: Some(Duration::from_millis(30)), ..Options::default() };
    let error = fake.remote(options).execute(unguarded()).await.unwrap_err();
    assert_eq!(error.fate(), Fate::Unknown, "{error}");
}

/// After the answer nothing of it can be undone: the next request goes over another connection.
#[tokio::test]
async fn what_comes_after_an_answer_harms_no_later_request() {
    for act in [Act::AnswerAndHangUp, Act::AnswerAndMore] {
        let fake = Fake::start(vec![act.clone()]).await;
        let db = fake.remote(Options::default());
        for n in 1..=3 {
            assert_eq!(done(db.execute(unguarded()).await).len(), 1);
            sleep(Duration::from_millis(80)).await;
            assert_eq!(fake.seen(), n, "{act:?}");
        }
    }
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
    let address = listener.local_addr().unwrap();
    let options = Options { connect: Duration::from_millis(100), ..Options::default() };
    let error = super::remote(address, false, options).execute(unguarded()).await.unwrap_err();
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
    let web = super::remote(address, false, Options::default());
    let error = web.execute(unguarded()).await.unwrap_err();
    assert!(error.to_string().contains("HTTP") && !error.is_transient(), "{error}");
}
