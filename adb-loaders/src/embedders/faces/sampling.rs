//! Pictures for the nets: smaller ones, and patches, as planes of floats.

use adb_model::Pixels;

use super::boxes::Candidate;

/// What the nets take for a byte.
fn level(byte: f32) -> f32 {
    (byte - 127.5) / 128.0
}

/// The means over the areas that `height` × `width` new pixels cover, parts of pixels as parts;
/// three planes, one after the other.
///
/// The new size must not be larger. This is what TensorFlow calls `AREA`.
pub(super) fn shrink(picture: &Pixels, width: usize, height: usize) -> Vec<f32> {
    let (old_width, old_height) = (picture.width as usize, picture.height as usize);
    let columns = covered(old_width, width);
    let rows = covered(old_height, height);
    let mut planes = vec![0.0; 3 * width * height];
    // The old row, shrunk, as three planes.
    let mut row = vec![0.0; 3 * width];
    // Rows are read once in their order: neighbours share at most the row in which both end.
    let mut of_row = usize::MAX;
    for (y, span) in rows.iter().enumerate() {
        for (source, share) in span.clone() {
            if source != of_row {
                of_row = source;
                let bytes = &picture.rgb[source * old_width * 3..][..old_width * 3];
                for (x, span) in columns.iter().enumerate() {
                    let mut sums = [0.0; 3];
                    for (source, share) in span.clone() {
                        for (sum, byte) in sums.iter_mut().zip(&bytes[source * 3..]) {
                            *sum += share * f32::from(*byte);
                        }
                    }
                    for (channel, sum) in sums.into_iter().enumerate() {
                        row[channel * width + x] = sum;
                    }
                }
            }
            for channel in 0..3 {
                let target = &mut planes[(channel * height + y) * width..][..width];
                for (value, mean) in target.iter_mut().zip(&row[channel * width..]) {
                    *value += share * mean;
                }
            }
        }
    }
    planes.iter_mut().for_each(|value| *value = level(*value));
    planes
}

/// The pixels that a new pixel covers, and which part of the new one each makes up.
#[derive(Debug, Clone)]
struct Span {
    next: usize,
    end: usize,
    from: f64,
    to: f64,
}

impl Iterator for Span {
    type Item = (usize, f32);

    fn next(&mut self) -> Option<(usize, f32)> {
        if self.next >= self.end {
            return None;
        }
        let pixel = self.next;
        self.next += 1;
        let covered = self.to.min(pixel as f64 + 1.0) - self.from.max(pixel as f64);
        Some((pixel, (covered.max(0.0) / (self.to - self.from)) as f32))
    }
}

fn covered(old: usize, new: usize) -> Vec<Span> {
    let scale = old as f64 / new as f64;
    (0..new)
        .map(|i| {
            let (from, to) = (i as f64 * scale, ((i + 1) as f64 * scale).min(old as f64));
            Span { next: from as usize, end: (to.ceil() as usize).min(old), from, to }
        })
        .collect()
}

/// A box of a picture, sampled bilinearly at `side` × `side` points of which the outer ones lie on
/// its edges; gray outside of the picture. Appends three planes.
///
/// This is TensorFlow's `crop_and_resize`, with boxes divided by the picture's size, as the
/// reference calls it: that makes them smaller by one part in so many pixels.
pub(super) fn patch(picture: &Pixels, at: &Candidate, side: usize, planes: &mut Vec<f32>) {
    let columns = points(at.left, at.right, picture.width, side);
    let rows = points(at.top, at.bottom, picture.height, side);
    let start = planes.len();
    planes.resize(start + 3 * side * side, 0.0);
    let planes = &mut planes[start..];
    let stride = picture.width as usize * 3;
    for (y, row) in rows.iter().enumerate() {
        let Some(row) = row else { continue };
        for (x, column) in columns.iter().enumerate() {
            let Some(column) = column else { continue };
            for channel in 0..3 {
                let byte = |row: usize, column: usize| {
                    f32::from(picture.rgb[row * stride + column * 3 + channel])
                };
                let along = |row| {
                    let (low, high) = (byte(row, column.low), byte(row, column.high));
                    low + (high - low) * column.part
                };
                let (top, bottom) = (along(row.low), along(row.high));
                planes[(channel * side + y) * side + x] = level(top + (bottom - top) * row.part);
            }
        }
    }
}

