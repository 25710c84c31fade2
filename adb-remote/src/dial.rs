//! From a place to a stream: TCP, and TLS where it is wanted.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use rustls_pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::Error;

/// What a connection needs to come about.
pub(crate) struct Target {
    pub host: String,
    pub port: u16,
    /// HTTP instead of frames.
    pub rest: bool,
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

    /// Connects.
    pub(crate) async fn dial(&self) -> Result<TcpStream, Error> {
        let failed = |source| Error::Connect { address: self.address(), source };
        let dial = TcpStream::connect((self.host.as_str(), self.port));
        let stream = match timeout(self.connect, dial).await {
            Ok(dialled) => dialled.map_err(failed)?,
            Err(_) => return Err(failed(late())),
        };
        // Without either it works as well.
        let _ = stream.set_nodelay(true);
        if self.keep_alive {
            let alive = TcpKeepalive::new().with_time(Duration::from_secs(60));
            let _ = SockRef::from(&stream).set_tcp_keepalive(&alive);
        }
        Ok(stream)
    }

    /// Begins TLS, if it is wanted.
    pub(crate) async fn protect(&self, stream: TcpStream) -> Result<Stream, Error> {
        let Some(connector) = &self.tls else { return Ok(Stream::Plain(stream)) };
        let failed = |source| Error::Tls { address: self.address(), source };
        let name = ServerName::try_from(self.host.clone())
            .map_err(|e| failed(io::Error::new(io::ErrorKind::InvalidData, e)))?;
        match timeout(self.connect, connector.connect(name, stream)).await {
            Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream))),
            Ok(Err(e)) => Err(failed(e)),
            Err(_) => Err(failed(late())),
        }
    }
}

/// What stands for a time-out where the system's own errors stand.
pub(crate) fn late() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

/// A stream of bytes to a server.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Whether the server has not hung up meanwhile. Takes nothing from the stream.
    pub(crate) fn is_alive(&self) -> bool {
        let tcp = match self {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.get_ref().0,
        };
        let mut byte = [0];
        let mut look = ReadBuf::new(&mut byte);
        match tcp.poll_peek(&mut Context::from_waker(Waker::noop()), &mut look) {
            Poll::Pending => true,
            // In TLS there can be records that are no answer; without, nothing may be there.
            Poll::Ready(Ok(read)) => read > 0 && matches!(self, Stream::Tls(_)),
            Poll::Ready(Err(_)) => false,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, into),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
