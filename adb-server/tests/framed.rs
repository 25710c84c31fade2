//! The framed protocol: sessions, requests, and clients that misbehave.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use adb_model::{BoxFuture, Database, DbError, Request, Response};
use adb_protocol::{Hello, Message, Protocols};
use adb_server::{Access, Accounts, Error, Identity, Lifetimes, Limits, Options, Server};
use bytes::Bytes;
use common::{Client, PASSWORD, accounts, quick, start, start_with};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring},
};

#[tokio::test]
async fn nothing_without_a_session() {
    let server = start(|_| {}).await;
    let mut client = server.connect().await;
    let (answer, _) = client.ask(json!([{"GetStatus": {}}]), vec![]).await;
    assert_eq!(
        answer,
        json!({"status": -1, "info": "Not Authenticated!", "code": "unauthenticated"})
    );
    client.token = Some("adbs_guessed".into());
    let (answer, _) = client.ask(json!([{"GetStatus": {}}]), vec![]).await;
    assert_eq!(answer["code"], "unauthenticated");
    let wrong = json!([{"Authenticate": {"username": "admin", "password": "wrong"}}]);
    let (answer, _) = client.ask(wrong, vec![]).await;
    assert_eq!(answer[0]["Authenticate"]["status"], -1);

    client.log_in("admin", PASSWORD).await;
    let (answer, _) = client.ask(json!([{"GetStatus": {}}]), vec![]).await;
    assert_eq!(answer[0]["GetStatus"]["status"], 0);

    // The token is good on any connection.
    let token = client.token.clone();
    drop(client);
    let mut other = server.connect().await;
    other.token = token;
    let (answer, _) = other.ask(json!([{"GetStatus": {}}]), vec![]).await;
    assert_eq!(answer[0]["GetStatus"]["status"], 0);
    assert!(server.stop().await);
}

#[tokio::test]
async fn blobs_go_in_and_come_out() {
    let server = start(|_| {}).await;
    let mut client = server.logged_in().await;
    let blobs: Vec<Bytes> = [0_usize, 1, 5000, 200_000]
        .iter()
        .map(|&n| (0..n).map(|i| (i % 251) as u8).collect::<Vec<u8>>().into())
        .collect();
    let add = |n: usize| json!({"AddBlob": {"properties": {"n": n}}});
    let commands: Vec<_> = (0..blobs.len()).map(add).collect();
    let (answer, _) = client.ask(json!(commands), blobs.clone()).await;
    assert_eq!(answer.as_array().unwrap().len(), blobs.len(), "{answer}");
    let find = json!([{"FindBlob": {"blobs": true, "results": {"list": ["n"], "sort": "n"}}}]);
    let (answer, mut found) = client.ask(find, vec![]).await;
    assert_eq!(answer[0]["FindBlob"]["returned"], 4, "{answer}");
    found.sort_by_key(Bytes::len);
    assert_eq!(found, blobs);
    server.stop().await;
}

/// A bad request costs an answer, never the connection.
#[tokio::test]
async fn refusals_are_objects() {
    let server = start(|_| {}).await;
    let mut client = server.logged_in().await;
    let bad = [
        "",
        "[",
        "{}",
        "[{\"AddEntity\": {\"class\": \"A\", \"properties\": {\"x\": NaN}}}]",
        "[{\"NoSuchCommand\": {}}]",
        "[1]",
        "null",
    ];
    for json in bad {
        let token = client.token.clone();
        client.send(&Message { json: json.into(), blobs: vec![], token }).await;
        let (answer, _) = client.receive().await.unwrap();
        assert!(answer["info"].is_string() && answer["status"] != 0, "{json}: {answer}");
    }
    let mixed = [
        json!([{"GetStatus": {}}, {"CreateUser": {"username": "anna"}}]),
        json!([{"Authenticate": {"username": "admin", "password": PASSWORD}}, {"GetStatus": {}}]),
        json!([{"Authenticate": {}, "GetStatus": {}}]),
    ];
    for commands in mixed {
        let (answer, _) = client.ask(commands.clone(), vec![]).await;
        assert!(answer["info"].as_str().unwrap().contains("request of their own"), "{answer}");
    }
    let (answer, _) = client.ask(json!([{"GetStatus": {}}]), vec![]).await;
    assert_eq!(answer[0]["GetStatus"]["status"], 0);
    server.stop().await;
}

