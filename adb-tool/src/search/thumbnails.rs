//! Pictures in terminals that can show them, and small ones for pages.

use std::{
    env,
    io::{self, Cursor, IsTerminal as _},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{ImageFormat, ImageReader, Limits, codecs::jpeg::JpegEncoder};

use super::shown::{Shown, number, picture, shortened, word};
use crate::out;

/// The longer side, in pixels.
const SIDE: u32 = 160;
/// Characters of base64 in one sequence, as Kitty's protocol has it.
const CHUNK: usize = 4096;
/// Memory that decoding one picture may take.
const MAX_DECODED: u64 = 512 << 20;

/// How a terminal is told to show a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Terminal {
    /// Kitty's graphics protocol: Kitty, Ghostty, Konsole.
    Kitty,
    /// iTerm's inline images: iTerm, WezTerm, mintty.
    ITerm,
}

impl Terminal {
    /// The terminal that standard output is, if it shows pictures.
    pub(super) fn here() -> Option<Self> {
        if !io::stdout().is_terminal() {
            return None;
        }
        Self::named(|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// Terminals are known by what they put into the environment; within a multiplexer none is.
    fn named(var: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let (term, program) =
            (var("TERM").unwrap_or_default(), var("TERM_PROGRAM").unwrap_or_default());
        if var("TMUX").is_some() || term.starts_with("screen") {
            return None;
        }
        match program.as_str() {
            "ghostty" => return Some(Terminal::Kitty),
            "iTerm.app" | "WezTerm" | "mintty" => return Some(Terminal::ITerm),
            _ => {}
        }
        let is_kitty = var("KITTY_WINDOW_ID").is_some()
            || term == "xterm-kitty"
            || term == "xterm-ghostty"
            || var("KONSOLE_VERSION").is_some();
        is_kitty.then_some(Terminal::Kitty)
    }

    /// The sequence that shows a PNG.
    fn sequence(self, png: &[u8]) -> String {
        let encoded = STANDARD.encode(png);
        match self {
            Terminal::ITerm => format!(
                "\x1b]1337;File=inline=1;size={};preserveAspectRatio=1:{encoded}\x07",
                png.len()
            ),
            Terminal::Kitty => {
                let mut text = String::with_capacity(encoded.len() + 64);
                let mut rest = encoded.as_str();
                let mut keys = "a=T,f=100,q=2,";
                while !rest.is_empty() {
                    let (chunk, more) = rest.split_at(rest.len().min(CHUNK));
                    let follows = u8::from(!more.is_empty());
                    text.push_str(&format!("\x1b_G{keys}m={follows};{chunk}\x1b\\"));
                    (rest, keys) = (more, "");
                }
                text
            }
        }
    }
}

/// Each hit with its picture above.
pub(super) fn print(terminal: Terminal, shown: &Shown<'_>) {
    for (rank, hit) in (1..).zip(shown.hits) {
        if let Some(png) = picture(hit).and_then(|bytes| small_png(bytes, SIDE)) {
            out::bytes(terminal.sequence(&png).as_bytes());
            println!();
        }
        let properties: Vec<String> =
            shown.properties(hit).map(|(_, value)| shortened(&value, 48)).collect();
        println!(
            "{rank}. {}  {} {}  {}",
            hit.class,
            word(hit.metric),
            number(hit.distance),
            properties.join("  ")
        );
    }
}

fn small(bytes: &[u8], side: u32) -> Option<image::DynamicImage> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED);
    reader.limits(limits);
    Some(reader.decode().ok()?.thumbnail(side, side))
}

fn small_png(bytes: &[u8], side: u32) -> Option<Vec<u8>> {
    let mut png = Cursor::new(Vec::new());
    small(bytes, side)?.to_rgb8().write_to(&mut png, ImageFormat::Png).ok()?;
    Some(png.into_inner())
}

/// A JPEG of which the longer side has `side` pixels at most; nothing of what is no picture.
pub(super) fn small_jpeg(bytes: &[u8], side: u32) -> Option<Vec<u8>> {
    let mut jpeg = Vec::new();
    small(bytes, side)?
        .to_rgb8()
        .write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, 82))
        .ok()?;
    Some(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_by_their_environment() {
        let of = |vars: &[(&str, &str)]| {
            Terminal::named(|name| {
                vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[("TERM", "xterm-256color")]), None);
        assert_eq!(of(&[("TERM", "xterm-kitty")]), Some(Terminal::Kitty));
        assert_eq!(of(&[("TERM_PROGRAM", "WezTerm")]), Some(Terminal::ITerm));
        assert_eq!(of(&[("TERM_PROGRAM", "WezTerm"), ("TMUX", "1")]), None);
    }

    #[test]
    fn kitty_gets_it_in_pieces() {
        let text = Terminal::Kitty.sequence(&vec![7; 5000]);
        let pieces: Vec<&str> = text.split("\x1b\\").filter(|piece| !piece.is_empty()).collect();
        assert_eq!(pieces.len(), 2);
        assert!(pieces[0].starts_with("\x1b_Ga=T,f=100,q=2,m=1;"), "{}", &pieces[0][..30]);
        assert!(pieces[1].starts_with("\x1b_Gm=0;"), "{}", &pieces[1][..10]);
    }

    #[test]
    fn what_is_no_picture_has_no_small_one() {
        assert_eq!(small_jpeg(b"not a picture", 10), None);
    }
}
