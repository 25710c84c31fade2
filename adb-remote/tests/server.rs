//! The client against our own server: TLS, sessions, many at once, restarts.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{path::Path, sync::Arc, time::Duration};

use adb_model::{BoxFuture, Database, DbError, Fate, Request, Response, ask};
use adb_oracle::Reference;
use adb_protocol::Configuration;
use adb_remote::{Options, Remote};
use adb_served::{PASSWORD, Running};
use adb_server::{Identity, Lifetimes, Options as ServerOptions};
use bytes::Bytes;
use serde_json::{Value as Json, json};

/// In front of the reference database.
async fn start(options: ServerOptions) -> Running {
    Running::start(Arc::new(Reference::new()), options).await
}

fn options(state: &Path, lifetimes: Lifetimes) -> ServerOptions {
    ServerOptions { access: adb_served::accounts(state, lifetimes), ..adb_served::options(state) }
}

/// The ways in.
fn both(server: &Running) -> [Configuration; 2] {
    [server.configuration(), server.rest_configuration()]
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
    let server = start(adb_served::options(state.path())).await;
    let blob: Bytes = (0..3_000_000).map(|i| (i % 251) as u8).collect::<Vec<_>>().into();
    for (n, configuration) in both(&server).iter().enumerate() {
        let db = remote(configuration);
        let blobs = [blob.clone(), Bytes::new(), "\r\n--adb-\r\n".into()];
        let mut add = Request::json(&json!([
            {"AddBlob": {"properties": {"n": n, "b": 0, "name": "Zoë \"\n"}}},
            {"AddBlob": {"properties": {"n": n, "b": 1}}},
            {"AddBlob": {"properties": {"n": n, "b": 2}}},
        ]));
        add.blobs = blobs.to_vec();
        db.execute(add).await.unwrap().done().unwrap();
        let find = json!([{"FindBlob": {"blobs": true, "constraints": {"n": ["==", n]},
                           "results": {"list": ["b", "name"], "sort": "b"}}}]);
        let (answers, found) = ask(&db, Request::json(&find)).await.unwrap();
        assert_eq!(answers[0]["FindBlob"]["entities"][0]["name"], "Zoë \"\n");
        assert!(found == blobs, "{configuration}");
        match db.execute(Request::json(&json!([{"NoSuchCommand": {}}]))).await.unwrap() {
            Response::Refused(refusal) => {
                assert!(refusal.info.contains("NoSuchCommand"), "{refusal}");
            }
            done => panic!("{done:?}"),
        }
        assert!(!format!("{db:?}").contains(PASSWORD));
    }
    server.stop().await;
}

#[tokio::test]
async fn requests_that_are_too_long_say_so_on_either_side() {
    let state = tempfile::tempdir().unwrap();
    let mut small = adb_served::options(state.path());
    small.limits.message = 1 << 20;
    let server = start(small).await;
    let add = || Request::json(&json!([{"AddBlob": {}}])).with_blob(vec![0; 2 << 20]);
    for configuration in both(&server) {
        let own = Options { message: 1 << 20, ..Options::default() };
        let error = Remote::new(&configuration, own).unwrap().execute(add()).await.unwrap_err();
        assert!(!error.is_transient() && error.to_string().contains("1048576 bytes"), "{error}");
    }
    // The other end's limit, over frames: a refusal of the request, whose halves may do.
    let db = remote(&server.configuration());
    match db.execute(add()).await.unwrap() {
        Response::Refused(refusal) => {
            assert_eq!(refusal.code.as_deref(), Some("too_large"));
            assert!(refusal.info.contains("more than 1048576 bytes"), "{refusal}");
        }
        done => panic!("{done:?}"),
    }
    let half = Request::json(&json!([{"AddBlob": {}}])).with_blob(vec![0; 1 << 19]);
    db.execute(half).await.unwrap().done().unwrap();
    let error = remote(&server.rest_configuration()).execute(add()).await.unwrap_err();
    assert_ne!(error.to_string(), "", "{error}");
    server.stop().await;
}

