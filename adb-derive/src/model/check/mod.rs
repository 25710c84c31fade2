//! The rules of a data model, one function each. Types are the compiler's matter: what it has to
//! check stands in the code that the macro writes.

mod embed;
mod field;
mod identity;
mod naming;

use quote::ToTokens;

use super::written::{ConnectionClass, WrittenModel};
use crate::{ctxt::Ctxt, names};

pub(crate) use naming::old_names_are_free;

/// Checks everything that can be seen without knowing types.
pub(crate) fn all(cx: &Ctxt, model: &WrittenModel) {
    one_kind(cx, model);
    naming::class_name(cx, model);
    identity::identified(cx, model);
    for field in &model.fields {
        field::one_role(cx, field);
        field::index_is_for_properties(cx, field);
        naming::rename_has_something_to_name(cx, model, field);
        field::flattened_or_something_else(cx, field);
        field::with_is_for_properties(cx, field);
        naming::was_has_something_to_rename(cx, field);
        naming::property_name(cx, field);
        naming::connection_class(cx, field);
        field::default_has_something_to_fill(cx, field);
        field::parts_are_in_their_container(cx, model, field);
        field::label_is_on_a_part(cx, model, field);
        field::a_maker_has_something_to_make(cx, field);
        field::a_maker_and_what_it_reads_go_together(cx, field);
        field::names_a_field(cx, model, field.from.as_ref());
        if let Some(embed) = &field.embed {
            field::names_a_field(cx, model, embed.value.from.as_ref());
            field::names_a_field(cx, model, embed.value.label.as_ref());
            embed::one_label(cx, model, &embed.value);
            embed::a_face_is_in_a_picture(cx, model, &embed.value);
            embed::a_set_type_says_it_all(cx, &embed.value);
            embed::there_is_a_set(cx, embed.key.to_token_stream(), &embed.value);
            embed::an_inline_set_has_an_embedder(cx, &embed.value);
        }
    }
    naming::property_names_differ(cx, model);
    as_the_sdk_has_it(cx, model);
    let fields = model.fields.iter().filter(|f| f.has_property());
    old_names_are_free(cx, fields.map(|f| (&f.ident, f.property(), f.was.as_slice())));
    embed::a_descriptor_has_one_vector(cx, model);
    embed::a_descriptor_has_one_label(cx, model);
    identity::content_is_there(cx, model);
    identity::a_class_to_leave_out(cx, model);
    embed::inline_sets_agree(cx, model);
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
