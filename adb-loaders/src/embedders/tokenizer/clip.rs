//! CLIP's tokenizer: byte-level BPE over cleaned, lower-cased text.

use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

use regex::Regex;
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;

use super::{Merge, Vocabulary};

/// Merges that CLIP was trained with; its published list holds more.
const MERGES: usize = 49_152 - 256 - 2;

/// How text is cut into words: contractions, letters, single digits, all the rest.
#[expect(clippy::expect_used, reason = "the pattern is constant, and every test compiles it")]
static WORDS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+").expect("a valid pattern")
});

/// The tokenizer. Pieces of words are known by their ids alone.
#[derive(Debug)]
pub(crate) struct ClipBpe {
    /// The id of each byte inside of a word.
    inner: [u32; 256],
    /// The id of each byte that ends a word.
    last: [u32; 256],
    /// A pair of pieces → how early it is joined, and the id of both together.
    pairs: HashMap<(u32, u32), (u32, u32)>,
    start: u32,
    end: u32,
    context: usize,
}

/// The parts of a `tokenizer.json` that a BPE needs.
#[derive(Deserialize)]
struct File {
    model: Model,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type", default)]
    kind: String,
    vocab: Vocabulary,
    merges: Vec<Merge>,
    #[serde(default)]
    end_of_word_suffix: Option<String>,
}

impl ClipBpe {
    /// From a list of merges, or from a `tokenizer.json`.
    pub(super) fn parse(text: &str, context: usize) -> Result<Self, String> {
        if text.trim_start().starts_with('{') {
            Self::from_json(text, context)
        } else {
            Self::from_merges(text, context)
        }
    }

    /// A line for each merge, after a first line that names the version. The vocabulary follows
    /// from it: bytes, bytes that end a word, merges, start, end.
    fn from_merges(text: &str, context: usize) -> Result<Self, String> {
        let letters = byte_letters();
        let mut ordered: Vec<char> = letters.to_vec();
        // Printable bytes stand for themselves and come first; the hidden ones got letters from
        // 256 on. So the order of the letters is the order of the vocabulary.
        ordered.sort_unstable();
        let mut words: Vec<String> = ordered.iter().map(char::to_string).collect();
        words.extend(ordered.iter().map(|letter| format!("{letter}</w>")));
        let mut merges = Vec::new();
        for line in text.lines().skip(1).take(MERGES).filter(|line| !line.trim().is_empty()) {
            let pair = split_pair(line)?;
            words.push(format!("{}{}", pair[0], pair[1]));
            merges.push(pair);
        }
        words.extend([START.to_owned(), END.to_owned()]);
        let vocabulary = words.into_iter().zip(0..).collect();
        Self::new(&vocabulary, &merges, context)
    }

    fn from_json(text: &str, context: usize) -> Result<Self, String> {
        let file: File = serde_json::from_str(text)
            .map_err(|e| format!("this is no tokenizer.json with a BPE: {e}"))?;
        let model = file.model;
        if model.kind != "BPE" && !model.kind.is_empty() {
            return Err(format!("its model is {}, and CLIP's is BPE", model.kind));
        }
        if model.end_of_word_suffix.as_deref() != Some("</w>") {
            return Err("its words don't end in `</w>` as CLIP's do".into());
        }
        let merges: Result<Vec<_>, _> = model
            .merges
            .into_iter()
            .map(|merge| match merge {
                Merge::Line(line) => split_pair(&line),
                Merge::Pair(pair) => Ok(pair),
            })
            .collect();
        Self::new(&model.vocab, &merges?, context)
    }

    fn new(vocab: &Vocabulary, merges: &[[String; 2]], context: usize) -> Result<Self, String> {
        let id = |word: &str| {
            vocab.get(word).copied().ok_or_else(|| format!("`{word}` is not in its vocabulary"))
        };
        let letters = byte_letters();
        let (mut inner, mut last) = ([0; 256], [0; 256]);
        for (byte, letter) in letters.iter().enumerate() {
            inner[byte] = id(&letter.to_string())?;
            last[byte] = id(&format!("{letter}</w>"))?;
        }
        let mut pairs = HashMap::with_capacity(merges.len());
        for (pair, rank) in merges.iter().zip(0..) {
            let key = (id(&pair[0])?, id(&pair[1])?);
            // The last of two equal merges counts, as in the original's table.
            pairs.insert(key, (rank, id(&format!("{}{}", pair[0], pair[1]))?));
        }
        Ok(Self { inner, last, pairs, start: id(START)?, end: id(END)?, context })
    }

