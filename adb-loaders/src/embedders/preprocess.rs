//! From an encoded picture to pixels, as the reference pipelines do it.

use std::io::Cursor;

use adb_model::{EmbedError, Rect};
use image::{ImageReader, Limits};
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::JpegDecoder;

/// A longer edge is refused: nobody photographs that, and its pixels would fill the memory.
const MAX_EDGE: usize = 32_768;
/// At most so many pixels, 3 bytes each.
const MAX_PIXELS: usize = 256 << 20;

/// A decoded picture: 8 bits for each of red, green and blue.
#[derive(Debug, Clone)]
pub(super) struct Rgb {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) pixels: Vec<u8>,
}

impl Rgb {
    /// What of the rectangle lies in the picture.
    pub(super) fn part(&self, region: Rect) -> Result<Self, EmbedError> {
        let span = |start: i64, length: i64, edge: u32| {
            let edge = i64::from(edge);
            (start.clamp(0, edge) as usize, start.saturating_add(length).clamp(0, edge) as usize)
        };
        let (left, right) = span(region.x, region.width, self.width);
        let (top, bottom) = span(region.y, region.height, self.height);
        if left >= right || top >= bottom {
            return Err(unreadable(format!(
                "the rectangle of {}×{} pixels at ({}, {}) lies outside of its {}×{} pixels",
                region.width, region.height, region.x, region.y, self.width, self.height
            )));
        }
        let row = self.width as usize * 3;
        let pixels = (top..bottom).flat_map(|y| &self.pixels[y * row..][left * 3..right * 3]);
        Ok(Self {
            width: (right - left) as u32,
            height: (bottom - top) as u32,
            pixels: pixels.copied().collect(),
        })
    }
}

pub(super) fn unreadable(message: impl Into<String>) -> EmbedError {
    EmbedError::Unreadable(message.into())
}

/// Decodes JPEG, PNG, WebP, GIF (its first frame) or BMP, told apart by content.
///
/// Like the reference, it drops an alpha channel and leaves EXIF orientation alone. Gray becomes
/// RGB, 16 bits become 8 by scaling.
pub(super) fn decode(encoded: &[u8]) -> Result<Rgb, EmbedError> {
    if encoded.starts_with(&[0xff, 0xd8, 0xff]) {
        decode_jpeg(encoded)
    } else {
        decode_other(encoded)
    }
}

/// Strictly first: the lenient way paints gray what is missing of a file that was cut off. A file
/// that is odd and has its end is read leniently, as the reference reads it.
fn decode_jpeg(encoded: &[u8]) -> Result<Rgb, EmbedError> {
    decode_jpeg_as(encoded, true).or_else(|fault| {
        let end = encoded.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        if encoded[..end].ends_with(&[0xff, 0xd9]) {
            decode_jpeg_as(encoded, false)
        } else {
            Err(fault)
        }
    })
}

fn decode_jpeg_as(encoded: &[u8], strict: bool) -> Result<Rgb, EmbedError> {
    let explain = |e: &dyn std::fmt::Debug| unreadable(format!("this JPEG is broken: {e:?}"));
    let options = DecoderOptions::default()
        .set_max_width(MAX_EDGE)
        .set_max_height(MAX_EDGE)
        .set_strict_mode(strict)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(encoded), options);
    decoder.decode_headers().map_err(|e| explain(&e))?;
    let (width, height) =
        decoder.dimensions().ok_or_else(|| unreadable("this JPEG has no size"))?;
    check_size(width, height)?;
    let pixels = decoder.decode().map_err(|e| explain(&e))?;
    if pixels.len() != width * height * 3 {
        return Err(unreadable("this JPEG has colours that can't be turned into RGB"));
    }
    Ok(Rgb { width: width as u32, height: height as u32, pixels })
}

fn decode_other(encoded: &[u8]) -> Result<Rgb, EmbedError> {
    let mut reader = ImageReader::new(Cursor::new(encoded))
        .with_guessed_format()
        .map_err(|e| unreadable(e.to_string()))?;
    let Some(format) = reader.format() else {
        return Err(unreadable("it is of no format that can be read: JPEG, PNG, WebP, GIF or BMP"));
    };
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_EDGE as u32);
    limits.max_image_height = Some(MAX_EDGE as u32);
    // 16 bits for each of four channels, and as much again to work in.
    limits.max_alloc = Some(MAX_PIXELS as u64 * 16);
    reader.limits(limits);
    let image = reader.decode().map_err(|e| unreadable(format!("as {format:?}: {e}")))?;
    check_size(image.width() as usize, image.height() as usize)?;
    let image = image.into_rgb8();
    Ok(Rgb { width: image.width(), height: image.height(), pixels: image.into_raw() })
}

