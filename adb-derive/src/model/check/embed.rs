//! Vectors: their sets, what they are made from, their labels.

use std::collections::HashMap;

use proc_macro2::TokenStream;
use quote::ToTokens;

use crate::{
    ctxt::Ctxt,
    model::{
        kind::Kind,
        written::{WrittenEmbed, WrittenModel},
    },
};

pub(super) fn a_descriptor_has_one_vector(cx: &Ctxt, model: &WrittenModel) {
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
pub(super) fn a_descriptor_has_one_label(cx: &Ctxt, model: &WrittenModel) {
    let mut labels = model.fields.iter().filter_map(|f| f.label.as_ref());
    let Some(first) = labels.next() else { return };
    for other in labels {
        cx.error_pair(
            (&other.key, "an object has one label, and this is another"),
            (&first.key, "`label` is first given here"),
        );
    }
}

pub(super) fn one_label(cx: &Ctxt, model: &WrittenModel, embed: &WrittenEmbed) {
    let Some(label) = embed.label.as_ref() else { return };
    if model.kind() == Kind::Descriptor {
        let help =
            format!("mark the field, and leave this out: `#[adb(label)] {}: …`", label.value);
        cx.error_help(&label.key, "a descriptor's label is a field with `label`", help);
    }
}

pub(super) fn a_face_is_in_a_picture(cx: &Ctxt, model: &WrittenModel, embed: &WrittenEmbed) {
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

pub(super) fn a_set_type_says_it_all(cx: &Ctxt, embed: &WrittenEmbed) {
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

pub(super) fn there_is_a_set(cx: &Ctxt, embed: TokenStream, written: &WrittenEmbed) {
    if written.set_type.is_none() && written.inline.name.is_none() && !written.unread {
        let help = "name a type with `#[derive(DescriptorSet)]`, `set = Photos`, or declare one \
                    here: `set = \"photos\", embedder = ClipVitB16`";
        cx.error_help(embed, "`embed` needs the set that the vectors go into", help);
    }
}

pub(super) fn an_inline_set_has_an_embedder(cx: &Ctxt, embed: &WrittenEmbed) {
    if let (Some(name), None, false) = (&embed.inline.name, &embed.inline.embedder, embed.unread) {
        let help = format!(
            "`set = {0}, embedder = ClipVitB16`; or, for a set that has a type, `set = TheType`",
            name.value.to_token_stream()
        );
        cx.error_help(&name.value, "a set that is declared here needs its `embedder`", help);
    }
}

/// Two declarations of one set in one model; those of different models meet at run time.
pub(super) fn inline_sets_agree(cx: &Ctxt, model: &WrittenModel) {
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
