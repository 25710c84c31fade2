//! BERT's tokenizer, WordPiece, from a `tokenizer.json`.

use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;

use super::Vocabulary;

/// The tokenizer.
#[derive(Debug)]
pub(crate) struct WordPiece {
    vocabulary: Vocabulary,
    prefix: String,
    max_word: usize,
    unknown: u32,
    padding: u32,
    /// Around every text: `[CLS]` and `[SEP]`.
    ends: (u32, u32),
    /// Tokens that a text may spell out, such as `[MASK]`.
    spelled: Vec<(String, u32)>,
    clean: bool,
    chinese: bool,
    strip_accents: bool,
    lowercase: bool,
    max_tokens: usize,
}

#[derive(Deserialize)]
struct File {
    model: Model,
    normalizer: Option<Normalizer>,
    pre_tokenizer: Option<Kind>,
    #[serde(default)]
    added_tokens: Vec<Added>,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    name: String,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type", default)]
    kind: String,
    vocab: Vocabulary,
    unk_token: String,
    continuing_subword_prefix: String,
    max_input_chars_per_word: usize,
}

#[derive(Deserialize)]
struct Normalizer {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    clean_text: bool,
    #[serde(default)]
    handle_chinese_chars: bool,
    #[serde(default)]
    strip_accents: Option<bool>,
    #[serde(default)]
    lowercase: bool,
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    normalized: bool,
}

impl WordPiece {
    pub(super) fn parse(json: &[u8], max_tokens: usize) -> Result<Self, String> {
        let explain = |e| {
            format!(
                "this is no tokenizer.json of the BERT kind (WordPiece), the one kind that `hf-json` can do: {e}"
            )
        };
        let file: File = serde_json::from_slice(json).map_err(explain)?;
        let normalizer = file.normalizer.ok_or("it has no normalizer, BERT's is wanted")?;
        let pre_tokenizer = file.pre_tokenizer.map(|p| p.name).unwrap_or_default();
        for (what, found, wanted) in [
            ("model", file.model.kind.as_str(), "WordPiece"),
            ("normalizer", normalizer.kind.as_str(), "BertNormalizer"),
            ("pre_tokenizer", pre_tokenizer.as_str(), "BertPreTokenizer"),
        ] {
            // Older files don't name their model.
            if found != wanted && !(what == "model" && found.is_empty()) {
                return Err(format!(
                    "its {what} is `{found}`, and `hf-json` can only do `{wanted}`"
                ));
            }
        }
        if let Some(odd) =
            file.added_tokens.iter().find(|t| t.single_word || t.lstrip || t.rstrip || t.normalized)
        {
            return Err(format!("its added token `{}` has flags that can't be done", odd.content));
        }
        let vocabulary = file.model.vocab;
        let id = |word: &str| {
            vocabulary.get(word).copied().ok_or_else(|| format!("`{word}` is not in its vocabulary"))
        };
        Ok(Self {
            unknown: id(&file.model.unk_token)?,
            padding: id("[PAD]")?,
            ends: (id("[CLS]")?, id("[SEP]")?),
            prefix: file.model.continuing_subword_prefix,
            max_word: file.model.max_input_chars_per_word,
            spelled: file.added_tokens.into_iter().map(|t| (t.content, t.id)).collect(),
            clean: normalizer.clean_text,
            chinese: normalizer.handle_chinese_chars,
            strip_accents: normalizer.strip_accents.unwrap_or(normalizer.lowercase),
            lowercase: normalizer.lowercase,
            vocabulary,
            max_tokens,
        })
    }

    pub(super) fn padding(&self) -> u32 {
        self.padding
    }

    /// `[CLS]`, the text's pieces as far as there is room, `[SEP]`.
    pub(super) fn ids(&self, text: &str) -> Vec<u32> {
        let mut ids = vec![self.ends.0];
        let mut rest = text;
        while let Some((at, word, id)) = self.next_spelled(rest) {
            self.append(&rest[..at], &mut ids);
            ids.push(id);
            rest = &rest[at + word.len()..];
        }
        self.append(rest, &mut ids);
        ids.truncate(self.max_tokens - 1);
        ids.push(self.ends.1);
        ids
    }

    fn next_spelled(&self, text: &str) -> Option<(usize, &str, u32)> {
        self.spelled
            .iter()
            .filter_map(|(word, id)| text.find(word).map(|at| (at, word.as_str(), *id)))
            .min_by_key(|(at, word, _)| (*at, std::cmp::Reverse(word.len())))
    }

    fn append(&self, text: &str, ids: &mut Vec<u32>) {
        let text = self.normalize(text);
        for word in text.split_whitespace() {
            let mut rest = word;
            while let Some(c) = rest.chars().next() {
                if ids.len() >= self.max_tokens {
                    return;
                }
                // Punctuation stands alone, letters go up to the next.
                let end = if is_punctuation(c) {
                    c.len_utf8()
                } else {
                    rest.find(is_punctuation).unwrap_or(rest.len())
                };
                self.append_word(&rest[..end], ids);
                rest = &rest[end..];
            }
        }
    }

