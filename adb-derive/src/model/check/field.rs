//! What the keys of a field say together.

use syn::{Ident, ext::IdentExt};

use crate::{
    ctxt::Ctxt,
    given::Given,
    model::written::{WrittenField, WrittenModel},
    names,
    shown::shown,
};

pub(super) fn one_role(cx: &Ctxt, field: &WrittenField) {
    let roles = [
        field.id.as_ref().map(|k| &k.key),
        field.embed.as_ref().map(|k| &k.key),
        field.connect.as_ref().map(|k| &k.key),
        field.label.as_ref().map(|k| &k.key),
        field.skip.as_ref().map(|k| &k.key),
        field.flatten.as_ref().map(|k| &k.key),
    ];
    let mut roles = roles.into_iter().flatten().chain(field.parts.iter().map(|(_, key)| key));
    let Some(first) = roles.next() else { return };
    for other in roles {
        cx.error_pair(
            (other, format!("a field can't be both `{first}` and `{other}`")),
            (first, format!("`{first}` is given here")),
        );
    }
}

pub(super) fn index_is_for_properties(cx: &Ctxt, field: &WrittenField) {
    let Some(index) = &field.index else { return };
    let why = if field.id.is_some() {
        "`index` is not needed here: an id is always indexed"
    } else if field.embed.is_some() {
        "`index` is for properties: how vectors are searched is the `engine` of their set"
    } else if field.connect.is_some() {
        "`index` is for properties: connections are indexed as they need it"
    } else if field.label.is_some() || !field.parts.is_empty() {
        "`index` is for properties, and this is none"
    } else if field.is_flattened() {
        "`index` is for properties: say it in the flattened struct, on the field that is one"
    } else if field.skip.is_some() {
        "`index` has nothing to work on: `skip` keeps the field out of the database"
    } else {
        return;
    };
    cx.error_help(&index.key, why, "take `index` away");
}

/// What serde flattens is flattened here as well: the keys of a flattened child would lie where the
/// schema does not show them.
pub(super) fn flattened_or_something_else(cx: &Ctxt, field: &WrittenField) {
    if let Some(flatten) = &field.serdes_flatten
        && field.flatten.is_none()
        && field.skip.is_none()
        && field.has_role()
    {
        let help = "nest the object in the source; or flatten it here, too, as a struct with \
                    `#[derive(Properties)]`; or keep it from the database with `#[adb(skip)]`";
        cx.error_help(flatten, "only properties and skipped fields can be flattened", help);
    }
}

pub(super) fn with_is_for_properties(cx: &Ctxt, field: &WrittenField) {
    let Some(with) = &field.with else { return };
    let other = [
        field.id.as_ref().map(|k| &k.key),
        field.embed.as_ref().map(|k| &k.key),
        field.connect.as_ref().map(|k| &k.key),
        field.label.as_ref().map(|k| &k.key),
        field.skip.as_ref().map(|k| &k.key),
        field.flatten.as_ref().map(|k| &k.key),
    ];
    let mut other = other.into_iter().flatten().chain(field.parts.iter().map(|(_, key)| key));
    if let Some(other) = other.next() {
        let help = match field.id.is_some() {
            true => "an id of a type of your own: `#[derive(Property)]` on it",
            false => "take one of the two away",
        };
        let message = format!("`with` is for properties, and with `{other}` this is none");
        cx.error_help(&with.key, message, help);
    }
}

pub(super) fn default_has_something_to_fill(cx: &Ctxt, field: &WrittenField) {
    let Some(default) = &field.default else { return };
    let why = if field.id.is_some() {
        "no object is without its id"
    } else if field.embed.is_some() {
        "a vector that is absent is one to be filled"
    } else if field.connect.is_some() || !field.parts.is_empty() {
        "children that are absent are an empty list, or nothing"
    } else if field.is_flattened() {
        "each field of the flattened struct has its own"
    } else {
        return;
    };
    let message = format!("`default` has nothing to do here: {why}");
    cx.error_help(&default.key, message, "take `default` away");
}

/// Regions lie in images and frames, clips and frames in videos.
pub(super) fn parts_are_in_their_container(cx: &Ctxt, model: &WrittenModel, field: &WrittenField) {
    let kind = model.kind();
    for (parts, key) in &field.parts {
        let containers = parts.containers();
        if containers.contains(&kind) || model.unread {
            continue;
        }
        let whose: Vec<&str> = containers.iter().map(|c| c.about().one).collect();
        let keys: Vec<String> =
            containers.iter().map(|c| format!("`#[adb({})]`", c.about().key)).collect();
        let message = format!(
            "`{key}` are parts of {}, and `{}` is {}",
            whose.join(" or "),
            model.ident,
            kind.about().one
        );
        let help = format!(
            "make it one: {} on the struct; or join objects of their own with \
             `#[adb(connect = \"…\")]`",
            keys.join(" or ")
        );
        cx.error_help(key, message, help);
    }
}

pub(super) fn label_is_on_a_part(cx: &Ctxt, model: &WrittenModel, field: &WrittenField) {
    let Some(label) = &field.label else { return };
    let kind = model.kind();
    if !kind.has_label() && !model.unread {
        let message = format!(
            "only regions, clips, frames and descriptors have a label, and `{}` is {}",
            model.ident,
            kind.about().one
        );
        let help = "without `label`, the text is a property; a vector's label is said in \
                    `embed(…, label = field)`";
        cx.error_help(&label.key, message, help);
    }
}

/// What a maker makes is children.
pub(super) fn a_maker_has_something_to_make(cx: &Ctxt, field: &WrittenField) {
    let key = field.by.as_ref().map(|by| &by.key).or(field.from.as_ref().map(|from| &from.key));
    let Some(key) = key else { return };
    if field.connect.is_some() || !field.parts.is_empty() || field.unread {
        return;
    }
    let message = format!("`{key}` says who makes children, and this field has none");
    let help = if field.embed.is_some() {
        "what an embedding is made from stands inside: `embed(from = …)`".to_owned()
    } else {
        "say how they are joined to this object: `regions`, `clips`, `frames` or `connect = \"…\"`"
            .to_owned()
    };
    cx.error_help(key, message, help);
}

pub(super) fn a_maker_and_what_it_reads_go_together(cx: &Ctxt, field: &WrittenField) {
    if field.unread {
        return;
    }
    match (&field.from, &field.by) {
        (Some(from), None) if field.embed.is_none() => {
            let help = format!("name the maker: `from = {}, by = Maker`", from.value);
            cx.error_help(&from.key, "`from` needs `by`: who makes the children", help);
        }
        (None, Some(by)) => {
            let maker = shown(&by.value);
            let help = format!("name the field: `from = field, by = {maker}`");
            cx.error_help(&by.key, "`by` needs `from`: what the children are made from", help);
        }
        _ => {}
    }
}

pub(super) fn names_a_field(cx: &Ctxt, model: &WrittenModel, given: Option<&Given<Ident>>) {
    let Some(Given { value: from, .. }) = given else { return };
    if model.field(from).is_some() {
        return;
    }
    let fields: Vec<String> = model.fields.iter().map(|f| f.ident.unraw().to_string()).collect();
    let fields = || fields.iter().map(String::as_str);
    let message = format!("`{}` has no field `{from}`", model.ident);
    match names::nearest(&from.to_string(), fields(), &[]) {
        Some(meant) => cx.error_help(from, message, format_args!("did you mean `{meant}`?")),
        None => {
            let help = format!("its fields are {}", names::list(fields()));
            cx.error_help(from, message, help);
        }
    }
}
