//! One connection: the hello, TLS, and one message at a time.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use adb_protocol::{Hello, Message, Protocols, frame};
use bytes::Bytes;
use rustls_pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::Error;

/// What a connection needs to come about.
pub(crate) struct Target {
    pub host: String,
    pub port: u16,
    pub keep_alive: bool,
    pub tls: Option<TlsConnector>,
    pub connect: Duration,
    pub message: usize,
}

impl Target {
    pub(crate) fn address(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection on which nothing is under way.
pub(crate) struct Connection(Stream);

/// How far a request had come when it failed.
pub(crate) enum Broken {
    /// It had not gone out whole.
    Sending(io::Error),
    /// It had.
    Receiving(io::Error),
    /// The answer can't be understood.
    Answer(adb_protocol::Error),
    /// The request is too long to be sent.
    TooLong(adb_protocol::Error),
}

impl Connection {
    /// Connects, says hello, and begins TLS if it is wanted.
    pub(crate) async fn open(target: &Target) -> Result<Self, Error> {
        let late = || io::Error::from(io::ErrorKind::TimedOut);
        let address = target.address();
        let failed = |source| Error::Connect { address: address.clone(), source };
        let dial = TcpStream::connect((target.host.as_str(), target.port));
        let mut stream = match timeout(target.connect, dial).await {
            Ok(dialled) => dialled.map_err(failed)?,
            Err(_) => return Err(failed(late())),
        };
        // Without either it works as well.
        let _ = stream.set_nodelay(true);
        if target.keep_alive {
            let alive = TcpKeepalive::new().with_time(Duration::from_secs(60));
            let _ = SockRef::from(&stream).set_tcp_keepalive(&alive);
        }

        let wanted = if target.tls.is_some() { Protocols::TLS } else { Protocols::PLAIN };
        let greeting = async {
            stream.write_all(&Hello::client(wanted).to_bytes()).await?;
            let mut answer = [0; Hello::BYTES];
            stream.read_exact(&mut answer).await?;
            Ok(answer)
        };
        let answer = timeout(target.connect, greeting).await.unwrap_or_else(|_| Err(late()));
        let answer = Hello::from_bytes(answer.map_err(failed)?)?;
        if answer.protocols != wanted {
            return Err(Error::Refused { address, wanted, answered: answer.protocols });
        }
        let Some(connector) = &target.tls else {
            return Ok(Self(Stream::Plain(stream)));
        };
        let failed = |source| Error::Tls { address: address.clone(), source };
        let name = ServerName::try_from(target.host.clone())
            .map_err(|e| failed(io::Error::new(io::ErrorKind::InvalidData, e)))?;
        match timeout(target.connect, connector.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(Self(Stream::Tls(Box::new(stream)))),
            Ok(Err(e)) => Err(failed(e)),
            Err(_) => Err(failed(late())),
        }
    }

    /// Whether the server has not hung up meanwhile. Takes nothing from the stream.
    pub(crate) fn is_alive(&self) -> bool {
        let tcp = match &self.0 {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.get_ref().0,
        };
        let mut byte = [0];
        let mut look = ReadBuf::new(&mut byte);
        match tcp.poll_peek(&mut Context::from_waker(Waker::noop()), &mut look) {
            Poll::Pending => true,
            // In TLS there can be records that are no answer; without, nothing may be there.
            Poll::Ready(Ok(read)) => read > 0 && matches!(self.0, Stream::Tls(_)),
            Poll::Ready(Err(_)) => false,
        }
    }

    /// Sends a message and waits for its answer.
    pub(crate) async fn ask(&mut self, message: &Message, limit: usize) -> Result<Message, Broken> {
        let encoded = message.encode(limit).map_err(Broken::TooLong)?;
        self.send(encoded.into_pieces()).await.map_err(Broken::Sending)?;
        let mut header = [0; frame::HEADER];
        self.read_exact(&mut header).await.map_err(Broken::Receiving)?;
        let length = frame::length(header, limit).map_err(Broken::Answer)?;
        let payload = self.receive(length).await.map_err(Broken::Receiving)?;
        Message::decode(&payload).map_err(Broken::Answer)
    }

    async fn send(&mut self, pieces: Vec<Bytes>) -> io::Result<()> {
        for mut piece in pieces {
            self.write_all_buf(&mut piece).await?;
        }
        self.flush().await
    }

    async fn receive(&mut self, length: usize) -> io::Result<Bytes> {
        let mut payload = frame::Payload::new(length);
        while payload.missing() > 0 {
            // Nothing follows an answer before the next request.
            if self.read_buf(payload.room()).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let payload = payload.into_bytes();
        match payload.len() == length {
            true => Ok(payload.freeze()),
            false => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "more came than was announced"))
            }
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, into),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
