//! A list of properties as it is written.

use quote::ToTokens;
use syn::{
    Data, DeriveInput, Fields, Generics, Ident, LitStr, Path, Type, Visibility, ext::IdentExt,
};

use super::What;
use crate::{
    attr,
    case::RenameRule,
    ctxt::Ctxt,
    given::{self, Given, keep},
    model::written::{read_rule, source_key},
    serde_names,
};

pub(crate) struct Written {
    pub(crate) what: What,
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    pub(crate) generics: Generics,
    pub(crate) krate: Option<Given<Path>>,
    pub(crate) class: Option<Given<LitStr>>,
    pub(crate) fields: Vec<WrittenField>,
}

pub(crate) struct WrittenField {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) doc: String,
    pub(crate) key: String,
    pub(crate) by_rule: Option<String>,
    pub(crate) rename: Option<Given<LitStr>>,
    /// Names that the property had before.
    pub(crate) was: Vec<Given<LitStr>>,
    pub(crate) skip: Option<Given<()>>,
    pub(crate) index: Option<Given<()>>,
    pub(crate) with: Option<Given<Path>>,
    pub(crate) flatten: Option<Given<()>>,
    /// Whether serde is told to flatten it.
    pub(crate) serdes_flatten: bool,
    pub(crate) default: Option<Given<Option<Path>>>,
    pub(crate) serdes_default: Option<Option<Path>>,
}

impl Written {
    /// The class, for connections.
    pub(crate) fn class(&self) -> String {
        match &self.class {
            Some(class) => class.value.value(),
            None => self.ident.unraw().to_string(),
        }
    }
}

impl WrittenField {
    /// The name under which it is stored.
    pub(crate) fn property(&self) -> String {
        match (&self.rename, &self.by_rule) {
            (Some(renamed), _) => renamed.value.value(),
            (None, Some(by_rule)) => by_rule.clone(),
            (None, None) => self.key.clone(),
        }
    }

    /// Whether its own fields are stored, and not it.
    pub(crate) fn is_flattened(&self) -> bool {
        self.skip.is_none() && (self.flatten.is_some() || self.serdes_flatten)
    }

    /// Whether it is a property.
    pub(crate) fn has_property(&self) -> bool {
        self.skip.is_none() && !self.is_flattened()
    }
}

pub(crate) fn read(cx: &Ctxt, what: What, input: &DeriveInput) -> Written {
    let mut written = Written {
        what,
        ident: input.ident.clone(),
        vis: input.vis.clone(),
        generics: input.generics.clone(),
        krate: None,
        class: None,
        fields: Vec::new(),
    };
    let (keys, _) = what.keys();
    let mut rename_all: Option<Given<RenameRule>> = None;
    for item in attr::items(cx, &input.attrs) {
        match item.key.to_string().as_str() {
            "crate" => keep(cx, &mut written.krate, given::path(cx, item)),
            "rename_all" => keep(cx, &mut rename_all, read_rule(cx, item)),
            "class" if what == What::Connection => {
                keep(cx, &mut written.class, given::text(cx, item));
            }
            _ => given::unknown(cx, keys, &item),
        }
    }
    let for_keys = serde_names::rename_all(&input.attrs);
    let for_properties = rename_all.map(|rule| rule.value);
    for (ident, field) in named(cx, what, input) {
        written.fields.push(read_field(cx, what, ident, field, for_keys, for_properties));
    }
    written
}

/// The fields; a struct without braces has none.
fn named<'a>(cx: &Ctxt, what: What, input: &'a DeriveInput) -> Vec<(Ident, &'a syn::Field)> {
    let tokens = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Unnamed(unnamed) => unnamed.to_token_stream(),
            fields => {
                let with_name = |f: &'a syn::Field| Some((f.ident.clone()?, f));
                return fields.iter().filter_map(with_name).collect();
            }
        },
        Data::Enum(data) => data.enum_token.to_token_stream(),
        Data::Union(data) => data.union_token.to_token_stream(),
    };
    let help = format!("such as `struct {} {{ weight: f64 }}`", input.ident);
    cx.error_help(tokens, format_args!("{} is a struct with named fields", what.one()), help);
    Vec::new()
}

fn read_field(
    cx: &Ctxt,
    what: What,
    ident: Ident,
    field: &syn::Field,
    for_keys: Option<RenameRule>,
    for_properties: Option<RenameRule>,
) -> WrittenField {
    let mut written = WrittenField {
        ty: field.ty.clone(),
        doc: attr::doc(&field.attrs),
        key: source_key(&ident, &field.attrs, for_keys),
        by_rule: for_properties.map(|rule| rule.apply(&ident.unraw().to_string())),
        ident,
        rename: None,
        was: Vec::new(),
        skip: None,
        index: None,
        with: None,
        flatten: None,
        serdes_flatten: serde_names::flatten(&field.attrs).is_some(),
        default: None,
        serdes_default: serde_names::default(&field.attrs),
    };
    for item in attr::items(cx, &field.attrs) {
        match item.key.to_string().as_str() {
            "rename" => keep(cx, &mut written.rename, given::text(cx, item)),
            "was" => written.was.extend(given::text(cx, item)),
            "skip" => keep(cx, &mut written.skip, given::flag(cx, item)),
            "index" => keep(cx, &mut written.index, given::flag(cx, item)),
            "with" => keep(cx, &mut written.with, given::path(cx, item)),
            "flatten" => keep(cx, &mut written.flatten, given::flag(cx, item)),
            "default" => keep(cx, &mut written.default, given::path_or_none(cx, item)),
            _ => given::unknown(cx, what.keys().1, &item),
        }
    }
    written
}
