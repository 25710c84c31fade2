//! What stands beside the errors, so that one mistake in a model is not followed by "is not a data
//! model" wherever that is used.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;

use super::written::WrittenModel;
use crate::krate;

pub(crate) fn expand(model: &WrittenModel) -> TokenStream {
    let krate = krate::path(model.krate.as_ref());
    let ident = &model.ident;
    let name = ident.unraw().to_string();
    let (params, args, bounds) = model.generics.split_for_impl();
    quote! {
        const _: () = {
            use #krate::__macro as _adb;

            #[automatically_derived]
            impl #params _adb::DataModel for #ident #args #bounds {
                const SCHEMA: &'static _adb::ModelSchema = &_adb::ModelSchema {
                    name: #name,
                    class: #name,
                    kind: _adb::ObjectKind::Entity,
                    doc: "",
                    fields: &[],
                };
                fn build(
                    &self,
                    _: &mut _adb::GraphBuilder,
                ) -> ::core::result::Result<_adb::NodeId, _adb::ModelError> {
                    ::core::unreachable!()
                }
            }
        };
    }
}
