//! The code of `#[derive(Property)]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{DeriveInput, Generics, Path, ext::IdentExt};

use super::written::Shape;
use crate::{bounds, given::Given, krate};

pub(crate) fn expand(
    krate: Option<&Given<Path>>,
    input: &DeriveInput,
    shape: &Shape,
) -> TokenStream {
    match shape {
        Shape::Texts(texts) => {
            let name = input.ident.unraw().to_string();
            let (variants, texts): (Vec<_>, Vec<_>) = texts.iter().map(|(v, t)| (v, t)).unzip();
            let body = quote! {
                const TYPE: _adb::ValueType = _adb::ValueType::String;
                fn to_value(&self) -> ::core::result::Result<_adb::Value, _adb::ValueError> {
                    ::core::result::Result::Ok(<_adb::Value as ::core::convert::From<
                        &::core::primitive::str,
                    >>::from(match self {
                        #(Self::#variants => #texts,)*
                    }))
                }
                fn from_value(
                    __value: _adb::Value,
                ) -> ::core::result::Result<Self, _adb::ValueError> {
                    if let _adb::Value::String(__text) = &__value {
                        match __text.as_str() {
                            #(#texts => return ::core::result::Result::Ok(Self::#variants),)*
                            _ => {}
                        }
                    }
                    ::core::result::Result::Err(_adb::ValueError::unexpected(#name, &__value))
                }
            };
            implementation(krate, input, &input.generics, &body, &quote!())
        }
        Shape::Around { field, ty } => {
            let body = quote! {
                const TYPE: _adb::ValueType = <#ty as _adb::Property>::TYPE;
                fn to_value(&self) -> ::core::result::Result<_adb::Value, _adb::ValueError> {
                    <#ty as _adb::Property>::to_value(&self.#field)
                }
                fn from_value(
                    __value: _adb::Value,
                ) -> ::core::result::Result<Self, _adb::ValueError> {
                    ::core::result::Result::Ok(Self {
                        #field: <#ty as _adb::Property>::from_value(__value)?,
                    })
                }
            };
            let needs = [(ty.to_token_stream(), quote!(#ty: _adb::Property))];
            let generics = bounds::extended(&input.generics, &input.ident, needs);
            // Over all lifetimes, which are none: the compiler then takes a bound that does not
            // hold as a condition, not as a mistake.
            let id_if = quote!(for<'__any> #ty: _adb::IdProperty);
            implementation(krate, input, &generics, &body, &id_if)
        }
    }
}

/// Beside errors: a property, so that nothing else is said of the models that have it.
pub(crate) fn stand_in(krate: Option<&Given<Path>>, input: &DeriveInput) -> TokenStream {
    let body = quote! {
        const TYPE: _adb::ValueType = _adb::ValueType::String;
        fn to_value(&self) -> ::core::result::Result<_adb::Value, _adb::ValueError> {
            ::core::unreachable!()
        }
        fn from_value(_: _adb::Value) -> ::core::result::Result<Self, _adb::ValueError> {
            ::core::unreachable!()
        }
    };
    implementation(krate, input, &input.generics, &body, &quote!())
}

/// The impl, and that of `IdProperty` under a condition.
fn implementation(
    krate: Option<&Given<Path>>,
    input: &DeriveInput,
    generics: &Generics,
    body: &TokenStream,
    id_if: &TokenStream,
) -> TokenStream {
    let krate = krate::path(krate);
    let ident = &input.ident;
    let (params, args, bounds) = generics.split_for_impl();
    let own = bounds.map(|bounds| bounds.predicates.iter().collect::<Vec<_>>()).unwrap_or_default();
    quote! {
        const _: () = {
            use #krate::__macro as _adb;

            #[automatically_derived]
            impl #params _adb::Property for #ident #args #bounds {
                #body
            }

            #[automatically_derived]
            impl #params _adb::IdProperty for #ident #args where #(#own,)* #id_if {}
        };
    }
}
