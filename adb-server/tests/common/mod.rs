//! A server in front of the reference database, and a client that says just what a test wants.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![allow(dead_code, reason = "each test file uses what it needs")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use adb_oracle::Reference;
use adb_protocol::{Hello, Message, Protocols, frame, secrecy::SecretString};
use adb_server::{Access, Accounts, Lifetimes, Limits, Options, Server};
use bytes::Bytes;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};

pub(crate) const PASSWORD: &str = "admin-admin-1";

/// A server that runs until it is told to stop.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) rest: Option<SocketAddr>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<bool>,
    pub(crate) state: TempDir,
}

impl Running {
    /// Tells it to stop; answers whether all requests ended.
    pub(crate) async fn stop(self) -> bool {
        let _ = self.stop.send(());
        self.task.await.unwrap()
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
    let lifetimes = Lifetimes::default();
    let accounts = Accounts::create_with(state.path(), &PASSWORD.into(), lifetimes).unwrap();
    (state, Access::Accounts(Arc::new(accounts)))
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
    let server = Server::bind(db, options).await.unwrap();
    let (address, rest) = (server.address().unwrap(), server.rest_address().unwrap());
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    Running { address, rest, stop, task, state }
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
