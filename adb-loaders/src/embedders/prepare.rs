//! The steps of one embedder, applied to pictures.

use adb_model::{EmbedError, PreparedImage, Rect};

use super::{
    Channels, Filter, Layout, Preprocess,
    picture::{Rgb, decode_in, unreadable},
    resample::{Cut, resample},
};

/// The steps of one embedder, with what can be computed before the first picture.
#[derive(Debug)]
pub(super) struct Preparer {
    steps: Preprocess,
    values: Values,
}

/// From a byte to the graph's number.
#[derive(Debug)]
enum Values {
    /// For each channel (red, green, blue), the number that each of 256 bytes becomes.
    Tables(Box<[[f32; 256]; 3]>),
    /// Computed over each picture.
    Standardized,
}

impl Preparer {
    /// For steps that [`Preprocess::check`] has passed.
    pub(super) fn new(steps: &Preprocess) -> Self {
        let values = match (steps.mean, steps.std) {
            (Some(mean), Some(std)) => {
                let table = |channel: usize| {
                    std::array::from_fn(|byte| (byte as f32 / 255.0 - mean[channel]) / std[channel])
                };
                Values::Tables(Box::new(std::array::from_fn(table)))
            }
            _ => Values::Standardized,
        };
        Self { steps: steps.clone(), values }
    }

    /// Values in one prepared image.
    pub(super) fn len(&self) -> usize {
        let side = self.steps.center_crop as usize;
        3 * side * side
    }

    /// The shape of a batch of prepared images.
    pub(super) fn shape(&self, batch: usize) -> Vec<i64> {
        self.steps.layout.shape(batch as i64, i64::from(self.steps.center_crop))
    }

    /// From the whole picture, or from what of it lies in `region`; decoding may take `max_bytes`.
    pub(super) fn prepare(
        &self,
        encoded: &[u8],
        region: Option<Rect>,
        max_bytes: u64,
    ) -> Result<PreparedImage, EmbedError> {
        let (decoded, _room) = decode_in(encoded, max_bytes)?;
        let decoded = match region {
            Some(region) => decoded.part(region)?,
            None => decoded,
        };
        let image = if self.steps.orient { decoded.upright() } else { decoded.rgb };
        self.prepare_rgb(&image)
    }

    /// From pixels that have been cut and turned.
    pub(super) fn prepare_rgb(&self, image: &Rgb) -> Result<PreparedImage, EmbedError> {
        let crop = self.crop(image)?;
        Ok(self.numbers(&crop))
    }

    /// The box of a face, widened by a part of itself; what of it lies in the picture is stretched
    /// to the square.
    pub(super) fn face(
        &self,
        image: &Rgb,
        face: Rect,
        margin: f32,
    ) -> Result<PreparedImage, EmbedError> {
        // What lies in the picture of a span with so much more at each end.
        let within = |start: i64, length: i64, more: f64, edge: u32| {
            let from = (start as f64 - more).max(0.0);
            let to = (start as f64 + length as f64 + more).min(f64::from(edge));
            (from, to - from)
        };
        let span = |start: i64, length: i64, edge: u32| {
            // The box itself must reach into the picture; a sliver is no face.
            let (_, own) = within(start, length, 0.0, edge);
            let more = length as f64 * f64::from(margin) / 2.0;
            (own >= 1.0).then(|| within(start, length, more, edge))
        };
        let (Some((left, width)), Some((top, height))) =
            (span(face.x, face.width, image.width), span(face.y, face.height, image.height))
        else {
            return Err(image.outside(face));
        };
        let filter = self.steps.resize.as_ref().map_or(Filter::Bicubic, |resize| resize.filter);
        // As if the whole picture were scaled so that the box becomes the square.
        let crop = self.steps.center_crop;
        let cut = |from: u32, start: f64, length: f64| {
            let scale = f64::from(crop) / length;
            Cut { from, to: f64::from(from) * scale, start: start * scale, length: crop }
        };
        let square =
            resample(image, filter, cut(image.width, left, width), cut(image.height, top, height))?;
        Ok(self.numbers(&square))
    }