/// A place between two pixels.
#[derive(Debug, Clone, Copy)]
struct Between {
    low: usize,
    high: usize,
    /// How far it is from the one to the other.
    part: f32,
}

/// The places that are sampled along one axis; nothing for those outside of the picture.
fn points(from: f32, to: f32, edge: u32, side: usize) -> Vec<Option<Between>> {
    let last = f64::from(edge) - 1.0;
    let scale = last / f64::from(edge);
    let (from, to) = (f64::from(from) * scale, f64::from(to) * scale);
    let step = (to - from) / (side as f64 - 1.0);
    (0..side)
        .map(|i| {
            let place = from + i as f64 * step;
            (0.0..=last).contains(&place).then(|| Between {
                low: place.floor() as usize,
                high: place.ceil() as usize,
                part: (place - place.floor()) as f32,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32, at: impl Fn(u32, u32) -> [u8; 3]) -> Pixels {
        let rgb = (0..height).flat_map(|y| {
            (0..width).flat_map({
                let at = &at;
                move |x| at(x, y)
            })
        });
        Pixels { width, height, rgb: rgb.collect() }
    }

    fn near(got: &[f32], bytes: &[f32]) {
        assert_eq!(got.len(), bytes.len());
        for (got, byte) in got.iter().zip(bytes) {
            assert!((got * 128.0 + 127.5 - byte).abs() < 1e-3, "{got} is not {byte}");
        }
    }

    #[test]
    fn shrinking_takes_parts_of_pixels_as_parts() {
        let steps = picture(3, 1, |x, _| [x as u8 * 30, 0, 255]);
        // The first new pixel is all of the first and half of the second.
        near(&shrink(&steps, 2, 1), &[10.0, 50.0, 0.0, 0.0, 255.0, 255.0]);
        let tall = picture(1, 3, |_, y| [y as u8 * 30, 7, 7]);
        near(&shrink(&tall, 1, 2)[..2], &[10.0, 50.0]);
    }

    #[test]
    fn the_mean_of_a_picture_stays() {
        let noise = picture(37, 23, |x, y| [(x * 7 + y * 13) as u8, (x * y) as u8, (x ^ y) as u8]);
        let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
        let whole = shrink(&noise, 37, 23);
        for (width, height) in [(36, 22), (20, 20), (5, 3), (1, 1)] {
            let small = shrink(&noise, width, height);
            for channel in 0..3 {
                let (a, b) = (
                    mean(&whole[channel * 37 * 23..][..37 * 23]),
                    mean(&small[channel * width * height..][..width * height]),
                );
                assert!((a - b).abs() < 1e-4, "{width}×{height}: {a}, {b}");
            }
        }
    }

    #[test]
    fn patches_are_sampled_from_edge_to_edge_and_gray_outside() {
        // 11 pixels: places are 10/11 of what the box says.
        let steps = picture(11, 11, |x, y| [x as u8 * 10, y as u8 * 10, 0]);
        let at = |left, top, right, bottom| Candidate { left, top, right, bottom, score: 1.0 };
        let mut planes = Vec::new();
        patch(&steps, &at(0.0, 0.0, 5.5, 11.0), 3, &mut planes);
        near(&planes[..3], &[0.0, 25.0, 50.0]);
        near(&[planes[9], planes[12], planes[15]], &[0.0, 50.0, 100.0]);
        planes.clear();
        patch(&steps, &at(-11.0, 0.0, 11.0, 11.0), 3, &mut planes);
        near(&planes[..3], &[127.5, 0.0, 100.0]);
    }
}
