//! JPEG.

use adb_model::EmbedError;
use image::metadata::Orientation;
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::JpegDecoder;

use super::{Decoded, MAX_EDGE, Rgb, Room, room_for, unreadable};

/// A file that was cut off is refused: a decoder would paint gray what is missing. One that is odd
/// and has its end is read leniently, as the reference reads it.
pub(super) fn decode(encoded: &[u8], max_bytes: u64) -> Result<(Decoded, Room), EmbedError> {
    let has_end = has_end(encoded);
    match decode_as(encoded, max_bytes, true) {
        Ok(_) if !has_end => {
            Err(unreadable("this JPEG was cut off: its end is missing; fetch the file again"))
        }
        Err(EmbedError::Unreadable(_)) if has_end => decode_as(encoded, max_bytes, false),
        result => result,
    }
}

/// Whether the picture's own end is there, behind its last scan; previews that lie in the file
/// before, and whatever follows, have ends as well.
fn has_end(encoded: &[u8]) -> bool {
    const END: u8 = 0xd9;
    const SCAN: u8 = 0xda;
    let mut at = 2;
    let mut in_scan = false;
    while let Some([first, second]) = encoded.get(at..at + 2) {
        match (*first, *second) {
            (0xff, END) => return true,
            // Fill bytes.
            (0xff, 0xff) => at += 1,
            // Data, a zero behind 0xff that is data, and restarts.
            (0xff, 0x00 | 0x01 | 0xd0..=0xd7) if in_scan => at += 2,
            (0xff, marker) => {
                let Some([high, low]) = encoded.get(at + 2..at + 4) else { return false };
                at += 2 + usize::from(u16::from_be_bytes([*high, *low]));
                in_scan = marker == SCAN;
            }
            // Between segments there should be nothing; decoders skip it.
            _ => at += 1,
        }
    }
    false
}

/// What the header says.
pub(super) fn size(encoded: &[u8]) -> Result<(u32, u32), EmbedError> {
    let mut decoder =
        JpegDecoder::new_with_options(ZCursor::new(encoded), DecoderOptions::default());
    decoder.decode_headers().map_err(|e| unreadable(format!("this JPEG is broken: {e:?}")))?;
    let info = decoder.info().ok_or_else(|| unreadable("this JPEG has no size"))?;
    Ok((u32::from(info.width), u32::from(info.height)))
}

fn decode_as(encoded: &[u8], max_bytes: u64, strict: bool) -> Result<(Decoded, Room), EmbedError> {
    let explain = |e: &dyn std::fmt::Debug| unreadable(format!("this JPEG is broken: {e:?}"));
    let options = DecoderOptions::default()
        .set_max_width(MAX_EDGE as usize)
        .set_max_height(MAX_EDGE as usize)
        .set_strict_mode(strict)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(encoded), options);
    decoder.decode_headers().map_err(|e| explain(&e))?;
    let info = decoder.info().ok_or_else(|| unreadable("this JPEG has no size"))?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    // What is refined from scan to scan is kept whole, 16 bits for each component.
    let kept = if info.sof.is_progressive() { u64::from(info.components) * 2 } else { 0 };
    let room = room_for(width, height, 3 + kept, max_bytes)?;
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let pixels = decoder.decode().map_err(|e| explain(&e))?;
    if pixels.len() as u64 != u64::from(width) * u64::from(height) * 3 {
        return Err(unreadable("this JPEG has colours that can't be turned into RGB"));
    }
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    Ok((Decoded { rgb: Rgb { width, height, pixels }, orientation }, room))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_the_one_behind_the_last_scan() {
        let whole = b"\xff\xd8\xff\xe1\0\x06\xff\xd8\xff\xd9\xff\xda\0\x03\x01\x55\xff\0\xff\xd3\x66\xff\xd9trailer";
        assert!(has_end(whole));
        let end = whole.len() - "trailer".len();
        assert!(has_end(&whole[..end]));
        for cut in 0..end {
            assert!(!has_end(&whole[..cut]), "{cut}");
        }
    }
}
