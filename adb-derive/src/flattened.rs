//! The code of flattened fields: another struct's properties among one's own.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{Type, spanned::Spanned};

use crate::respan::located;

/// A field whose own fields are stored.
pub(crate) struct Flattened<'a> {
    /// Its name, without `r#`.
    pub(crate) name: String,
    pub(crate) ty: &'a Type,
    /// Its key in a source, if serde does not flatten it.
    pub(crate) key: Option<&'a str>,
}

/// One of the fields of a list: a schema, or what is flattened.
pub(crate) enum Listed<'a> {
    Own(TokenStream),
    Flattened(Flattened<'a>),
}

/// The list as an expression of the type `&'static [FieldSchema]`.
pub(crate) fn list(fields: &[Listed<'_>]) -> TokenStream {
    if fields.iter().all(|f| matches!(f, Listed::Own(_))) {
        let fields = fields.iter().map(|f| match f {
            Listed::Own(schema) => Some(schema),
            Listed::Flattened(_) => None,
        });
        return quote!(&[#(#fields),*]);
    }
    let parts = fields.iter().map(|field| match field {
        Listed::Own(schema) => quote!((::core::option::Option::None, &[#schema])),
        Listed::Flattened(Flattened { name, ty, key }) => {
            let key = match key {
                Some(key) => quote!(::core::option::Option::Some(#key)),
                None => quote!(::core::option::Option::None),
            };
            quote! {
                (
                    ::core::option::Option::Some(_adb::Inside {
                        field: #name,
                        key: #key,
                        optional: <#ty as _adb::Properties>::OPTIONAL,
                    }),
                    <#ty as _adb::Properties>::FIELDS,
                )
            }
        }
    });
    quote!(const { &_adb::FieldList::joined(&[#(#parts),*]) }.as_slice())
}

/// Statements of a constant: no two properties have one name. `own` are fields and properties of
/// the struct itself.
pub(crate) fn names_differ(
    model: &str,
    own: &[(String, String)],
    flattened: &[Flattened<'_>],
) -> TokenStream {
    let mut checks = TokenStream::new();
    let properties: Vec<&str> = own.iter().map(|(_, property)| property.as_str()).collect();
    for (i, Flattened { name, ty, .. }) in flattened.iter().enumerate() {
        let span = located(ty.span());
        if !own.is_empty() {
            let arms = own.iter().enumerate().map(|(i, (field, property))| {
                let message = format!(
                    "`{model}.{field}` and a field of `{model}.{name}`, which is flattened, are both stored as `{property}`"
                );
                panics(span, i, &message)
            });
            checks.extend(quote_spanned! {span=>
                match _adb::clash(&[#(#properties),*], <#ty as _adb::Properties>::FIELDS) {
                    #(#arms)*
                    _ => {}
                }
            });
        }
        for Flattened { name: first, ty: other, .. } in &flattened[..i] {
            let message = format!(
                "`{model}.{first}` and `{model}.{name}`, which are flattened, have fields that are stored under one name"
            );
            checks.extend(quote_spanned! {span=>
                if _adb::clash_of(
                    <#other as _adb::Properties>::FIELDS,
                    <#ty as _adb::Properties>::FIELDS,
                ) {
                    ::core::panic!(#message)
                }
            });
        }
    }
    checks
}

fn panics(span: Span, index: usize, message: &str) -> TokenStream {
    quote_spanned!(span=> #index => ::core::panic!(#message),)
}