    /// The longest piece that the vocabulary has, then the longest that follows it, and so on; a
    /// word that can't be cut so is unknown as a whole.
    fn append_word(&self, word: &str, ids: &mut Vec<u32>) {
        let before = ids.len();
        let mut start = 0;
        let mut piece = String::new();
        if word.chars().count() > self.max_word {
            ids.push(self.unknown);
            return;
        }
        while start < word.len() {
            let ends = word[start..].char_indices().map(|(at, c)| start + at + c.len_utf8()).rev();
            let longest = ends.into_iter().find_map(|end| {
                piece.clear();
                if start > 0 {
                    piece.push_str(&self.prefix);
                }
                piece.push_str(&word[start..end]);
                Some((end, *self.vocabulary.get(&piece)?))
            });
            let Some((end, id)) = longest else {
                ids.truncate(before);
                ids.push(self.unknown);
                return;
            };
            ids.push(id);
            start = end;
        }
    }

    fn normalize(&self, text: &str) -> String {
        let mut spaced = String::with_capacity(text.len());
        for c in text.chars() {
            if self.clean && (c == '\u{fffd}' || is_control(c)) {
                continue;
            }
            if self.clean && c.is_whitespace() {
                spaced.push(' ');
            } else if self.chinese && is_chinese(c) {
                spaced.extend([' ', c, ' ']);
            } else {
                spaced.push(c);
            }
        }
        if self.strip_accents && !spaced.is_ascii() {
            spaced = spaced.nfd().filter(|c| !is_accent(*c)).collect();
        }
        if self.lowercase {
            // Letter by letter: a capital sigma at a word's end is no exception here.
            spaced = spaced.chars().flat_map(char::to_lowercase).collect();
        }
        spaced
    }
}

/// A character of one Unicode category; ASCII is decided without looking.
struct Category(LazyLock<Regex>);

impl Category {
    fn has(&self, c: char) -> bool {
        self.0.is_match(c.encode_utf8(&mut [0; 4]))
    }
}

macro_rules! category {
    ($name:ident, $pattern:literal) => {
        #[expect(clippy::expect_used, reason = "the pattern is constant, and tests compile it")]
        static $name: Category =
            Category(LazyLock::new(|| Regex::new($pattern).expect("a valid pattern")));
    };
}

category!(PUNCTUATION, r"\p{P}");
category!(ACCENT, r"\p{Mn}");
category!(CONTROL, r"[\p{Cc}\p{Cf}\p{Co}]");

fn is_punctuation(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_punctuation() } else { PUNCTUATION.has(c) }
}

fn is_accent(c: char) -> bool {
    !c.is_ascii() && ACCENT.has(c)
}

fn is_control(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => false,
        c if c.is_ascii() => c.is_ascii_control(),
        c => CONTROL.has(c),
    }
}

/// The blocks of Han characters that BERT knew; each character is a word of its own.
fn is_chinese(c: char) -> bool {
    matches!(c,
        '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{20000}'..='\u{2a6df}'
        | '\u{2a700}'..='\u{2b73f}' | '\u{2b740}'..='\u{2b81f}' | '\u{2b920}'..='\u{2ceaf}'
        | '\u{f900}'..='\u{faff}' | '\u{2f800}'..='\u{2fa1f}')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn file() -> Json {
        let words = [
            "[PAD]", "[UNK]", "[CLS]", "[SEP]", "curry", "cream", "##y", "##ie", "creme", ",", "日",
            "!", "[", "pad", "]",
        ];
        let vocab: Vocabulary = words.iter().map(|w| (*w).to_owned()).zip(0..).collect();
        json!({
            "added_tokens": [{"id": 3, "content": "[SEP]", "special": true}],
            "normalizer": {
                "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                "strip_accents": null, "lowercase": true,
            },
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "model": {
                "type": "WordPiece", "vocab": vocab, "unk_token": "[UNK]",
                "continuing_subword_prefix": "##", "max_input_chars_per_word": 10,
            },
        })
    }

    fn ids(text: &str, max_tokens: usize) -> Vec<u32> {
        WordPiece::parse(file().to_string().as_bytes(), max_tokens).unwrap().ids(text)
    }

    #[test]
    fn words_are_cut_into_the_longest_pieces() {
        assert_eq!(ids("Creamy curry", 8), [2, 5, 6, 4, 3]);
        assert_eq!(ids("crème,\u{200b} CRÈME!", 8), [2, 8, 9, 8, 11, 3]);
        assert_eq!(ids("日日", 8), [2, 10, 10, 3]);
        assert_eq!(ids("creamyx", 8), [2, 1, 3], "a word is known as a whole or not at all");
        assert_eq!(ids("currycurrycurry", 8), [2, 1, 3], "longer than a word may be");
        assert_eq!(ids("curry[SEP]curry [pad]", 12), [2, 4, 3, 4, 12, 13, 14, 3]);
        assert_eq!(ids("", 8), [2, 3]);
    }

    #[test]
    fn a_text_that_is_too_long_keeps_its_end() {
        assert_eq!(ids("curry curry curry curry", 4), [2, 4, 4, 3]);
    }

    #[test]
    fn other_kinds_are_refused_by_name() {
        for (key, words) in [
            ("model", "its model is `Other`"),
            ("normalizer", "its normalizer is `Other`"),
            ("pre_tokenizer", "its pre_tokenizer is `Other`"),
        ] {
            let mut file = file();
            file[key]["type"] = json!("Other");
            let message = WordPiece::parse(file.to_string().as_bytes(), 8).unwrap_err();
            assert!(message.contains(words), "{message}");
        }
    }
}
