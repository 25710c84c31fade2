//! One connection of the framed protocol.

use std::{future::Future, io, sync::Arc, time::Duration};

use adb_model::Database;
use adb_protocol::{Error as WireError, Hello, Message, Protocols, frame};
use bytes::{Buf, BufMut, Bytes};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{Options, pace::Pace, service::Service};

/// Bytes of a message that is too long that are read away, so that its sender comes to read the answer:
/// whoever sends more is hung up on.
const READ_AWAY: usize = 1 << 30;

/// Why a connection ended before its time. None of it is an error of the server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Wire(#[from] WireError),
    #[error("{0} took too long")]
    Late(&'static str),
    #[error("no protocol in common: the client wants {wanted}, this server has {has}")]
    Protocol { wanted: Protocols, has: Protocols },
}

/// What a listener tells its connections.
#[derive(Clone)]
pub(crate) struct Setup {
    pub service: Service,
    pub tls: Option<TlsAcceptor>,
    pub allowed: Protocols,
    pub stop: CancellationToken,
}

impl Setup {
    pub(crate) fn new(db: Arc<dyn Database>, options: Options) -> Self {
        let allowed = match (&options.tls, options.plain_beside_tls) {
            (None, _) => Protocols::PLAIN,
            (Some(_), true) => Protocols::EITHER,
            (Some(_), false) => Protocols::TLS,
        };
        Self {
            service: Service::new(db, options.access, options.limits),
            tls: options.tls.map(|identity| identity.acceptor()),
            allowed,
            stop: CancellationToken::new(),
        }
    }
}

/// Speaks with a client until it goes, or the server stops.
pub(crate) async fn serve<S>(mut stream: S, setup: &Setup) -> Result<(), Ended>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let arrival = setup.service.limits().arrival;
    let chosen = within(arrival, "the hello", greet(&mut stream, setup)).await??;
    match (&setup.tls, chosen == Protocols::TLS) {
        (Some(acceptor), true) => {
            let stream = within(arrival, "TLS", acceptor.accept(stream)).await??;
            converse(stream, setup).await
        }
        _ => converse(stream, setup).await,
    }
}

async fn within<T>(
    time: Duration,
    what: &'static str,
    work: impl Future<Output = T>,
) -> Result<T, Ended> {
    timeout(time, work).await.map_err(|_| Ended::Late(what))
}

async fn greet<S>(stream: &mut S, setup: &Setup) -> Result<Protocols, Ended>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut bytes = [0; Hello::BYTES];
    stream.read_exact(&mut bytes).await?;
    let hello = Hello::from_bytes(bytes)?;
    let answer = hello.answer(setup.allowed);
    stream.write_all(&answer.to_bytes()).await?;
    stream.flush().await?;
    if answer.protocols == Protocols::NONE {
        return Err(Ended::Protocol { wanted: hello.protocols, has: setup.allowed });
    }
    Ok(answer.protocols)
}

async fn converse<S>(mut stream: S, setup: &Setup) -> Result<(), Ended>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = &setup.service;
    let limits = service.limits();
    while let Some(header) = next_header(&mut stream, setup).await? {
        let length = match frame::length(header, limits.message) {
            Ok(length) => length,
            Err(e) => {
                refuse_too_long(&mut stream, setup, header, e).await?;
                continue;
            }
        };
        let _room = service.room(length).await;
        let payload = receive(&mut stream, length, Pace::new(limits.arrival)).await?;
        service.metrics().received(frame::HEADER + length);
        let (_, (json, blobs)) = service.answer(Message::decode(&payload)?).await;
        drop(payload);
        let answer = Message { json, blobs, token: None }.encode(limits.message)?;
        service.metrics().sent(answer.length());
        // A client that takes nothing must not hold its room for ever.
        let time = limits.patience(answer.length());
        within(time, "taking the answer", send(&mut stream, answer.into_pieces())).await??;
    }
    // Says goodbye in TLS; whoever is gone does not hear it.
    let _ = timeout(Duration::from_secs(1), stream.shutdown()).await;
    Ok(())
}

