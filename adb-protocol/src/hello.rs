//! The first twelve bytes in each direction.

use std::{fmt, ops::BitAnd};

use crate::{Error, frame};

/// The version of the protocol that this crate speaks.
pub const VERSION: u32 = 1;

/// Ways to go on after the hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Protocols(u32);

impl Protocols {
    /// None: a refusal.
    pub const NONE: Self = Self(0);
    /// As it is, without encryption.
    pub const PLAIN: Self = Self(1);
    /// TLS, whose handshake follows at once on the same socket.
    pub const TLS: Self = Self(2);
    /// Either; a server then prefers TLS.
    pub const EITHER: Self = Self(3);

    /// From the bits on the wire, whatever they are.
    #[must_use]
    pub fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits on the wire.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of `other` are among these.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitAnd for Protocols {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl fmt::Display for Protocols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::NONE => "none",
            Self::PLAIN => "plain TCP",
            Self::TLS => "TLS",
            Self::EITHER => "plain TCP or TLS",
            Self(_) => "unknown protocols",
        })
    }
}

/// What each side says first; the client begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// Version of the protocol; a server answers 0 if it does not know the client's.
    pub version: u32,
    /// What the client can do; what the server chose.
    pub protocols: Protocols,
}

impl Hello {
    /// Bytes of a hello, its length included.
    pub const BYTES: usize = 12;

    /// What a client says.
    #[must_use]
    pub fn client(protocols: Protocols) -> Self {
        Self { version: VERSION, protocols }
    }

    /// What a server answers that can do `allowed`: one protocol, TLS rather than none, or a
    /// refusal. The Python SDK compares the bits with what it asked for, so that an answer of two
    /// would be an error to it.
    #[must_use]
    pub fn answer(self, allowed: Protocols) -> Self {
        if self.version != VERSION {
            return Self { version: 0, protocols: Protocols::NONE };
        }
        let both = self.protocols & allowed;
        let chosen = [Protocols::TLS, Protocols::PLAIN].into_iter().find(|&one| both.has(one));
        Self { version: VERSION, protocols: chosen.unwrap_or(Protocols::NONE) }
    }

    /// As bytes, the length before them.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let words = [8, self.version, self.protocols.0];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// From bytes, the length before them.
    ///
    /// # Errors
    /// When the length is not that of a hello.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Result<Self, Error> {
        let [a, b, c, d, rest @ ..] = bytes;
        if frame::length([a, b, c, d], 8) != Ok(8) {
            return Err(Error::Hello(match bytes {
                [b'G' | b'P' | b'H' | b'O' | b'D', b'A'..=b'Z', ..] => {
                    "it looks like HTTP; the REST interface listens on another port"
                }
                [0x16, 3, ..] => "it looks like TLS, which begins after a hello here",
                _ => "its length is not that of a hello",
            }));
        }
        let [a, b, c, d, e, f, g, h] = rest;
        Ok(Self {
            version: u32::from_le_bytes([a, b, c, d]),
            protocols: Protocols(u32::from_le_bytes([e, f, g, h])),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_sdk_sends_it() {
        let recorded = [8, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0];
        assert_eq!(Hello::client(Protocols::PLAIN).to_bytes(), recorded);
        assert_eq!(Hello::from_bytes(recorded).unwrap(), Hello::client(Protocols::PLAIN));
    }

    #[test]
    fn one_protocol_is_chosen() {
        let answer = |wanted, allowed| Hello::client(wanted).answer(allowed).protocols;
        assert_eq!(answer(Protocols::PLAIN, Protocols::EITHER), Protocols::PLAIN);
        assert_eq!(answer(Protocols::TLS, Protocols::EITHER), Protocols::TLS);
        assert_eq!(answer(Protocols::EITHER, Protocols::EITHER), Protocols::TLS);
        assert_eq!(answer(Protocols::PLAIN, Protocols::TLS), Protocols::NONE);
        assert_eq!(answer(Protocols::from_bits(7), Protocols::PLAIN), Protocols::PLAIN);
        let other = Hello { version: 2, protocols: Protocols::PLAIN };
        assert_eq!(
            other.answer(Protocols::EITHER),
            Hello { version: 0, protocols: Protocols::NONE }
        );
    }

    #[test]
    fn other_protocols_are_named() {
        let of = |text: &[u8; 12]| Hello::from_bytes(*text).unwrap_err().to_string();
        assert!(of(b"GET / HTTP/1").contains("HTTP"));
        assert!(of(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\0").contains("TLS"));
        assert!(of(b"\x09\0\0\0\x01\0\0\0\x01\0\0\0").contains("length"));
    }
}
