//! What a server listens on, whom it lets in, and how much of everything it takes.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use crate::{Accounts, tls::Identity};

/// How a server is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the framed protocol is spoken; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where REST is, if anywhere.
    pub rest: Option<SocketAddr>,
    /// Who is let in.
    pub access: Access,
    /// The server's certificate; none: nothing is encrypted.
    pub tls: Option<Identity>,
    /// Whether clients that have TLS may go without. REST is encrypted whenever there is TLS.
    pub plain_beside_tls: bool,
    /// How much of everything.
    pub limits: Limits,
}

/// Who is let in.
#[derive(Debug, Clone)]
pub enum Access {
    /// Those with an account.
    Accounts(Arc<Accounts>),
    /// Everybody, whatever they say of themselves: for one's own machine.
    Everybody,
}

/// How much of everything a server takes.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a message, in either direction.
    pub message: usize,
    /// Bytes of messages that are being received or answered, all together. At least one message
    /// fits.
    pub in_memory: usize,
    /// Connections at once; the next one waits to be accepted.
    pub connections: usize,
    /// Requests that the database works at; others wait their turn.
    pub requests: usize,
    /// How long a connection may be silent between requests. The SDK keeps connections silent for
    /// minutes.
    pub idle: Duration,
    /// How long the hello, TLS and the head of a request may take, and each mebibyte of a message once
    /// it has begun.
    pub arrival: Duration,
    /// How long requests may take to end when the server is told to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: adb_protocol::frame::DEFAULT_LIMIT,
            in_memory: 1 << 30,
            connections: 4096,
            requests: 64,
            idle: Duration::from_secs(3600),
            arrival: Duration::from_secs(30),
            drain: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// How long so many bytes may take: [`Limits::arrival`] for each mebibyte that is begun.
    pub(crate) fn patience(&self, bytes: usize) -> Duration {
        let mebibytes = u32::try_from(bytes >> 20).unwrap_or(u32::MAX).saturating_add(1);
        self.arrival.saturating_mul(mebibytes)
    }
}

impl Options {
    /// The framed protocol on 127.0.0.1, without TLS.
    #[must_use]
    pub fn new(port: u16, access: Access) -> Self {
        Self {
            listen: ([127, 0, 0, 1], port).into(),
            rest: None,
            access,
            tls: None,
            plain_beside_tls: false,
            limits: Limits::default(),
        }
    }
}
