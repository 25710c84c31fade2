//! Pictures as `ffmpeg` hands them over: portable pixmaps, one behind the other.

use std::io::Read;

use image::{DynamicImage, RgbImage};

use super::picture::MAX_PIXELS;

/// One picture of those that follow one another: `P6`, width, height, 255, the bytes.
pub(super) fn read(from: &mut impl Read) -> Result<DynamicImage, String> {
    let mut word = || -> Result<String, String> {
        let mut word = String::new();
        loop {
            let mut byte = [0];
            from.read_exact(&mut byte).map_err(|_| "it ended early".to_owned())?;
            match byte[0] {
                b if b.is_ascii_whitespace() => return Ok(word),
                b if word.len() < 10 => word.push(char::from(b)),
                _ => return Err("it is no picture".to_owned()),
            }
        }
    };
    let (magic, width, height, depth) = (word()?, word()?, word()?, word()?);
    let (Ok(width), Ok(height)) = (width.parse::<u32>(), height.parse::<u32>()) else {
        return Err("it is no picture".to_owned());
    };
    let pixels = u64::from(width) * u64::from(height);
    if magic != "P6" || depth != "255" || !(1..=MAX_PIXELS).contains(&pixels) {
        return Err("it is no picture".to_owned());
    }
    let mut bytes = vec![0; pixels as usize * 3];
    from.read_exact(&mut bytes).map_err(|_| "it ended early".to_owned())?;
    let picture = RgbImage::from_raw(width, height, bytes);
    picture.map(DynamicImage::ImageRgb8).ok_or_else(|| "it is no picture".to_owned())
}