    /// Scales and cuts; only what the crop shows is computed.
    fn crop(&self, image: &Rgb) -> Result<Vec<u8>, EmbedError> {
        let crop = self.steps.center_crop;
        let (width, height) = self.scaled(image)?;
        let (left, top) = (crop_offset(width, crop), crop_offset(height, crop));
        // Without scaling pixels are taken as they are, whatever the filter.
        let filter = self.steps.resize.as_ref().map_or(Filter::Bilinear, |resize| resize.filter);
        resample(
            image,
            filter,
            Cut { from: image.width, to: width.into(), start: left.into(), length: crop },
            Cut { from: image.height, to: height.into(), start: top.into(), length: crop },
        )
    }

    /// The size before the crop.
    fn scaled(&self, image: &Rgb) -> Result<(u32, u32), EmbedError> {
        let resize = self.steps.resize.as_ref();
        if let Some(edge) = resize.and_then(|resize| resize.shortest_edge) {
            return Ok(scaled(image.width, image.height, edge));
        }
        if let Some(edge) = resize.and_then(|resize| resize.exact) {
            return Ok((edge, edge));
        }
        let crop = self.steps.center_crop;
        if image.width.min(image.height) < crop {
            return Err(unreadable(format!(
                "its {} × {} pixels are fewer than the square of {crop} that this embedder cuts from a picture without scaling it",
                image.width, image.height
            )));
        }
        Ok((image.width, image.height))
    }

    /// Interleaved bytes to the graph's numbers, in its order.
    fn numbers(&self, crop: &[u8]) -> PreparedImage {
        let order = match self.steps.channels {
            Channels::Rgb => [0, 1, 2],
            Channels::Bgr => [2, 1, 0],
        };
        let numbers = match &self.values {
            Values::Tables(tables) => {
                self.arrange(crop, order, |channel, byte| tables[channel][usize::from(byte)])
            }
            Values::Standardized => {
                let (mean, deviation) = spread(crop);
                self.arrange(crop, order, |_, byte| ((f64::from(byte) - mean) / deviation) as f32)
            }
        };
        PreparedImage(numbers.into_boxed_slice())
    }

    fn arrange(
        &self,
        crop: &[u8],
        order: [usize; 3],
        number: impl Fn(usize, u8) -> f32,
    ) -> Vec<f32> {
        let mut numbers = Vec::with_capacity(self.len());
        match self.steps.layout {
            Layout::Nchw => {
                for channel in order {
                    let plane = crop.chunks_exact(3).map(|pixel| number(channel, pixel[channel]));
                    numbers.extend(plane);
                }
            }
            Layout::Nhwc => {
                for pixel in crop.chunks_exact(3) {
                    numbers.extend(order.map(|channel| number(channel, pixel[channel])));
                }
            }
        }
        numbers
    }
}

