//! One case of the fuzz targets of the wire: bytes as anybody may send them. Shared by the targets in
//! `fuzz/` and by the test that replays their seeds.
#![allow(dead_code, reason = "every user takes what it needs")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "cases fail by panicking")]

use std::sync::Arc;

use adb_oracle::Reference;
use adb_protocol::{Hello, Key, Message, Protocols, frame, rest, secrecy::ExposeSecret};
use adb_server::{Access, Desk, Limits, Options};
use bytes::Bytes;
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// Bytes that a server takes in one message, here.
const LIMIT: usize = 1 << 20;

/// Bytes on a connection of the framed protocol. Whatever they are, the server's end is a hello and
/// whole answers.
pub(crate) fn frames(data: &[u8]) {
    let said = answered(data, |desk, stream| async move { desk.framed(stream).await });
    let Some((hello, mut rest)) = said.split_first_chunk::<{ Hello::BYTES }>() else {
        assert!(said.is_empty(), "half a hello: {said:?}");
        return;
    };
    let hello = Hello::from_bytes(*hello).unwrap();
    if hello.protocols != Protocols::PLAIN {
        assert!(hello.protocols == Protocols::NONE && rest.is_empty());
    }
    while !rest.is_empty() {
        let (header, after) = rest.split_first_chunk::<{ frame::HEADER }>().unwrap();
        let (payload, after) = after.split_at(frame::length(*header, LIMIT).unwrap());
        let answer = Message::decode(&Bytes::copy_from_slice(payload)).unwrap();
        check_json(&serde_json::from_slice(&answer.json).unwrap());
        rest = after;
    }
}

/// Bytes on a connection of REST; those that do not begin like a request are the form of one.
pub(crate) fn form(data: &[u8]) {
    let begins = |method: &[u8]| data.starts_with(method);
    let raw = begins(b"POST ") || begins(b"GET ");
    let head = format!(
        "POST /api HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: \
         multipart/form-data; boundary=edge\r\nContent-Length: {}\r\n\r\n",
        data.len()
    );
    let request = if raw { data.to_vec() } else { [head.as_bytes(), data].concat() };
    let said = answered(&request, |desk, stream| async move { desk.rest(stream).await });
    if raw && said.is_empty() {
        return;
    }
    assert!(said.starts_with(b"HTTP/1.1 ") || said.starts_with(b"HTTP/1.0 "), "{said:?}");
    // One request, one answer.
    if !raw && said[9..12] == *b"200" {
        let end = said.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        check_json(&rest::decode(&said[end..]).unwrap().0);
    }
}

/// What a server without a socket, in front of an empty database, answers to these bytes until it
/// hangs up. Time goes as fast as nothing happens: whoever waits for more bytes has waited.
fn answered<F: Future<Output = ()>>(
    data: &[u8],
    serve: impl FnOnce(Desk, DuplexStream) -> F,
) -> Vec<u8> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let mut options = Options::new(0, Access::Everybody);
        options.limits = Limits { message: LIMIT, ..Limits::default() };
        let desk = Desk::new(Arc::new(Reference::new()), options);
        let (client, server) = tokio::io::duplex(1 << 16);
        tokio::join!(talk(client, data), serve(desk, server)).0
    })
}

/// Sends all, and takes what is answered.
async fn talk(client: DuplexStream, data: &[u8]) -> Vec<u8> {
    let (mut from, mut to) = tokio::io::split(client);
    let mut said = Vec::new();
    // The server may have hung up.
    let (_, read) = tokio::join!(to.write_all(data), from.read_to_end(&mut said));
    read.unwrap();
    said
}

/// Answers, or a refusal in form.
fn check_json(answer: &Json) {
    match answer {
        Json::Array(_) => {}
        Json::Object(object) => {
            assert!(object["status"].is_i64() && object["info"].is_string(), "{answer}");
        }
        other => panic!("{other}"),
    }
}

/// Bytes as a message, as an answer over REST, as a hello, as a key: read, or refused with words. What
/// was read is written as it was.
pub(crate) fn message(data: &[u8]) {
    if let Ok(message) = Message::decode(&Bytes::copy_from_slice(data)) {
        let pieces = message.encode(usize::MAX).unwrap().into_pieces().concat();
        let again = Message::decode(&Bytes::from(pieces).slice(frame::HEADER..)).unwrap();
        assert!(again.json == message.json && again.blobs == message.blobs);
        let token =
            |message: &Message| message.token.as_ref().map(|t| t.expose_secret().to_owned());
        assert_eq!(token(&again), token(&message));
    }
    if let Ok((json, blobs)) = rest::decode(data) {
        let again = rest::decode(&rest::encode(json.to_string().as_bytes(), &blobs)).unwrap();
        assert!(again == (json, blobs));
    }
    if let Some(hello) = data.first_chunk() {
        let _ = Hello::from_bytes(*hello);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = Key::from(text).read();
    }
}
