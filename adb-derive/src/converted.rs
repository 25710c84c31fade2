//! The code of a field with `#[adb(with = …)]`: `path::TYPE`, `path::to_value`, `path::from_value`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Path, Type, spanned::Spanned};

use crate::respan::{located, respan};

/// What the field is.
pub(crate) fn role(ty: &Type, path: &Path, indexed: bool) -> TokenStream {
    let (value_type, to_value) = (item(path, "TYPE"), item(path, "to_value"));
    quote_spanned! {located(path.span())=>
        _adb::FieldRole::Property {
            value_type: #value_type,
            optional: _adb::with_is_optional::<#ty, _, _, _>(#to_value),
            indexed: #indexed,
        }
    }
}

/// The field's value to store, an `Option`.
pub(crate) fn value(ty: &Type, path: &Path, field: &TokenStream, at: &TokenStream) -> TokenStream {
    let (value_type, to_value) = (item(path, "TYPE"), item(path, "to_value"));
    quote_spanned! {located(path.span())=>
        _adb::with_property::<#ty, _, _, _>(#field, #at, #value_type, #to_value)?
    }
}

/// The field, read back.
pub(crate) fn read(ty: &Type, path: &Path, at: &TokenStream) -> TokenStream {
    let from_value = item(path, "from_value");
    quote_spanned! {located(path.span())=>
        _adb::with_read::<#ty, _, _>(__record, #at, #from_value)?
    }
}

/// The field's column.
pub(crate) fn column(ty: &Type, path: &Path, property: &str) -> TokenStream {
    let (value_type, to_value) = (item(path, "TYPE"), item(path, "to_value"));
    quote_spanned! {located(path.span())=>
        _adb::ConvertedColumn::new(#property, |__value: &#ty| {
            _adb::with_value::<#ty, _, _, _>(__value, #value_type, #to_value)
        })
    }
}

/// An item at the path; if it is not there, or does not fit, that is shown where the path stands.
fn item(path: &Path, name: &str) -> TokenStream {
    let name = syn::Ident::new(name, path.span());
    respan(&quote!(#path::#name), path.span())
}
