//! All formats but JPEG.

use std::io::Cursor;

use adb_model::EmbedError;
use image::{ColorType, DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits};

use super::{Decoded, Rgb, Room, kind::name_of, room_for, unreadable};

pub(super) fn decode(encoded: &[u8], max_bytes: u64) -> Result<(Decoded, Room), EmbedError> {
    let (mut reader, format) = reader(encoded)?;
    let explain = |e: image::ImageError| explained(format, &e);
    // Colour profiles and the like can be bombs as well.
    let mut limits = Limits::default();
    limits.max_alloc = Some(max_bytes);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(explain)?;
    let (width, height) = decoder.dimensions();
    let color = decoder.color_type();
    let room = room_for(width, height, bytes_to_decode(format, color), max_bytes)?;
    let orientation = decoder.orientation().map_err(explain)?;
    let image = DynamicImage::from_decoder(decoder).map_err(explain)?;
    Ok((Decoded { rgb: rgb(image)?, orientation }, room))
}

/// What the header says.
pub(super) fn size(encoded: &[u8]) -> Result<(u32, u32), EmbedError> {
    let (reader, format) = reader(encoded)?;
    reader.into_dimensions().map_err(|e| explained(format, &e))
}

type Reader<'e> = ImageReader<Cursor<&'e [u8]>>;

fn reader(encoded: &[u8]) -> Result<(Reader<'_>, ImageFormat), EmbedError> {
    let reader = ImageReader::new(Cursor::new(encoded))
        .with_guessed_format()
        .map_err(|e| unreadable(e.to_string()))?;
    let format = reader.format().filter(ImageFormat::reading_enabled).ok_or_else(|| {
        const READ: &str = "JPEG, PNG, WebP, GIF, BMP or TIFF";
        unreadable(match name_of(encoded) {
            Some(name) => format!("it is {name}; what can be read is {READ}"),
            None => format!("it is of no format that can be read: {READ}"),
        })
    })?;
    Ok((reader, format))
}

fn explained(format: ImageFormat, e: &image::ImageError) -> EmbedError {
    unreadable(format!("as {}: {e}", name(format)))
}

fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Gif => "GIF",
        ImageFormat::WebP => "WebP",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Tiff => "TIFF",
        _ => "a picture",
    }
}

/// About the bytes that each pixel takes until it is RGB.
fn bytes_to_decode(format: ImageFormat, color: ColorType) -> u64 {
    let own = u64::from(color.bytes_per_pixel());
    // Others are copied; these two become RGB where they lie.
    let copy = if matches!(color, ColorType::Rgb8 | ColorType::Rgba8) { 0 } else { 3 };
    // A frame apart from the canvas.
    let frame = if matches!(format, ImageFormat::WebP | ImageFormat::Gif) { 4 } else { 0 };
    own + copy + frame
}

fn rgb(image: DynamicImage) -> Result<Rgb, EmbedError> {
    let (width, height) = (image.width(), image.height());
    let pixels = match image {
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageRgba8(image) => without_alpha(image.into_raw()),
        DynamicImage::ImageLuma8(image) => gray(image.as_raw(), 1, |byte| byte),
        DynamicImage::ImageLumaA8(image) => gray(image.as_raw(), 2, |byte| byte),
        DynamicImage::ImageLuma16(image) => gray(image.as_raw(), 1, upper),
        DynamicImage::ImageLumaA16(image) => gray(image.as_raw(), 2, upper),
        DynamicImage::ImageRgb16(image) => image.as_raw().iter().copied().map(upper).collect(),
        DynamicImage::ImageRgba16(image) => {
            image.as_raw().chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]].map(upper)).collect()
        }
        other => {
            return Err(unreadable(format!(
                "its pixels are {:?}, and there is no one way from these to 8 bits; save it with 8 bits for each colour",
                other.color()
            )));
        }
    };
    Ok(Rgb { width, height, pixels })
}

/// The upper 8 of 16 bits, as libpng takes them.
fn upper(value: u16) -> u8 {
    (value >> 8) as u8
}

fn without_alpha(mut pixels: Vec<u8>) -> Vec<u8> {
    let count = pixels.len() / 4;
    for i in 0..count {
        pixels.copy_within(i * 4..i * 4 + 3, i * 3);
    }
    pixels.truncate(count * 3);
    pixels
}

/// The first of so many channels, three times.
fn gray<T: Copy>(pixels: &[T], channels: usize, byte: impl Fn(T) -> u8) -> Vec<u8> {
    pixels.chunks_exact(channels).flat_map(|pixel| [byte(pixel[0]); 3]).collect()
}
