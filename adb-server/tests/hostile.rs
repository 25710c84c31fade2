//! Clients that are slow on purpose, many, too large, or gone, on both transports.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod common;

use std::{net::SocketAddr, time::Duration};

use adb_protocol::{Hello, Message, Protocols, rest};
use adb_server::Identity;
use common::{Client, PASSWORD, Running, quick, start};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

async fn with_rest() -> Running {
    start(|options| options.rest = Some(([127, 0, 0, 1], 0).into())).await
}

/// That a request of somebody who behaves is answered, over both transports.
async fn serves(server: &Running) {
    let mut client = server.logged_in().await;
    let (answer, _) = client.ask(json!([{"GetStatus": {}}]), vec![]).await;
    assert_eq!(answer[0]["GetStatus"]["status"], 0);
    if let Some(address) = server.rest {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        assert!(said.ends_with("ok\n"), "{said}");
    }
}

/// Sends bytes one by one until the server hangs up; answers whether it did.
async fn drip(address: SocketAddr, bytes: &[u8]) -> bool {
    let mut stream = TcpStream::connect(address).await.unwrap();
    for byte in bytes {
        if stream.write_all(&[*byte]).await.is_err() {
            return true;
        }
        // Longer than all limits together, should none of them hold.
        if let Ok(read) = timeout(Duration::from_millis(60), stream.read(&mut [0; 512])).await
            && read.map_or(true, |read| read == 0)
        {
            return true;
        }
    }
    false
}

/// Each byte comes in time, and the whole does not.
#[tokio::test(flavor = "multi_thread")]
async fn slow_loris() {
    let server = with_rest().await;
    let hello = Hello::client(Protocols::PLAIN).to_bytes();
    let message = Message { json: format!("[{}]", " ".repeat(500)).into(), ..Message::default() };
    let frame = message.encode(usize::MAX).unwrap().into_pieces().concat();
    let form = rest::form(&"[]".into(), &[vec![0; 500].into()], "edge");
    let head = format!(
        "POST /api/ HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
        "x".repeat(500),
        form.content_type(),
        form.length()
    );
    let body = form.into_pieces().concat();
    let (framed, rest) = (server.address, server.rest.unwrap());
    let slow = |address, first: Vec<u8>, then: Vec<u8>| async move {
        let mut all = first;
        let at_once = all.len();
        all.extend(then);
        // What comes first comes at once.
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&all[..at_once]).await.unwrap();
        let mut hung_up = false;
        for byte in &all[at_once..] {
            let wrote = stream.write_all(&[*byte]).await;
            let read = timeout(Duration::from_millis(20), stream.read(&mut [0; 512])).await;
            if wrote.is_err() || matches!(read, Ok(Ok(0) | Err(_))) {
                hung_up = true;
                break;
            }
        }
        hung_up
    };
    let (a, b, c, d) = tokio::join!(
        drip(framed, &hello),
        slow(framed, hello.to_vec(), frame),
        slow(rest, Vec::new(), head.clone().into_bytes()),
        slow(rest, head.into_bytes(), body),
    );
    assert_eq!((a, b, c, d), (true, true, true, true));
    serves(&server).await;
    assert!(server.stop().await);
}

/// A connection of REST may be silent between requests for longer than a head may take.
#[tokio::test]
async fn silence_between_requests_is_no_slowness() {
    let server = with_rest().await;
    let mut stream = TcpStream::connect(server.rest.unwrap()).await.unwrap();
    for _ in 0..3 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut said = Vec::new();
        while !said.ends_with(b"ok\n") {
            assert!(stream.read_buf(&mut said).await.unwrap() > 0, "hung up");
        }
        sleep(quick().arrival * 2).await;
    }
    server.stop().await;
}

