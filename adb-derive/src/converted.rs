//! The code of a field with `#[adb(with = …)]`: `path::TYPE`, `path::to_value`, `path::from_value`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Path, Type};

/// What the field is.
pub(crate) fn role(ty: &Type, path: &Path, indexed: bool) -> TokenStream {
    quote! {
        _adb::FieldRole::Property {
            value_type: #path::TYPE,
            optional: _adb::with_is_optional::<#ty, _, _, _>(#path::to_value),
            indexed: #indexed,
        }
    }
}

/// The field's value to store, an `Option`.
pub(crate) fn value(ty: &Type, path: &Path, field: &TokenStream, at: &TokenStream) -> TokenStream {
    quote! {
        _adb::with_property::<#ty, _, _, _>(#field, #at, #path::TYPE, #path::to_value)?
    }
}

/// The field, read back.
pub(crate) fn read(ty: &Type, path: &Path, at: &TokenStream) -> TokenStream {
    quote!(_adb::with_read::<#ty, _, _>(__record, #at, #path::from_value)?)
}

/// The field's column.
pub(crate) fn column(ty: &Type, path: &Path, property: &str) -> TokenStream {
    quote! {
        _adb::ConvertedColumn::new(#property, |__value: &#ty| {
            _adb::with_value::<#ty, _, _, _>(__value, #path::TYPE, #path::to_value)
        })
    }
}
