//! How terminals are told to show a picture, and which of them understand it.

use std::{
    env,
    io::{self, Cursor, IsTerminal as _},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{ImageFormat, RgbImage};

use super::sixel;
use crate::sys;

/// Characters of base64 in one sequence, as Kitty's protocol has it.
const CHUNK: usize = 4096;
/// "What are you?" (primary device attributes), and how an answer begins and ends.
const WHO: &[u8] = b"\x1b[c";
const ANSWER: (&[u8], u8) = (b"\x1b[?", b'c');
/// The attribute of terminals that show sixels.
const SIXELS: &[u8] = b"4";

/// What `--thumbnails` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Thumbnails {
    /// As the terminal understands them, if it does.
    Auto,
    /// As Kitty, Ghostty and Konsole have them.
    Kitty,
    /// As iTerm, WezTerm and mintty have them.
    Iterm,
    /// As xterm, foot, mlterm, Windows Terminal and many others have them.
    Sixel,
    /// None.
    Off,
}

/// How a terminal is told to show a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Kitty's graphics protocol.
    Kitty,
    /// iTerm's inline images.
    ITerm,
    Sixel,
}

impl Thumbnails {
    /// How pictures are shown, if they are.
    pub(super) fn protocol(self) -> Option<Protocol> {
        match self {
            Thumbnails::Auto => Protocol::here(),
            Thumbnails::Kitty => Some(Protocol::Kitty),
            Thumbnails::Iterm => Some(Protocol::ITerm),
            Thumbnails::Sixel => Some(Protocol::Sixel),
            Thumbnails::Off => None,
        }
    }
}

impl Protocol {
    /// What the terminal understands that standard output is.
    fn here() -> Option<Self> {
        if !io::stdout().is_terminal() {
            return None;
        }
        Self::named(|name| env::var(name).ok().filter(|value| !value.is_empty())).or_else(|| {
            let answer = sys::ask_terminal(WHO, ANSWER.1)?;
            shows_sixels(&answer).then_some(Protocol::Sixel)
        })
    }

    /// Terminals are known by what they put into the environment; within a multiplexer none is.
    fn named(var: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let (term, program) =
            (var("TERM").unwrap_or_default(), var("TERM_PROGRAM").unwrap_or_default());
        if var("TMUX").is_some() || term.starts_with("screen") {
            return None;
        }
        match program.as_str() {
            "ghostty" => return Some(Protocol::Kitty),
            "iTerm.app" | "WezTerm" | "mintty" => return Some(Protocol::ITerm),
            _ => {}
        }
        let is_kitty = var("KITTY_WINDOW_ID").is_some()
            || term == "xterm-kitty"
            || term == "xterm-ghostty"
            || var("KONSOLE_VERSION").is_some();
        is_kitty.then_some(Protocol::Kitty)
    }

    /// The sequence that shows a picture.
    pub(super) fn sequence(self, picture: &RgbImage) -> Option<String> {
        let png = || {
            let mut png = Cursor::new(Vec::new());
            picture.write_to(&mut png, ImageFormat::Png).ok()?;
            Some(png.into_inner())
        };
        Some(match self {
            Protocol::Sixel => sixel::sequence(picture),
            Protocol::ITerm => iterm(&png()?),
            Protocol::Kitty => kitty(&png()?),
        })
    }
}

fn iterm(png: &[u8]) -> String {
    let (size, encoded) = (png.len(), STANDARD.encode(png));
    format!("\x1b]1337;File=inline=1;size={size};preserveAspectRatio=1:{encoded}\x07")
}

fn kitty(png: &[u8]) -> String {
    let encoded = STANDARD.encode(png);
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

/// Whether a terminal that says what it is says so: `ESC [ ? 62 ; 4 ; 22 c`.
fn shows_sixels(answer: &[u8]) -> bool {
    let (beginning, end) = ANSWER;
    let at = answer.windows(beginning.len()).position(|window| window == beginning);
    at.is_some_and(|at| {
        let said = &answer[at + beginning.len()..];
        let said = said.split(|byte| *byte == end).next().unwrap_or_default();
        // The first number says of which family it is.
        said.split(|byte| *byte == b';').skip(1).any(|attribute| attribute == SIXELS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_by_their_environment() {
        let of = |vars: &[(&str, &str)]| {
            Protocol::named(|name| {
                vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[("TERM", "xterm-256color")]), None);
        assert_eq!(of(&[("TERM", "xterm-kitty")]), Some(Protocol::Kitty));
        assert_eq!(of(&[("TERM_PROGRAM", "WezTerm")]), Some(Protocol::ITerm));
        assert_eq!(of(&[("TERM_PROGRAM", "WezTerm"), ("TMUX", "1")]), None);
    }

    #[test]
    fn terminals_by_what_they_say() {
        for (answer, shows) in [
            (&b"\x1b[?62;4;22c"[..], true),
            (b"\x1b[?65;1;9;4c", true),
            (b"typed ahead\x1b[?62;4c", true),
            (b"\x1b[?62;22;44c", false),
            (b"\x1b[?4c", false),
            (b"\x1b[?6c;4", false),
            (b"4c", false),
            (b"", false),
        ] {
            assert_eq!(shows_sixels(answer), shows, "{}", answer.escape_ascii());
        }
    }

    #[test]
    fn kitty_gets_it_in_pieces() {
        let text = kitty(&vec![7; 5000]);
        let pieces: Vec<&str> = text.split("\x1b\\").filter(|piece| !piece.is_empty()).collect();
        assert_eq!(pieces.len(), 2);
        assert!(pieces[0].starts_with("\x1b_Ga=T,f=100,q=2,m=1;"), "{}", &pieces[0][..30]);
        assert!(pieces[1].starts_with("\x1b_Gm=0;"), "{}", &pieces[1][..10]);
    }
}
