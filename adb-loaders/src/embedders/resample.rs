//! Scaling and cutting, with the reference's numbers.
//!
//! The reference (Pillow) scales in one direction, rounds to bytes, then in the other. The order shows:
//! a filter overshoots at hard edges, and what it overshoots by is cut off between the two. Along the
//! rows comes first; Pillow 13 has it the other way round for some pictures, as was found by trying
//! (see [`columns_first`]). Its weights have 22 bits. For bytes the library takes the columns first, with weights of 15
//! bits, which is up to 5 levels away from the reference. So it is called once for each direction,
//! and gets the bytes as 16-bit numbers, for which its weights have 31 bits.

use std::{cell::RefCell, ops::Range};

use adb_model::EmbedError;
use fast_image_resize::{
    FilterType, ResizeAlg, ResizeOptions, Resizer, images::TypedImage, pixels::U16x3,
};

use super::{
    Filter,
    picture::{Rgb, unreadable},
};

thread_local! {
    /// Keeps its buffers from one picture to the next.
    static RESIZER: RefCell<Resizer> = RefCell::new(Resizer::new());
}

/// What is cut from a scaled picture, along one of its sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    /// Pixels before scaling.
    pub(super) from: u32,
    /// Pixels after scaling; a whole number, unless the box of a face is stretched.
    pub(super) to: f64,
    /// Where the cut begins, of the scaled pixels.
    pub(super) start: f64,
    /// Pixels that are cut out.
    pub(super) length: u32,
}

impl Cut {
    fn scale(self) -> f64 {
        f64::from(self.from) / self.to
    }

    /// Start and length, in the pixels before scaling.
    fn span(self) -> (f64, f64) {
        (self.start * self.scale(), f64::from(self.length) * self.scale())
    }

    /// The pixels before scaling that a filter of this reach looks at, and a few more.
    fn seen(self, reach: f64) -> Range<u32> {
        let (start, length) = self.span();
        let reach = reach * self.scale().max(1.0) + 2.0;
        let first = (start - reach).floor().max(0.0);
        let last = (start + length + reach).ceil().min(f64::from(self.from));
        first as u32..last as u32
    }
}

/// Scales a picture and cuts it; only what the cut shows is computed.
pub(super) fn resample(
    image: &Rgb,
    filter: Filter,
    across: Cut,
    down: Cut,
) -> Result<Vec<u8>, EmbedError> {
    let (filter, reach) = match filter {
        Filter::Bicubic => (FilterType::CatmullRom, 2.0),
        Filter::Bilinear => (FilterType::Bilinear, 1.0),
    };
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    let (columns, rows) = (across.seen(reach), down.seen(reach));
    let (width, height) = (columns.end - columns.start, rows.end - rows.start);
    let explain = |e: &dyn std::fmt::Display| unreadable(format!("can't be resized: {e}"));
    let source = TypedImage::from_pixels(width, height, window(image, &columns, &rows))
        .map_err(|e| explain(&e))?;
    let (left, wide) = across.span();
    let (top, high) = down.span();
    let (left, top) = (left - f64::from(columns.start), top - f64::from(rows.start));
    let (wide, high) = (fitting(left, wide, width), fitting(top, high, height));
    let (mut between, first, second) = if columns_first(across, down) {
        (
            TypedImage::new(width, down.length),
            options.crop(0.0, top, width.into(), high),
            options.crop(left, 0.0, wide, down.length.into()),
        )
    } else {
        (
            TypedImage::new(across.length, height),
            options.crop(left, 0.0, wide, height.into()),
            options.crop(0.0, top, across.length.into(), high),
        )
    };
    let mut cut = TypedImage::new(across.length, down.length);
    RESIZER.with_borrow_mut(|resizer| {
        resizer.resize_typed(&source, &mut between, &first).map_err(|e| explain(&e))?;
        // What overshoots a byte; what is below 0 the library has cut off.
        for pixel in between.pixels_mut() {
            pixel.0 = pixel.0.map(|value| value.min(255));
        }
        resizer.resize_typed(&between, &mut cut, &second).map_err(|e| explain(&e))
    })?;
    Ok(cut.pixels().iter().flat_map(|pixel| pixel.0.map(|value| value.min(255) as u8)).collect())
}

/// A length that ends within so many pixels. Rounding can carry what ends with the picture a hair
/// beyond it, which the library refuses.
fn fitting(start: f64, length: f64, pixels: u32) -> f64 {
    let mut length = length.min(f64::from(pixels) - start);
    while start + length > f64::from(pixels) {
        length = length.next_down();
    }
    length
}

/// Whether Pillow 13.0 scales along the columns first: where more than twice as many rows as columns
/// go, as with a picture that is more than twice as high as wide. Before 13 it never did.
fn columns_first(across: Cut, down: Cut) -> bool {
    let gone = |cut: Cut| f64::from(cut.from) - cut.to;
    gone(down) > 0.0 && gone(down) > 2.0 * gone(across)
}

/// A part of the picture, each byte as a 16-bit number of the same value.
fn window(image: &Rgb, columns: &Range<u32>, rows: &Range<u32>) -> Vec<U16x3> {
    let stride = image.width as usize * 3;
    let (first, last) = (columns.start as usize * 3, columns.end as usize * 3);
    let mut pixels = Vec::with_capacity((last - first) / 3 * rows.len());
    for row in rows.clone() {
        let row = &image.pixels[row as usize * stride..][first..last];
        pixels.extend(row.chunks_exact(3).map(|p| U16x3::new([p[0], p[1], p[2]].map(u16::from))));
    }
    pixels
}
