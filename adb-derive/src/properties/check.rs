//! The rules of a list of properties.

use std::collections::HashMap;

use quote::ToTokens;

use super::{
    What,
    written::{Written, WrittenField},
};
use crate::{ctxt::Ctxt, model::check::old_names_are_free, names};

pub(crate) fn all(cx: &Ctxt, written: &Written) {
    if written.what == What::Connection {
        class_name(cx, written);
    }
    for field in &written.fields {
        one_thing(cx, field);
    }
    property_names(cx, written);
    let stored = written.fields.iter().filter(|f| f.has_property());
    old_names_are_free(cx, stored.map(|f| (&f.ident, f.property(), f.was.as_slice())));
}

fn class_name(cx: &Ctxt, written: &Written) {
    if let Some(fault) = names::name_fault(&written.class()) {
        let message = format!("the connection's class {fault}");
        match &written.class {
            Some(class) => cx.error(&class.value, message),
            None => cx.error_help(&written.ident, message, "name it: `#[adb(class = \"…\")]`"),
        }
    }
}

/// A field is skipped, or flattened, or a property with what only properties have.
fn one_thing(cx: &Ctxt, field: &WrittenField) {
    let first = match (&field.skip, &field.flatten) {
        (Some(skip), Some(flatten)) => {
            cx.error_pair(
                (&flatten.key, "a field can't be both `skip` and `flatten`"),
                (&skip.key, "`skip` is given here"),
            );
            return;
        }
        (Some(skip), None) => &skip.key,
        (None, Some(flatten)) => &flatten.key,
        (None, None) => return,
    };
    let of_properties = [
        field.rename.as_ref().map(|k| &k.key),
        field.was.first().map(|k| &k.key),
        field.index.as_ref().map(|k| &k.key),
        field.with.as_ref().map(|k| &k.key),
    ];
    for key in of_properties.into_iter().flatten() {
        let message = format!("`{key}` is for properties, and with `{first}` this is none");
        cx.error_help(key, message, "take one of the two away");
    }
}

fn property_names(cx: &Ctxt, written: &Written) {
    let mut seen = HashMap::new();
    for field in written.fields.iter().filter(|f| f.has_property()) {
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
