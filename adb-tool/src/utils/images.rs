//! `adb utils generate-images`: numbered pictures, to try things with.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use font8x8::UnicodeFonts as _;
use image::{ImageFormat, Rgb, RgbImage};

use crate::exit::{Exit, usage};

/// Make numbered pictures, to try things with.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb utils generate-images -c 3 -s 128x96 -o \"pictures/%%\" -z 3 -m pictures/manifest.txt")]
pub(crate) struct GenerateImages {
    /// How many.
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
    /// Width and height in pixels.
    #[arg(short, long, default_value = "256x256", value_name = "WIDTHxHEIGHT")]
    size: String,
    /// Files' names; `%%` becomes the number.
    #[arg(short, long, default_value = "%%", value_name = "PATTERN")]
    output: String,
    /// Digits of the number, filled with zeros.
    #[arg(short, long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(..=20))]
    zerofill: u8,
    /// What they are.
    #[arg(short = 't', long, value_enum, default_value = "png")]
    imagetype: ImageType,
    /// Write the paths of all pictures into this file, one on each line.
    #[arg(short, long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Text that stands on each, after its number.
    #[arg(short, long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    append_text: String,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ImageType {
    Png,
    Jpg,
}

impl GenerateImages {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let sizes = self.size.split_once(['x', 'X']);
        let sizes = sizes.and_then(|(w, h)| Some((w.parse::<u32>().ok()?, h.parse::<u32>().ok()?)));
        let Some((width, height)) =
            sizes.filter(|(w, h)| (1..=16384).contains(w) && (1..=16384).contains(h))
        else {
            usage!(
                "--size {}: width and height are wanted, such as 256x256, up to 16384",
                self.size
            );
        };
        if self.count > 1 && !self.output.contains("%%") {
            usage!(
                "--output {}: without `%%` all {} pictures would be one file; `%%` becomes the number",
                self.output,
                self.count
            );
        }
        let (ending, format) = match self.imagetype {
            ImageType::Png => ("png", ImageFormat::Png),
            ImageType::Jpg => ("jpg", ImageFormat::Jpeg),
        };
        let mut paths = String::new();
        for number in 1..=self.count {
            let zerofill = usize::from(self.zerofill);
            let mut name = self.output.replace("%%", &format!("{number:0zerofill$}"));
            if !name.to_ascii_lowercase().ends_with(&format!(".{ending}")) {
                name = format!("{name}.{ending}");
            }
            let path = PathBuf::from(name);
            make_folder(&path)?;
            let text = format!("{number}{}", self.append_text);
            picture(width, height, number, &text)
                .save_with_format(&path, format)
                .with_context(|| path.display().to_string())?;
            println!("Saved {}", path.display());
            paths.push_str(&format!("{}\n", path.display()));
        }
        if let Some(manifest) = &self.manifest {
            make_folder(manifest)?;
            fs::write(manifest, paths).with_context(|| manifest.display().to_string())?;
        }
        Ok(Exit::Well)
    }
}

fn make_folder(path: &Path) -> anyhow::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())
        }
        _ => Ok(()),
    }
}

/// A colour of its own, and the text as large as it fits.
fn picture(width: u32, height: u32, number: u32, text: &str) -> RgbImage {
    // Steps of the golden ratio: neighbours differ.
    let hue = (number.wrapping_mul(0x9e37_79b9) >> 16) as u8;
    let ground = Rgb([64 + hue / 2, 160 - hue / 2, 96 + (hue >> 2)]);
    let mut image = RgbImage::from_pixel(width, height, ground);
    let letters: Vec<[u8; 8]> =
        text.chars().map(|c| font8x8::BASIC_FONTS.get(c).unwrap_or([0xff; 8])).collect();
    let columns = 8 * letters.len() as u32;
    let scale = (width / columns.max(1)).min(height / 8) * 3 / 4;
    let scale = scale.max(1);
    let left = width.saturating_sub(columns * scale) / 2;
    let top = height.saturating_sub(8 * scale) / 2;
    for (i, letter) in (0u32..).zip(&letters) {
        for (y, row) in (0u32..).zip(letter) {
            for x in (0..8).filter(|x| row >> x & 1 == 1) {
                for (dx, dy) in (0..scale).flat_map(|dx| (0..scale).map(move |dy| (dx, dy))) {
                    let at = (left + (8 * i + x) * scale + dx, top + y * scale + dy);
                    if at.0 < width && at.1 < height {
                        image.put_pixel(at.0, at.1, Rgb([255, 255, 255]));
                    }
                }
            }
        }
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_can_be_seen_and_small_pictures_do_not_overflow() {
        let white = |image: &RgbImage| image.pixels().filter(|p| p.0 == [255; 3]).count();
        assert!(white(&picture(64, 64, 1, "1")) > 50);
        assert!(white(&picture(1, 1, 1, "123456789")) <= 1);
        assert_ne!(picture(8, 8, 1, "").get_pixel(0, 0), picture(8, 8, 2, "").get_pixel(0, 0));
    }
}
