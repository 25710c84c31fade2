//! The rules of a connection.

use std::collections::HashMap;

use quote::ToTokens;

use super::written::Written;
use crate::{ctxt::Ctxt, model::check::old_names_are_free, names};

pub(crate) fn all(cx: &Ctxt, written: &Written) {
    if let Some(fault) = names::name_fault(&written.class()) {
        let message = format!("the connection's class {fault}");
        match &written.class {
            Some(class) => cx.error(&class.value, message),
            None => cx.error_help(&written.ident, message, "name it: `#[adb(class = \"…\")]`"),
        }
    }
    let stored = written.fields.iter().filter(|f| f.skip.is_none());
    old_names_are_free(cx, stored.map(|f| (&f.ident, f.property(), f.was.as_slice())));
    for field in written.fields.iter().filter(|f| f.skip.is_some()) {
        if let Some(was) = field.was.first() {
            let message = "`was` is the old name of a property, and this is not stored";
            cx.error_help(&was.key, message, "take `was` away");
        }
    }
    let mut seen = HashMap::new();
    for field in written.fields.iter().filter(|f| f.skip.is_none()) {
        let name = field.property();
        let at = match &field.rename {
            Some(rename) => rename.value.to_token_stream(),
            None => field.ident.to_token_stream(),
        };
        if let Some(fault) = names::name_fault(&name).or_else(|| names::reserved(&name)) {
            let help = "name it otherwise: `#[adb(rename = \"…\")]`";
            cx.error_help(&at, format_args!("the property `{name}` {fault}"), help);
        }
        if let Some(first) = seen.insert(name.clone(), &field.ident) {
            cx.error_pair(
                (at, format!("two fields are stored as `{name}`: `{first}` and this")),
                (first, format!("`{name}` is first taken here")),
            );
        }
    }
}
