//! A property as it is written.

use std::collections::HashMap;

use quote::ToTokens;
use syn::{Data, DeriveInput, Fields, Ident, LitStr, Member, Path, Type, ext::IdentExt};

use crate::{
    attr,
    case::RenameRule,
    ctxt::Ctxt,
    given::{self, Given, keep},
    model::written::read_rule,
    names, serde_names,
};

pub(crate) struct Written {
    pub(crate) krate: Option<Given<Path>>,
    /// What it is; nothing if it can't be stored.
    pub(crate) shape: Option<Shape>,
}

pub(crate) enum Shape {
    /// Each variant is a text.
    Texts(Vec<(Ident, String)>),
    /// A struct around another property.
    Around { field: Member, ty: Box<Type> },
}

pub(crate) fn read(cx: &Ctxt, input: &DeriveInput) -> Written {
    let mut krate = None;
    let mut rename_all: Option<Given<RenameRule>> = None;
    for item in attr::items(cx, &input.attrs) {
        match item.key.to_string().as_str() {
            "crate" => keep(cx, &mut krate, given::path(cx, item)),
            "rename_all" => keep(cx, &mut rename_all, read_rule(cx, item)),
            _ => given::unknown(cx, &names::PROPERTY, &item),
        }
    }
    let rule = rename_all.map(|r| r.value).or_else(|| serde_names::rename_all(&input.attrs));
    let shape = match &input.data {
        Data::Enum(data) => variants(cx, input, data, rule),
        Data::Struct(data) => around(cx, input, &data.fields),
        Data::Union(data) => {
            cx.error(data.union_token, "a union can't be a property");
            None
        }
    };
    Written { krate, shape }
}

fn variants(
    cx: &Ctxt,
    input: &DeriveInput,
    data: &syn::DataEnum,
    rule: Option<RenameRule>,
) -> Option<Shape> {
    if data.variants.is_empty() {
        cx.error(&input.ident, "an enum without variants has no value to store");
        return None;
    }
    let mut texts: Vec<(Ident, String)> = Vec::new();
    let mut seen: HashMap<String, Ident> = HashMap::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            let help = "a property holds one value: take the fields away, or store the enum as \
                        JSON, `AsJson<…>`";
            cx.error_help(variant, "only variants without fields can be stored as text", help);
            continue;
        }
        let mut rename: Option<Given<LitStr>> = None;
        for item in attr::items(cx, &variant.attrs) {
            match item.key.to_string().as_str() {
                "rename" => keep(cx, &mut rename, given::text(cx, item)),
                _ => given::unknown(cx, &names::VARIANT, &item),
            }
        }
        let name = variant.ident.unraw().to_string();
        let text = rename
            .map(|r| r.value)
            .or_else(|| serde_names::rename(&variant.attrs))
            .map(|renamed| renamed.value())
            .unwrap_or_else(|| rule.map_or_else(|| name.clone(), |r| r.apply_to_variant(&name)));
        if let Some(first) = seen.insert(text.clone(), variant.ident.clone()) {
            cx.error_pair(
                (&variant.ident, format!("two variants are stored as `{text}`")),
                (first, format!("`{text}` is first taken here")),
            );
        }
        texts.push((variant.ident.clone(), text));
    }
    Some(Shape::Texts(texts))
}

fn around(cx: &Ctxt, input: &DeriveInput, fields: &Fields) -> Option<Shape> {
    let mut all = fields.members().zip(fields.iter());
    match (all.next(), all.next()) {
        (Some((field, inner)), None) => {
            Some(Shape::Around { field, ty: Box::new(inner.ty.clone()) })
        }
        _ => {
            let at = match fields {
                Fields::Unit => input.ident.to_token_stream(),
                fields => fields.to_token_stream(),
            };
            let help = "several values are several properties, or one as JSON: `AsJson<…>`";
            cx.error_help(at, "a struct that is a property has exactly one field", help);
            None
        }
    }
}
