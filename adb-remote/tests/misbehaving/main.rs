//! Servers that do what no server should: each test writes the script of one, for either transport.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod framed;
mod rest;

use std::{net::SocketAddr, time::Duration};

use adb_model::{DbError, Request, Response};
use adb_protocol::{Configuration, Credentials, login::Session};
use adb_remote::{Options, Remote};
use serde_json::{Value as Json, json};

/// A client of a fake.
fn remote(address: SocketAddr, use_rest: bool, options: Options) -> Remote {
    let credentials =
        Credentials::Password { username: "admin".into(), password: "hunter2".into() };
    let mut configuration = Configuration::new("fake", "127.0.0.1", credentials);
    configuration.port = address.port();
    configuration.use_ssl = false;
    configuration.use_rest = use_rest;
    configuration.retry_interval_seconds = 0.02;
    Remote::new(&configuration, options).unwrap()
}

/// The `n`th session of a fake.
fn session(n: usize, lifetime: Duration) -> Session {
    Session {
        token: format!("adbs_{n}").into(),
        expires_in: lifetime,
        refresh_token: "adbr_".into(),
        refresh_expires_in: Duration::from_secs(3600),
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

/// That a session has ended, in the words of old servers and of new ones.
fn rejections() -> [Json; 2] {
    [
        json!({"status": -1, "info": "Not Authenticated!"}),
        json!({"status": -1, "info": "who are you?", "code": "unauthenticated"}),
    ]
}
