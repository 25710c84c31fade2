//! Types in messages, spaced as people write them.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;

/// A type or a path as it is written: a token stream shows itself with a space between any two.
pub(crate) fn shown(tokens: &impl ToTokens) -> String {
    let mut text = String::new();
    write(&mut text, tokens.to_token_stream());
    text
}

fn write(text: &mut String, tokens: TokenStream) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{ ", " }"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                write(text, group.stream());
                text.push_str(close);
            }
            TokenTree::Punct(mark) => match mark.as_char() {
                mark @ (',' | ';') => text.extend([mark, ' ']),
                mark @ ('+' | '=') => text.extend([' ', mark, ' ']),
                '-' => text.push_str(" -"),
                '>' if text.ends_with(" -") => text.push_str("> "),
                '>' => {
                    // `Vec<T,>`, as a macro may have it.
                    text.truncate(text.trim_end_matches([',', ' ']).len());
                    text.push('>');
                }
                mark => text.push(mark),
            },
            word @ (TokenTree::Ident(_) | TokenTree::Literal(_)) => {
                let after_word = |c: char| c == '_' || c == '>' || c.is_alphanumeric();
                if text.ends_with(after_word) {
                    text.push(' ');
                }
                text.push_str(&word.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_shown_as_they_are_written() {
        for written in [
            "u64",
            "Option<u64>",
            "&'a str",
            "&'a mut Cow<'_, str>",
            "std::collections::HashMap<String, Vec<(u8, [f32; 3])>>",
            "Box<dyn Fn(&T) -> Option<u8> + Send>",
            "Box<dyn for<'x> Iterator<Item = &'x T>>",
            "<T as Trait>::Of",
            "r#type::Of<{ N }>",
        ] {
            let ty: syn::Type = syn::parse_str(written).unwrap();
            assert_eq!(shown(&ty), written);
        }
    }
}
