//! The length before each message: four bytes, little endian, of what follows.

use bytes::BytesMut;

use crate::Error;

/// Bytes of the length.
pub const HEADER: usize = 4;

/// What ApertureDB accepts in one message unless it is configured otherwise, in bytes (its
/// documentation: `max_connection_message_size_mb`, 256).
pub const DEFAULT_LIMIT: usize = 256 << 20;

/// The length that stands before a message.
///
/// # Errors
/// When it does not fit into 32 bits.
pub fn header(length: usize) -> Result<[u8; HEADER], Error> {
    u32::try_from(length)
        .map(u32::to_le_bytes)
        .map_err(|_| Error::TooLong { announced: length as u64, limit: u64::from(u32::MAX) })
}

/// How many bytes follow, of `limit` at most: ask before anything is reserved for them.
///
/// # Errors
/// When more are announced.
pub fn length(header: [u8; HEADER], limit: usize) -> Result<usize, Error> {
    let announced = u32::from_le_bytes(header);
    usize::try_from(announced)
        .ok()
        .filter(|&n| n <= limit)
        .ok_or(Error::TooLong { announced: u64::from(announced), limit: limit as u64 })
}

/// Bytes of a message that are believed in before they have come.
const TRUSTED: usize = 1 << 20;

/// A message that is being received. Memory is taken as bytes come, until there are enough to
/// believe the rest of what was announced.
#[derive(Debug)]
pub struct Payload {
    bytes: BytesMut,
    length: usize,
}

impl Payload {
    /// Nothing yet of a message of that length.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { bytes: BytesMut::with_capacity(length.min(TRUSTED)), length }
    }

    /// How many bytes are still to come.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.length.saturating_sub(self.bytes.len())
    }

    /// Where the next bytes go; it has room for some at least.
    pub fn room(&mut self) -> &mut BytesMut {
        if self.bytes.len() == self.bytes.capacity() {
            self.bytes.reserve(self.missing());
        }
        &mut self.bytes
    }

    /// What has come, which can be more than was announced.
    #[must_use]
    pub fn into_bytes(self) -> BytesMut {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_endian_and_limited() {
        assert_eq!(header(0x0102).unwrap(), [2, 1, 0, 0]);
        assert_eq!(length([64, 0, 0, 0], 64).unwrap(), 64);
        let error = length([65, 0, 0, 0], 64).unwrap_err();
        assert_eq!(error, Error::TooLong { announced: 65, limit: 64 });
        assert!(length([255; 4], DEFAULT_LIMIT).is_err());
        assert!(header(usize::MAX).is_err());
    }

    #[test]
    fn memory_is_taken_as_bytes_come() {
        let mut payload = Payload::new(100 << 20);
        assert!(payload.room().capacity() < 2 << 20);
        payload.room().extend_from_slice(&[7; 100]);
        assert_eq!(payload.missing(), (100 << 20) - 100);
        let filled = payload.room().capacity();
        payload.room().resize(filled, 7);
        assert!(payload.room().capacity() >= 100 << 20);
        assert_eq!(payload.into_bytes().len(), filled);
    }
}
