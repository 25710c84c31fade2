//! The rules of a data model, one function each. Types are the compiler's matter: what it has to
//! check stands in the code that the macro writes.

use std::collections::HashMap;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Ident, LitStr, ext::IdentExt};

use super::{
    kind::Kind,
    written::{ConnectionClass, WrittenEmbed, WrittenField, WrittenModel},
};
use crate::{ctxt::Ctxt, given::Given, names};

/// Checks everything that can be seen without knowing types.
pub(crate) fn all(cx: &Ctxt, model: &WrittenModel) {
    one_kind(cx, model);
    class_name(cx, model);
    identified(cx, model);
    for field in &model.fields {
        one_role(cx, field);
        index_is_for_properties(cx, field);
        rename_has_something_to_name(cx, model, field);
        flattened_or_something_else(cx, field);
        with_is_for_properties(cx, field);
        was_has_something_to_rename(cx, field);
        property_name(cx, field);
        connection_class(cx, field);
        default_has_something_to_fill(cx, field);
        parts_are_in_their_container(cx, model, field);
        label_is_on_a_part(cx, model, field);
        a_maker_has_something_to_make(cx, field);
        a_maker_and_what_it_reads_go_together(cx, field);
        names_a_field(cx, model, field.from.as_ref());
        if let Some(embed) = &field.embed {
            names_a_field(cx, model, embed.value.from.as_ref());
            names_a_field(cx, model, embed.value.label.as_ref());
            one_label(cx, model, &embed.value);
            a_face_is_in_a_picture(cx, model, &embed.value);
            a_set_type_says_it_all(cx, &embed.value);
            there_is_a_set(cx, embed.key.to_token_stream(), &embed.value);
            an_inline_set_has_an_embedder(cx, &embed.value);
        }
    }
    property_names_differ(cx, model);
    as_the_sdk_has_it(cx, model);
    let fields = model.fields.iter().filter(|f| f.has_property());
    old_names_are_free(cx, fields.map(|f| (&f.ident, f.property(), f.was.as_slice())));
    a_descriptor_has_one_vector(cx, model);
    a_descriptor_has_one_label(cx, model);
    content_is_there(cx, model);
    a_class_to_leave_out(cx, model);
    inline_sets_agree(cx, model);
}

fn one_kind(cx: &Ctxt, model: &WrittenModel) {
    let mut kinds = model.kinds.iter();
    let Some((first, first_key)) = kinds.next() else { return };
    for (other, key) in kinds {
        let message =
            format!("an object is {} or {}, not both", first.about().one, other.about().one);
        cx.error_pair((key, message), (first_key, format!("`{first_key}` is given here")));
    }
}

