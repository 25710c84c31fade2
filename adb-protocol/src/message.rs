//! Requests and answers: a protobuf message of three fields (`queryMessage`, package
//! `VDMS.protobufs`).
//!
//! Written by hand, because blobs must be copied neither when a message is made nor when it is
//! read, and because that is the whole of it.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use secrecy::{ExposeSecret, SecretString};

use crate::{Error, frame};

/// Tags: number of the field and "length-delimited".
const JSON: u8 = 0x0a;
const BLOB: u8 = 0x12;
const TOKEN: u8 = 0x1a;

/// Blobs in one message: an empty one is two bytes there and more than ten times that in memory.
const MOST_BLOBS: usize = 1 << 20;

/// A request or an answer.
#[derive(Clone, Default)]
pub struct Message {
    /// Commands or answers, as JSON: UTF-8.
    pub json: Bytes,
    /// The blobs, in order.
    pub blobs: Vec<Bytes>,
    /// The session's token; requests alone have one, and not the one that logs in.
    pub token: Option<SecretString>,
}

/// The JSON's and the blobs' sizes, and whether there is a token: never their contents, which can
/// hold a password.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("json", &self.json.len())
            .field("blobs", &self.blobs.iter().map(Bytes::len).collect::<Vec<_>>())
            .field("token", &self.token.is_some())
            .finish()
    }
}

/// A message as it goes over the wire, its length before it, in pieces: the blobs are those of the
/// message, not copies.
#[derive(Debug)]
pub struct Encoded {
    pieces: Vec<Bytes>,
    length: usize,
}

impl Encoded {
    /// The pieces, to be written one after the other, in one call where that is possible: the
    /// Python SDK reads the length with a single `recv`.
    #[must_use]
    pub fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    /// The pieces.
    #[must_use]
    pub fn into_pieces(self) -> Vec<Bytes> {
        self.pieces
    }

    /// How many bytes they have together.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }
}

impl Message {
    /// As it goes over the wire. Blobs of less than 4 KiB are copied, since a piece of their own
    /// would cost more.
    ///
    /// # Errors
    /// When it is longer than `limit`.
    pub fn encode(&self, limit: usize) -> Result<Encoded, Error> {
        const COPIED: usize = 4096;
        let token = self.token.as_ref().map(|t| t.expose_secret().as_bytes()).unwrap_or_default();
        let field = |bytes: &[u8]| 1 + varint_length(bytes.len()) + bytes.len();
        let json = if self.json.is_empty() { 0 } else { field(&self.json) };
        let token_field = if token.is_empty() { 0 } else { field(token) };
        let blobs: usize = self.blobs.iter().map(|blob| field(blob)).sum();
        let length = json + blobs + token_field;
        if length > limit {
            return Err(Error::TooLong { announced: length as u64, limit: limit as u64 });
        }

        let mut pieces = Vec::new();
        let mut small = BytesMut::with_capacity(frame::HEADER + json + token_field + 16);
        small.put_slice(&frame::header(length)?);
        let start = |out: &mut BytesMut, tag, len| {
            out.put_u8(tag);
            put_varint(out, len);
        };
        if json > 0 {
            start(&mut small, JSON, self.json.len());
            small.put_slice(&self.json);
        }
        for blob in &self.blobs {
            start(&mut small, BLOB, blob.len());
            if blob.len() < COPIED {
                small.put_slice(blob);
            } else {
                pieces.push(small.split().freeze());
                pieces.push(blob.clone());
            }
        }
        if token_field > 0 {
            start(&mut small, TOKEN, token.len());
            small.put_slice(token);
        }
        if !small.is_empty() {
            pieces.push(small.freeze());
        }
        Ok(Encoded { pieces, length: frame::HEADER + length })
    }

    /// Reads what follows the length. The parts share `bytes`; unknown fields are skipped.
    ///
    /// # Errors
    /// When it is no such message, is cut off, has more than 1,048,576 blobs, or its JSON or token is
    /// not UTF-8.
    pub fn decode(bytes: &Bytes) -> Result<Self, Error> {
        let mut message = Self::default();
        let mut reader = Reader { bytes, at: 0 };
        while reader.at < bytes.len() {
            let start = reader.at;
            let tag = reader.varint()?;
            let (number, wire) = (tag >> 3, tag & 7);
            match (number, wire) {
                (0, _) => return Err(fault(start, "a field without a number")),
                (1, 2) => message.json = utf8(reader.delimited()?, start)?,
                (2, 2) if message.blobs.len() == MOST_BLOBS => {
                    return Err(fault(start, "more than a million blobs"));
                }
                (2, 2) => message.blobs.push(reader.delimited()?),
                (3, 2) => {
                    let token = utf8(reader.delimited()?, start)?;
                    let token = std::str::from_utf8(&token).unwrap_or_default();
                    message.token = (!token.is_empty()).then(|| token.into());
                }
                (1..=3, _) => return Err(fault(start, "a field of another kind than it has")),
                (_, 0) => {
                    reader.varint()?;
                }
                (_, 1) => reader.skip(8)?,
                (_, 2) => {
                    reader.delimited()?;
                }
                (_, 5) => reader.skip(4)?,
                _ => return Err(fault(start, "a kind of field that does not exist")),
            }
        }
        Ok(message)
    }
}

fn fault(at: usize, fault: &'static str) -> Error {
    Error::Message { at, fault }
}

