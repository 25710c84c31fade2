//! Pictures as sixels: bands of six rows, one colour of a band after the other.

use std::collections::HashMap;

use color_quant::NeuQuant;
use image::RgbImage;

/// Colours that terminals have room for.
const COLOURS: usize = 256;
/// One pixel in so many is looked at to choose the colours of a picture with more.
const SAMPLED: i32 = 5;
/// The rows of a band.
const BAND: u32 = 6;

/// The sequence that shows a picture.
pub(super) fn sequence(picture: &RgbImage) -> String {
    let (width, height) = picture.dimensions();
    let (palette, indices) = quantized(picture);
    // Pixels are square, and what is not drawn keeps its colour.
    let mut text = format!("\x1bP0;1q\"1;1;{width};{height}");
    for (index, colour) in palette.iter().enumerate() {
        let [r, g, b] = colour.map(percent);
        text.push_str(&format!("#{index};2;{r};{g};{b}"));
    }
    for top in (0..height).step_by(BAND as usize) {
        if top > 0 {
            text.push('-');
        }
        band(&indices, width, top..height.min(top + BAND), &mut text);
    }
    text.push_str("\x1b\\");
    text
}

/// What a colour's part is of the most, as sixels have it.
fn percent(part: u8) -> u32 {
    (u32::from(part) * 100 + 127) / 255
}

/// The colours that stand for a picture's, and which of them each pixel has. A picture with few
/// colours keeps them.
fn quantized(picture: &RgbImage) -> (Vec<[u8; 3]>, Vec<u8>) {
    let mut palette = Vec::new();
    let mut places: HashMap<[u8; 3], u8> = HashMap::new();
    let mut indices = Vec::with_capacity(picture.pixels().len());
    for pixel in picture.pixels() {
        let index = match (places.get(&pixel.0), u8::try_from(palette.len())) {
            (Some(index), _) => *index,
            (None, Ok(index)) => {
                palette.push(pixel.0);
                places.insert(pixel.0, index);
                index
            }
            (None, Err(_)) => return chosen(picture),
        };
        indices.push(index);
    }
    (palette, indices)
}

fn chosen(picture: &RgbImage) -> (Vec<[u8; 3]>, Vec<u8>) {
    let pixels: Vec<[u8; 4]> =
        picture.pixels().map(|p| [p.0[0], p.0[1], p.0[2], u8::MAX]).collect();
    let colours = NeuQuant::new(SAMPLED, COLOURS, pixels.as_flattened());
    // There are 256 of them.
    let index = |pixel: &[u8; 4]| u8::try_from(colours.index_of(pixel)).unwrap_or(u8::MAX);
    let palette = colours.color_map_rgb();
    let palette = palette.as_chunks().0.to_vec();
    (palette, pixels.iter().map(index).collect())
}

/// Draws a band: each of its colours from the left, and the next one over it.
fn band(indices: &[u8], width: u32, rows: std::ops::Range<u32>, text: &mut String) {
    let at = |x: u32, y: u32| indices[(y * width + x) as usize];
    let mut colours: Vec<u8> =
        rows.clone().flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| at(x, y)).collect();
    colours.sort_unstable();
    colours.dedup();
    for (i, colour) in colours.iter().enumerate() {
        if i > 0 {
            text.push('$');
        }
        text.push_str(&format!("#{colour}"));
        let column = |x: u32| {
            let drawn = rows.clone().filter(|y| at(x, *y) == *colour);
            drawn.fold(0, |bits, y| bits | 1_u8 << (y - rows.start))
        };
        let columns: Vec<u8> = (0..width).map(column).collect();
        // What nothing is drawn behind need not be passed over.
        let used = columns.iter().rposition(|bits| *bits != 0).map_or(0, |last| last + 1);
        for run in columns[..used].chunk_by(|a, b| a == b) {
            // Six bits, from the character after `>` on.
            let sixel = char::from(b'?' + run[0]);
            match run.len() {
                1..=3 => text.extend(std::iter::repeat_n(sixel, run.len())),
                long => text.push_str(&format!("!{long}{sixel}")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    const RED: [u8; 3] = [255, 0, 0];
    const BLUE: [u8; 3] = [0, 0, 255];

    #[test]
    fn bands_of_six_rows_colour_by_colour() {
        // Red, with a blue pixel in the second column, and a second band of one row.
        let mut picture = RgbImage::from_pixel(5, 7, Rgb(RED));
        picture.put_pixel(1, 2, Rgb(BLUE));
        let wanted = "\x1bP0;1q\"1;1;5;7#0;2;100;0;0#1;2;0;0;100\
                      #0~z~~~$#1?C-\
                      #0!5@\x1b\\";
        assert_eq!(sequence(&picture), wanted);
    }

    /// What a terminal draws of a sequence.
    fn drawn(text: &str, (width, height): (u32, u32)) -> RgbImage {
        let text = text.strip_prefix("\x1bP0;1q\"").unwrap().strip_suffix("\x1b\\").unwrap();
        let mut picture = RgbImage::new(width, height);
        let mut palette = HashMap::new();
        let (mut x, mut top, mut colour, mut times) = (0, 0, 0, 1);
        let mut rest = &text[text.find('#').unwrap()..];
        while let Some(first) = rest.chars().next() {
            rest = &rest[1..];
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(rest.len());
            let numbers: Vec<u32> =
                rest[..end].split(';').filter_map(|number| number.parse().ok()).collect();
            match first {
                '#' => {
                    colour = numbers[0];
                    if let [_, 2, r, g, b] = numbers[..] {
                        palette.insert(colour, [r, g, b].map(|p| (p * 255 / 100) as u8));
                    }
                    rest = &rest[end..];
                }
                '!' => {
                    times = numbers[0];
                    rest = &rest[end..];
                }
                '$' => x = 0,
                '-' => (x, top) = (0, top + BAND),
                sixel => {
                    let bits = sixel as u8 - b'?';
                    for x in x..x + times {
                        for row in (0..BAND).filter(|row| bits >> row & 1 == 1) {
                            picture.put_pixel(x, top + row, Rgb(palette[&colour]));
                        }
                    }
                    (x, times) = (x + times, 1);
                }
            }
        }
        picture
    }

    #[test]
    fn a_picture_of_many_colours_is_drawn_nearly_as_it_is() {
        let picture = RgbImage::from_fn(100, 61, |x, y| Rgb([x as u8 * 2, y as u8 * 4, 90]));
        let shown = drawn(&sequence(&picture), picture.dimensions());
        let differences = picture.iter().zip(shown.iter()).map(|(a, b)| u64::from(a.abs_diff(*b)));
        let mean = differences.sum::<u64>() as f64 / picture.len() as f64;
        assert!(mean < 6.0, "{mean}");
    }
}
