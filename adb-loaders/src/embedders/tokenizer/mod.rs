//! From text to token ids, exactly as the tokenizers do that the weights were trained with.

mod clip;
mod wordpiece;

use std::{collections::HashMap, fs, io::Read};

use serde::Deserialize;

use self::{clip::ClipBpe, wordpiece::WordPiece};
use super::{Bundle, Error, TokenizerSpec};

/// A batch of texts: row after row, each `width` long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) ids: Vec<i64>,
    /// 1 for a token, 0 for padding.
    pub(super) mask: Vec<i64>,
    pub(super) width: usize,
}

impl Tokens {
    /// Takes away the columns that are padding in every row.
    pub(super) fn shorten(&mut self) {
        let longest = |row: &[i64]| row.iter().rposition(|m| *m == 1).map_or(0, |last| last + 1);
        let width = self.mask.chunks(self.width.max(1)).map(longest).max().unwrap_or(0);
        if width == self.width {
            return;
        }
        for values in [&mut self.ids, &mut self.mask] {
            *values = values.chunks(self.width).flat_map(|row| &row[..width]).copied().collect();
        }
        self.width = width;
    }
}

/// Any of the tokenizers that a bundle can name.
#[derive(Debug)]
pub(super) enum Tokenizer {
    Clip(Box<ClipBpe>),
    WordPiece(WordPiece),
}

impl Tokenizer {
    /// The bundle's own.
    ///
    /// # Errors
    /// When its file is damaged, or of another kind than this can do.
    pub(super) fn open(bundle: &Bundle, spec: &TokenizerSpec) -> Result<Self, Error> {
        let path = bundle.verified(spec.file())?;
        let bytes = fs::read(&path).map_err(|e| Error::io(&path, e))?;
        let opened = match spec {
            TokenizerSpec::ClipBpe { context, .. } => plain(bytes)
                .and_then(|text| ClipBpe::parse(&text, *context))
                .map(|clip| Self::Clip(Box::new(clip))),
            TokenizerSpec::HfJson { max_tokens, .. } => {
                WordPiece::parse(&bytes, *max_tokens).map(Self::WordPiece)
            }
        };
        opened.map_err(|message| Error::bundle(&path, message))
    }

    /// Encodes a batch.
    pub(super) fn encode(&self, texts: &[&str]) -> Tokens {
        match self {
            Tokenizer::Clip(clip) => {
                pad(texts.iter().map(|t| clip.ids(t)).collect(), clip.context(), 0)
            }
            Tokenizer::WordPiece(wordpiece) => {
                let rows: Vec<_> = texts.iter().map(|t| wordpiece.ids(t)).collect();
                let width = rows.iter().map(Vec::len).max().unwrap_or(0);
                pad(rows, width, wordpiece.padding())
            }
        }
    }
}

fn pad(rows: Vec<Vec<u32>>, width: usize, padding: u32) -> Tokens {
    let mut tokens = Tokens {
        ids: Vec::with_capacity(rows.len() * width),
        mask: Vec::with_capacity(rows.len() * width),
        width,
    };
    for row in rows {
        let rest = width - row.len();
        tokens.mask.extend(std::iter::repeat_n(1, row.len()));
        tokens.mask.extend(std::iter::repeat_n(0, rest));
        tokens.ids.extend(row.into_iter().map(i64::from));
        tokens.ids.extend(std::iter::repeat_n(i64::from(padding), rest));
    }
    tokens
}

/// Whether a tokenizer's file is CLIP's; else it is WordPiece, or the error says why it is neither.
pub(super) fn kind(bytes: Vec<u8>) -> Result<bool, String> {
    let text = plain(bytes)?;
    let Err(not_clip) = ClipBpe::parse(&text, 77) else { return Ok(true) };
    match WordPiece::parse(text.as_bytes(), 77) {
        Ok(_) => Ok(false),
        Err(not_words) => Err(format!("{not_clip}; {not_words}")),
    }
}

/// Text, from itself or from gzip.
fn plain(bytes: Vec<u8>) -> Result<String, String> {
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&bytes[..])
            .read_to_end(&mut text)
            .map_err(|e| format!("its gzip is broken: {e}"))?;
        text
    } else {
        bytes
    };
    String::from_utf8(bytes).map_err(|e| format!("it is not UTF-8: {e}"))
}

/// What both kinds of `tokenizer.json` have.
type Vocabulary = HashMap<String, u32>;

/// A pair of pieces that belong together: `"a b"` in older files, `["a", "b"]` in newer ones.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Line(String),
    Pair([String; 2]),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_goes_as_far_as_all_rows_have_it() {
        let mut tokens = pad(vec![vec![7, 8], vec![7, 0, 8], vec![9]], 6, 0);
        tokens.shorten();
        assert_eq!(tokens.width, 3);
        assert_eq!(tokens.ids, [7, 8, 0, 7, 0, 8, 9, 0, 0]);
        assert_eq!(tokens.mask, [1, 1, 0, 1, 1, 1, 1, 0, 0]);
        let same = tokens.clone();
        tokens.shorten();
        assert_eq!(tokens, same);
        let mut none = pad(Vec::new(), 6, 0);
        none.shorten();
        assert!(none.ids.is_empty());
    }
}
