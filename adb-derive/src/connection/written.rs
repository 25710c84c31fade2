//! A connection as it is written.

use quote::ToTokens;
use syn::{Data, DeriveInput, Fields, Generics, Ident, LitStr, Path, Type, ext::IdentExt};

use crate::{
    attr,
    case::RenameRule,
    ctxt::Ctxt,
    given::{self, Given, keep},
    model::written::{read_rule, source_key},
    names, serde_names,
};

pub(crate) struct Written {
    pub(crate) ident: Ident,
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
    pub(crate) default: Option<Given<Option<Path>>>,
    pub(crate) serdes_default: Option<Option<Path>>,
}

impl Written {
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
}

pub(crate) fn read(cx: &Ctxt, input: &DeriveInput) -> Written {
    let mut written = Written {
        ident: input.ident.clone(),
        generics: input.generics.clone(),
        krate: None,
        class: None,
        fields: Vec::new(),
    };
    let mut rename_all: Option<Given<RenameRule>> = None;
    for item in attr::items(cx, &input.attrs) {
        match item.key.to_string().as_str() {
            "crate" => keep(cx, &mut written.krate, given::path(cx, item)),
            "class" => keep(cx, &mut written.class, given::text(cx, item)),
            "rename_all" => keep(cx, &mut rename_all, read_rule(cx, item)),
            _ => given::unknown(cx, &names::CONNECTION, &item),
        }
    }
    let for_keys = serde_names::rename_all(&input.attrs);
    let for_properties = rename_all.map(|rule| rule.value);
    for (ident, field) in named(cx, input) {
        written.fields.push(read_field(cx, ident, field, for_keys, for_properties));
    }
    written
}

/// The fields; a struct without braces has none.
fn named<'a>(cx: &Ctxt, input: &'a DeriveInput) -> Vec<(Ident, &'a syn::Field)> {
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
    cx.error_help(tokens, "a connection is a struct with named fields", help);
    Vec::new()
}

fn read_field(
    cx: &Ctxt,
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
        default: None,
        serdes_default: serde_names::default(&field.attrs),
    };
    for item in attr::items(cx, &field.attrs) {
        match item.key.to_string().as_str() {
            "rename" => keep(cx, &mut written.rename, given::text(cx, item)),
            "was" => written.was.extend(given::text(cx, item)),
            "skip" => keep(cx, &mut written.skip, given::flag(cx, item)),
            "default" => keep(cx, &mut written.default, given::path_or_none(cx, item)),
            _ => given::unknown(cx, &names::CONNECTION_FIELD, &item),
        }
    }
    written
}
