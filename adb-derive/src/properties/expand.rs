//! The code of `#[derive(Properties)]` and `#[derive(Connection)]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{Generics, Type, ext::IdentExt, spanned::Spanned};

use super::{
    What,
    columns::Columns,
    written::{Written, WrittenField},
};
use crate::{
    bounds, converted,
    flattened::{self, Flattened, Listed},
    krate,
    respan::located,
};

pub(crate) fn expand(written: &Written) -> TokenStream {
    let stored = || written.fields.iter().filter(|f| f.skip.is_none());
    let listed: Vec<Listed<'_>> = stored()
        .map(|field| match flattened(field) {
            Some(flattened) => Listed::Flattened(flattened),
            None => Listed::Own(schema(written, field)),
        })
        .collect();
    let fields = flattened::list(&listed);
    let model = written.ident.unraw().to_string();
    let own: Vec<(String, String)> = stored()
        .filter(|f| f.has_property())
        .map(|f| (f.ident.unraw().to_string(), f.property()))
        .collect();
    let all_flattened: Vec<Flattened<'_>> = stored().filter_map(flattened).collect();
    let check = flattened::names_differ(&model, &own, &all_flattened);
    let adds = stored().map(|field| add(written, field));
    let reads = written.fields.iter().map(|field| read(written, field));
    let generics = with_bounds(written);
    let columns = Columns::of(written);
    let (columns_type, columns_struct, columns_fn) =
        (columns.ty(), columns.declaration(), columns.function());
    let body = quote! {
        type Columns<__M> = #columns_type;
        const FIELDS: &'static [_adb::FieldSchema] = {
            #check
            #fields
        };
        #[allow(unused_variables)]
        fn add(
            &self,
            __values: &mut ::std::vec::Vec<(&'static ::core::primitive::str, _adb::Value)>,
        ) -> ::core::result::Result<(), _adb::ModelError> {
            #(#adds)*
            ::core::result::Result::Ok(())
        }
        fn read(__record: &_adb::Record) -> ::core::result::Result<Self, _adb::ModelError> {
            ::core::result::Result::Ok(Self { #(#reads),* })
        }
        #columns_fn
    };
    implementation(written, &generics, &written.class(), &columns_struct, &body)
}

/// Beside errors: a list without properties, so that nothing else is said of the models that name
/// it.
pub(crate) fn stand_in(written: &Written) -> TokenStream {
    let (_, args, _) = written.generics.split_for_impl();
    let ident = &written.ident;
    let mut generics = written.generics.clone();
    generics.params.push(syn::parse_quote!(__M));
    let (params, columns_args, bounds) = generics.split_for_impl();
    let names = written.fields.iter().map(|f| &f.ident);
    let vis = &written.vis;
    let columns_struct = quote! {
        #[allow(dead_code, non_snake_case)]
        #vis struct __Columns #params #bounds {
            __of: ::core::marker::PhantomData<fn() -> (#ident #args, __M)>,
            #(pub #names: _adb::Column<__M, _adb::AnyColumn>,)*
        }
    };
    let body = quote! {
        type Columns<__M> = __Columns #columns_args;
        const FIELDS: &'static [_adb::FieldSchema] = &[];
        fn add(
            &self,
            _: &mut ::std::vec::Vec<(&'static ::core::primitive::str, _adb::Value)>,
        ) -> ::core::result::Result<(), _adb::ModelError> {
            ::core::unreachable!()
        }
        fn read(_: &_adb::Record) -> ::core::result::Result<Self, _adb::ModelError> {
            ::core::unreachable!()
        }
        fn columns<'__c, __M>() -> &'__c Self::Columns<__M> {
            ::core::unreachable!()
        }
    };
    implementation(written, &written.generics, "", &columns_struct, &body)
}

fn implementation(
    written: &Written,
    generics: &Generics,
    class: &str,
    columns: &TokenStream,
    body: &TokenStream,
) -> TokenStream {
    let krate = krate::path(written.krate.as_ref());
    let ident = &written.ident;
    let (params, args, bounds) = generics.split_for_impl();
    let connection = (written.what == What::Connection).then(|| {
        quote! {
            #[automatically_derived]
            impl #params _adb::Connection for #ident #args #bounds {
                const CLASS: &'static ::core::primitive::str = #class;
            }
        }
    });
    let check = (generics.type_params().next().is_none()
        && generics.const_params().next().is_none())
    .then(|| {
        let lifetimes = generics.lifetimes().map(|_| quote!('static));
        quote! {
            const _: &[_adb::FieldSchema] = <#ident<#(#lifetimes),*> as _adb::Properties>::FIELDS;
        }
    });
    quote! {
        const _: () = {
            use #krate::__macro as _adb;

            #columns

            #[automatically_derived]
            impl #params _adb::Properties for #ident #args #bounds {
                #body
            }

            #connection

            #check
        };
    }
}

/// Bounds are taken from the types of the fields.
fn with_bounds(written: &Written) -> Generics {
    let needs = written.fields.iter().filter_map(|field| {
        let ty = &field.ty;
        let has_default = field.default.is_some() || field.serdes_default.is_some();
        let bound = if field.is_flattened() {
            quote!(#ty: _adb::Properties)
        } else if field.skip.is_none() && field.with.is_none() {
            quote!(#ty: _adb::PropertyField)
        } else if field.skip.is_some() && !has_default {
            quote!(#ty: _adb::SkippedField)
        } else {
            return None;
        };
        Some((ty.to_token_stream(), bound))
    });
    bounds::extended(&written.generics, &written.ident, needs)
}

fn flattened(field: &WrittenField) -> Option<Flattened<'_>> {
    field.is_flattened().then(|| Flattened {
        name: field.ident.unraw().to_string(),
        ty: &field.ty,
        key: (!field.serdes_flatten).then_some(&*field.key),
    })
}

fn schema(written: &Written, field: &WrittenField) -> TokenStream {
    let WrittenField { ty, key, doc, .. } = field;
    let (name, property) = (field.ident.unraw().to_string(), field.property());
    let was = field.was.iter().map(|name| &name.value);
    let indexed = field.index.is_some();
    let role = match &field.with {
        Some(with) => converted::role(ty, &with.value, indexed),
        None => quote! {
            _adb::FieldRole::Property {
                value_type: <#ty as _adb::PropertyField>::TYPE,
                optional: <#ty as _adb::PropertyField>::OPTIONAL,
                indexed: #indexed,
            }
        },
    };
    let default = match &field.serdes_default {
        Some(default) => {
            let default = match default {
                Some(path) => quote!(#path()),
                None => quote!(::core::default::Default::default()),
            };
            let at = place(written, field);
            let value = match &field.with {
                Some(with) => converted::value(ty, &with.value, &quote!(&__value), &at),
                None => quote!(<#ty as _adb::PropertyField>::value(&__value, #at)?),
            };
            in_a_function(ty, &default, &value)
        }
        None => quote!(::core::option::Option::None),
    };
    quote! {
        _adb::FieldSchema {
            name: #name,
            key: #key,
            property: #property,
            doc: #doc,
            was: &[#(#was),*],
            role: #role,
            default: #default,
            inside: ::core::option::Option::None,
        }
    }
}

/// The default's value as a function that a constant can hold; `value` makes one of `__value`.
pub(crate) fn in_a_function(ty: &Type, default: &TokenStream, value: &TokenStream) -> TokenStream {
    quote! {
        ::core::option::Option::Some(|| {
            let __value: #ty = #default;
            let __stored = (|| {
                let __stored = #value;
                ::core::result::Result::<_, _adb::ModelError>::Ok(__stored)
            })();
            __stored.ok().flatten()
        })
    }
}

fn add(written: &Written, field: &WrittenField) -> TokenStream {
    let WrittenField { ident, ty, .. } = field;
    if field.is_flattened() {
        return quote!(<#ty as _adb::Properties>::add(&self.#ident, __values)?;);
    }
    let (at, property) = (place(written, field), field.property());
    let value = match &field.with {
        Some(with) => converted::value(ty, &with.value, &quote!(&self.#ident), &at),
        None => quote!(<#ty as _adb::PropertyField>::value(&self.#ident, #at)?),
    };
    quote! {
        if let ::core::option::Option::Some(__value) = #value {
            __values.push((#property, __value));
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
        (None, _) if field.is_flattened() => quote!(<#ty as _adb::Properties>::read(__record)?),
        (None, default) => {
            let (at, property) = (place(written, field), field.property());
            let read = match &field.with {
                Some(with) => converted::read(ty, &with.value, &at),
                None => quote!(<#ty as _adb::PropertyField>::read(__record, #at)?),
            };
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
