//! The model's columns: a struct with one field for each property and each connection, for the
//! closures of a search.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::Ident;

use super::{
    expand::relation,
    meaning::{Field, Model, Role},
};
use crate::{
    bounds::{mentions, without_self},
    converted,
};

/// Writes that struct. It lies beside the impl, where no name of the user's is near.
pub(crate) struct Columns<'m> {
    model: &'m Model,
    name: Ident,
}

impl<'m> Columns<'m> {
    pub(crate) fn of(model: &'m Model) -> Self {
        let types: TokenStream = model.fields.iter().map(|f| f.ty.to_token_stream()).collect();
        let mut name = format_ident!("{}Columns", model.name);
        // It would hide a type of that name from the fields.
        while mentions(&types, |ident| *ident == name) {
            name = format_ident!("{name}_");
        }
        Self { model, name }
    }

    pub(crate) fn ty(&self) -> TokenStream {
        let name = &self.name;
        let (_, args, _) = self.model.generics.split_for_impl();
        quote!(#name #args)
    }

    /// No trait is asked for here: a type that does not fit is an error elsewhere, and only there.
    pub(crate) fn declaration(&self) -> TokenStream {
        let Model { vis, ident, generics, .. } = self.model;
        let (params, args, bounds) = generics.split_for_impl();
        let model = quote!(#ident #args);
        let bounds = bounds.map(|bounds| without_self(bounds.to_token_stream(), &model));
        let fields = self.each().map(|field| {
            let Field { ident, doc, .. } = field;
            let ty = without_self(field.ty.to_token_stream(), &model);
            let doc = (!doc.is_empty()).then(|| quote!(#[doc = #doc]));
            let column = match field.role {
                Role::Children { .. } | Role::Parts { .. } => quote!(_adb::Link<#model, #ty>),
                Role::Converted { .. } => quote!(_adb::ConvertedColumn<#model, #ty>),
                Role::Flattened { .. } => quote!(_adb::FlatColumns<#model, #ty>),
                _ => quote!(_adb::Column<#model, #ty>),
            };
            quote!(#doc pub #ident: #column)
        });
        let unused =
            self.unused().then(|| quote!(__model: ::core::marker::PhantomData<fn() -> #model>,));
        let name = &self.name;
        quote! {
            #[allow(dead_code, non_snake_case)]
            #vis struct #name #params #bounds {
                #unused
                #(#fields,)*
            }
        }
    }

    pub(crate) fn function(&self) -> TokenStream {
        let fields = self.each().map(|field| {
            let Field { ident, ty, property, .. } = field;
            match &field.role {
                Role::Children { .. } | Role::Parts { .. } => {
                    let relation = relation(field);
                    quote!(#ident: _adb::Link::new(#relation))
                }
                Role::Converted { with, .. } => {
                    let column = converted::column(ty, with, property);
                    quote!(#ident: #column)
                }
                Role::Flattened { .. } => quote!(#ident: _adb::FlatColumns::new()),
                Role::Label => quote!(#ident: _adb::Column::new("_label")),
                _ => quote!(#ident: _adb::Column::new(#property)),
            }
        });
        let unused = self.unused().then(|| quote!(__model: ::core::marker::PhantomData,));
        let name = &self.name;
        quote! {
            fn columns() -> Self::Columns {
                #name { #unused #(#fields,)* }
            }
        }
    }

    /// Vectors are not searched through columns.
    fn each(&self) -> impl Iterator<Item = &'m Field> {
        let fields = self.model.fields.iter();
        fields.filter(|f| !matches!(f.role, Role::Embedding(_)))
    }

    /// Whether no column would mention the model's parameters.
    fn unused(&self) -> bool {
        self.each().next().is_none()
    }
}