/// Answers a message that is too long, and reads it away. To be hung up on would look to its sender like
/// a network that failed, and be tried again and again.
async fn refuse_too_long<S>(
    stream: &mut S,
    setup: &Setup,
    header: [u8; frame::HEADER],
    fault: WireError,
) -> Result<(), Ended>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = &setup.service;
    let limits = service.limits();
    let answer = Message { json: service.too_long(&fault), ..Message::default() };
    let answer = answer.encode(limits.message)?;
    service.metrics().sent(answer.length());
    // At once: who looks while sending need not send the rest.
    let time = limits.patience(answer.length());
    within(time, "taking the answer", send(stream, answer.into_pieces())).await??;
    let announced = frame::length(header, usize::MAX)?;
    discard(stream, announced.min(READ_AWAY), Pace::new(limits.arrival)).await?;
    if announced > READ_AWAY { Err(fault.into()) } else { Ok(()) }
}

/// Reads bytes that nobody wants.
async fn discard<S>(stream: &mut S, mut left: usize, mut pace: Pace) -> Result<(), Ended>
where
    S: AsyncRead + Unpin,
{
    let mut bytes = vec![0; left.min(64 << 10)];
    while left > 0 {
        let room = left.min(bytes.len());
        let read = pace.keep(stream.read(&mut bytes[..room]), |read| *read.as_ref().unwrap_or(&0));
        match read.await.ok_or(Ended::Late("a message"))?? {
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            read => left -= read,
        }
    }
    Ok(())
}

/// The next length; none when the client has gone between messages, or the server stops.
async fn next_header<S>(stream: &mut S, setup: &Setup) -> Result<Option<[u8; 4]>, Ended>
where
    S: AsyncRead + Unpin,
{
    let limits = setup.service.limits();
    let mut header = [0; frame::HEADER];
    let first = tokio::select! {
        biased;
        // Reading is safe to drop: nothing was taken yet.
        first = timeout(limits.idle, stream.read(&mut header)) => first,
        () = setup.stop.cancelled() => return Ok(None),
    };
    let read = match first {
        Err(_) => return Ok(None),
        Ok(read) => read?,
    };
    if read == 0 {
        return Ok(None);
    }
    within(limits.arrival, "a message", stream.read_exact(&mut header[read..])).await??;
    Ok(Some(header))
}

/// Reads a message, and nothing of the next one.
async fn receive<S>(stream: &mut S, length: usize, mut pace: Pace) -> Result<Bytes, Ended>
where
    S: AsyncRead + Unpin,
{
    let mut payload = frame::Payload::new(length);
    while payload.missing() > 0 {
        let missing = payload.missing();
        let mut room = payload.room().limit(missing);
        let read = pace.keep(stream.read_buf(&mut room), |read| *read.as_ref().unwrap_or(&0));
        if read.await.ok_or(Ended::Late("a message"))?? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
    Ok(payload.into_bytes().freeze())
}

/// Writes all pieces, several in one call: the SDK expects a length in one piece.
async fn send<S>(stream: &mut S, pieces: Vec<Bytes>) -> io::Result<()>
where
    S: AsyncWrite + Unpin,
{
    let mut pieces: std::collections::VecDeque<Bytes> = pieces.into();
    while let Some(first) = pieces.front_mut() {
        if first.is_empty() {
            pieces.pop_front();
            continue;
        }
        let mut written = if stream.is_write_vectored() {
            let slices: Vec<io::IoSlice<'_>> =
                pieces.iter().take(64).map(|piece| io::IoSlice::new(piece)).collect();
            stream.write_vectored(&slices).await?
        } else {
            stream.write(first).await?
        };
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        while let Some(piece) = pieces.front_mut() {
            let taken = written.min(piece.len());
            piece.advance(taken);
            written -= taken;
            if !piece.is_empty() {
                break;
            }
            pieces.pop_front();
        }
    }
    stream.flush().await
}
