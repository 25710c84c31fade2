//! The words of a constraint: names, values, symbols, and where each stands.

use std::ops::Range;

use super::Fault;
use crate::{Op, Value};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A word; whether it stood in backquotes.
    Name(String, bool),
    Value(Value),
    Compare(Op),
    And,
    Or,
    Not,
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
}

pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Range<usize>)>, Fault> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (token, length) = token(text, at, c)?;
        tokens.push((token, at..at + length));
        at += length;
    }
    Ok(tokens)
}

/// The token that begins with `c` at `at`, and its length.
fn token(text: &str, at: usize, c: char) -> Result<(Token, usize), Fault> {
    let rest = &text[at..];
    for (symbol, token) in [
        ("&&", Token::And),
        ("||", Token::Or),
        ("==", Token::Compare(Op::Eq)),
        ("!=", Token::Compare(Op::Ne)),
        ("<=", Token::Compare(Op::Le)),
        (">=", Token::Compare(Op::Ge)),
        ("<", Token::Compare(Op::Lt)),
        (">", Token::Compare(Op::Gt)),
        ("!", Token::Not),
        ("(", Token::Open),
        (")", Token::Close),
        ("[", Token::OpenList),
        ("]", Token::CloseList),
        (",", Token::Comma),
    ] {
        if rest.starts_with(symbol) {
            return Ok((token, symbol.len()));
        }
    }
    match c {
        '"' | '\'' => {
            let (value, length) = quoted(rest, c).ok_or_else(|| {
                (at..text.len(), format!("the text that begins here has no closing {c}"))
            })?;
            Ok((Token::Value(Value::String(value)), length))
        }
        '`' => match rest[1..].split_once('`') {
            Some((name, _)) if !name.is_empty() => {
                Ok((Token::Name(name.to_owned(), true), name.len() + 2))
            }
            _ => Err((at..text.len(), "a name in backquotes has no end, or is empty".to_owned())),
        },
        '-' | '.' | '_' => word(rest, at),
        c if c.is_alphanumeric() => word(rest, at),
        '=' => Err((at..at + 1, "`==` compares; a single `=` means nothing here".to_owned())),
        '&' => Err((at..at + 1, "`&&` means and; a single `&` means nothing here".to_owned())),
        '|' => Err((at..at + 1, "`||` means or; a single `|` means nothing here".to_owned())),
        other => Err((at..at + other.len_utf8(), format!("`{other}` means nothing here"))),
    }
}

/// A number, a keyword or a name. Names may begin with a digit, as `5_o_Clock_Shadow` does.
fn word(rest: &str, at: usize) -> Result<(Token, usize), Fault> {
    let mut length = 0;
    for (i, c) in rest.char_indices() {
        let exponent = matches!(rest[..i].chars().last(), Some('e' | 'E'))
            && rest[..i].starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.');
        let sign = matches!(c, '-' | '+') && (i == 0 || exponent);
        if !(c.is_alphanumeric() || c == '_' || c == '.' || sign) {
            break;
        }
        length = i + c.len_utf8();
    }
    let word = &rest[..length];
    let begins_a_number = |c: char| c.is_ascii_digit() || c == '-' || c == '.';
    if word.starts_with(begins_a_number) {
        if let Ok(whole) = word.parse::<i64>() {
            return Ok((Token::Value(Value::Int(whole)), length));
        }
        if let Some(number) = word.parse::<f64>().ok().filter(|number| number.is_finite()) {
            return Ok((Token::Value(Value::Float(number)), length));
        }
        if !word.starts_with(|c: char| c.is_ascii_digit()) || !word.contains(char::is_alphabetic) {
            return Err((at..at + length.max(1), format!("`{word}` is no number")));
        }
    }
    Ok((
        match word {
            "true" => Token::Value(Value::Bool(true)),
            "false" => Token::Value(Value::Bool(false)),
            "and" => Token::And,
            "or" => Token::Or,
            "not" => Token::Not,
            name => Token::Name(name.to_owned(), false),
        },
        length,
    ))
}

/// What stands between quotes, and how long it is with them.
fn quoted(rest: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            c if c == quote => return Some((value, i + 1)),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                't' => value.push('\t'),
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
    None
}
