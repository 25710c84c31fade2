//! The framed protocol: the hello, and one message at a time.

use std::io;

use adb_protocol::{Error as WireError, Hello, Message, Protocols, frame};
use bytes::Bytes;
use serde_json::Value as Json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::{
    Error,
    connection::{Answered, Broken},
    dial::{Stream, Target, late},
};

/// A connection on which nothing is under way.
pub(crate) struct Framed(Stream);

impl Framed {
    /// Connects, says hello, and begins TLS if it is wanted.
    pub(crate) async fn open(target: &Target) -> Result<Self, Error> {
        let mut stream = target.dial().await?;
        let wanted = if target.tls.is_some() { Protocols::TLS } else { Protocols::PLAIN };
        let greeting = async {
            stream.write_all(&Hello::client(wanted).to_bytes()).await?;
            let mut answer = [0; Hello::BYTES];
            stream.read_exact(&mut answer).await?;
            Ok(answer)
        };
        let answer = timeout(target.connect, greeting).await.unwrap_or_else(|_| Err(late()));
        let answer =
            answer.map_err(|source| Error::Connect { address: target.address(), source })?;
        let answer = Hello::from_bytes(answer)?;
        if answer.protocols != wanted {
            let address = target.address();
            return Err(Error::Refused { address, wanted, answered: answer.protocols });
        }
        target.protect(stream).await.map(Self)
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.0.is_alive()
    }

    /// Sends a message and waits for its answer.
    pub(crate) async fn ask(&mut self, message: &Message, limit: usize) -> Answered {
        let encoded = message.encode(limit).map_err(Broken::TooLong)?;
        self.send(encoded.into_pieces()).await.map_err(Broken::Sending)?;
        let mut header = [0; frame::HEADER];
        self.0.read_exact(&mut header).await.map_err(Broken::Receiving)?;
        let length = frame::length(header, limit).map_err(Broken::Answer)?;
        let payload = self.receive(length).await.map_err(Broken::Receiving)?;
        let answer = Message::decode(&payload).map_err(Broken::Answer)?;
        let json: Json = serde_json::from_slice(&answer.json)
            .map_err(|e| Broken::Answer(WireError::Answer(format!("no JSON: {e}"))))?;
        Ok((json, answer.blobs))
    }

    async fn send(&mut self, pieces: Vec<Bytes>) -> io::Result<()> {
        for mut piece in pieces {
            self.0.write_all_buf(&mut piece).await?;
        }
        self.0.flush().await
    }

    async fn receive(&mut self, length: usize) -> io::Result<Bytes> {
        let mut payload = frame::Payload::new(length);
        while payload.missing() > 0 {
            // Nothing follows an answer before the next request.
            if self.0.read_buf(payload.room()).await? == 0 {
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
