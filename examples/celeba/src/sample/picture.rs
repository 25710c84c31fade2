//! A drawn face: enough of a picture for hair, glasses and a smile to be seen.

use fastrand::Rng;
use image::{ExtendedColorType, ImageEncoder as _, codecs::jpeg::JpegEncoder};

use super::Drawn;

type Colour = [u8; 3];

/// A JPEG file, `width` pixels wide and as high as CelebA's proportions ask for.
pub(super) fn draw(face: &Drawn, width: u32, rng: &mut Rng) -> image::ImageResult<Vec<u8>> {
    let height = width * 218 / 178;
    let ground = [rng.u8(120..220), rng.u8(120..220), rng.u8(120..220)];
    let mut pixels = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            let at = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
            pixels.extend(colour(face, at).unwrap_or(ground));
        }
    }
    let mut file = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut file, 80);
    encoder.write_image(&pixels, width, height, ExtendedColorType::Rgb8)?;
    Ok(file)
}

/// What is seen at a point, from front to back; nothing where the background is.
fn colour(face: &Drawn, at: (f64, f64)) -> Option<Colour> {
    let a = &face.attributes;
    let mut own = Rng::with_seed(face.looks);
    let (broad, tone) = (0.20 + own.f64() * 0.04, own.f64());
    let [left_eye, right_eye, nose, left_mouth, right_mouth] = face.points;
    let mouth = ((left_mouth.0 + right_mouth.0) / 2.0, (left_mouth.1 + right_mouth.1) / 2.0);
    for eye in [left_eye, right_eye] {
        if a.eyeglasses && (0.8..1.0).contains(&within(at, eye, 0.09, 0.06)) {
            return Some([20, 20, 20]);
        }
        if within(at, eye, 0.012, 0.012) < 1.0 {
            return Some([30, 20, 10]);
        }
        if within(at, eye, 0.04, if a.narrow_eyes { 0.010 } else { 0.02 }) < 1.0 {
            return Some([250, 250, 250]);
        }
    }
    if a.wearing_hat && at.1 < 0.30 && within(at, (0.49, 0.30), 0.30, 0.22) < 1.0 {
        return Some([40, 60, 140]);
    }
    let head = (0.49, 0.55);
    let in_face = within(at, head, broad, 0.28) < 1.0;
    let lips = if a.smiling { 0.035 } else { 0.015 };
    if within(at, mouth, 0.09, lips) < 1.0 {
        return Some(if a.wearing_lipstick { [190, 20, 40] } else { [170, 90, 85] });
    }
    if in_face && !a.no_beard && at.1 > 0.68 {
        return Some([70, 50, 40]);
    }
    if within(at, nose, 0.02, 0.03) < 1.0 {
        return Some(skin(tone, 0.85));
    }
    if a.bangs && in_face && at.1 < 0.42 {
        return Some(hair(face));
    }
    if in_face {
        return Some(skin(tone, 1.0));
    }
    let long = if a.male { 0.28 } else { 0.42 };
    let above = at.1 < head.1 + long - 0.14;
    (!a.bald && above && within(at, (head.0, head.1 - 0.06), broad + 0.07, 0.34) < 1.0)
        .then(|| hair(face))
}

/// The square of the distance from an ellipse's middle, as a share of its radius there.
fn within(at: (f64, f64), middle: (f64, f64), across: f64, down: f64) -> f64 {
    let (x, y) = ((at.0 - middle.0) / across, (at.1 - middle.1) / down);
    x * x + y * y
}

fn skin(tone: f64, light: f64) -> Colour {
    [(130.0, 240.0), (90.0, 205.0), (65.0, 180.0)]
        .map(|(dark, fair)| ((dark + (fair - dark) * tone) * light) as u8)
}

fn hair(face: &Drawn) -> Colour {
    let a = &face.attributes;
    match (a.black_hair, a.blond_hair, a.gray_hair) {
        (true, _, _) => [15, 12, 12],
        (_, true, _) => [225, 190, 110],
        (_, _, true) => [160, 160, 160],
        _ => [90, 55, 30],
    }
}
