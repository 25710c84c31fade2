//! What becomes of each kind of picture. Files and pixels are of `tools/fixture/odd.py`.

use std::{fs, io::Cursor, path::PathBuf};

use image::{DynamicImage, ImageFormat, Rgb as Colour, RgbImage};
use serde::Deserialize;

use super::*;
use crate::embedders::MAX_DECODED_BYTES;

#[derive(Deserialize)]
struct Expected {
    pixels: Vec<Pixels>,
    upright: Vec<Pixels>,
}

#[derive(Deserialize)]
struct Pixels {
    file: String,
    width: u32,
    height: u32,
    rgb: String,
}

impl Pixels {
    fn bytes(&self) -> Vec<u8> {
        let digits = |at: usize| u8::from_str_radix(&self.rgb[at..at + 2], 16).unwrap();
        (0..self.rgb.len()).step_by(2).map(digits).collect()
    }
}

fn dir() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/odd-pictures"))
}

fn fixture(file: &str) -> Vec<u8> {
    fs::read(dir().join(file)).unwrap()
}

fn expected() -> Expected {
    serde_json::from_slice(&fixture("expected.json")).unwrap()
}

/// Every picture of the fixture that can be read, and its name.
fn readable() -> Vec<(String, Vec<u8>)> {
    let Expected { pixels, upright } = expected();
    pixels.into_iter().chain(upright).map(|p| (p.file.clone(), fixture(&p.file))).collect()
}

fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn refusal(encoded: &[u8], max_bytes: u64) -> String {
    decode(encoded, max_bytes).unwrap_err().to_string()
}

