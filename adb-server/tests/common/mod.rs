//! A server in front of the reference database, and a client that says just what a test wants.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![allow(dead_code, reason = "each test file uses what it needs")]

use std::{ops::Deref, sync::Arc, time::Duration};

use adb_oracle::Reference;
use adb_protocol::{Hello, Message, Protocols, frame, secrecy::SecretString};
pub(crate) use adb_served::PASSWORD;
use adb_server::{Access, Lifetimes, Limits, Options};
use bytes::Bytes;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

/// A server that runs until it is told to stop, and its accounts.
pub(crate) struct Running {
    running: adb_served::Running,
    pub(crate) state: TempDir,
}

impl Deref for Running {
    type Target = adb_served::Running;

    fn deref(&self) -> &adb_served::Running {
        &self.running
    }
}

impl Running {
    /// Tells it to stop; answers whether all requests ended.
    pub(crate) async fn stop(self) -> bool {
        self.running.stop().await
    }

    pub(crate) async fn connect(&self) -> Client<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        Client::greet(stream, Protocols::PLAIN).await
    }

    /// Connected and logged in.
    pub(crate) async fn logged_in(&self) -> Client<TcpStream> {
        let mut client = self.connect().await;
        client.log_in("admin", PASSWORD).await;
        client
    }
}

/// Limits that end a test soon.
pub(crate) fn quick() -> Limits {
    Limits {
        message: 1 << 20,
        arrival: Duration::from_millis(400),
        drain: Duration::from_secs(5),
        ..Limits::default()
    }
}

pub(crate) fn accounts() -> (TempDir, Access) {
    let state = tempfile::tempdir().unwrap();
    let access = adb_served::accounts(state.path(), Lifetimes::default());
    (state, access)
}

pub(crate) async fn start(change: impl FnOnce(&mut Options)) -> Running {
    let (state, access) = accounts();
    let mut options = Options::new(0, access);
    options.limits = quick();
    change(&mut options);
    start_with(state, options, Arc::new(Reference::new())).await
}

pub(crate) async fn start_with(
    state: TempDir,
    options: Options,
    db: Arc<dyn adb_model::Database>,
) -> Running {
    Running { running: adb_served::Running::start(db, options).await, state }
}

/// A client that speaks the framed protocol.
pub(crate) struct Client<S> {
    pub(crate) stream: S,
    pub(crate) token: Option<SecretString>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) async fn greet(mut stream: S, protocols: Protocols) -> Self {
        stream.write_all(&Hello::client(protocols).to_bytes()).await.unwrap();
        let mut answer = [0; Hello::BYTES];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(Hello::from_bytes(answer).unwrap().protocols, protocols);
        Self { stream, token: None }
    }

    pub(crate) fn over(stream: S) -> Self {
        Self { stream, token: None }
    }

    pub(crate) async fn send(&mut self, message: &Message) {
        for piece in message.encode(usize::MAX).unwrap().into_pieces() {
            self.stream.write_all(&piece).await.unwrap();
        }
    }

    pub(crate) async fn receive(&mut self) -> std::io::Result<(Json, Vec<Bytes>)> {
        let mut header = [0; frame::HEADER];
        self.stream.read_exact(&mut header).await?;
        let mut payload = vec![0; frame::length(header, usize::MAX).unwrap()];
        self.stream.read_exact(&mut payload).await?;
        let message = Message::decode(&payload.into()).unwrap();
        Ok((serde_json::from_slice(&message.json).unwrap(), message.blobs))
    }

    pub(crate) async fn ask(&mut self, commands: Json, blobs: Vec<Bytes>) -> (Json, Vec<Bytes>) {
        let json = commands.to_string().into();
        self.send(&Message { json, blobs, token: self.token.clone() }).await;
        self.receive().await.unwrap()
    }

    pub(crate) async fn log_in(&mut self, username: &str, password: &str) {
        let (answer, _) = self
            .ask(json!([{"Authenticate": {"username": username, "password": password}}]), vec![])
            .await;
        let token = answer[0]["Authenticate"]["session_token"].as_str();
        self.token = Some(token.unwrap_or_else(|| panic!("{answer}")).into());
    }

    /// Whether the server has closed the connection.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.stream.read(&mut [0; 1]).await.map_or(true, |read| read == 0)
    }
}

/// How many files this process may have open.
pub(crate) fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    line.and_then(|line| line.split_whitespace().nth(3)?.parse().ok()).unwrap_or(1024)
}