#[tokio::test]
async fn readers_read() {
    let server = start(|_| {}).await;
    let mut admin = server.logged_in().await;
    let made = json!([{"CreateUser": {"username": "anna", "password": "secret-word-1", "roles": ["reader"]}}]);
    assert_eq!(admin.ask(made, vec![]).await.0[0]["CreateUser"]["status"], 0);
    let mut anna = server.connect().await;
    anna.log_in("anna", "secret-word-1").await;
    let (answer, _) = anna.ask(json!([{"GetSchema": {}}]), vec![]).await;
    assert_eq!(answer[0]["GetSchema"]["status"], 0, "{answer}");
    for command in [
        json!([{"AddEntity": {"class": "A"}}]),
        json!([{"GetStatus": {}}, {"DeleteEntity": {"with_class": "A"}}]),
        json!([{"FindEntity": {"with_class": "A"}, "AddEntity": {"class": "A"}}]),
    ] {
        let (answer, _) = anna.ask(command, vec![]).await;
        assert_eq!(answer["code"], "forbidden", "{answer}");
    }
    // A user who is removed is out at once.
    admin.ask(json!([{"RemoveUser": {"username": "anna"}}]), vec![]).await;
    let (answer, _) = anna.ask(json!([{"GetSchema": {}}]), vec![]).await;
    assert_eq!(answer["code"], "unauthenticated");
    server.stop().await;
}

#[tokio::test]
async fn only_what_both_speak() {
    let server = start(|_| {}).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&Hello::client(Protocols::TLS).to_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(Hello::from_bytes(answer).unwrap().protocols, Protocols::NONE);
    assert_eq!(stream.read(&mut answer).await.unwrap(), 0);

    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(stream.read(&mut answer).await.unwrap_or(0), 0);
    server.stop().await;
}

/// Slow, cut, too long, nonsense: each ends its own connection, and others do not notice.
#[tokio::test]
async fn clients_that_misbehave_harm_nobody() {
    let server = start(|_| {}).await;
    let mut good = server.logged_in().await;

    let hello = Hello::client(Protocols::PLAIN).to_bytes();
    for cut in 1..hello.len() {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&hello[..cut]).await.unwrap();
    }
    let message = Message { json: "[{\"GetStatus\":{}}]".into(), ..Message::default() };
    let whole = message.encode(usize::MAX).unwrap().into_pieces().concat();
    for cut in 1..whole.len() {
        let mut client = server.connect().await;
        client.stream.write_all(&whole[..cut]).await.unwrap();
    }
    // Slow: stays open and sends no more.
    let mut slow_hello = TcpStream::connect(server.address).await.unwrap();
    slow_hello.write_all(&hello[..5]).await.unwrap();
    let mut slow_header = server.connect().await;
    slow_header.stream.write_all(&whole[..2]).await.unwrap();
    let mut slow_body = server.connect().await;
    slow_body.stream.write_all(&whole[..9]).await.unwrap();
    assert_eq!(slow_hello.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert!(slow_header.is_closed().await && slow_body.is_closed().await);

    let mut oversize = server.connect().await;
    oversize.stream.write_all(&u32::MAX.to_le_bytes()).await.unwrap();
    assert_eq!(oversize.receive().await.unwrap().0["code"], "too_large");
    assert!(oversize.is_closed().await);
    let mut nonsense = server.connect().await;
    nonsense.stream.write_all(&[3, 0, 0, 0, 0xff, 0xff, 0xff]).await.unwrap();
    assert!(nonsense.is_closed().await);

    let (answer, _) = good.ask(json!([{"GetStatus": {}}]), vec![]).await;
    assert_eq!(answer[0]["GetStatus"]["status"], 0);
    server.stop().await;
}

