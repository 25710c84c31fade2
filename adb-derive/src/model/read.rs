//! Reading objects back into the model.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use super::{
    expand::place,
    meaning::{Field, Model, Role, Skipped},
};
use crate::{converted, respan::located};

pub(crate) fn function(model: &Model) -> TokenStream {
    let stored = model.fields.iter().map(|field| {
        let ident = &field.ident;
        let value = value(model, field);
        quote!(#ident: #value)
    });
    let skipped = model.skipped.iter().map(|Skipped { ident, ty, default }| match default {
        Some(default) => quote!(#ident: #default),
        None => {
            let made = quote_spanned!(located(ty.span())=> <#ty as _adb::SkippedField>::made());
            quote!(#ident: #made)
        }
    });
    quote! {
        fn read(__record: &_adb::Record) -> ::core::result::Result<Self, _adb::ModelError> {
            ::core::result::Result::Ok(Self {
                #(#stored,)*
                #(#skipped,)*
            })
        }
    }
}

fn value(model: &Model, field: &Field) -> TokenStream {
    let Field { ty, name, .. } = field;
    let at = place(model, field);
    match &field.role {
        Role::Id => quote!(<#ty as _adb::IdProperty>::read_id(__record, #at)?),
        Role::Stored { .. } => {
            let read = quote!(<#ty as _adb::Field>::read(__record, #at)?);
            match &field.default {
                None => read,
                Some(default) => quote! {
                    if <#ty as _adb::Field>::is_absent(__record, #at) { #default } else { #read }
                },
            }
        }
        Role::Converted { with, .. } => {
            let read = converted::read(ty, with, &at);
            match &field.default {
                None => read,
                Some(default) => {
                    let property = &field.property;
                    quote!(if __record.lacks(#property) { #default } else { #read })
                }
            }
        }
        Role::Flattened { .. } => quote!(<#ty as _adb::Properties>::read(__record)?),
        Role::Embedding(_) => quote!(<#ty as _adb::EmbeddingField>::read(__record, #at)?),
        Role::Children { .. } | Role::Parts { .. } => {
            quote!(<#ty as _adb::Children>::read(__record.children(#name), #at)?)
        }
        Role::Label => {
            let read = quote!(<#ty as _adb::LabelField>::read(__record, #at)?);
            match &field.default {
                None => read,
                Some(default) => quote! {
                    if __record.label().is_none() { #default } else { #read }
                },
            }
        }
    }
}
