//! The client against our own server: TLS, sessions, many at once, restarts.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use adb_model::{Database, Request, Response, ask};
use adb_oracle::Reference;
use adb_protocol::{Configuration, Credentials};
use adb_remote::{Options, Remote};
use adb_server::{Access, Accounts, Identity, Lifetimes, Options as ServerOptions, Server};
use bytes::Bytes;
use serde_json::{Value as Json, json};
use tokio::{sync::oneshot, task::JoinHandle};

const PASSWORD: &str = "admin-admin-1";

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<bool>,
}

impl Running {
    async fn stop(self) -> bool {
        let _ = self.stop.send(());
        self.task.await.unwrap()
    }
}

async fn start(db: Arc<dyn Database>, options: ServerOptions) -> Running {
    let server = Server::bind(db, options).await.unwrap();
    let address = server.address().unwrap();
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    Running { address, stop, task }
}

fn options(state: &Path, lifetimes: Lifetimes) -> ServerOptions {
    let accounts = Accounts::open(state, lifetimes)
        .or_else(|_| Accounts::create_with(state, &PASSWORD.into(), lifetimes))
        .unwrap();
    ServerOptions::new(0, Access::Accounts(Arc::new(accounts)))
}

fn configuration(address: SocketAddr) -> Configuration {
    let credentials = Credentials::Password { username: "admin".into(), password: PASSWORD.into() };
    let mut configuration = Configuration::new("test", address.ip().to_string(), credentials);
    configuration.port = address.port();
    configuration.use_ssl = false;
    configuration.retry_interval_seconds = 0.05;
    configuration
}

fn remote(configuration: &Configuration) -> Remote {
    Remote::new(configuration, Options::default()).unwrap()
}

async fn asked(db: &dyn Database, commands: Json) -> Json {
    ask(db, Request::json(&commands)).await.unwrap().0.into()
}

#[tokio::test]
async fn what_goes_in_comes_out() {
    let state = tempfile::tempdir().unwrap();
    let server =
        start(Arc::new(Reference::new()), options(state.path(), Lifetimes::default())).await;
    let db = remote(&configuration(server.address));
    let blob: Bytes = (0..3_000_000).map(|i| (i % 251) as u8).collect::<Vec<_>>().into();
    let add = Request::json(&json!([{"AddBlob": {}}])).with_blob(blob.clone());
    db.execute(add).await.unwrap().done().unwrap();
    let (_, blobs) =
        ask(&db, Request::json(&json!([{"FindBlob": {"blobs": true}}]))).await.unwrap();
    assert!(blobs == [blob]);
    match db.execute(Request::json(&json!([{"NoSuchCommand": {}}]))).await.unwrap() {
        Response::Refused(refusal) => assert!(refusal.info.contains("NoSuchCommand"), "{refusal}"),
        done => panic!("{done:?}"),
    }
    assert!(!format!("{db:?}").contains(PASSWORD));
    server.stop().await;
}

#[tokio::test]
async fn wrong_credentials_are_no_matter_of_trying_again() {
    let state = tempfile::tempdir().unwrap();
    let server =
        start(Arc::new(Reference::new()), options(state.path(), Lifetimes::default())).await;
    let mut wrong = configuration(server.address);
    wrong.password = Some("hunter2-hunter2".into());
    let error = remote(&wrong).execute(Request::json(&json!([]))).await.unwrap_err();
    assert!(!error.is_transient() && error.to_string().contains("Authenticate"), "{error}");
    assert!(!format!("{error:?}").contains("hunter2"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_with_sessions_that_end_soon() {
    let state = tempfile::tempdir().unwrap();
    let lifetimes = Lifetimes { session: Duration::from_secs(1), refresh: Duration::from_secs(2) };
    let server = start(Arc::new(Reference::new()), options(state.path(), lifetimes)).await;
    let db = Arc::new(remote(&configuration(server.address)));
    let workers: Vec<_> = (0..40)
        .map(|worker| {
            let db = Arc::clone(&db);
            tokio::spawn(async move {
                for n in 0..15 {
                    let class = json!({"class": "N", "properties": {"n": worker * 100 + n}});
                    asked(&*db, json!([{"AddEntity": class}])).await;
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    let count = json!([{"FindEntity": {"with_class": "N", "results": {"count": true}}}]);
    assert_eq!(asked(&*db, count).await[0]["FindEntity"]["count"], 600);
    server.stop().await;
}

/// The server goes and comes back on the same port: the session is still good, and nobody notices.
#[tokio::test]
async fn a_restart_goes_unnoticed() {
    let state = tempfile::tempdir().unwrap();
    let data: Arc<dyn Database> = Arc::new(Reference::new());
    let add = json!([{"AddEntity": {"class": "A"}}]);
    let mut server = start(Arc::clone(&data), options(state.path(), Lifetimes::default())).await;
    let db = remote(&configuration(server.address));
    for _ in 0..3 {
        asked(&db, add.clone()).await;
        let address = server.address;
        server.stop().await;
        let mut again = options(state.path(), Lifetimes::default());
        again.listen = address;
        server = start(Arc::clone(&data), again).await;
    }
    asked(&db, add).await;
    let count = json!([{"FindEntity": {"with_class": "A", "results": {"count": true}}}]);
    assert_eq!(asked(&db, count).await[0]["FindEntity"]["count"], 4);
    server.stop().await;
}

#[tokio::test]
async fn tls_is_checked_unless_one_says_otherwise() {
    let state = tempfile::tempdir().unwrap();
    let (identity, certificate) = Identity::self_signed(state.path(), &[]).unwrap();
    let mut with_tls = options(state.path(), Lifetimes::default());
    with_tls.tls = Some(identity);
    let server = start(Arc::new(Reference::new()), with_tls).await;
    let status = || Request::json(&json!([{"GetStatus": {}}]));

    let mut trusting = configuration(server.address);
    trusting.use_ssl = true;
    trusting.ca_cert = Some(certificate.display().to_string());
    for host in ["127.0.0.1", "localhost"] {
        trusting.host = host.to_owned();
        remote(&trusting).execute(status()).await.unwrap();
    }

    // Somebody else's certificate.
    let other = tempfile::tempdir().unwrap();
    let (_, foreign) = Identity::self_signed(other.path(), &[]).unwrap();
    let mut fooled = trusting.clone();
    fooled.ca_cert = Some(foreign.display().to_string());
    let error = remote(&fooled).execute(status()).await.unwrap_err();
    assert!(error.to_string().contains("TLS") && !error.is_transient(), "{error}");
    fooled.verify_hostname = false;
    remote(&fooled).execute(status()).await.unwrap();

    // Without TLS there is no way in, and no falling back.
    let plain = configuration(server.address);
    let error = remote(&plain).execute(status()).await.unwrap_err();
    assert!(error.to_string().contains("use_ssl"), "{error}");

    let mut none = trusting.clone();
    none.ca_cert = Some("/nowhere.pem".into());
    let error = Remote::new(&none, Options::default()).unwrap_err().to_string();
    assert!(error.contains("/nowhere.pem"), "{error}");
    server.stop().await;
}

#[tokio::test]
async fn rest_is_refused_in_words() {
    let mut rest = configuration(([127, 0, 0, 1], 1).into());
    rest.use_rest = true;
    let error = Remote::new(&rest, Options::default()).unwrap_err().to_string();
    assert!(error.contains("use_rest"), "{error}");
}