    pub(super) fn context(&self) -> usize {
        self.context
    }

    /// Start, the text's pieces as far as there is room, end.
    pub(super) fn ids(&self, text: &str) -> Vec<u32> {
        let text = clean(text);
        let mut ids = vec![self.start];
        for word in WORDS.find_iter(&text) {
            if ids.len() >= self.context - 1 {
                break;
            }
            self.append_word(word.as_str(), &mut ids);
        }
        ids.truncate(self.context - 1);
        ids.push(self.end);
        ids
    }

    fn append_word(&self, word: &str, ids: &mut Vec<u32>) {
        let bytes = word.as_bytes();
        let mut pieces: Vec<u32> = bytes.iter().map(|b| self.inner[usize::from(*b)]).collect();
        if let (Some(piece), Some(byte)) = (pieces.last_mut(), bytes.last()) {
            *piece = self.last[usize::from(*byte)];
        }
        while let Some((left, right, joined)) = self.earliest(&pieces) {
            join(&mut pieces, left, right, joined);
        }
        ids.extend(pieces);
    }

    /// The pair that was learnt first among those that are there: left, right, both together.
    fn earliest(&self, pieces: &[u32]) -> Option<(u32, u32, u32)> {
        pieces
            .windows(2)
            .filter_map(|w| self.pairs.get(&(w[0], w[1])).map(|(rank, id)| (rank, w[0], w[1], *id)))
            .min_by_key(|(rank, ..)| *rank)
            .map(|(_, left, right, id)| (left, right, id))
    }
}

const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";

/// Joins every `left` that `right` follows, from the front.
fn join(pieces: &mut Vec<u32>, left: u32, right: u32, joined: u32) {
    let (mut read, mut write) = (0, 0);
    while read < pieces.len() {
        let pair = pieces[read] == left && pieces.get(read + 1) == Some(&right);
        pieces[write] = if pair { joined } else { pieces[read] };
        read += if pair { 2 } else { 1 };
        write += 1;
    }
    pieces.truncate(write);
}

fn split_pair(line: &str) -> Result<[String; 2], String> {
    let mut parts = line.split_ascii_whitespace().map(str::to_owned);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(left), Some(right), None) => Ok([left, right]),
        _ => Err(format!("`{line}` is no merge: wanted two pieces with a space between")),
    }
}

/// A visible letter for each byte: printable ones stand for themselves, the rest get the letters
/// from 256 on, in their order.
fn byte_letters() -> [char; 256] {
    let mut hidden = 256..;
    std::array::from_fn(|byte| {
        let byte = byte as u32;
        let printable = matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
        let code = if printable { Some(byte) } else { hidden.next() };
        // Every code from 0x21 to 0x143 is a character.
        code.and_then(char::from_u32).unwrap_or_default()
    })
}

