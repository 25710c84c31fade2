//! Whether the fields fit the kind of the model's objects: checked by the compiler, since only types
//! know which fields are media or geometry.

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::spanned::Spanned;

use super::kind;
use crate::{
    model::{
        kind::{About, Kind},
        meaning::{Model, Role},
    },
    respan::located,
};

/// Which fields are media or geometry only their types know.
pub(super) fn fields_fit_the_kind(model: &Model) -> TokenStream {
    let stored = model.fields.iter().filter(|f| matches!(f.role, Role::Stored { .. }));
    let stored = stored.map(|f| &f.ty);
    let name = &model.name;
    let kind = kind(model);
    let About { one, key, own_types, example, own, .. } = model.kind.about();
    let others = format!(
        "`{name}` is {one}, and one of its fields says where an object lies in another: a `Rect` \
         belongs to `#[adb(bounding_box)]`, a `Polygon` to `#[adb(polygon)]`, a span to \
         `#[adb(clip)]`, and a moment to `#[adb(frame)]`"
    );
    let span = located(model.kind_span);
    let fault = quote_spanned! {span=>
        _adb::FieldKind::fault(&[#(<#stored as _adb::Field>::KIND),*], #kind)
    };
    if !model.kind.has_own_field() {
        let vector = model.fields.iter().find(|f| matches!(f.role, Role::Embedding(_)));
        let optional = vector.filter(|_| model.kind == Kind::Descriptor).map(|field| {
            let message = format!(
                "`{name}` is a descriptor, so its vector can't be an `Option`: write `Embedding<N>`, and leave out the object where there is none"
            );
            let ty = &field.ty;
            quote_spanned! {located(ty.span())=>
                if <#ty as _adb::EmbeddingField>::OPTIONAL {
                    ::core::panic!(#message)
                }
            }
        });
        return quote_spanned! {span=>
            if let ::core::option::Option::Some(_) = #fault {
                ::core::panic!(#others)
            }
            #optional
        };
    }
    let none = format!(
        "`{name}` is {one}, but none of its fields has the type {own_types}: add one, such as \
         `{example}`, or take `#[adb({key})]` away"
    );
    let (several, optional) = if model.kind.is_part() {
        (
            format!(
                "`{name}` is {one}, but several of its fields have the type {own_types}: it has \
                 one {own}. Make a model for each, or store the others as properties"
            ),
            format!(
                "`{name}` is {one}, so its {own} can't be an `Option`: it lies somewhere in what \
                 it is a part of"
            ),
        )
    } else {
        (
            format!(
                "`{name}` is {one}, but has several fields of the type {own_types}: such an \
                 object is one {own}. Move the others into a model of their own, or take \
                 `#[adb({key})]` away: an entity can have any number of them"
            ),
            format!(
                "`{name}` is {one}, so its {own} can't be an `Option`: take `#[adb({key})]` away, \
                 and an entity with an optional {own} remains"
            ),
        )
    };
    quote_spanned! {span=>
        match #fault {
            ::core::option::Option::None => {}
            ::core::option::Option::Some(_adb::KindFault::None) => ::core::panic!(#none),
            ::core::option::Option::Some(_adb::KindFault::Optional) => ::core::panic!(#optional),
            ::core::option::Option::Some(_adb::KindFault::Several) => ::core::panic!(#several),
            ::core::option::Option::Some(_adb::KindFault::OthersGeometry) => {
                ::core::panic!(#others)
            }
        }
    }
}

/// In the Python SDK's convention a picture of an object is a child model.
pub(super) fn sdk_has_no_media_beside(model: &Model) -> Option<TokenStream> {
    let stored = model.fields.iter().filter(|f| matches!(f.role, Role::Stored { .. }));
    let stored = stored.map(|f| &f.ty);
    let kind = kind(model);
    let message = format!(
        "`{}` follows the Python SDK's convention, where a picture, a video or a file of an object \
         is a model of its own: make it a child, `#[adb(connect)]`, with `#[adb(image)]` or such",
        model.name
    );
    model.as_sdk.then(|| {
        quote_spanned! {located(model.kind_span)=>
            if _adb::FieldKind::has_media_beside(&[#(<#stored as _adb::Field>::KIND),*], #kind) {
                ::core::panic!(#message)
            }
        }
    })
}
