//! The code of `#[derive(Connection)]`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{ext::IdentExt, spanned::Spanned};

use super::written::{Written, WrittenField};
use crate::{krate, respan::located};

pub(crate) fn expand(written: &Written) -> TokenStream {
    let class = written.class();
    let stored = || written.fields.iter().filter(|f| f.skip.is_none());
    let schemas = stored().map(|field| schema(written, field));
    let values = stored().map(|field| {
        let WrittenField { ident, ty, .. } = field;
        let (at, property) = (place(written, field), field.property());
        quote! {
            if let ::core::option::Option::Some(__value) =
                <#ty as _adb::PropertyField>::value(&self.#ident, #at)?
            {
                __values.push((#property, __value));
            }
        }
    });
    let reads = written.fields.iter().map(|field| read(written, field));
    let body = quote! {
        const FIELDS: &'static [_adb::FieldSchema] = &[#(#schemas),*];
        fn properties(
            &self,
        ) -> ::core::result::Result<
            ::std::vec::Vec<(&'static ::core::primitive::str, _adb::Value)>,
            _adb::ModelError,
        > {
            #[allow(unused_mut)]
            let mut __values = ::std::vec::Vec::new();
            #(#values)*
            ::core::result::Result::Ok(__values)
        }
        fn read(__record: &_adb::Record) -> ::core::result::Result<Self, _adb::ModelError> {
            ::core::result::Result::Ok(Self { #(#reads),* })
        }
    };
    implementation(written, &class, &body)
}

/// Beside errors: a connection, so that nothing else is said of the models that name it.
pub(crate) fn stand_in(written: &Written) -> TokenStream {
    let body = quote! {
        const FIELDS: &'static [_adb::FieldSchema] = &[];
        fn properties(
            &self,
        ) -> ::core::result::Result<
            ::std::vec::Vec<(&'static ::core::primitive::str, _adb::Value)>,
            _adb::ModelError,
        > {
            ::core::unreachable!()
        }
        fn read(_: &_adb::Record) -> ::core::result::Result<Self, _adb::ModelError> {
            ::core::unreachable!()
        }
    };
    implementation(written, "", &body)
}

fn implementation(written: &Written, class: &str, body: &TokenStream) -> TokenStream {
    let krate = krate::path(written.krate.as_ref());
    let ident = &written.ident;
    let (params, args, bounds) = written.generics.split_for_impl();
    quote! {
        const _: () = {
            use #krate::__macro as _adb;

            #[automatically_derived]
            impl #params _adb::Connection for #ident #args #bounds {
                const CLASS: &'static ::core::primitive::str = #class;
                #body
            }
        };
    }
}

fn schema(written: &Written, field: &WrittenField) -> TokenStream {
    let WrittenField { ty, key, doc, .. } = field;
    let (name, property) = (field.ident.unraw().to_string(), field.property());
    let default = match &field.serdes_default {
        Some(default) => {
            let default = match default {
                Some(path) => quote!(#path()),
                None => quote!(::core::default::Default::default()),
            };
            let at = place(written, field);
            quote! {
                ::core::option::Option::Some(|| {
                    let __value: #ty = #default;
                    <#ty as _adb::PropertyField>::value(&__value, #at).ok().flatten()
                })
            }
        }
        None => quote!(::core::option::Option::None),
    };
    quote! {
        _adb::FieldSchema {
            name: #name,
            key: #key,
            property: #property,
            doc: #doc,
            role: _adb::FieldRole::Property {
                value_type: <#ty as _adb::PropertyField>::TYPE,
                optional: <#ty as _adb::PropertyField>::OPTIONAL,
                indexed: false,
            },
            default: #default,
        }
    }
}

fn read(written: &Written, field: &WrittenField) -> TokenStream {
    let WrittenField { ident, ty, .. } = field;
    let default = field.default.as_ref().map(|d| &d.value).or(field.serdes_default.as_ref());
    let default = default.map(|path| match path {
        Some(path) => quote!(#path()),
        None => quote!(::core::default::Default::default()),
    });
    let value = match (&field.skip, default) {
        (Some(_), Some(default)) => default,
        (Some(_), None) => {
            quote_spanned!(located(ty.span())=> <#ty as _adb::SkippedField>::made())
        }
        (None, default) => {
            let (at, property) = (place(written, field), field.property());
            let read = quote!(<#ty as _adb::PropertyField>::read(__record, #at)?);
            match default {
                None => read,
                Some(default) => {
                    quote!(if __record.lacks(#property) { #default } else { #read })
                }
            }
        }
    };
    quote!(#ident: #value)
}

fn place(written: &Written, field: &WrittenField) -> TokenStream {
    let (model, name) = (written.ident.unraw().to_string(), field.ident.unraw().to_string());
    let property = field.property();
    quote!(_adb::FieldPlace { model: #model, field: #name, property: #property })
}
