//! A connection of either transport, and how far a request on it can come.

use std::{io, time::Duration};

use adb_model::Fate;
use adb_protocol::{Error as WireError, Message};
use bytes::Bytes;
use serde_json::Value as Json;

use crate::{Error, dial::Target, framed::Framed, rest::Rest};

/// An answer's JSON and blobs, or how far the request had come.
pub(crate) type Answered = Result<(Json, Vec<Bytes>), Broken>;

/// How far a request had come when it failed.
pub(crate) enum Broken {
    /// It had not gone out whole.
    Sending(io::Error),
    /// It had.
    Receiving(io::Error),
    /// The answer can't be understood.
    Answer(WireError),
    /// The request is too long to be sent.
    TooLong(WireError),
    /// What stands between, or the server itself, answered in HTTP's own words.
    Status { status: u16, told: String, retry_after: Option<Duration> },
}

impl Broken {
    /// As an error of a request.
    pub(crate) fn of_request(self, address: String) -> Error {
        match self {
            Broken::Sending(source) => Error::Lost { address, source },
            Broken::Receiving(source) => Error::Unanswered { address, source },
            Broken::Answer(e) => Error::Misfit { address, fault: e.to_string() },
            Broken::TooLong(e) => e.into(),
            Broken::Status { status, told, retry_after } => {
                // Whoever answers so has not given the request to the database; the others of the
                // five hundreds may come from between, after it was done.
                let not_done = status < 500 || matches!(status, 501 | 503 | 505);
                let fate = if not_done { Fate::NotApplied } else { Fate::Unknown };
                Error::Status { address, status, told, retry_after, fate }
            }
        }
    }

    /// As an error of logging in. Doing that twice does no harm: nothing is lost, however far it
    /// came.
    pub(crate) fn of_login(self, address: String) -> Error {
        match self {
            Broken::Sending(source) | Broken::Receiving(source) => Error::Lost { address, source },
            Broken::Answer(e) | Broken::TooLong(e) => e.into(),
            Broken::Status { status, told, retry_after } => {
                Error::Status { address, status, told, retry_after, fate: Fate::NotApplied }
            }
        }
    }
}

/// A connection on which nothing is under way.
pub(crate) enum Connection {
    Framed(Framed),
    Rest(Rest),
}

impl Connection {
    pub(crate) async fn open(target: &Target) -> Result<Self, Error> {
        match target.rest {
            false => Framed::open(target).await.map(Self::Framed),
            true => Rest::open(target).await.map(Self::Rest),
        }
    }

    /// Whether the server has not hung up meanwhile.
    pub(crate) fn is_alive(&self) -> bool {
        match self {
            Connection::Framed(connection) => connection.is_alive(),
            Connection::Rest(connection) => connection.is_alive(),
        }
    }

    /// Sends a message and waits for its answer.
    pub(crate) async fn ask(&mut self, message: &Message, limit: usize) -> Answered {
        match self {
            Connection::Framed(connection) => connection.ask(message, limit).await,
            Connection::Rest(connection) => connection.ask(message, limit).await,
        }
    }
}
