//! One variable out of a `.env` file, as `python-dotenv` reads it.
//!
//! The usual crate drops the quotes inside an unquoted value, and with them those of the JSON that
//! stands there; so this is our own. `${…}` is not replaced.

/// The value of `name` in the text of a `.env` file; the last one, if there are several.
pub(super) fn value(text: &str, name: &str) -> Option<String> {
    let mut found = None;
    let mut rest = text.trim_start_matches('\u{feff}');
    while !rest.is_empty() {
        let line = rest.trim_start();
        if line.starts_with('#') {
            rest = after_line(line);
            continue;
        }
        let binding = line.strip_prefix("export ").map_or(line, str::trim_start);
        let end = binding.find(['=', '\n']).unwrap_or(binding.len());
        let key = binding[..end].trim().trim_matches('\'');
        if !binding[end..].starts_with('=') {
            rest = after_line(binding);
            continue;
        }
        let value = binding[end + 1..].trim_start_matches([' ', '\t']);
        let (read, after) = match value.chars().next() {
            Some(quote @ ('\'' | '"')) => match quoted(&value[1..], quote) {
                Some((read, after)) => (read, after_line(after)),
                // Without its end it is no binding; the next line may be one.
                None => {
                    rest = after_line(value);
                    continue;
                }
            },
            _ => {
                let line = value.split('\n').next().unwrap_or_default();
                let comment = line.find(" #").unwrap_or(line.len());
                (line[..comment].trim_end().to_owned(), after_line(value))
            }
        };
        if key == name {
            found = Some(read);
        }
        rest = after;
    }
    found
}

fn after_line(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, rest)| rest)
}

/// What stands up to the closing quote, and what follows it. Single quotes know `\\` and `\'`,
/// double ones the usual escapes.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return Some((out, &text[at + 1..]));
        }
        if c != '\\' {
            out.push(c);
            continue;
        }
        let (_, escaped) = chars.next()?;
        match (quote, escaped) {
            (_, '\\') => out.push('\\'),
            (_, e) if e == quote => out.push(e),
            ('"', '\'') => out.push('\''),
            ('"', 'n') => out.push('\n'),
            ('"', 'r') => out.push('\r'),
            ('"', 't') => out.push('\t'),
            (_, other) => out.extend(['\\', other]),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn as_python_dotenv_reads_it() {
        let json = r#"{"host": "h", "password": "a#b"}"#;
        let cases = [
            format!("X=1\nKEY={json}\nY=2"),
            format!("# KEY=no\nexport KEY = '{json}' # yes"),
            format!("KEY={json} # a comment"),
            format!("KEY=\"{}\"\r\n", json.replace('"', "\\\"")),
            format!("\u{feff}KEY={json}\r\n"),
            format!("KEY=first\nKEY={json}"),
            format!("BAD='never ends\nKEY={json}"),
            format!("NOVALUE\nKEY={json}"),
        ];
        for text in cases {
            assert_eq!(value(&text, "KEY").as_deref(), Some(json), "{text:?}");
        }
        assert_eq!(value("A=\"x\\ny\"", "A").as_deref(), Some("x\ny"));
        assert_eq!(value("A='x\\ny'", "A").as_deref(), Some("x\\ny"));
        assert_eq!(value("A=\nB=2", "A").as_deref(), Some(""));
        assert_eq!(value("A=\nB=2", "B").as_deref(), Some("2"));
        assert_eq!(value("AB=1", "A"), None);
        assert_eq!(value("A='", "A"), None);
        assert_eq!(value("", "A"), None);
    }
}