fn class_name(cx: &Ctxt, model: &WrittenModel) {
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

fn identified(cx: &Ctxt, model: &WrittenModel) {
    let id = model.fields.iter().find_map(|f| f.id.as_ref().map(|id| (f, id)));
    let instead = [&model.row_id, &model.content_id].into_iter().flatten();
    match (id, instead.clone().next()) {
        (None, None) => no_id(cx, model),
        (Some((field, id)), Some(_)) => {
            for given in instead {
                let message = format!("`{}` is for models that have no id of their own", given.key);
                cx.error_pair(
                    (&given.key, message),
                    (&id.key, format!("`{}` is one", field.ident)),
                );
            }
        }
        _ => {}
    }
    if let (Some(row_id), Some(content_id)) = (&model.row_id, &model.content_id) {
        cx.error_pair(
            (&content_id.key, "an object is identified by its row or by its blob, not by both"),
            (&row_id.key, "`row_id` is given here"),
        );
    }
}

/// Only where the blob is the user's own bytes does the same content mean the same object.
fn content_is_there(cx: &Ctxt, model: &WrittenModel) {
    let Some(content_id) = &model.content_id else { return };
    let kind = model.kind();
    if !kind.has_content() && !model.unread {
        let message = format!(
            "`content_id` identifies images, videos and blobs by their bytes, and `{}` is {}",
            model.ident,
            kind.about().one
        );
        let help = "mark the fields that identify one with `#[adb(id)]`, or take `row_id`";
        cx.error_help(&content_id.key, message, help);
    }
}

fn a_class_to_leave_out(cx: &Ctxt, model: &WrittenModel) {
    if let Some(untyped) = model.untyped.as_ref().filter(|_| !model.unread)
        && model.kind() == Kind::Entity
    {
        let message = "`untyped` leaves `user_type` out, and entities have none: their class is \
                       what they are";
        cx.error_help(&untyped.key, message, "take `untyped` away");
    }
}

fn a_descriptor_has_one_vector(cx: &Ctxt, model: &WrittenModel) {
    if model.kind() != Kind::Descriptor {
        return;
    }
    let mut vectors = model
        .fields
        .iter()
        .filter(|f| f.skip.is_none())
        .filter_map(|f| f.embed.as_ref().map(|embed| (f, embed)));
    let Some((first, embed)) = vectors.next() else {
        if !model.unread && model.fields.iter().all(|f| !f.unread) {
            let help = "add the field that is its vector: `#[adb(embed(from = text, set = Texts))] \
                        meaning: Embedding<512>`";
            let message =
                format!("`{}` is a descriptor, and has no field with `embed`", model.ident);
            cx.error_help(&model.ident, message, help);
        }
        return;
    };
    for (_, other) in vectors {
        cx.error_pair(
            (&other.key, "a descriptor is one vector, and this is another".to_owned()),
            (&embed.key, format!("`{}` is first", first.ident)),
        );
    }
}

/// A descriptor's label is said once: by `label` on the field that is it.
fn a_descriptor_has_one_label(cx: &Ctxt, model: &WrittenModel) {
    let mut labels = model.fields.iter().filter_map(|f| f.label.as_ref());
    let Some(first) = labels.next() else { return };
    for other in labels {
        cx.error_pair(
            (&other.key, "an object has one label, and this is another"),
            (&first.key, "`label` is first given here"),
        );
    }
}

fn one_label(cx: &Ctxt, model: &WrittenModel, embed: &WrittenEmbed) {
    let Some(label) = embed.label.as_ref() else { return };
    if model.kind() == Kind::Descriptor {
        let help =
            format!("mark the field, and leave this out: `#[adb(label)] {}: …`", label.value);
        cx.error_help(&label.key, "a descriptor's label is a field with `label`", help);
    }
}

fn a_face_is_in_a_picture(cx: &Ctxt, model: &WrittenModel, embed: &WrittenEmbed) {
    let Some(face) = embed.face.as_ref() else { return };
    if embed.from.is_none() && !embed.unread {
        let help = "name the picture: `from = photo`";
        cx.error_help(&face.key, "a face has to be looked for in something", help);
    }
    if model.kind() == Kind::Descriptor && face.value == "LargestOrSkip" {
        let help = "take `LargestOrFail`, or `LargestOrWhole`";
        cx.error_help(&face.key, "a descriptor can't be without its vector", help);
    }
}

fn no_id(cx: &Ctxt, model: &WrittenModel) {
    // Where something could not be read, that may have been the id.
    if model.unread || model.fields.iter().any(|f| f.unread) {
        return;
    }
    let message = format!(
        "`{}` has no id, so nothing tells its objects apart: a second run would add them again",
        model.ident
    );
    let help = match likely_id(model) {
        Some(field) => {
            let ty = field.ty.to_token_stream();
            format!("mark the field that identifies one: `#[adb(id)] {}: {ty}`", field.ident)
        }
        None => "add a field that identifies one, such as `#[adb(id)] id: u64`".to_owned(),
    };
    let help = format!(
        "{help}\nhelp: if only several fields together do, mark each of them\nhelp: if none does, \
         `#[adb(row_id)]` on the struct takes an id from the row in its source"
    );
    cx.error_help(&model.ident, message, help);
}

/// A field that is called like an id.
fn likely_id(model: &WrittenModel) -> Option<&WrittenField> {
    let free = || model.fields.iter().filter(|f| f.has_property() && f.embed.is_none());
    let called = |name: &WrittenField, names: &[&str]| {
        let field = name.ident.unraw().to_string();
        names.contains(&field.as_str())
    };
    free()
        .find(|f| called(f, &["id", "uuid"]))
        .or_else(|| free().find(|f| f.ident.to_string().ends_with("_id")))
        .or_else(|| free().find(|f| called(f, &["key", "name"])))
}

fn one_role(cx: &Ctxt, field: &WrittenField) {
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

fn index_is_for_properties(cx: &Ctxt, field: &WrittenField) {
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

fn rename_has_something_to_name(cx: &Ctxt, model: &WrittenModel, field: &WrittenField) {
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

/// What the Python SDK's models can't say has no name in its convention.
fn as_the_sdk_has_it(cx: &Ctxt, model: &WrittenModel) {
    if !model.is_as_sdk() {
        for embed in model.fields.iter().filter_map(|f| f.embed.as_ref()) {
            if let Some(class) = &embed.value.class {
                let message = "a descriptor's class follows from its model and field";
                let help = "take `class` away; with `convention = PythonSdk` it is needed";
                cx.error_help(&class.key, message, help);
            }
        }
        return;
    }
    if let Some(row_id) = &model.row_id {
        let help = "add a field that identifies an object: `#[adb(id)] id: String`";
        let message = "objects of the Python SDK have an `id` of their own";
        cx.error_help(&row_id.key, message, help);
    }
    if let Some(content_id) = &model.content_id {
        let help = "add a field that identifies an object: `#[adb(id)] id: String`";
        let message = "objects of the Python SDK have an `id` of their own";
        cx.error_help(&content_id.key, message, help);
    }
    let mut ids = model.fields.iter().filter_map(|f| Some((f, f.id.as_ref()?)));
    if let (Some((first, first_id)), Some((_, second))) = (ids.next(), ids.next()) {
        cx.error_pair(
            (&second.key, "objects of the Python SDK are identified by one property, `id`"),
            (&first_id.key, format!("`{}` is it", first.ident)),
        );
    }
    for field in &model.fields {
        if let (Some(_), Some(rename)) = (&field.id, &field.rename)
            && rename.value.value() != names::SDK_ID
        {
            let message = "in the Python SDK's convention the identity is the property `id`";
            cx.error_help(&rename.value, message, "take `rename` away");
        }
        if let Some(connect) = &field.connect
            && !matches!(connect.value.class, None | Some(ConnectionClass::OfChild))
        {
            let message = "in the Python SDK's convention a connection has the class of the child";
            cx.error_help(&connect.key, message, "write `connect` alone");
        }
        if let Some(class) = field.embed.as_ref().and_then(|e| e.value.class.as_ref())
            && let Some(fault) = names::name_fault(&class.value.value())
        {
            cx.error(&class.value, format_args!("the descriptors' class {fault}"));
        }
        if let Some(embed) = &field.embed
            && embed.value.class.is_none()
            && !embed.value.unread
        {
            let message = "in the Python SDK's convention a descriptor has a class of its own";
            let help = "name the Python class: `embed(…, class = \"DishLook\")`";
            cx.error_help(&embed.key, message, help);
        }
    }
}

fn was_has_something_to_rename(cx: &Ctxt, field: &WrittenField) {
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

/// What serde flattens is flattened here as well: the keys of a flattened child would lie where the
/// schema does not show them.
fn flattened_or_something_else(cx: &Ctxt, field: &WrittenField) {
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

fn with_is_for_properties(cx: &Ctxt, field: &WrittenField) {
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

fn property_name(cx: &Ctxt, field: &WrittenField) {
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

fn property_names_differ(cx: &Ctxt, model: &WrittenModel) {
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

fn connection_class(cx: &Ctxt, field: &WrittenField) {
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

fn default_has_something_to_fill(cx: &Ctxt, field: &WrittenField) {
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
fn parts_are_in_their_container(cx: &Ctxt, model: &WrittenModel, field: &WrittenField) {
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

fn label_is_on_a_part(cx: &Ctxt, model: &WrittenModel, field: &WrittenField) {
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
fn a_maker_has_something_to_make(cx: &Ctxt, field: &WrittenField) {
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

fn a_maker_and_what_it_reads_go_together(cx: &Ctxt, field: &WrittenField) {
    if field.unread {
        return;
    }
    match (&field.from, &field.by) {
        (Some(from), None) if field.embed.is_none() => {
            let help = format!("name the maker: `from = {}, by = Maker`", from.value);
            cx.error_help(&from.key, "`from` needs `by`: who makes the children", help);
        }
        (None, Some(by)) => {
            let maker = by.value.to_token_stream();
            let help = format!("name the field: `from = field, by = {maker}`");
            cx.error_help(&by.key, "`by` needs `from`: what the children are made from", help);
        }
        _ => {}
    }
}

fn names_a_field(cx: &Ctxt, model: &WrittenModel, given: Option<&Given<Ident>>) {
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

fn a_set_type_says_it_all(cx: &Ctxt, embed: &WrittenEmbed) {
    let Some(set) = &embed.set_type else { return };
    let inline = &embed.inline;
    let keys = [
        inline.embedder.as_ref().map(|k| &k.key),
        inline.metric.as_ref().map(|k| &k.key),
        inline.engine.as_ref().map(|k| &k.key),
    ];
    for key in keys.into_iter().flatten() {
        cx.error_pair(
            (key, format!("`{key}` is the set's own matter: say it where the set is declared")),
            (&set.value, "this set is a type, and declares itself"),
        );
    }
}

fn there_is_a_set(cx: &Ctxt, embed: TokenStream, written: &WrittenEmbed) {
    if written.set_type.is_none() && written.inline.name.is_none() && !written.unread {
        let help = "name a type with `#[derive(DescriptorSet)]`, `set = Photos`, or declare one \
                    here: `set = \"photos\", embedder = ClipVitB16`";
        cx.error_help(embed, "`embed` needs the set that the vectors go into", help);
    }
}

fn an_inline_set_has_an_embedder(cx: &Ctxt, embed: &WrittenEmbed) {
    if let (Some(name), None, false) = (&embed.inline.name, &embed.inline.embedder, embed.unread) {
        let help = format!(
            "`set = {0}, embedder = ClipVitB16`; or, for a set that has a type, `set = TheType`",
            name.value.to_token_stream()
        );
        cx.error_help(&name.value, "a set that is declared here needs its `embedder`", help);
    }
}

/// Two declarations of one set in one model; those of different models meet at run time.
fn inline_sets_agree(cx: &Ctxt, model: &WrittenModel) {
    let embeds = model.fields.iter().filter_map(|f| f.embed.as_ref()).map(|e| &e.value);
    let mut seen: HashMap<String, &WrittenEmbed> = HashMap::new();
    for embed in embeds.filter(|e| !e.unread && e.inline.embedder.is_some()) {
        let Some(name) = &embed.inline.name else { continue };
        let Some(first) = seen.get(&name.value.value()) else {
            seen.insert(name.value.value(), embed);
            continue;
        };
        if !embed.inline.agrees_with(&first.inline) {
            let message = format!(
                "the set {} is declared twice, and differently\nhelp: declare it once, as a type \
                 with `#[derive(DescriptorSet)]`, and name that: `set = TheType`",
                name.value.to_token_stream()
            );
            let also = "it is first declared here";
            cx.error_pair((&name.value, message), (first.inline.name_token(), also));
        }
    }
}
