//! Scaling and cutting, with the reference's numbers.
//!
//! The reference (Pillow) scales along the rows first, rounds to bytes, then along the columns. The
//! order shows: a filter overshoots at hard edges, and what it overshoots by is cut off between the
//! two. The library would take the columns first, so it is called once for each direction.

use std::{cell::RefCell, ops::Range};

use adb_model::EmbedError;
use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};

use super::{
    bundle::Filter,
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
    /// Pixels after scaling.
    pub(super) to: u32,
    /// Where the cut begins, of the scaled pixels.
    pub(super) start: u32,
    /// Pixels that are cut out.
    pub(super) length: u32,
}

impl Cut {
    fn scale(self) -> f64 {
        f64::from(self.from) / f64::from(self.to)
    }

    /// Start and length, in the pixels before scaling.
    fn span(self) -> (f64, f64) {
        (f64::from(self.start) * self.scale(), f64::from(self.length) * self.scale())
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
    let rows = down.seen(reach);
    let height = rows.end - rows.start;
    let explain = |e: &dyn std::fmt::Display| unreadable(format!("can't be resized: {e}"));
    let source = ImageRef::new(image.width, image.height, &image.pixels, PixelType::U8x3)
        .map_err(|e| explain(&e))?;
    let mut narrow = Image::new(across.length, height, PixelType::U8x3);
    let mut cut = Image::new(across.length, down.length, PixelType::U8x3);
    RESIZER.with_borrow_mut(|resizer| {
        let (left, width) = across.span();
        let options = options.crop(left, rows.start.into(), width, height.into());
        resizer.resize(&source, &mut narrow, &options).map_err(|e| explain(&e))?;
        let (top, length) = down.span();
        let top = top - f64::from(rows.start);
        let options = options.crop(0.0, top, across.length.into(), length);
        resizer.resize(&narrow, &mut cut, &options).map_err(|e| explain(&e))
    })?;
    Ok(cut.into_vec())
}