/// Mean and deviation of bytes, the latter kept from 0 as FaceNet's `prewhiten` keeps it.
fn spread(bytes: &[u8]) -> (f64, f64) {
    let count = bytes.len() as f64;
    let (sum, squares) = bytes.iter().fold((0u64, 0u64), |(sum, squares), byte| {
        let byte = u64::from(*byte);
        (sum + byte, squares + byte * byte)
    });
    let mean = sum as f64 / count;
    let variance = (squares as f64 / count - mean * mean).max(0.0);
    (mean, variance.sqrt().max(1.0 / count.sqrt()))
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
    use std::{fs, io::Cursor, path::PathBuf};

    use serde::Deserialize;

    use super::*;
    use crate::embedders::{MAX_DECODED_BYTES, Resize, picture::decode};

    fn steps(resize: Option<Resize>, crop: u32) -> Preprocess {
        Preprocess {
            orient: false,
            resize,
            center_crop: crop,
            mean: Some([0.0; 3]),
            std: Some([1.0; 3]),
            standardize: false,
            channels: Channels::Rgb,
            layout: Layout::Nchw,
        }
    }

    fn preparer(edge: u32, crop: u32) -> Preparer {
        Preparer::new(&steps(Some(Resize::shortest_edge(edge, Filter::Bicubic)), crop))
    }

    /// Left third red, middle third green, right third blue.
    fn stripes(width: u32, height: u32) -> Rgb {
        let pixels = (0..height).flat_map(|_| {
            (0..width).flat_map(move |x| match x * 3 / width {
                0 => [255, 0, 0],
                1 => [0, 255, 0],
                _ => [0, 0, 255],
            })
        });
        Rgb { width, height, pixels: pixels.collect() }
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

    #[derive(Deserialize)]
    struct Expected {
        crops: Vec<Crop>,
    }

    #[derive(Deserialize)]
    struct Crop {
        file: String,
        resize: Resize,
        center_crop: u32,
        crop: String,
    }

    fn fixture(file: &str) -> Vec<u8> {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/odd-pictures");
        fs::read(PathBuf::from(dir).join(file)).unwrap()
    }

    fn pixels(file: &str) -> Rgb {
        decode(&fixture(file), MAX_DECODED_BYTES).unwrap().rgb
    }

    #[test]
    fn crops_are_the_reference_s() {
        let expected: Expected = serde_json::from_slice(&fixture("expected.json")).unwrap();
        assert!(expected.crops.len() > 10);
        let (mut differing, mut all) = (0, 0);
        for Crop { file, resize, center_crop, crop } in expected.crops {
            let preparer = Preparer::new(&steps(Some(resize), center_crop));
            let got = preparer.crop(&pixels(&file)).unwrap();
            let wanted = pixels(&crop).pixels;
            assert_eq!(got.len(), wanted.len());
            for (got, wanted) in got.iter().zip(&wanted) {
                let apart = got.abs_diff(*wanted);
                assert!(apart <= 1, "{crop}: {apart}");
                differing += usize::from(apart);
                all += 1;
            }
        }
        assert!(differing * 1000 < all, "{differing} of {all} bytes are not the reference's");
    }

    #[test]
    fn pictures_are_turned_where_the_bundle_says_so() {
        let prepare = |orient, file| {
            let steps = Preprocess { orient, ..steps(None, 14) };
            let bytes = fixture(file);
            Preparer::new(&steps).prepare(&bytes, None, MAX_DECODED_BYTES).unwrap().0
        };
        let lying = prepare(false, "turned-1.png");
        assert_eq!(prepare(true, "turned-1.png"), lying);
        // The pixels in the file are always the same.
        assert_eq!(prepare(false, "turned-3.png"), lying);
        // Upside down: the last pixel of each channel comes first.
        let plane = 14 * 14;
        let turned = prepare(true, "turned-3.png");
        for channel in 0..3 {
            let mut turned = turned[channel * plane..][..plane].to_vec();
            turned.reverse();
            assert_eq!(turned, lying[channel * plane..][..plane], "{channel}");
        }
    }

    #[test]
    fn the_middle_is_cut_out_not_squashed() {
        let Rgb { width, height, pixels } = stripes(300, 100);
        let image = image::RgbImage::from_raw(width, height, pixels).unwrap();
        let mut png = Cursor::new(Vec::new());
        image.write_to(&mut png, image::ImageFormat::Png).unwrap();
        let prepared = preparer(50, 50).prepare(png.get_ref(), None, MAX_DECODED_BYTES).unwrap().0;
        let at = |channel: usize, x: usize, y: usize| prepared[channel * 2500 + y * 50 + x];
        for (x, y) in [(5, 0), (25, 25), (44, 49)] {
            assert_eq!((at(0, x, y), at(1, x, y), at(2, x, y)), (0.0, 1.0, 0.0), "{x},{y}");
        }
    }

    #[test]
    fn exact_squashes_all_of_it_into_the_square() {
        let exact =
            |edge, crop| Preparer::new(&steps(Some(Resize::exact(edge, Filter::Bilinear)), crop));
        let crop = exact(60, 60).crop(&stripes(300, 100)).unwrap();
        let at = |x: usize, y: usize| &crop[(y * 60 + x) * 3..][..3];
        for y in [0, 30, 59] {
            assert_eq!(
                (at(10, y), at(30, y), at(50, y)),
                (&[255, 0, 0][..], &[0, 255, 0][..], &[0, 0, 255][..])
            );
        }
        // A smaller crop is cut from the middle of the square.
        let middle = exact(60, 16).crop(&stripes(300, 100)).unwrap();
        assert!(middle.chunks(3).all(|pixel| pixel == [0, 255, 0]), "{middle:?}");
    }

    #[test]
    fn without_scaling_pixels_stay_as_they_are() {
        let pixels: Vec<u8> = (0..7 * 6 * 3).map(|n| n as u8).collect();
        let image = Rgb { width: 7, height: 6, pixels: pixels.clone() };
        let crop = Preparer::new(&steps(None, 4)).crop(&image).unwrap();
        // From the second column (1.5 is rounded to 2) and the first row on.
        let wanted: Vec<u8> =
            (1..5).flat_map(|y| pixels[(y * 7 + 2) * 3..][..12].to_vec()).collect();
        assert_eq!(crop, wanted);
        let small = Preparer::new(&steps(None, 8)).crop(&image).unwrap_err().to_string();
        assert!(small.contains("its 7 × 6 pixels are fewer than the square of 8"), "{small}");
    }

    #[test]
    fn channels_and_axes_come_as_the_graph_takes_them() {
        // Two rows of two pixels.
        let crop = [10, 20, 30, 11, 21, 31, 12, 22, 32, 13, 23, 33];
        let numbers = |channels, layout| {
            let mut steps = steps(None, 2);
            (steps.channels, steps.layout) = (channels, layout);
            // What is subtracted tells the channels apart, whatever their order.
            steps.mean = Some([0.0, 20.0 / 255.0, 30.0 / 255.0]);
            steps.std = Some([1.0 / 255.0; 3]);
            let preparer = Preparer::new(&steps);
            let shape = preparer.shape(5);
            let numbers = preparer.numbers(&crop).0;
            (shape, numbers.iter().map(|n| n.round() as i32).collect::<Vec<_>>())
        };
        use {Channels::*, Layout::*};
        assert_eq!(
            numbers(Rgb, Nchw),
            (vec![5, 3, 2, 2], vec![10, 11, 12, 13, 0, 1, 2, 3, 0, 1, 2, 3])
        );
        assert_eq!(numbers(Bgr, Nchw).1, [0, 1, 2, 3, 0, 1, 2, 3, 10, 11, 12, 13]);
        assert_eq!(
            numbers(Rgb, Nhwc),
            (vec![5, 2, 2, 3], vec![10, 0, 0, 11, 1, 1, 12, 2, 2, 13, 3, 3])
        );
        assert_eq!(numbers(Bgr, Nhwc).1, [0, 0, 10, 1, 1, 11, 2, 2, 12, 3, 3, 13]);
    }

    #[test]
    fn a_picture_can_be_brought_to_its_own_mean_and_deviation() {
        let mut steps = steps(None, 2);
        (steps.mean, steps.std, steps.standardize) = (None, None, true);
        steps.check().unwrap();
        let preparer = Preparer::new(&steps);
        let numbers = preparer.numbers(&[0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 255]).0;
        let sum: f32 = numbers.iter().sum();
        let squares: f32 = numbers.iter().map(|n| n * n).sum();
        assert!(sum.abs() < 1e-4 && (squares - 12.0).abs() < 1e-3, "{sum} {squares}");
        // By NumPy: (0 - x.mean()) / x.std() = -1.0442.
        assert!((numbers[0] + 1.0442).abs() < 1e-3, "{}", numbers[0]);
        // No picture of one colour is divided by 0.
        assert_eq!(*preparer.numbers(&[7; 12]).0, [0.0; 12]);
        let (_, floor) = spread(&[7; 12]);
        assert!((floor - 1.0 / 12f64.sqrt()).abs() < 1e-12);
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
