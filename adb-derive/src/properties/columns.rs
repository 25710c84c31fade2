//! The columns of a list of properties: those of whatever model takes it in.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{Generics, Ident, ext::IdentExt};

use super::written::{Written, WrittenField};
use crate::{bounds, converted};

/// Writes the struct of columns, which lies beside the impl.
pub(crate) struct Columns<'w> {
    written: &'w Written,
    name: Ident,
    /// The struct's parameters, and the model.
    generics: Generics,
}

impl<'w> Columns<'w> {
    pub(crate) fn of(written: &'w Written) -> Self {
        let types: TokenStream = written.fields.iter().map(|f| f.ty.to_token_stream()).collect();
        let mut name = format_ident!("{}Columns", written.ident.unraw());
        // It would hide a type of that name from the fields.
        while bounds::mentions(&types, |ident| *ident == name) {
            name = format_ident!("{name}_");
        }
        let mut generics = written.generics.clone();
        generics.params.push(syn::parse_quote!(__M));
        Self { written, name, generics }
    }

    /// The struct for the model `__M`.
    pub(crate) fn ty(&self) -> TokenStream {
        let name = &self.name;
        let (_, args, _) = self.generics.split_for_impl();
        quote!(#name #args)
    }

    pub(crate) fn declaration(&self) -> TokenStream {
        let Written { ident, vis, generics, .. } = self.written;
        let (_, args, _) = generics.split_for_impl();
        let (params, _, bounds) = self.generics.split_for_impl();
        let own = quote!(#ident #args);
        let bounds = bounds.map(|b| bounds::without_self(b.to_token_stream(), &own));
        let fields = self.stored().map(|field| {
            let WrittenField { ident, doc, .. } = field;
            let ty = bounds::without_self(field.ty.to_token_stream(), &own);
            let doc = (!doc.is_empty()).then(|| quote!(#[doc = #doc]));
            let column = if field.is_flattened() {
                quote!(_adb::FlatColumns<__M, #ty>)
            } else if field.with.is_some() {
                quote!(_adb::ConvertedColumn<__M, #ty>)
            } else {
                quote!(_adb::Column<__M, #ty>)
            };
            quote!(#doc pub #ident: #column)
        });
        let name = &self.name;
        quote! {
            #[allow(dead_code, non_snake_case)]
            #vis struct #name #params #bounds {
                __of: ::core::marker::PhantomData<fn() -> (#own, __M)>,
                #(#fields,)*
            }
        }
    }

    pub(crate) fn function(&self) -> TokenStream {
        let fields = self.stored().map(|field| {
            let WrittenField { ident, ty, .. } = field;
            let property = field.property();
            let column = if field.is_flattened() {
                quote!(_adb::FlatColumns::new())
            } else if let Some(with) = &field.with {
                converted::column(ty, &with.value, &property)
            } else {
                quote!(_adb::Column::new(#property))
            };
            quote!(#ident: #column)
        });
        let name = &self.name;
        quote! {
            fn columns<'__c, __M>() -> &'__c Self::Columns<__M> {
                const { &#name { __of: ::core::marker::PhantomData, #(#fields,)* } }
            }
        }
    }

    fn stored(&self) -> impl Iterator<Item = &'w WrittenField> + use<'w> {
        self.written.fields.iter().filter(|f| f.skip.is_none())
    }
}
