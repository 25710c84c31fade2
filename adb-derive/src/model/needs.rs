//! Bounds of generic models, taken from the types of their fields.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::WhereClause;

use super::{
    expand::embedder,
    made,
    meaning::{Embedding, Field, Model, Role, Skipped},
    written::ConnectionClass,
};
use crate::bounds;

/// The model's own bounds, and one for each field whose type depends on a parameter.
pub(crate) fn where_clause(model: &Model) -> Option<WhereClause> {
    let fields =
        model.fields.iter().flat_map(|field| needs(field).into_iter().chain(made::needs(field)));
    let skipped = model.skipped.iter().filter_map(default_of);
    bounds::extended(&model.generics, &model.ident, fields.chain(skipped)).where_clause
}

/// What the code for a field relies on: the types that each bound is about, and the bound.
fn needs(field: &Field) -> Vec<(TokenStream, TokenStream)> {
    let ty = &field.ty;
    let on_type = |bound: TokenStream| (ty.to_token_stream(), bound);
    match &field.role {
        Role::Id => vec![on_type(quote!(#ty: _adb::IdProperty))],
        Role::Stored { .. } => vec![on_type(quote!(#ty: _adb::Field))],
        // The functions say which type they take; there is no bound for that.
        Role::Converted { .. } => Vec::new(),
        Role::Flattened { .. } => vec![on_type(quote!(#ty: _adb::Properties))],
        Role::Children { class: ConnectionClass::Text(_) | ConnectionClass::OfChild, .. } => vec![
            on_type(quote!(#ty: _adb::Children)),
            on_type(quote!(<#ty as _adb::Children>::Edge: _adb::PlainEdge)),
        ],
        Role::Children { class: ConnectionClass::Type(edge), .. } => vec![
            (edge.to_token_stream(), quote!(#edge: _adb::Connection)),
            on_type(quote!(#ty: _adb::Children)),
            (quote!(#ty #edge), quote!(<#ty as _adb::Children>::Edge: _adb::SameEdge<#edge>)),
        ],
        Role::Parts { what, .. } => {
            let marker = format_ident!("{}", what.marker());
            vec![
                on_type(quote!(#ty: _adb::Children)),
                on_type(quote!(<#ty as _adb::Children>::Edge: _adb::PlainEdge)),
                on_type(quote!(<#ty as _adb::Children>::Model: _adb::#marker)),
            ]
        }
        Role::Label => vec![on_type(quote!(#ty: _adb::LabelField))],
        Role::Embedding(embedding) => {
            let Embedding { from, label, set, face, .. } = &**embedding;
            let (embedder, set_bound) = embedder(set);
            let mut needs = vec![
                on_type(quote!(#ty: _adb::EmbeddingField)),
                set_bound,
                (
                    quote!(#embedder #ty),
                    quote!(#embedder: _adb::Produces<<#ty as _adb::EmbeddingField>::Vector>),
                ),
            ];
            if let Some(label) = label {
                let ty = &label.ty;
                needs.push((quote!(#ty), quote!(#ty: _adb::LabelField)));
            }
            if let Some(from) = from {
                let ty = &from.ty;
                needs.push((quote!(#ty), quote!(#ty: _adb::EmbedSource)));
                if face.is_some() {
                    needs.push((quote!(#ty face), quote!(#ty: _adb::FaceSource)));
                }
                needs.push((
                    quote!(#embedder #ty),
                    quote!(#embedder: _adb::Accepts<<#ty as _adb::EmbedSource>::Modality>),
                ));
            }
            needs
        }
    }
}

/// What reading makes anew must have a default.
fn default_of(skipped: &Skipped) -> Option<(TokenStream, TokenStream)> {
    let ty = &skipped.ty;
    let is_given = skipped.default.is_some();
    (!is_given).then(|| (ty.to_token_stream(), quote!(#ty: _adb::SkippedField)))
}