fn check_size(width: usize, height: usize) -> Result<(), EmbedError> {
    if width == 0 || height == 0 {
        return Err(unreadable("it has no pixels"));
    }
    if width > MAX_EDGE || height > MAX_EDGE || width * height > MAX_PIXELS {
        return Err(unreadable(format!(
            "{width} × {height} pixels are more than is decoded; make it smaller"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_cut_to_the_picture() {
        let pixels: Vec<u8> = (0..6).flat_map(|n| [n; 3]).collect();
        let image = Rgb { width: 3, height: 2, pixels };
        let rect = |x, y, width, height| Rect { x, y, width, height };
        let part = image.part(rect(1, 0, 5, 2)).unwrap();
        assert_eq!((part.width, part.height), (2, 2));
        assert_eq!(part.pixels.chunks(3).map(|p| p[0]).collect::<Vec<_>>(), [1, 2, 4, 5]);
        let corner = image.part(rect(-4, -1, 5, 2)).unwrap();
        assert_eq!(corner.pixels, [0, 0, 0]);
        for outside in [rect(3, 0, 1, 1), rect(-2, 0, 2, 2), rect(0, 2, 1, 9)] {
            let error = image.part(outside).unwrap_err().to_string();
            assert!(error.contains("outside of its 3×2 pixels"), "{error}");
        }
    }

    fn encode(image: &image::DynamicImage, format: image::ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn all_kinds_of_pixels_become_rgb() {
        use image::{DynamicImage, ImageFormat, Luma, Rgba};
        let gray = DynamicImage::ImageLuma8(image::ImageBuffer::from_pixel(4, 4, Luma([100])));
        let wide =
            DynamicImage::ImageLuma16(image::ImageBuffer::from_pixel(4, 4, Luma([100 * 257])));
        let alpha = DynamicImage::ImageRgba8(image::ImageBuffer::from_pixel(
            4,
            4,
            Rgba([100, 100, 100, 9]),
        ));
        for (kind, bytes) in [
            ("gray", encode(&gray, ImageFormat::Png)),
            ("16 bits", encode(&wide, ImageFormat::Png)),
            ("alpha", encode(&alpha, ImageFormat::Png)),
            ("WebP", encode(&alpha, ImageFormat::WebP)),
            ("GIF", encode(&alpha.to_rgb8().into(), ImageFormat::Gif)),
            ("BMP", encode(&gray, ImageFormat::Bmp)),
        ] {
            let image = decode(&bytes).unwrap();
            assert_eq!((image.width, image.height), (4, 4), "{kind}");
            assert!(image.pixels.iter().all(|p| *p == 100), "{kind}: {:?}", image.pixels);
        }
    }

    #[test]
    fn what_is_no_picture_is_refused_in_words() {
        let image = image::RgbImage::from_pixel(64, 64, image::Rgb([9, 9, 9]));
        let png = encode(&image.into(), image::ImageFormat::Png);
        for (bytes, words) in [
            (&b""[..], "of no format"),
            (&b"<svg></svg>"[..], "of no format"),
            (&png[..40], "as Png"),
            (&b"\xff\xd8\xff\xe0 no more"[..], "this JPEG is broken"),
        ] {
            let message = decode(bytes).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn a_huge_picture_is_refused_before_it_fills_the_memory() {
        // A valid PNG header that promises 60,000 × 60,000 pixels.
        let image = image::RgbImage::from_pixel(1, 1, image::Rgb([0, 0, 0]));
        let mut png = encode(&image.into(), image::ImageFormat::Png);
        png[16..20].copy_from_slice(&60_000u32.to_be_bytes());
        png[20..24].copy_from_slice(&60_000u32.to_be_bytes());
        let crc = crc32(&png[12..29]);
        png[29..33].copy_from_slice(&crc.to_be_bytes());
        let message = decode(&png).unwrap_err().to_string();
        assert!(message.contains("not a readable image"), "{message}");
    }

    fn crc32(bytes: &[u8]) -> u32 {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum()
    }
}