/// Answers when it is let, and counts.
#[derive(Default)]
struct Slow {
    asked: AtomicUsize,
    most: AtomicUsize,
    running: AtomicUsize,
}

impl Database for Slow {
    fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
        Box::pin(async move {
            let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(running, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(300)).await;
            self.running.fetch_sub(1, Ordering::SeqCst);
            self.asked.fetch_add(1, Ordering::SeqCst);
            let blobs = request.blobs;
            Ok(Response::Done { answers: vec![json!({"Slow": {"status": 0}})], blobs })
        })
    }
}

#[tokio::test]
async fn a_stop_lets_requests_end_and_closes_silent_connections() {
    let (state, access) = accounts();
    let db = Arc::new(Slow::default());
    let mut options = Options::new(0, access);
    options.limits = quick();
    let server = start_with(state, options, db.clone()).await;
    let mut silent = server.logged_in().await;
    let mut busy = server.logged_in().await;
    let token = busy.token.clone();
    busy.send(&Message { json: "[{\"Slow\":{}}]".into(), blobs: vec![], token }).await;
    while db.running.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let address = server.address;
    assert!(server.stop().await);
    assert_eq!(busy.receive().await.unwrap().0[0]["Slow"]["status"], 0);
    assert!(silent.is_closed().await && busy.is_closed().await);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_client_that_vanishes_has_its_request_done() {
    let (state, access) = accounts();
    let db = Arc::new(Slow::default());
    let server = start_with(state, Options::new(0, access), db.clone()).await;
    let mut client = server.logged_in().await;
    let token = client.token.clone();
    client.send(&Message { json: "[{\"Slow\":{}}]".into(), blobs: vec![], token }).await;
    while db.running.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(client);
    assert!(server.stop().await);
    assert_eq!(db.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_memory_are_bounded() {
    let (state, access) = accounts();
    let db = Arc::new(Slow::default());
    let mut options = Options::new(0, access);
    // Two of the messages below fit.
    options.limits = Limits { requests: 3, in_memory: 1 << 20, ..quick() };
    options.limits.arrival = Duration::from_secs(20);
    let server = start_with(state, options, db.clone()).await;
    let token = server.logged_in().await.token;
    let ask = |bytes: usize| {
        let (token, address) = (token.clone(), server.address);
        tokio::spawn(async move {
            let stream = TcpStream::connect(address).await.unwrap();
            let mut client = Client::greet(stream, Protocols::PLAIN).await;
            client.token = token;
            client.ask(json!([{"Slow": {}}]), vec![vec![0; bytes].into()]).await
        })
    };
    let small: Vec<_> = (0..9).map(|_| ask(10)).collect();
    for asked in small {
        assert_eq!(asked.await.unwrap().0[0]["Slow"]["status"], 0);
    }
    assert_eq!(db.most.swap(0, Ordering::SeqCst), 3);
    let large: Vec<_> = (0..5).map(|_| ask(500_000)).collect();
    for asked in large {
        assert_eq!(asked.await.unwrap().1[0].len(), 500_000);
    }
    assert_eq!(db.most.load(Ordering::SeqCst), 2);
    server.stop().await;
}

#[tokio::test]
async fn tls_on_the_same_socket() {
    let certificates = tempfile::tempdir().unwrap();
    let (identity, path) = Identity::self_signed(certificates.path(), &[]).unwrap();
    let server = start(|options| options.tls = Some(identity)).await;

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(path).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    for name in ["localhost", "127.0.0.1"] {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let plain = Client::greet(stream, Protocols::TLS).await;
        let name = name.to_owned().try_into().unwrap();
        let stream = connector.connect(name, plain.stream).await.unwrap();
        let mut client = Client::over(stream);
        client.log_in("admin", PASSWORD).await;
        let (answer, blobs) = client
            .ask(
                json!([{"AddBlob": {}}, {"FindBlob": {"blobs": true}}]),
                vec![vec![7; 100_000].into()],
            )
            .await;
        assert_eq!(answer[0]["AddBlob"]["status"], 0, "{answer}");
        assert_eq!(blobs[0].len(), 100_000);
    }
    // Without TLS there is no way in.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&Hello::client(Protocols::PLAIN).to_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(Hello::from_bytes(answer).unwrap().protocols, Protocols::NONE);
    // A client that never begins TLS is not waited for for ever.
    let stream = TcpStream::connect(server.address).await.unwrap();
    let mut idle = Client::greet(stream, Protocols::TLS).await;
    assert!(idle.is_closed().await);
    server.stop().await;
}

#[tokio::test]
async fn public_addresses_need_tls_and_accounts() {
    let db: Arc<dyn Database> = Arc::new(Slow::default());
    let certificates = tempfile::tempdir().unwrap();
    let (identity, _) = Identity::self_signed(certificates.path(), &[]).unwrap();
    let state = tempfile::tempdir().unwrap();
    let (accounts, _) = Accounts::create(state.path(), Lifetimes::default()).unwrap();
    let known = Access::Accounts(Arc::new(accounts));
    let cases = [
        (Access::Everybody, None, "TLS and accounts"),
        (Access::Everybody, Some(identity.clone()), "accounts"),
        (known.clone(), None, "TLS"),
    ];
    for (access, tls, lacks) in cases {
        let mut options = Options::new(0, access);
        options.tls = tls;
        options.rest = Some(([0, 0, 0, 0], 0).into());
        match Server::bind(Arc::clone(&db), options).await {
            Err(e @ Error::Exposed { .. }) => assert!(e.to_string().contains(lacks), "{e}"),
            other => panic!("{other:?}"),
        }
    }
    let mut options = Options::new(0, known);
    options.listen = ([0, 0, 0, 0], 0).into();
    options.tls = Some(identity);
    Server::bind(db, options).await.unwrap();
}

#[tokio::test]
async fn everybody_on_ones_own_machine() {
    let server = start(|options| options.access = Access::Everybody).await;
    let mut client = server.connect().await;
    client.log_in("whoever", "whatever").await;
    let (answer, _) = client.ask(json!([{"GetStatus": {}}]), vec![]).await;
    assert_eq!(answer[0]["GetStatus"]["status"], 0);
    let (answer, _) = client.ask(json!([{"CreateUser": {"username": "anna"}}]), vec![]).await;
    assert!(answer["info"].as_str().unwrap().contains("no accounts"));
    server.stop().await;
}

#[tokio::test]
async fn answers_that_are_too_long_say_so() {
    let server = start(|_| {}).await;
    let mut client = server.logged_in().await;
    for _ in 0..3 {
        let blob = vec![1; 500_000].into();
        let (answer, _) = client.ask(json!([{"AddBlob": {}}]), vec![blob]).await;
        assert_eq!(answer[0]["AddBlob"]["status"], 0);
    }
    let (answer, blobs) = client.ask(json!([{"FindBlob": {"blobs": true}}]), vec![]).await;
    assert_eq!((&answer["status"], blobs.len()), (&json!(4), 0), "{answer}");
    server.stop().await;
}

/// Two thousand connections that say nothing cost nothing but themselves.
#[tokio::test(flavor = "multi_thread")]
async fn many_silent_connections() {
    // Each has two ends in this process.
    let many = 2000.min(common::open_files().saturating_sub(200) / 2);
    let server = start(|options| options.limits.connections = 5000).await;
    let mut silent = Vec::new();
    for _ in 0..many {
        silent.push(server.connect().await);
    }
    let mut client = server.logged_in().await;
    let (answer, _) = client.ask(json!([{"GetStatus": {}}]), vec![]).await;
    assert_eq!(answer[0]["GetStatus"]["status"], 0);
    eprintln!("{many} silent connections");
    assert!(server.stop().await);
}
