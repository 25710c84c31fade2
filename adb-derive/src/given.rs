//! From grammar to typed values: each function takes what one key was given and says so when it
//! is of another kind.

use quote::ToTokens;
use syn::{Ident, Lit, LitStr, Path, Type};

use crate::{
    attr::{Item, Value},
    ctxt::Ctxt,
    names::{self, Keys},
};

/// A value, and the key that it was given to.
pub(crate) struct Given<T> {
    pub(crate) key: Ident,
    pub(crate) value: T,
}

/// Keeps a value; the same key a second time is an error under both.
pub(crate) fn keep<T>(cx: &Ctxt, place: &mut Option<Given<T>>, given: Option<Given<T>>) {
    match (&place, given) {
        (Some(first), Some(second)) => twice(cx, &first.key, &second.key),
        (None, Some(given)) => *place = Some(given),
        (_, None) => {}
    }
}

/// Says that a key is there twice.
pub(crate) fn twice(cx: &Ctxt, first: &Ident, second: &Ident) {
    cx.error_pair(
        (second, format!("`{second}` is given twice")),
        (first, format!("`{first}` is first given here")),
    );
}

/// `key` alone.
pub(crate) fn flag(cx: &Ctxt, item: Item) -> Option<Given<()>> {
    match item.value {
        Value::None => Some(Given { key: item.key, value: () }),
        _ => wrong(cx, &item, "takes no value", &format!("write `{}` alone", item.key)),
    }
}

/// `key` alone, or `key = path`.
pub(crate) fn path_or_none(cx: &Ctxt, item: Item) -> Option<Given<Option<Path>>> {
    match item.value {
        Value::None => Some(Given { key: item.key, value: None }),
        _ => path(cx, item).map(|given| Given { key: given.key, value: Some(given.value) }),
    }
}

/// `key = "text"`.
pub(crate) fn text(cx: &Ctxt, item: Item) -> Option<Given<LitStr>> {
    match item.value {
        Value::Lit(Lit::Str(text)) => Some(Given { key: item.key, value: text }),
        _ => {
            let text = word(&item.value).map_or_else(|| "…".to_owned(), Ident::to_string);
            wrong(cx, &item, "takes a text", &format!("write `{} = \"{text}\"`", item.key))
        }
    }
}

/// `key = Type`.
pub(crate) fn ty(cx: &Ctxt, item: Item) -> Option<Given<Type>> {
    match item.value {
        Value::Type(ty) => Some(Given { key: item.key, value: *ty }),
        _ => {
            let name = unquoted(&item.value).unwrap_or_else(|| "Name".to_owned());
            let help = format!("write `{} = {name}`, without quotes", item.key);
            wrong(cx, &item, "takes a type", &help)
        }
    }
}

/// `key = field`.
pub(crate) fn field(cx: &Ctxt, item: Item) -> Option<Given<Ident>> {
    match word(&item.value) {
        Some(field) => Some(Given { key: item.key, value: field.clone() }),
        None => {
            let field = unquoted(&item.value).unwrap_or_else(|| "field".to_owned());
            let help = format!("write `{} = {field}`, without quotes", item.key);
            wrong(cx, &item, "takes the name of a field", &help)
        }
    }
}

/// `key = path`, or the path as text.
pub(crate) fn path(cx: &Ctxt, item: Item) -> Option<Given<Path>> {
    let path = match &item.value {
        Value::Type(ty) => match &**ty {
            Type::Path(path) if path.qself.is_none() => Some(path.path.clone()),
            _ => None,
        },
        Value::Lit(Lit::Str(text)) => text.parse().ok(),
        _ => None,
    };
    match path {
        Some(value) => Some(Given { key: item.key, value }),
        None => {
            let help = format!("write `{} = path::to::it`", item.key);
            wrong(cx, &item, "takes a path", &help)
        }
    }
}

/// `key = Word`, one of a few.
pub(crate) fn choice(
    cx: &Ctxt,
    item: Item,
    words: &'static [&'static str],
    synonyms: &[(&str, &'static str)],
) -> Option<Given<&'static str>> {
    let expected = names::list(words.iter().copied());
    let Some(given) = word(&item.value) else {
        let help = format!("one of {expected}, without quotes");
        return wrong(cx, &item, "takes a word", &help);
    };
    if let Some(value) = words.iter().find(|w| given == *w) {
        return Some(Given { key: item.key, value });
    }
    let message = format!("unknown {} `{given}`, expected one of {expected}", item.key);
    match names::nearest(&given.to_string(), words.iter().copied(), synonyms) {
        Some(meant) => cx.error_help(given, message, format_args!("did you mean `{meant}`?")),
        None => cx.error(given, message),
    }
    None
}

/// `key(…)`, with at least one key in it.
pub(crate) fn list(cx: &Ctxt, item: Item, form: &str) -> Option<Given<Vec<Item>>> {
    match item.value {
        // An empty list may also be the rest of one that could not be read.
        Value::List(items) => Some(Given { key: item.key, value: items }),
        _ => wrong(cx, &item, "takes keys in brackets", &format!("write `{form}`")),
    }
}

/// Says that a key is not known, and what was perhaps meant.
pub(crate) fn unknown(cx: &Ctxt, keys: &Keys, item: &Item) {
    let Keys { place, known, later, serdes, synonyms } = keys;
    let key = item.key.to_string();
    let expected = names::list(known.iter().copied());
    if later.contains(&key.as_str()) {
        let help = format!("what works {place} now: {expected}");
        cx.error_help(&item.key, format_args!("`{key}` is not supported yet"), help);
        return;
    }
    if serdes.contains(&key.as_str()) {
        let help = format!("rows are read by serde: `#[serde({key})]`");
        cx.error_help(&item.key, format_args!("`{key}` is a key of serde's"), help);
        return;
    }
    let message = format!("unknown key `{key}` {place}, expected one of {expected}");
    match names::nearest(&key, known.iter().copied(), synonyms) {
        Some(meant) => cx.error_help(&item.key, message, format_args!("did you mean `{meant}`?")),
        None => cx.error(&item.key, message),
    }
}

fn word(value: &Value) -> Option<&Ident> {
    match value {
        Value::Type(ty) => match &**ty {
            Type::Path(path) if path.qself.is_none() => path.path.get_ident(),
            _ => None,
        },
        _ => None,
    }
}

/// What a text holds, when that could stand without its quotes.
fn unquoted(value: &Value) -> Option<String> {
    match value {
        Value::Lit(Lit::Str(text)) => text.parse::<Path>().ok().map(|_| text.value()),
        _ => None,
    }
}

/// An error under the value, or under the key where there is none.
fn wrong<T>(cx: &Ctxt, item: &Item, what: &str, help: &str) -> Option<T> {
    let tokens = match &item.value {
        Value::Lit(lit) => lit.to_token_stream(),
        Value::Type(ty) => ty.to_token_stream(),
        Value::None | Value::List(_) => item.key.to_token_stream(),
    };
    cx.error_help(tokens, format_args!("`{}` {what}", item.key), help);
    None
}
