//! Bounds of generic structs, taken from the types of their fields.

use proc_macro2::{Group, TokenStream, TokenTree};
use syn::{Generics, Ident, WherePredicate};

/// The struct's parameters with more bounds: each of `needs` is the types that a bound is about,
/// and the bound; it is taken if the types depend on a parameter.
pub(crate) fn extended(
    generics: &Generics,
    own: &Ident,
    needs: impl IntoIterator<Item = (TokenStream, TokenStream)>,
) -> Generics {
    let types = generics.type_params().map(|p| &p.ident);
    let parameters: Vec<&Ident> = types.chain(generics.const_params().map(|p| &p.ident)).collect();
    let bounds: Vec<WherePredicate> = needs
        .into_iter()
        .filter(|(about, _)| mentions(about, |ident| parameters.contains(&ident)))
        // A field of the struct's own type: its bound is the impl itself, and the compiler would
        // go round in circles proving one from the other.
        .filter(|(about, _)| !mentions(about, |ident| *ident == *own || ident == "Self"))
        .map(|(_, bound)| syn::parse_quote!(#bound))
        .collect();
    let mut generics = generics.clone();
    if !bounds.is_empty() {
        generics.make_where_clause().predicates.extend(bounds);
    }
    generics
}

pub(crate) fn mentions(tokens: &TokenStream, which: impl Fn(&Ident) -> bool + Copy) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => which(&ident),
        TokenTree::Group(group) => mentions(&group.stream(), which),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// In another struct, `Self` would be that one.
pub(crate) fn without_self(tokens: TokenStream, own: &TokenStream) -> TokenStream {
    tokens
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Ident(ident) if ident == "Self" => own.clone(),
            TokenTree::Group(group) => {
                let inner = without_self(group.stream(), own);
                let mut same = Group::new(group.delimiter(), inner);
                same.set_span(group.span());
                TokenTree::Group(same).into()
            }
            other => other.into(),
        })
        .collect()
}
