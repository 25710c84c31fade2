//! Pictures in terminals that can show them, and small ones for pages.

use std::io::Cursor;

use image::{ImageReader, Limits, RgbImage, codecs::jpeg::JpegEncoder};

use super::{
    protocol::Protocol,
    shown::{Shown, number, picture, shortened, word},
};
use crate::out;

/// The longer side, in pixels.
const SIDE: u32 = 160;
/// Memory that decoding one picture may take.
const MAX_DECODED: u64 = 512 << 20;

/// Each hit with its picture above.
pub(super) fn print(protocol: Protocol, shown: &Shown<'_>) {
    for (rank, hit) in (1..).zip(shown.hits) {
        let sequence = picture(hit)
            .and_then(|bytes| small(bytes, SIDE))
            .and_then(|small| protocol.sequence(&small));
        if let Some(sequence) = sequence {
            out::bytes(sequence.as_bytes());
            println!();
        }
        let properties: Vec<String> =
            shown.properties(hit).map(|(_, value)| shortened(&value, 48)).collect();
        println!(
            "{rank}. {}  {} {}  {}",
            hit.class,
            word(hit.metric),
            number(hit.distance),
            properties.join("  ")
        );
    }
}

/// The picture with `side` pixels at most on its longer side; nothing of what is no picture.
fn small(bytes: &[u8], side: u32) -> Option<RgbImage> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED);
    reader.limits(limits);
    Some(reader.decode().ok()?.thumbnail(side, side).to_rgb8())
}

/// The same as a JPEG.
pub(super) fn small_jpeg(bytes: &[u8], side: u32) -> Option<Vec<u8>> {
    let mut jpeg = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, 82);
    small(bytes, side)?.write_with_encoder(encoder).ok()?;
    Some(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_picture_has_no_small_one() {
        assert_eq!(small_jpeg(b"not a picture", 10), None);
    }
}