/// A proxy whose upstream is away: whoever asks it is told so, and is served once it is back.
#[tokio::test]
async fn an_upstream_that_is_away_is_waited_for() {
    let (behind, before) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = start(adb_served::options(behind.path())).await;
    let (upstream, address) = (first.configuration(), first.address);
    first.stop().await;
    let proxy =
        Running::start(Arc::new(remote(&upstream)), adb_served::options(before.path())).await;
    let add = || Request::json(&json!([{"AddEntity": {"class": "A"}}]));
    for configuration in both(&proxy) {
        let error = remote(&configuration).execute(add()).await.unwrap_err();
        assert!(error.is_transient() && error.fate() == Fate::NotApplied, "{error}");
        assert!(error.to_string().contains("can't connect to"), "{error}");
    }
    let again = ServerOptions { listen: address, ..adb_served::options(behind.path()) };
    let again = start(again).await;
    for configuration in both(&proxy) {
        remote(&configuration).execute(add()).await.unwrap().done().unwrap();
    }
    proxy.stop().await;
    again.stop().await;
}

/// What may have been done is not told as undone, and what passes for nobody is a refusal.
#[tokio::test]
async fn other_failures_of_the_database_are_refusals() {
    #[derive(Clone, Copy)]
    struct Failing(bool, Fate);
    impl Database for Failing {
        fn execute(&self, _: Request) -> BoxFuture<'_, Result<Response, DbError>> {
            let Failing(passes, fate) = *self;
            let error =
                if passes { DbError::transient("gone") } else { DbError::permanent("gone") };
            Box::pin(async move { Err(error.with_fate(fate)) })
        }
    }
    for failing in [Failing(true, Fate::Unknown), Failing(false, Fate::NotApplied)] {
        let state = tempfile::tempdir().unwrap();
        let server = Running::start(Arc::new(failing), adb_served::options(state.path())).await;
        for configuration in both(&server) {
            let answer = remote(&configuration).execute(Request::json(&json!([]))).await.unwrap();
            assert_eq!(answer.done().unwrap_err().info, "gone");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn wrong_credentials_are_no_matter_of_trying_again() {
    let state = tempfile::tempdir().unwrap();
    let server = start(adb_served::options(state.path())).await;
    for mut wrong in both(&server) {
        wrong.password = Some("hunter2-hunter2".into());
        let error = remote(&wrong).execute(Request::json(&json!([]))).await.unwrap_err();
        assert!(!error.is_transient() && error.to_string().contains("Authenticate"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_with_sessions_that_end_soon() {
    let state = tempfile::tempdir().unwrap();
    let lifetimes = Lifetimes { session: Duration::from_secs(1), refresh: Duration::from_secs(2) };
    let server = start(options(state.path(), lifetimes)).await;
    let dbs = both(&server).map(|configuration| Arc::new(remote(&configuration)));
    let workers: Vec<_> = (0..40)
        .map(|worker| {
            let db = Arc::clone(&dbs[worker % 2]);
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
    assert_eq!(asked(&*dbs[1], count).await[0]["FindEntity"]["count"], 600);
    server.stop().await;
}

/// The server goes and comes back on the same ports: the session is still good, and nobody notices.
#[tokio::test]
async fn a_restart_goes_unnoticed() {
    let state = tempfile::tempdir().unwrap();
    let data: Arc<dyn Database> = Arc::new(Reference::new());
    let add = json!([{"AddEntity": {"class": "A"}}]);
    let mut server = Running::start(Arc::clone(&data), adb_served::options(state.path())).await;
    let dbs = both(&server).map(|configuration| remote(&configuration));
    for _ in 0..3 {
        for db in &dbs {
            asked(db, add.clone()).await;
        }
        let mut again = adb_served::options(state.path());
        (again.listen, again.rest) = (server.address, server.rest);
        server.stop().await;
        server = Running::start(Arc::clone(&data), again).await;
    }
    for db in &dbs {
        asked(db, add.clone()).await;
    }
    let count = json!([{"FindEntity": {"with_class": "A", "results": {"count": true}}}]);
    assert_eq!(asked(&dbs[0], count).await[0]["FindEntity"]["count"], 8);
    server.stop().await;
}

/// As plain `openssl req -x509` makes one.
#[tokio::test]
async fn a_certificate_of_an_authority_says_how_to_mend_it() {
    let state = tempfile::tempdir().unwrap();
    let mut wanted = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    wanted.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let secret = rcgen::KeyPair::generate().unwrap();
    let (certificate, key) = (state.path().join("ca.pem"), state.path().join("key.pem"));
    std::fs::write(&certificate, wanted.self_signed(&secret).unwrap().pem()).unwrap();
    std::fs::write(&key, secret.serialize_pem()).unwrap();
    let mut with_tls = adb_served::options(state.path());
    with_tls.tls = Some(Identity::from_files(&certificate, &key).unwrap());
    let server = start(with_tls).await;
    for mut configuration in both(&server) {
        configuration.use_ssl = true;
        configuration.host = "localhost".to_owned();
        configuration.ca_cert = Some(certificate.to_str().unwrap().to_owned());
        let error = remote(&configuration).execute(Request::json(&json!([]))).await.unwrap_err();
        assert!(error.to_string().contains("basicConstraints=critical,CA:FALSE"), "{error}");
        assert!(!error.is_transient(), "{error}");
    }
    server.stop().await;
}

#[tokio::test]
async fn tls_is_checked_unless_one_says_otherwise() {
    let state = tempfile::tempdir().unwrap();
    let (identity, certificate) = Identity::self_signed(state.path(), &[]).unwrap();
    let mut with_tls = adb_served::options(state.path());
    with_tls.tls = Some(identity);
    let server = start(with_tls).await;
    let status = || Request::json(&json!([{"GetStatus": {}}]));
    // Somebody else's certificate.
    let other = tempfile::tempdir().unwrap();
    let (_, foreign) = Identity::self_signed(other.path(), &[]).unwrap();

    for plain in both(&server) {
        let mut trusting = plain.clone();
        trusting.use_ssl = true;
        trusting.ca_cert = Some(certificate.display().to_string());
        for host in ["127.0.0.1", "localhost"] {
            trusting.host = host.to_owned();
            remote(&trusting).execute(status()).await.unwrap();
        }

        let mut fooled = trusting.clone();
        fooled.ca_cert = Some(foreign.display().to_string());
        let error = remote(&fooled).execute(status()).await.unwrap_err();
        assert!(error.to_string().contains("TLS") && !error.is_transient(), "{error}");
        fooled.verify_hostname = false;
        remote(&fooled).execute(status()).await.unwrap();

        // Without TLS there is no way in, and no falling back.
        let error = remote(&plain).execute(status()).await.unwrap_err();
        if !plain.use_rest {
            assert!(error.to_string().contains("use_ssl"), "{error}");
        }

        let mut none = trusting.clone();
        none.ca_cert = Some("/nowhere.pem".into());
        let error = Remote::new(&none, Options::default()).unwrap_err().to_string();
        assert!(error.contains("/nowhere.pem"), "{error}");
    }
    server.stop().await;
}

/// What the SDK's files and variables say of REST is done.
#[tokio::test]
async fn rest_as_the_sdks_configuration_says() {
    let state = tempfile::tempdir().unwrap();
    let server = start(adb_served::options(state.path())).await;
    let rest = server.rest.unwrap();
    let text = format!(
        r#"{{"host": "127.0.0.1", "port": {}, "username": "admin", "password": "{PASSWORD}",
             "use_rest": true, "use_ssl": false}}"#,
        rest.port()
    );
    let by_json = Configuration::from_json(&text, "APERTUREDB_JSON").unwrap();
    let by_key = adb_protocol::Key::write(&by_json).unwrap().read().unwrap();
    let by_address = Configuration::from_address(&server.rest_url()).unwrap();
    for configuration in [by_json, by_key, by_address] {
        assert!(configuration.use_rest && configuration.port == rest.port());
        let status = asked(&remote(&configuration), json!([{"GetStatus": {}}])).await;
        assert_eq!(status[0]["GetStatus"]["status"], 0);
    }
    server.stop().await;
}
