//! The code of `#[derive(DataModel)]`.
//!
//! Each trait is asked for at the token that would be guilty if the answer were no: that is where
//! the compiler puts its error.

mod build;
mod fits;
mod role;
mod schema;

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Type, spanned::Spanned};

use super::{
    columns::Columns,
    kind::Parts,
    made,
    meaning::{Field, Model, Role, Set},
    needs, read,
    written::ConnectionClass,
};
use crate::{respan::located, set::expand::spec};

pub(crate) fn expand(model: &Model) -> TokenStream {
    let Model { krate, ident, .. } = model;
    let schema = schema::schema(model);
    let build = build::build(model);
    let check = check_when_declared(model);
    let frames = made::regions_have_a_picture(model);
    let (params, args, _) = model.generics.split_for_impl();
    let bounds = needs::where_clause(model);
    let columns = Columns::of(model);
    let (columns_type, columns_struct, columns_fn) =
        (columns.ty(), columns.declaration(), columns.function());
    let read = read::function(model);
    let markers = Parts::ALL.into_iter().filter(|parts| parts.are(model.kind)).map(|parts| {
        let marker = format_ident!("{}", parts.marker());
        quote! {
            #[automatically_derived]
            impl #params _adb::#marker for #ident #args #bounds {}
        }
    });
    quote! {
        const _: () = {
            use #krate::__macro as _adb;
            #[allow(unused_imports)]
            use #krate::__macro::NoEdge as _;

            #columns_struct

            #[automatically_derived]
            impl #params _adb::DataModel for #ident #args #bounds {
                type Columns = #columns_type;
                type Bare = Self;
                #schema
                #build
                #columns_fn
                #read
            }

            #(#markers)*

            #check
            #frames
        };
    }
}

/// Constants of generic impls are evaluated where they are used; others here and now.
fn check_when_declared(model: &Model) -> Option<TokenStream> {
    let generic = model.generics.type_params().next().is_some()
        || model.generics.const_params().next().is_some();
    if generic {
        return None;
    }
    let ident = &model.ident;
    let lifetimes = model.generics.lifetimes().map(|_| quote!('static));
    Some(quote! {
        const _: &_adb::ModelSchema = <#ident<#(#lifetimes),*> as _adb::DataModel>::SCHEMA;
    })
}

fn kind(model: &Model) -> TokenStream {
    let variant = format_ident!("{}", model.kind.about().variant);
    quote!(_adb::ObjectKind::#variant)
}

/// How a field's children are joined to the object.
pub(crate) fn relation(field: &Field) -> TokenStream {
    let Role::Children { class, reversed } = &field.role else {
        return quote!(_adb::Relation::Part);
    };
    let variant = if *reversed { quote!(Reversed) } else { quote!(Connection) };
    match class {
        ConnectionClass::Text(class) => quote!(_adb::Relation::#variant(#class)),
        ConnectionClass::OfChild => {
            let Field { ty, property, .. } = field;
            quote! {
                _adb::Relation::ByField {
                    field: #property,
                    many: <#ty as _adb::Children>::MANY,
                }
            }
        }
        ConnectionClass::Type(edge) => {
            quote!(_adb::Relation::#variant(<#edge as _adb::Connection>::CLASS))
        }
    }
}

/// The set's embedder, and what must hold for the set to have one: what it is about, the bound.
pub(crate) fn embedder(set: &Set) -> (TokenStream, (TokenStream, TokenStream)) {
    match set {
        Set::Type(ty) => (
            quote_spanned!(located(ty.span())=> <#ty as _adb::DescriptorSet>::Embedder),
            (ty.to_token_stream(), quote!(#ty: _adb::DescriptorSet)),
        ),
        Set::Inline(set) => {
            let ty = &set.embedder;
            (ty.to_token_stream(), (ty.to_token_stream(), quote!(#ty: _adb::EmbedderSpec)))
        }
    }
}

fn set_spec(set: &Set) -> TokenStream {
    match set {
        Set::Type(ty) => quote!(<#ty as _adb::DescriptorSet>::SPEC),
        Set::Inline(set) => {
            let embedder = &set.embedder;
            spec(set, &quote!(new::<#embedder>))
        }
    }
}

/// Who is to blame when the embedder does not fit the field.
fn guilty(set: &Set) -> &Type {
    match set {
        Set::Type(ty) => ty,
        Set::Inline(set) => &set.embedder,
    }
}

pub(crate) fn place(model: &Model, field: &Field) -> TokenStream {
    let model = &model.name;
    let Field { name, property, .. } = field;
    quote!(_adb::FieldPlace { model: #model, field: #name, property: #property })
}
