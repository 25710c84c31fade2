//! What stands beside the errors, so that one mistake in a model is not followed by "is not a data
//! model" wherever that is used.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;

use super::{
    kind::Parts,
    written::{WrittenField, WrittenModel},
};
use crate::krate;

pub(crate) fn expand(model: &WrittenModel) -> TokenStream {
    let krate = krate::path(model.krate.as_ref());
    let WrittenModel { ident, vis, .. } = model;
    let name = ident.unraw().to_string();
    let (params, args, bounds) = model.generics.split_for_impl();
    // Columns agree to all that searches do with them. What is connected has a type that may be
    // the mistake: there is no link for it.
    let is_column =
        |f: &&WrittenField| f.connect.is_none() && f.parts.is_empty() && !f.is_flattened();
    let columns: Vec<_> = model.fields.iter().filter(is_column).map(|f| &f.ident).collect();
    let markers = Parts::ALL.map(|parts| {
        let marker = format_ident!("{}", parts.marker());
        quote!(impl #params _adb::#marker for #ident #args #bounds {})
    });
    quote! {
        const _: () = {
            use #krate::__macro as _adb;

            #[allow(dead_code, non_snake_case)]
            #vis struct __Columns #params #bounds {
                __model: ::core::marker::PhantomData<fn() -> #ident #args>,
                #(pub #columns: _adb::Column<#ident #args, _adb::AnyColumn>,)*
            }

            #[automatically_derived]
            impl #params _adb::DataModel for #ident #args #bounds {
                type Columns = __Columns #args;
                type Bare = Self;
                const SCHEMA: &'static _adb::ModelSchema = &_adb::ModelSchema {
                    name: #name,
                    class: #name,
                    .._adb::ModelSchema::BARE
                };
                fn build(
                    &self,
                    _: &mut _adb::GraphBuilder,
                ) -> ::core::result::Result<_adb::NodeId, _adb::ModelError> {
                    ::core::unreachable!()
                }
                fn columns() -> Self::Columns {
                    ::core::unreachable!()
                }
                fn read(_: &_adb::Record) -> ::core::result::Result<Self, _adb::ModelError> {
                    ::core::unreachable!()
                }
            }

            #(#markers)*
        };
    }
}
