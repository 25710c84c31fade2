//! From an encoded picture to an embedder's input, as the reference pipelines do it.

use adb_model::{EmbedError, PreparedImage, Rect};

use super::{
    bundle::Preprocess,
    picture::{Rgb, decode},
    resample::{Cut, resample},
};

/// The steps of one embedder, with what can be computed before the first picture.
#[derive(Debug)]
pub(super) struct Preparer {
    steps: Preprocess,
    /// For each channel, the input that each of 256 values becomes.
    tables: [[f32; 256]; 3],
}

impl Preparer {
    pub(super) fn new(steps: &Preprocess) -> Self {
        let table = |channel: usize| {
            std::array::from_fn(|value| {
                (value as f32 / 255.0 - steps.mean[channel]) / steps.std[channel]
            })
        };
        Self { steps: steps.clone(), tables: std::array::from_fn(table) }
    }

    /// Values in one prepared image.
    pub(super) fn len(&self) -> usize {
        let side = self.steps.center_crop as usize;
        3 * side * side
    }

    pub(super) fn side(&self) -> usize {
        self.steps.center_crop as usize
    }

    /// From the whole picture, or from what of it lies in `region`.
    pub(super) fn prepare(
        &self,
        encoded: &[u8],
        region: Option<Rect>,
        max_bytes: u64,
    ) -> Result<PreparedImage, EmbedError> {
        let image = decode(encoded, max_bytes)?;
        let image = match region {
            Some(region) => image.part(region)?,
            None => image,
        };
        let crop = self.crop(&image.rgb)?;
        Ok(self.normalize(&crop))
    }

    /// Scales and cuts; only what the crop shows is computed.
    pub(super) fn crop(&self, image: &Rgb) -> Result<Vec<u8>, EmbedError> {
        let crop = self.steps.center_crop;
        let edge = self.steps.resize.shortest_edge;
        let (width, height) = scaled(image.width, image.height, edge);
        let (left, top) = (crop_offset(width, crop), crop_offset(height, crop));
        resample(
            image,
            self.steps.resize.filter,
            Cut { from: image.width, to: width, start: left, length: crop },
            Cut { from: image.height, to: height, start: top, length: crop },
        )
    }

    /// Interleaved bytes to one plane of floats for each channel.
    pub(super) fn normalize(&self, crop: &[u8]) -> PreparedImage {
        let mut values = Vec::with_capacity(self.len());
        for (channel, table) in self.tables.iter().enumerate() {
            values.extend(crop.chunks_exact(3).map(|pixel| table[pixel[channel] as usize]));
        }
        PreparedImage(values.into_boxed_slice())
    }
}

/// The size after the shorter edge became `edge`; the longer one is rounded down, as torchvision
/// does.
fn scaled(width: u32, height: u32, edge: u32) -> (u32, u32) {
    let short = u64::from(width.min(height));
    let scale = |side: u32| (u64::from(edge) * u64::from(side) / short) as u32;
    (scale(width), scale(height))
}

/// Where a crop begins: half of the rest, rounded to the nearest number, and to the nearest even one
/// if two are as near, as torchvision (that is, Python) does.
fn crop_offset(side: u32, crop: u32) -> u32 {
    let rest = side - crop;
    let half = rest / 2;
    if rest % 2 == 1 && half % 2 == 1 { half + 1 } else { half }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::embedders::{Filter, MAX_DECODED_BYTES, Resize};

    fn preparer(edge: u32, crop: u32) -> Preparer {
        Preparer::new(&Preprocess {
            resize: Resize { shortest_edge: edge, filter: Filter::Bicubic },
            center_crop: crop,
            mean: [0.0; 3],
            std: [1.0; 3],
        })
    }

    #[test]
    fn sizes_are_rounded_as_torchvision_rounds_them() {
        assert_eq!(scaled(640, 480, 224), (298, 224));
        assert_eq!(scaled(480, 641, 224), (224, 299));
        assert_eq!(scaled(3, 1000, 224), (224, 74_666));
        assert_eq!(scaled(224, 224, 224), (224, 224));
        // (rest, offset): 0.5 → 0, 1.5 → 2, 2.5 → 2, 3.5 → 4.
        for (rest, offset) in [(0, 0), (1, 0), (2, 1), (3, 2), (5, 2), (7, 4), (37, 18)] {
            assert_eq!(crop_offset(224 + rest, 224), offset, "{rest}");
        }
    }

    #[test]
    fn the_middle_is_cut_out_not_squashed() {
        // Left third red, middle third green, right third blue: only green is in the square.
        let image = image::RgbImage::from_fn(300, 100, |x, _| {
            image::Rgb(match x / 100 {
                0 => [255, 0, 0],
                1 => [0, 255, 0],
                _ => [0, 0, 255],
            })
        });
        let mut png = Cursor::new(Vec::new());
        image.write_to(&mut png, image::ImageFormat::Png).unwrap();
        let prepared = preparer(50, 50).prepare(png.get_ref(), None, MAX_DECODED_BYTES).unwrap().0;
        let at = |channel: usize, x: usize, y: usize| prepared[channel * 2500 + y * 50 + x];
        for (x, y) in [(5, 0), (25, 25), (44, 49)] {
            assert_eq!((at(0, x, y), at(1, x, y), at(2, x, y)), (0.0, 1.0, 0.0), "{x},{y}");
        }
    }

    #[test]
    fn tiny_and_very_long_pictures_work() {
        for (width, height) in [(1, 1), (1, 500), (900, 2), (224, 223)] {
            let image = Rgb { width, height, pixels: vec![7; (width * height * 3) as usize] };
            let crop = preparer(224, 224).crop(&image).unwrap();
            assert_eq!(crop.len(), 224 * 224 * 3);
            assert!(crop.iter().all(|p| *p == 7), "{width} × {height}");
        }
    }
}