/// Slow clients, each with the promise of a large message, do not use up the room of others for ever.
#[tokio::test(flavor = "multi_thread")]
async fn promises_hold_no_room() {
    let server = start(|options| {
        options.limits.message = 4 << 20;
        options.limits.in_memory = 8 << 20;
        options.rest = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    let mut promises = Vec::new();
    for _ in 0..4 {
        let mut client = server.connect().await;
        client.stream.write_all(&(4_u32 << 20).to_le_bytes()).await.unwrap();
        promises.push(client.stream);
        let mut stream = TcpStream::connect(server.rest.unwrap()).await.unwrap();
        let head = "POST /api HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=e\r\n\
                    Transfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        promises.push(stream);
    }
    sleep(Duration::from_millis(50)).await;
    let mut client = server.logged_in().await;
    let add = client.ask(json!([{"AddBlob": {}}]), vec![vec![1; 3 << 20].into()]);
    let (answer, _) = timeout(Duration::from_secs(60), add).await.unwrap();
    assert_eq!(answer[0]["AddBlob"]["status"], 0);
    server.stop().await;
}

/// Whoever has no session costs no more memory than what was sent.
#[tokio::test]
async fn strangers_send_no_more_about_accounts_than_is_needed() {
    let server = with_rest().await;
    let mut stranger = server.connect().await;
    let many = vec![json!({"GetUserDetails": {}}); 10_000];
    let (answer, _) = stranger.ask(json!(many), vec![]).await;
    assert!(answer["info"].as_str().unwrap().contains("65536 bytes at the most"), "{answer}");
    serves(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn oversize_in_every_way() {
    let server = with_rest().await;
    let rest = server.rest.unwrap();
    let limit = quick().message;
    // A frame that announces it, and does not come.
    let mut client = server.logged_in().await;
    let length = u32::try_from(limit + 1).unwrap();
    client.stream.write_all(&length.to_le_bytes()).await.unwrap();
    assert_eq!(client.receive().await.unwrap().0["code"], "too_large");
    assert!(client.is_closed().await);
    // One that comes whole, before its sender looks for an answer: the connection is good after it.
    let mut client = server.logged_in().await;
    let blob = vec![1; limit * 20].into();
    let (answer, _) = client.ask(json!([{"AddBlob": {}}]), vec![blob]).await;
    assert_eq!(answer["code"], "too_large", "{answer}");
    let info = answer["info"].as_str().unwrap();
    assert!(info.contains(&format!("more than {limit} bytes")), "{info}");
    let (answer, _) = client.ask(json!([{"GetStatus": {}}]), vec![]).await;
    assert_eq!(answer[0]["GetStatus"]["status"], 0);
    // A form that does not: in chunks, whose sum is too much.
    let mut stream = TcpStream::connect(rest).await.unwrap();
    let head = "POST /api HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: \
                multipart/form-data; boundary=edge\r\nTransfer-Encoding: chunked\r\n\r\n";
    let part = "--edge\r\nContent-Disposition: form-data; name=\"blobs\"\r\n\r\n";
    let first = format!("{head}{:x}\r\n{part}\r\n", part.len());
    stream.write_all(first.as_bytes()).await.unwrap();
    let chunk = [b"10000\r\n".as_slice(), &[7; 0x10000], b"\r\n"].concat();
    let mut said = Vec::new();
    for _ in 0..=limit / 0x10000 {
        if stream.write_all(&chunk).await.is_err() {
            break;
        }
    }
    let _ = stream.read_to_end(&mut said).await;
    assert!(
        said.is_empty() || said.starts_with(b"HTTP/1.1 413"),
        "{}",
        String::from_utf8_lossy(&said)
    );
    // A head without end.
    let mut stream = TcpStream::connect(rest).await.unwrap();
    let _ = stream.write_all(b"POST /api HTTP/1.1\r\n").await;
    let line = format!("X: {}\r\n", "x".repeat(1000));
    for _ in 0..2000 {
        if stream.write_all(line.as_bytes()).await.is_err() {
            break;
        }
    }
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    assert!(
        said.is_empty() || said.starts_with(b"HTTP/1.1 431"),
        "{}",
        String::from_utf8_lossy(&said)
    );
    serves(&server).await;
    assert!(server.stop().await);
}

/// A client that goes after each byte of what it has to say, on either transport, encrypted or not.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_vanish_at_every_step() {
    let certificates = tempfile::tempdir().unwrap();
    let (identity, _) = Identity::self_signed(certificates.path(), &[]).unwrap();
    let encrypted = start(|options| {
        options.tls = Some(identity);
        options.rest = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    let plain = with_rest().await;

    let token = plain.logged_in().await.token;
    let json = "[{\"AddEntity\":{\"class\":\"A\"}}]";
    let message = Message { json: json.into(), blobs: vec![], token: token.clone() };
    let frame = message.encode(usize::MAX).unwrap().into_pieces().concat();
    let hello = Hello::client(Protocols::PLAIN).to_bytes();
    let framed = [&hello[..], &frame].concat();
    let form = rest::form(&json.into(), &[], "edge");
    let bearer = adb_protocol::secrecy::ExposeSecret::expose_secret(token.as_ref().unwrap());
    let head = format!(
        "POST /api/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bearer}\r\nContent-Type: {}\r\n\
         Content-Length: {}\r\n\r\n",
        form.content_type(),
        form.length()
    );
    let over_rest = [head.into_bytes(), form.into_pieces().concat()].concat();
    let tls =
        [&Hello::client(Protocols::TLS).to_bytes()[..], &[0x16, 3, 1, 2, 0, 1, 0, 1]].concat();
    let ways = [
        (plain.address, framed.clone()),
        (plain.rest.unwrap(), over_rest.clone()),
        (encrypted.address, tls.clone()),
        (encrypted.rest.unwrap(), tls[Hello::BYTES..].to_vec()),
    ];
    for (address, bytes) in ways {
        // What is whole is done, and a form is before its last line has ended.
        for cut in 0..bytes.len() - 4 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&bytes[..cut]).await.unwrap();
        }
    }
    serves(&plain).await;
    let mut client = plain.logged_in().await;
    let count = json!([{"FindEntity": {"with_class": "A", "results": {"count": true}}}]);
    let (answer, _) = client.ask(count, vec![]).await;
    assert_eq!(answer[0]["FindEntity"]["count"].as_u64().unwrap_or(0), 0, "{answer}");
    assert!(plain.stop().await && encrypted.stop().await);
}

/// A client that asks for much and takes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_no_answer_is_hung_up_on() {
    let server = start(|options| options.limits.message = 64 << 20).await;
    let mut client = server.logged_in().await;
    let (answer, _) = client.ask(json!([{"AddBlob": {}}]), vec![vec![1; 40 << 20].into()]).await;
    assert_eq!(answer[0]["AddBlob"]["status"], 0);
    let json = json!([{"FindBlob": {"blobs": true}}]).to_string().into();
    client.send(&Message { json, blobs: vec![], token: client.token.clone() }).await;
    // Nothing is read. A server that waited for ever could not stop in time.
    sleep(Duration::from_millis(300)).await;
    serves(&server).await;
    drop(client);
    assert!(server.stop().await);
}

/// Two thousand silent connections of REST cost nothing but themselves.
#[tokio::test(flavor = "multi_thread")]
async fn many_silent_connections_of_rest() {
    let many = 2000.min(common::open_files().saturating_sub(200) / 2);
    let server = start(|options| {
        options.limits.connections = 5000;
        options.rest = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    let mut silent = Vec::new();
    for _ in 0..many {
        silent.push(TcpStream::connect(server.rest.unwrap()).await.unwrap());
    }
    serves(&server).await;
    // Those that have begun a request and say no more go; those that said nothing may stay.
    for stream in &mut silent[..many / 2] {
        stream.write_all(b"GET ").await.unwrap();
    }
    for stream in &mut silent[..many / 2] {
        assert_eq!(stream.read(&mut [0; 64]).await.unwrap_or(0), 0);
    }
    let mut first =
        Client::greet(TcpStream::connect(server.address).await.unwrap(), Protocols::PLAIN).await;
    first.log_in("admin", PASSWORD).await;
    eprintln!("{many} silent connections");
    assert!(server.stop().await);
}
