//! From an encoded picture to pixels, as the reference pipelines read it.

mod jpeg;
mod kind;
mod other;
mod room;

use std::panic::{AssertUnwindSafe, catch_unwind};

use adb_model::{EmbedError, Rect};
use image::{DynamicImage, RgbImage, metadata::Orientation};

use crate::error::panic_message;

pub(super) use room::Room;

/// A longer edge is refused: JPEG knows none, and nobody photographs that.
const MAX_EDGE: u32 = 65_535;

/// Pixels: 8 bits for each of red, green and blue.
#[derive(Debug, Clone)]
pub(super) struct Rgb {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) pixels: Vec<u8>,
}

/// A decoded picture, as it lies in the file.
#[derive(Debug, Clone)]
pub(super) struct Decoded {
    pub(super) rgb: Rgb,
    orientation: Orientation,
}

impl Decoded {
    /// As its EXIF orientation wants it to be seen.
    pub(super) fn upright(self) -> Rgb {
        self.rgb.turned(self.orientation)
    }

    /// What of the rectangle lies in the picture. Rectangles count from the corner where the file
    /// begins, whatever the orientation says, as databases cut them.
    pub(super) fn part(self, region: Rect) -> Result<Self, EmbedError> {
        Ok(Self { rgb: self.rgb.part(region)?, ..self })
    }
}

impl Rgb {
    fn part(&self, region: Rect) -> Result<Self, EmbedError> {
        let span = |start: i64, length: i64, edge: u32| {
            let edge = i64::from(edge);
            (start.clamp(0, edge) as usize, start.saturating_add(length).clamp(0, edge) as usize)
        };
        let (left, right) = span(region.x, region.width, self.width);
        let (top, bottom) = span(region.y, region.height, self.height);
        if left >= right || top >= bottom {
            return Err(self.outside(region));
        }
        let row = self.width as usize * 3;
        let pixels = (top..bottom).flat_map(|y| &self.pixels[y * row..][left * 3..right * 3]);
        Ok(Self {
            width: (right - left) as u32,
            height: (bottom - top) as u32,
            pixels: pixels.copied().collect(),
        })
    }

    fn turned(self, orientation: Orientation) -> Self {
        if orientation == Orientation::NoTransforms {
            return self;
        }
        let Self { width, height, pixels } = self;
        // As many bytes as the size says: what decodes has seen to it.
        let Some(image) = RgbImage::from_raw(width, height, pixels) else {
            return Self { width: 0, height: 0, pixels: Vec::new() };
        };
        let mut image = DynamicImage::from(image);
        image.apply_orientation(orientation);
        let image = image.into_rgb8();
        Self { width: image.width(), height: image.height(), pixels: image.into_raw() }
    }

    pub(super) fn outside(&self, region: Rect) -> EmbedError {
        unreadable(format!(
            "the rectangle of {}×{} pixels at ({}, {}) lies outside of its {}×{} pixels",
            region.width, region.height, region.x, region.y, self.width, self.height
        ))
    }

    /// Whether the rectangle is all of the picture.
    pub(super) fn is_all(&self, region: Rect) -> bool {
        region.x <= 0
            && region.y <= 0
            && region.x.saturating_add(region.width) >= i64::from(self.width)
            && region.y.saturating_add(region.height) >= i64::from(self.height)
    }
}

pub(super) fn unreadable(message: impl Into<String>) -> EmbedError {
    EmbedError::Unreadable(message.into())
}

/// Decodes JPEG, PNG, WebP, GIF, BMP or TIFF, told apart by content; of several pictures in a file
/// the first. To do so it may take about `max_bytes` of memory.
///
/// Like the reference it drops an alpha channel, and applies no colour profile and no gamma. Gray
/// becomes RGB. Of 16 bits the upper 8 are taken.
///
/// Waits while others decode so much that all together would take more.
pub(super) fn decode(encoded: &[u8], max_bytes: u64) -> Result<Decoded, EmbedError> {
    decode_in(encoded, max_bytes).map(|(decoded, _)| decoded)
}

/// [`decode`] with the room that the picture takes: it is held as long as the pixels are.
pub(super) fn decode_in(encoded: &[u8], max_bytes: u64) -> Result<(Decoded, Room), EmbedError> {
    let work = || {
        if encoded.starts_with(&[0xff, 0xd8, 0xff]) {
            jpeg::decode(encoded, max_bytes)
        } else {
            other::decode(encoded, max_bytes)
        }
    };
    // The decoders are others' work and their input is anybody's: one that panics costs its picture.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(unreadable(format!("its decoder broke off: {}", panic_message(&*panic))))
    })
}

/// Width and height as they stand in the file, whatever its orientation says; nothing is decoded.
pub(super) fn size(encoded: &[u8]) -> Result<(u32, u32), EmbedError> {
    let work = || {
        if encoded.starts_with(&[0xff, 0xd8, 0xff]) {
            jpeg::size(encoded)
        } else {
            other::size(encoded)
        }
    };
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(unreadable(format!("its decoder broke off: {}", panic_message(&*panic))))
    })
}

/// Room for a picture, before anything is unpacked; `bytes` is what each pixel takes. What would not
/// fit at all is refused.
fn room_for(width: u32, height: u32, bytes: u64, max_bytes: u64) -> Result<Room, EmbedError> {
    if width == 0 || height == 0 {
        return Err(unreadable("it has no pixels"));
    }
    if width > MAX_EDGE || height > MAX_EDGE {
        return Err(unreadable(format!(
            "it has {width} × {height} pixels, and no edge may be longer than {MAX_EDGE}; make it smaller"
        )));
    }
    let bytes = u64::from(width) * u64::from(height) * bytes;
    if bytes > max_bytes {
        return Err(EmbedError::TooLarge { width, height, bytes, max_bytes });
    }
    Ok(Room::take(bytes, max_bytes))
}

#[cfg(test)]
mod tests;