/// What the original does to text before it looks for words: repairs, HTML entities undone twice,
/// whitespace folded, lower case.
fn clean(text: &str) -> String {
    let text = repair(text);
    let text = htmlize::unescape(htmlize::unescape(text).into_owned());
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// The certain ones among the repairs that the original leaves to a library: no control
/// characters, straight quotes, plain letters for ligatures and full-width forms, composed
/// accents. It would also undo wrong encodings by guessing; that is not done here.
fn repair(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return text.into();
    }
    let mut repaired = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0'..='\u{8}' | '\u{b}' | '\u{e}'..='\u{1f}' | '\u{7f}' => {}
            '\u{206a}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}' => {}
            '\u{2bc}' | '\u{2018}'..='\u{201b}' => repaired.push('\''),
            '\u{201c}'..='\u{201f}' => repaired.push('"'),
            '\u{3000}' => repaired.push(' '),
            // Full-width forms of ASCII, and Latin ligatures.
            '\u{ff01}'..='\u{ff5e}' | '\u{fb00}'..='\u{fb06}' | '\u{132}' | '\u{133}' => {
                repaired.extend(std::iter::once(c).nfkc());
            }
            c => repaired.push(c),
        }
    }
    repaired.nfc().collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ab`, `abc` and `c` + end are pieces; ids from 512 on.
    const MERGES: &str = "#version: 0\na b\nab c\nc d</w>\n";

    #[test]
    fn merges_apply_in_the_order_in_which_they_were_learnt() {
        let clip = ClipBpe::parse(MERGES, 16).unwrap();
        assert_eq!((clip.start, clip.end), (515, 516));
        // The letter `a` is the 64th printable byte after `!`; one that ends a word comes 256 later.
        let a = u32::from(b'a' - b'!');
        assert_eq!(clip.ids("abc"), [515, 512, a + 2 + 256, 516]);
        assert_eq!(clip.ids("abca"), [515, 513, a + 256, 516]);
        assert_eq!(clip.ids("cd"), [515, 514, 516]);
        assert_eq!(clip.ids(""), [515, 516]);
    }

    #[test]
    fn json_and_merges_give_the_same_ids() {
        let mut words: Vec<String> = Vec::new();
        let mut letters = byte_letters();
        letters.sort_unstable();
        words.extend(letters.iter().map(char::to_string));
        words.extend(letters.iter().map(|l| format!("{l}</w>")));
        words.extend(["ab", "abc", "cd</w>", START, END].map(str::to_owned));
        let vocab: Vocabulary = words.into_iter().zip(0..).collect();
        for merges in [
            serde_json::json!(["a b", "ab c", "c d</w>"]),
            serde_json::json!([["a", "b"], ["ab", "c"], ["c", "d</w>"]]),
        ] {
            let file = serde_json::json!({"model": {
                "type": "BPE", "vocab": vocab, "merges": merges, "end_of_word_suffix": "</w>",
            }});
            let json = ClipBpe::parse(&file.to_string(), 16).unwrap();
            let text = ClipBpe::parse(MERGES, 16).unwrap();
            for sample in ["abc cd", "CRÈME", "日本", "a\tb"] {
                assert_eq!(json.ids(sample), text.ids(sample), "{sample}");
            }
        }
    }

    #[test]
    fn a_text_that_is_too_long_keeps_its_end() {
        let clip = ClipBpe::parse(MERGES, 4).unwrap();
        let ids = clip.ids("a b c d e f");
        assert_eq!(ids.len(), 4);
        assert_eq!((ids[0], ids[3]), (clip.start, clip.end));
        assert_eq!(ids, clip.ids("a b"));
    }

    #[test]
    fn text_is_cleaned_as_the_original_cleans_it() {
        for (raw, wanted) in [
            ("  Hello,\n\t World!  ", "hello, world!"),
            ("&amp;lt;b&amp;gt; &eacute;", "<b> é"),
            ("it\u{2019}s \u{201c}so\u{201d}", "it's \"so\""),
            ("cafe\u{301}", "café"),
            ("\u{ff21}\u{ff22}\u{3000}\u{fb01}sh", "ab fish"),
            ("a\u{0}b\u{feff}c", "abc"),
        ] {
            assert_eq!(clean(raw), wanted, "{raw:?}");
        }
    }

    #[test]
    fn a_broken_file_is_refused_in_words() {
        for (text, words) in [
            ("v\na b c\n", "`a b c` is no merge"),
            ("v\na xyz\n", "`xyz` is not in its vocabulary"),
            ("{\"model\": {\"type\": \"WordPiece\", \"vocab\": {}}}", "no tokenizer.json with a BPE"),
            (
                "{\"model\": {\"type\": \"BPE\", \"vocab\": {}, \"merges\": []}}",
                "don't end in `</w>`",
            ),
        ] {
            let message = ClipBpe::parse(text, 77).unwrap_err();
            assert!(message.contains(words), "{message}");
        }
    }
}
