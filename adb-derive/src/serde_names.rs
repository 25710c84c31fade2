//! What serde's own attributes say about names. Whether they are right is for serde to say: what
//! can't be read here is passed over.

use syn::{Attribute, Expr, ExprLit, Lit, LitStr, Meta, Path, Token, punctuated::Punctuated};

use crate::case::RenameRule;

/// `rename_all` on a struct, as rows are read.
pub(crate) fn rename_all(attributes: &[Attribute]) -> Option<RenameRule> {
    metas(attributes)
        .filter_map(|meta| for_reading(&meta, "rename_all"))
        .find_map(|rule| RenameRule::by_name(&rule.value()))
}

/// `rename` on a field, as rows are read.
pub(crate) fn rename(attributes: &[Attribute]) -> Option<LitStr> {
    metas(attributes).find_map(|meta| for_reading(&meta, "rename"))
}

/// `flatten` on a field.
pub(crate) fn flatten(attributes: &[Attribute]) -> Option<Meta> {
    metas(attributes).find(|meta| meta.path().is_ident("flatten"))
}

/// `default` on a struct or a field; with a path, the function that makes it.
pub(crate) fn default(attributes: &[Attribute]) -> Option<Option<Path>> {
    metas(attributes).find_map(|meta| match &meta {
        Meta::Path(path) if path.is_ident("default") => Some(None),
        Meta::NameValue(pair) if pair.path.is_ident("default") => {
            Some(text(&pair.value).and_then(|path| path.parse().ok()))
        }
        _ => None,
    })
}

fn metas(attributes: &[Attribute]) -> impl Iterator<Item = Meta> {
    attributes
        .iter()
        .filter(|a| a.path().is_ident("serde"))
        .filter_map(|a| a.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok())
        .flatten()
}

/// `key = "…"`, or the `deserialize` of `key(serialize = "…", deserialize = "…")`.
fn for_reading(meta: &Meta, key: &str) -> Option<LitStr> {
    match meta {
        Meta::NameValue(pair) if pair.path.is_ident(key) => text(&pair.value),
        Meta::List(list) if list.path.is_ident(key) => list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .ok()?
            .iter()
            .find_map(|inner| for_reading(inner, "deserialize")),
        _ => None,
    }
}

/// A literal; one that a declarative macro passed on stands in a group.
fn text(value: &Expr) -> Option<LitStr> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.clone()),
        Expr::Group(group) => text(&group.expr),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_for_reading_counts() {
        let name = |field: syn::Field| rename(&field.attrs).map(|n| n.value());
        assert_eq!(
            name(syn::parse_quote!(#[serde(default, rename = "a")] f: u8)),
            Some("a".into())
        );
        assert_eq!(
            name(syn::parse_quote!(#[serde(rename(serialize = "w", deserialize = "r"))] f: u8)),
            Some("r".into())
        );
        assert_eq!(name(syn::parse_quote!(#[serde(rename(serialize = "w"))] f: u8)), None);
        assert_eq!(name(syn::parse_quote!(#[serde(default = "path")] f: u8)), None);
    }

    #[test]
    fn what_serde_will_refuse_is_passed_over() {
        let model: syn::DeriveInput = syn::parse_quote!(
            #[serde(rename_all = "Camel")]
            #[serde = 1]
            struct S;
        );
        assert_eq!(rename_all(&model.attrs), None);
    }
}