/// How far two pictures are apart, at most.
fn apart(got: &Rgb, wanted: &Pixels) -> u8 {
    assert_eq!((got.width, got.height), (wanted.width, wanted.height), "{}", wanted.file);
    let wanted = wanted.bytes();
    assert_eq!(got.pixels.len(), wanted.len());
    got.pixels.iter().zip(&wanted).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

/// Decoders of JPEG differ by a step or two, and by some more where colours change from pixel to
/// pixel and are stored at half the size. All others may not.
fn tolerance(file: &str) -> u8 {
    match file {
        "progressive.jpg" | "subsampled.jpg" => 6,
        "misnamed.jpg" => 0,
        file if file.ends_with(".jpg") => 2,
        _ => 0,
    }
}

#[test]
fn each_kind_of_picture_is_read_as_the_reference_reads_it() {
    for wanted in expected().pixels {
        let decoded = decode(&fixture(&wanted.file), MAX_DECODED_BYTES)
            .unwrap_or_else(|e| panic!("{}: {e}", wanted.file));
        let apart = apart(&decoded.rgb, &wanted);
        assert!(apart <= tolerance(&wanted.file), "{}: {apart}", wanted.file);
    }
}

#[test]
fn a_picture_is_turned_as_its_exif_says_when_it_is_asked_for() {
    for wanted in expected().upright {
        let decoded = decode(&fixture(&wanted.file), MAX_DECODED_BYTES).unwrap();
        // As it lies in the file it is wider than high.
        assert_eq!((decoded.rgb.width, decoded.rgb.height), (20, 14), "{}", wanted.file);
        let apart = apart(&decoded.upright(), &wanted);
        assert!(apart <= tolerance(&wanted.file), "{}: {apart}", wanted.file);
    }
}

#[test]
fn a_region_is_cut_from_the_picture_as_it_lies_in_the_file_and_then_turned() {
    let rect = Rect { x: 2, y: 3, width: 10, height: 4 };
    let whole = decode(&fixture("turned-6.png"), MAX_DECODED_BYTES).unwrap();
    let lying = whole.rgb.part(rect).unwrap();
    let part = whole.part(rect).unwrap().upright();
    assert_eq!((part.width, part.height), (4, 10));
    // A quarter turn clockwise: the lower left corner comes to the upper left.
    assert_eq!(part.pixels[..3], lying.pixels[3 * 10 * 3..][..3]);
}

#[test]
fn a_region_is_cut_to_the_picture() {
    let pixels: Vec<u8> = (0..6).flat_map(|n| [n; 3]).collect();
    let image = Rgb { width: 3, height: 2, pixels };
    let rect = |x, y, width, height| Rect { x, y, width, height };
    let part = image.part(rect(1, 0, 5, 2)).unwrap();
    assert_eq!((part.width, part.height), (2, 2));
    assert_eq!(part.pixels.chunks(3).map(|p| p[0]).collect::<Vec<_>>(), [1, 2, 4, 5]);
    let corner = image.part(rect(-4, -1, 5, 2)).unwrap();
    assert_eq!(corner.pixels, [0, 0, 0]);
    for outside in [rect(3, 0, 1, 1), rect(-2, 0, 2, 2), rect(0, 2, 1, 9)] {
        let error = image.part(outside).unwrap_err().to_string();
        assert!(error.contains("outside of its 3×2 pixels"), "{error}");
    }
}

#[test]
fn a_picture_of_one_pixel_is_one() {
    let image = DynamicImage::from(RgbImage::from_pixel(1, 1, Colour([200, 200, 200])));
    for format in
        [ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Tiff]
    {
        let rgb = decode(&encode(&image, format), MAX_DECODED_BYTES).unwrap().rgb;
        assert_eq!((rgb.width, rgb.height), (1, 1), "{format:?}");
        assert_eq!(rgb.pixels, [200; 3], "{format:?}");
    }
}

#[test]
fn what_is_no_picture_is_refused_in_words() {
    let float = image::Rgb32FImage::from_pixel(2, 2, Colour([0.5; 3]));
    let float = encode(&float.into(), ImageFormat::Tiff);
    for (bytes, words) in [
        (&b""[..], "of no format that can be read: JPEG, PNG, WebP, GIF, BMP or TIFF"),
        (b"some text", "of no format"),
        (b"<svg></svg>", "it is an SVG drawing: render it as PNG"),
        (b"<?xml version='1.0'?><svg/>", "it is an SVG drawing"),
        (b"\n<!DOCTYPE html><title>404</title>", "it is a web page, perhaps the error"),
        (b"%PDF-1.7", "it is a PDF"),
        (b"\0\0\0\x1cftypheic\0", "it is HEIC: convert it"),
        (b"\0\0\0\x1cftypavif\0", "it is AVIF: convert it"),
        (b"\0\0\0\x1cftypisom\0", "it is a video"),
        (b"PK\x03\x04rest", "it is a ZIP archive"),
        (b"\xff\xd8\xff\xe0 no more", "this JPEG is broken"),
        (&fixture("palette.tif"), "as TIFF: "),
        (&fixture("float.tif"), "as TIFF: "),
        (&float, "save it with 8 bits for each colour"),
    ] {
        let message = refusal(bytes, MAX_DECODED_BYTES);
        assert!(message.contains(words), "wanted `{words}` in: {message}");
    }
}

/// The same file with another size in its header.
fn sized(mut file: Vec<u8>, width: u32, height: u32) -> Vec<u8> {
    let (w16, h16) = (width as u16, height as u16);
    match &file[..2] {
        b"\x89P" => {
            file[16..20].copy_from_slice(&width.to_be_bytes());
            file[20..24].copy_from_slice(&height.to_be_bytes());
            let mut crc = flate2::Crc::new();
            crc.update(&file[12..29]);
            file[29..33].copy_from_slice(&crc.sum().to_be_bytes());
        }
        b"GI" => {
            file[6..8].copy_from_slice(&w16.to_le_bytes());
            file[8..10].copy_from_slice(&h16.to_le_bytes());
        }
        b"BM" => {
            file[18..22].copy_from_slice(&width.to_le_bytes());
            file[22..26].copy_from_slice(&height.to_le_bytes());
        }
        b"\xff\xd8" => {
            let frame = |two: &[u8]| matches!(two, [0xff, 0xc0 | 0xc2]);
            let at = file.windows(2).position(frame).unwrap();
            file[at + 5..at + 7].copy_from_slice(&h16.to_be_bytes());
            file[at + 7..at + 9].copy_from_slice(&w16.to_be_bytes());
        }
        b"II" => {
            let at = u32::from_le_bytes(file[4..8].try_into().unwrap()) as usize;
            let count = usize::from(u16::from_le_bytes([file[at], file[at + 1]]));
            for tag in file[at + 2..][..count * 12].chunks_exact_mut(12) {
                let value = match u16::from_le_bytes([tag[0], tag[1]]) {
                    256 => width,
                    // All rows are in one strip.
                    257 | 278 => height,
                    _ => continue,
                };
                tag[2..4].copy_from_slice(&4u16.to_le_bytes());
                tag[8..12].copy_from_slice(&value.to_le_bytes());
            }
        }
        other => panic!("{other:?} is not known here"),
    }
    file
}

#[test]
fn a_huge_picture_is_refused_by_its_header() {
    for file in ["gray.png", "rgb16.png", "still.gif", "rgb.bmp", "rgb.tif", "rgb.jpg"] {
        let huge = sized(fixture(file), 20_000, 20_000);
        match decode(&huge, MAX_DECODED_BYTES) {
            Err(EmbedError::TooLarge { width, height, bytes, max_bytes }) => {
                assert_eq!((width, height), (20_000, 20_000), "{file}");
                assert_eq!(max_bytes, MAX_DECODED_BYTES);
                assert!(bytes >= 1_200_000_000, "{file}: {bytes}");
            }
            other => panic!("{file}: {other:?}"),
        }
    }
    let message = refusal(&sized(fixture("gray.png"), 20_000, 20_000), MAX_DECODED_BYTES);
    assert!(message.contains("20000 × 20000 pixels"), "{message}");
    assert!(message.contains("the limit is 536870912"), "{message}");
    assert!(message.contains("raise `max_decoded_bytes`"), "{message}");
    let message = refusal(&sized(fixture("gray.png"), 70_000, 1), MAX_DECODED_BYTES);
    assert!(message.contains("no edge may be longer than 65535"), "{message}");
}

#[test]
fn the_limit_is_what_the_pixels_take() {
    let png = fixture("interlaced.png");
    let bytes = 20 * 14 * 3;
    assert!(decode(&png, bytes).is_ok());
    assert!(matches!(decode(&png, bytes - 1), Err(EmbedError::TooLarge { .. })));
    // What comes of it is 8 bits, but first there are 16.
    assert!(matches!(decode(&fixture("rgb16.png"), bytes), Err(EmbedError::TooLarge { .. })));
}

#[test]
fn a_file_that_was_cut_off_is_refused_or_was_whole_already() {
    for (name, file) in readable() {
        let whole = decode(&file, MAX_DECODED_BYTES).unwrap().rgb;
        for end in (0..file.len()).step_by(1 + file.len() / 150) {
            match decode(&file[..end], MAX_DECODED_BYTES) {
                Err(EmbedError::Unreadable(_)) => {}
                Ok(decoded) => {
                    assert!(decoded.rgb.pixels == whole.pixels, "{name}: cut at {end}");
                }
                Err(other) => panic!("{name}: cut at {end}: {other}"),
            }
        }
    }
}

/// Numbers that look random, the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((self.0 >> 33) as usize) % limit
    }
}

#[test]
fn damaged_files_are_pictures_or_errors_and_stay_within_the_limit() {
    let limit = 1 << 20;
    let mut numbers = Numbers(1);
    for (name, file) in readable() {
        for round in 0..60 {
            let mut damaged = file.clone();
            for _ in 0..1 + round % 4 {
                let at = numbers.below(damaged.len());
                damaged[at] = [0, 0xff, numbers.below(256) as u8, damaged[at] ^ 1][round % 4];
            }
            if let Ok(decoded) = decode(&damaged, limit) {
                let Rgb { width, height, pixels } = decoded.upright();
                assert_eq!(pixels.len(), width as usize * height as usize * 3, "{name}");
                assert!(pixels.len() as u64 <= limit, "{name}: {width} × {height}");
            }
        }
    }
}
