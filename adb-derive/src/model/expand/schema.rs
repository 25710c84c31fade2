//! The schema, as a constant.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::{fits, kind, place, role::role};
use crate::{
    converted,
    flattened::{self, Flattened, Listed},
    model::meaning::{Field, Model, Role},
    properties::expand::in_a_function,
};

pub(super) fn schema(model: &Model) -> TokenStream {
    let Model { name, class, doc, content_id, untyped, .. } = model;
    let kind = kind(model);
    let convention = format_ident!("{}", if model.as_sdk { "PythonSdk" } else { "Adb" });
    let listed: Vec<Listed<'_>> = model
        .fields
        .iter()
        .map(|field| match flattened(field) {
            Some(flattened) => Listed::Flattened(flattened),
            None => Listed::Own(field_schema(model, field)),
        })
        .collect();
    let fields = flattened::list(&listed);
    let mut check = fits::fields_fit_the_kind(model);
    check.extend(fits::sdk_has_no_media_beside(model));
    let names_differ = names_differ(model);
    quote! {
        const SCHEMA: &'static _adb::ModelSchema = {
            #check
            #names_differ
            &_adb::ModelSchema {
                name: #name,
                class: #class,
                kind: #kind,
                convention: _adb::Convention::#convention,
                doc: #doc,
                fields: #fields,
                untyped: #untyped,
                content_id: #content_id,
            }
        };
    }
}

fn flattened(field: &Field) -> Option<Flattened<'_>> {
    match field.role {
        Role::Flattened { in_rows } => Some(Flattened {
            name: field.name.clone(),
            ty: &field.ty,
            key: (!in_rows).then_some(&*field.key),
        }),
        _ => None,
    }
}

/// The macro has seen to its own properties; those of flattened structs it does not see.
fn names_differ(model: &Model) -> TokenStream {
    let all: Vec<Flattened<'_>> = model.fields.iter().filter_map(flattened).collect();
    let has_property = |field: &&Field| {
        !matches!(
            field.role,
            Role::Children { .. } | Role::Parts { .. } | Role::Label | Role::Flattened { .. }
        )
    };
    let own: Vec<(String, String)> = model
        .fields
        .iter()
        .filter(has_property)
        .map(|f| (f.name.clone(), f.property.clone()))
        .collect();
    flattened::names_differ(&model.name, &own, &all)
}

fn field_schema(model: &Model, field: &Field) -> TokenStream {
    let Field { name, key, property, doc, was, .. } = field;
    let role = role(field);
    let default = default(model, field);
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

/// What a row is filled up with that lacks the field, where serde does that.
fn default(model: &Model, field: &Field) -> TokenStream {
    match (&field.role, &field.serdes_default) {
        (Role::Stored { .. }, Some(default)) => {
            let (ty, at) = (&field.ty, place(model, field));
            quote! {
                ::core::option::Option::Some(|| {
                    let __value: #ty = #default;
                    _adb::default_of::<#ty>(&__value, #at)
                })
            }
        }
        (Role::Converted { with, .. }, Some(default)) => {
            let (ty, at) = (&field.ty, place(model, field));
            let value = converted::value(ty, with, &quote!(&__value), &at);
            in_a_function(ty, default, &value)
        }
        _ => quote!(::core::option::Option::None),
    }
}
