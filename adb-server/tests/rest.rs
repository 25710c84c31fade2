//! REST, as the SDK's requests look, and what operators ask for.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::net::SocketAddr;

use adb_protocol::rest;
use bytes::Bytes;
use common::{PASSWORD, start};
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Sends a request as it is; answers status and body.
async fn raw(address: SocketAddr, request: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let head = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(answer.len() - 4);
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    (status, answer[head + 4..].to_vec())
}

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let (status, body) = raw(address, request.as_bytes()).await;
    (status, String::from_utf8(body).unwrap())
}

/// As `requests` writes a form.
async fn post(
    address: SocketAddr,
    token: Option<&str>,
    query: &str,
    blobs: &[&[u8]],
) -> (u16, Vec<u8>) {
    let mut form = Vec::new();
    let part = |form: &mut Vec<u8>, head: &str, body: &[u8]| {
        form.extend(b"--edge\r\nContent-Disposition: form-data; ");
        form.extend(head.as_bytes());
        form.extend(b"\r\n\r\n");
        form.extend(body);
        form.extend(b"\r\n");
    };
    part(&mut form, "name=\"query\"", query.as_bytes());
    for blob in blobs {
        part(&mut form, "name=\"blobs\"; filename=\"blobs\"", blob);
    }
    form.extend(b"--edge--\r\n");
    let bearer = token.map_or(String::new(), |t| format!("Authorization: Bearer {t}\r\n"));
    let mut request = format!(
        "POST /api/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{bearer}\
         Content-Type: multipart/form-data; boundary=edge\r\nContent-Length: {}\r\n\r\n",
        form.len()
    )
    .into_bytes();
    request.extend(form);
    raw(address, &request).await
}

async fn ask(
    address: SocketAddr,
    token: Option<&str>,
    query: &Json,
    blobs: &[&[u8]],
) -> (Json, Vec<Bytes>) {
    let (status, body) = post(address, token, &query.to_string(), blobs).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    rest::decode(&body).unwrap()
}

#[tokio::test]
async fn as_the_sdk_uses_it() {
    let server = start(|options| options.rest = Some(([127, 0, 0, 1], 0).into())).await;
    let rest = server.rest.unwrap();
    let (answer, _) = ask(rest, None, &json!([{"GetStatus": {}}]), &[]).await;
    assert_eq!(answer["code"], "unauthenticated");
    let login = json!([{"Authenticate": {"username": "admin", "password": PASSWORD}}]);
    let (answer, _) = ask(rest, None, &login, &[]).await;
    let token = answer[0]["Authenticate"]["session_token"].as_str().unwrap().to_owned();

    let add = json!([{"AddBlob": {"properties": {"n": 1}}}, {"AddBlob": {"properties": {"n": 2}}}]);
    let blobs: [&[u8]; 2] = [b"\r\n--not the edge\r\n", &[0, 255, 10]];
    let (answer, _) = ask(rest, Some(&token), &add, &blobs).await;
    assert_eq!(answer[1]["AddBlob"]["status"], 0, "{answer}");
    let find = json!([{"FindBlob": {"blobs": true, "results": {"list": ["n"]}}}]);
    let (_, mut found) = ask(rest, Some(&token), &find, &[]).await;
    found.sort_by_key(|blob| std::cmp::Reverse(blob.len()));
    assert_eq!(found, blobs);

    // The session is good on the other transport too.
    let mut framed = server.connect().await;
    framed.token = Some(token.into());
    let (answer, _) = framed.ask(json!([{"GetStatus": {}}]), vec![]).await;
    assert_eq!(answer[0]["GetStatus"]["status"], 0);
    server.stop().await;
}

#[tokio::test]
async fn bad_forms_are_told_apart_from_bad_queries() {
    let server = start(|options| options.rest = Some(([127, 0, 0, 1], 0).into())).await;
    let rest = server.rest.unwrap();
    let form = |body: &str| {
        format!(
            "POST /api HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: \
             multipart/form-data; boundary=edge\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let (status, body) = raw(rest, form("--edge--\r\n").as_bytes()).await;
    assert!(status == 400 && body.starts_with(b"there is no part"), "{status}");
    let cut = "--edge\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\n[";
    assert_eq!(raw(rest, form(cut).as_bytes()).await.0, 400);
    let no_form = "POST /api HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(raw(rest, no_form.as_bytes()).await.0, 400);
    let (status, _) = post(rest, None, "[", &[]).await;
    assert_eq!(status, 200);

    // Too long: by what it says, and by what comes.
    let long = "POST /api HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: \
                multipart/form-data; boundary=edge\r\nContent-Length: 99999999\r\n\r\n";
    assert_eq!(raw(rest, long.as_bytes()).await.0, 413);
    // Slow: the body never comes.
    let slow = "POST /api HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: \
                multipart/form-data; boundary=edge\r\nContent-Length: 999\r\n\r\n--edge\r\n";
    assert_eq!(raw(rest, slow.as_bytes()).await.0, 408);
    server.stop().await;
}

#[tokio::test]
async fn what_operators_ask_for() {
    let server = start(|options| options.rest = Some(([127, 0, 0, 1], 0).into())).await;
    let rest = server.rest.unwrap();
    assert_eq!(get(rest, "/healthz").await, (200, "ok\n".to_owned()));
    let mut client = server.logged_in().await;
    client.ask(json!([{"GetStatus": {}}]), vec![]).await;
    client.ask(json!([{"NoSuchCommand": {}}]), vec![]).await;
    let wrong = json!([{"Authenticate": {"username": "admin", "password": "wrong"}}]);
    client.ask(wrong, vec![]).await;
    let (status, text) = get(rest, "/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "adb_requests_total{outcome=\"done\"} 2",
        "adb_requests_total{outcome=\"refused\"} 2",
        "adb_failed_logins_total 1",
        "adb_connections_open 2",
        "adb_requests_running 0",
        "adb_request_duration_seconds_bucket{le=\"+Inf\"} 4",
        "adb_request_duration_seconds_count 4",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    assert_eq!(get(rest, "/").await.0, 404);
    server.stop().await;
}
