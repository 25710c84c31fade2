//! Names that the database takes: of classes and properties, those of before among them.

use std::collections::HashMap;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Ident, LitStr, ext::IdentExt};

use crate::{
    ctxt::Ctxt,
    given::Given,
    model::written::{ConnectionClass, WrittenField, WrittenModel},
    names,
};

pub(super) fn class_name(cx: &Ctxt, model: &WrittenModel) {
    match &model.class {
        Some(class) => {
            if let Some(fault) = names::name_fault(&class.value.value()) {
                cx.error(&class.value, format_args!("the class {fault}"));
            }
        }
        None => {
            let name = model.ident.unraw().to_string();
            if let Some(fault) = names::name_fault(&name) {
                let help = "give another class: `#[adb(class = \"…\")]`";
                cx.error_help(&model.ident, format_args!("the class `{name}` {fault}"), help);
            }
        }
    }
}

pub(super) fn connection_class(cx: &Ctxt, field: &WrittenField) {
    let Some(connect) = &field.connect else { return };
    match &connect.value.class {
        Some(ConnectionClass::Text(class)) => {
            if let Some(fault) = names::name_fault(&class.value()) {
                let help =
                    "name what the one is to the other, such as `connect = \"HasIngredient\"`";
                cx.error_help(class, format_args!("the connection's class {fault}"), help);
            }
        }
        Some(ConnectionClass::Type(_) | ConnectionClass::OfChild) => {}
        None if connect.value.unread => {}
        None => {
            let help = "`connect(class = \"HasIngredient\", direction = in)`";
            cx.error_help(&connect.key, "`connect` needs the connection's `class`", help);
        }
    }
}

pub(super) fn property_name(cx: &Ctxt, field: &WrittenField) {
    if !field.has_property() {
        return;
    }
    let name = field.property();
    let fault = names::name_fault(&name).or_else(|| names::reserved(&name));
    if let Some(fault) = fault {
        let help = "name it otherwise: `#[adb(rename = \"…\")]`";
        cx.error_help(named_at(field), format_args!("the property `{name}` {fault}"), help);
    }
}

pub(super) fn property_names_differ(cx: &Ctxt, model: &WrittenModel) {
    let mut seen: HashMap<String, &WrittenField> = HashMap::new();
    for field in model.fields.iter().filter(|f| f.has_property()) {
        let name = field.property();
        match seen.get(&name) {
            Some(first) => cx.error_pair(
                (
                    named_at(field),
                    format!("two fields are stored as `{name}`: `{}` and this", first.ident),
                ),
                (named_at(first), format!("`{name}` is first taken here")),
            ),
            None => {
                seen.insert(name, field);
            }
        }
    }
}

/// What gave a property its name.
fn named_at(field: &WrittenField) -> TokenStream {
    match &field.rename {
        Some(rename) => rename.value.to_token_stream(),
        None => field.ident.to_token_stream(),
    }
}

pub(super) fn rename_has_something_to_name(cx: &Ctxt, model: &WrittenModel, field: &WrittenField) {
    if field.connect.is_some() && model.is_as_sdk() {
        // There the connection names its field.
        return;
    }
    let Some(rename) = &field.rename else { return };
    if field.label.is_some() || !field.parts.is_empty() {
        let help = "take `rename` away";
        cx.error_help(&rename.key, "`rename` names a property, and this is none", help);
    } else if field.connect.is_some() {
        let help = "the class in `connect = \"…\"` is all that the database sees of this field";
        cx.error_help(&rename.key, "`rename` names a property, and this is a connection", help);
    } else if field.is_flattened() {
        let help = "the names are those of the struct's fields";
        cx.error_help(
            &rename.key,
            "`rename` names a property, and this is a flattened struct",
            help,
        );
    } else if field.skip.is_some() {
        let help = "take one of them away";
        cx.error_help(&rename.key, "`rename` names a property, and `skip` leaves it out", help);
    }
}

pub(super) fn was_has_something_to_rename(cx: &Ctxt, field: &WrittenField) {
    let Some(was) = field.was.first() else { return };
    let what = if field.embed.is_some() {
        "an embedding"
    } else if field.connect.is_some() || !field.parts.is_empty() {
        "a child"
    } else if field.label.is_some() {
        "the label"
    } else if field.skip.is_some() {
        "not stored"
    } else if field.flatten.is_some() || field.serdes_flatten.is_some() {
        "a flattened struct"
    } else {
        return;
    };
    let message = format!("`was` is the old name of a property, and this is {what}");
    cx.error_help(&was.key, message, "take `was` away");
}

/// An old name is no name of now, and one field's alone.
pub(crate) fn old_names_are_free<'f>(
    cx: &Ctxt,
    fields: impl Iterator<Item = (&'f Ident, String, &'f [Given<LitStr>])>,
) {
    let fields: Vec<_> = fields.collect();
    let mut seen: HashMap<String, &Given<LitStr>> = HashMap::new();
    for (field, property, was) in &fields {
        for old in *was {
            let name = old.value.value();
            if let Some(fault) = names::name_fault(&name) {
                cx.error(&old.value, format_args!("the old name `{name}` {fault}"));
            } else if name == *property {
                let help = "name what it was called before, or take `was` away";
                let message = format!("`{field}` is stored as `{name}` now");
                cx.error_help(&old.value, message, help);
            } else if let Some((other, ..)) = fields.iter().find(|(_, now, _)| *now == name) {
                let help = format!("`{other}` keeps it, so nothing can be renamed from it");
                let message = format!("`{name}` is the name of the field `{other}` now");
                cx.error_help(&old.value, message, help);
            } else if let Some(first) = seen.insert(name.clone(), old) {
                cx.error_pair(
                    (&old.value, format!("two fields can't both have been `{name}`")),
                    (&first.value, "it is first taken here"),
                );
            }
        }
    }
}