fn utf8(bytes: Bytes, at: usize) -> Result<Bytes, Error> {
    match std::str::from_utf8(&bytes) {
        Ok(_) => Ok(bytes),
        Err(_) => Err(fault(at, "a text that is not UTF-8")),
    }
}

struct Reader<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl Reader<'_> {
    fn varint(&mut self) -> Result<u64, Error> {
        let start = self.at;
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or(fault(start, "a number that is cut off"))?;
            self.at += 1;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(fault(start, "a number of more than 64 bits"))
    }

    fn delimited(&mut self) -> Result<Bytes, Error> {
        let start = self.at;
        let length = self.varint()?;
        let from = self.at;
        usize::try_from(length)
            .map_err(|_| fault(start, "a length beyond memory"))
            .and_then(|n| self.skip(n))?;
        Ok(self.bytes.slice(from..self.at))
    }

    fn skip(&mut self, count: usize) -> Result<(), Error> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        self.at = end.ok_or(fault(self.at, "a field that is cut off"))?;
        Ok(())
    }
}

fn varint_length(value: usize) -> usize {
    let bits = (usize::BITS - value.leading_zeros()).max(1) as usize;
    bits.div_ceil(7)
}

fn put_varint(out: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        out.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn joined(message: &Message) -> Bytes {
        let encoded = message.encode(usize::MAX).unwrap();
        let all = Bytes::from(encoded.pieces().concat());
        assert_eq!(all.len(), encoded.length());
        all
    }

    #[test]
    fn as_the_sdk_sends_it() {
        let json = r#"[{"Authenticate": {"username": "admin", "password": "admin"}}]"#;
        let wire = joined(&Message { json: json.into(), ..Message::default() });
        assert_eq!(&wire[..6], [0x40, 0, 0, 0, 0x0a, 0x3e]);
        assert_eq!(&wire[6..], json.as_bytes());
    }

    #[test]
    fn blobs_are_shared_both_ways() {
        let blob = Bytes::from(vec![7_u8; 1 << 20]);
        let message = Message { json: "[]".into(), blobs: vec![blob.clone()], token: None };
        let encoded = message.encode(usize::MAX).unwrap();
        assert!(encoded.pieces().iter().any(|p| p.as_ptr() == blob.as_ptr()));

        let payload = joined(&message).slice(4..);
        let read = Message::decode(&payload).unwrap();
        let range = payload.as_ptr() as usize..payload.as_ptr() as usize + payload.len();
        assert!(range.contains(&(read.blobs[0].as_ptr() as usize)));
    }

    #[test]
    fn too_long_for_the_receiver() {
        let message = Message { json: "[12345]".into(), ..Message::default() };
        assert_eq!(message.encode(8).unwrap_err(), Error::TooLong { announced: 9, limit: 8 });
        assert!(message.encode(9).is_ok());
    }

    #[test]
    fn unknown_fields_are_skipped() {
        // 15: a number, 16: eight bytes, 17: delimited, 18: four bytes; then the JSON.
        let mut wire = vec![0x78, 0x96, 0x01, 0x81, 0x01];
        wire.extend([0; 8]);
        wire.extend([0x8a, 0x01, 2, 1, 2, 0x95, 0x01, 0, 0, 0, 0, JSON, 2, b'[', b']']);
        assert_eq!(&Message::decode(&wire.into()).unwrap().json[..], b"[]");
    }

    #[test]
    fn damaged_messages_are_refused() {
        let cases: &[&[u8]] = &[
            &[JSON],
            &[JSON, 5, b'['],
            &[JSON, 1, 0xff],
            &[TOKEN, 1, 0xff],
            &[0x08, 1],
            &[0x03],
            &[0x23],
            &[0x02, 0],
            &[BLOB, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            &[BLOB, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        ];
        for case in cases {
            let result = Message::decode(&Bytes::copy_from_slice(case));
            assert!(matches!(result, Err(Error::Message { .. })), "{case:x?}: {result:?}");
        }
    }

    /// Nobody is known yet when a message is read: memory must not grow to many times its length.
    #[test]
    fn so_many_blobs_and_no_more() {
        let most = [BLOB, 0].repeat(MOST_BLOBS);
        assert_eq!(Message::decode(&most.clone().into()).unwrap().blobs.len(), MOST_BLOBS);
        let more = [&most[..], &[BLOB, 0]].concat();
        let error = Message::decode(&more.into()).unwrap_err();
        assert!(error.to_string().contains("more than a million blobs"), "{error}");
    }

    #[test]
    fn nothing_secret_is_shown() {
        let message = Message {
            json: "hunter2 in JSON".into(),
            blobs: vec!["hunter2".into()],
            token: Some("hunter2".into()),
        };
        assert!(!format!("{message:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            json in ".*",
            blobs in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9000), 0..5),
            token in "[a-z]{0,200}",
        ) {
            let message = Message {
                json: json.clone().into(),
                blobs: blobs.iter().cloned().map(Bytes::from).collect(),
                token: (!token.is_empty()).then(|| token.as_str().into()),
            };
            let wire = joined(&message);
            let length = frame::length(wire[..4].try_into().unwrap(), usize::MAX).unwrap();
            prop_assert_eq!(length, wire.len() - 4);
            let read = Message::decode(&wire.slice(4..)).unwrap();
            prop_assert_eq!(&read.json[..], json.as_bytes());
            prop_assert_eq!(read.blobs, message.blobs);
            let read_token = read.token.map(|t| t.expose_secret().to_owned()).unwrap_or_default();
            prop_assert_eq!(read_token, token);
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(Message::decode(&bytes.into()));
        }
    }
}
