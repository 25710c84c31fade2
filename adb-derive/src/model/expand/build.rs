//! From a value to its graph.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::{kind, place, relation, set_spec};
use crate::{
    converted,
    model::{
        made,
        meaning::{Embedding, Field, Model, Role, Source},
    },
    respan::respan,
};

pub(super) fn build(model: &Model) -> TokenStream {
    let Model { class, .. } = model;
    let kind = kind(model);
    let enter = enter(model, class, &kind);
    let adds = model.fields.iter().filter_map(|field| add(model, field));
    let convention =
        model.as_sdk.then(|| quote!(__graph.convention(__node, _adb::Convention::PythonSdk);));
    let untyped = model.untyped.then(|| quote!(__graph.untyped(__node);));
    quote! {
        fn build(
            &self,
            __graph: &mut _adb::GraphBuilder,
        ) -> ::core::result::Result<_adb::NodeId, _adb::ModelError> {
            let __node = match #enter {
                _adb::Entered::New(__node) => __node,
                _adb::Entered::Known(__node) => return ::core::result::Result::Ok(__node),
            };
            #convention
            #untyped
            #(#adds)*
            ::core::result::Result::Ok(__node)
        }
    }
}

/// The call that finds or makes the model's own node.
fn enter(model: &Model, class: &str, kind: &TokenStream) -> TokenStream {
    let ids = model.fields.iter().filter(|f| matches!(f.role, Role::Id)).map(|field| {
        let Field { ident, ty, property, .. } = field;
        let at = place(model, field);
        quote!((#property, <#ty as _adb::IdProperty>::id(&self.#ident, #at)?))
    });
    let ids: Vec<TokenStream> = ids.collect();
    if model.content_id {
        let stored = model.fields.iter().filter(|f| matches!(f.role, Role::Stored { .. }));
        let media =
            stored.map(|Field { ident, ty, .. }| quote!(<#ty as _adb::Field>::media(&self.#ident)));
        return quote! {
            __graph.enter_content(#kind, #class, _adb::media_of_kind(#kind, [#(#media),*]))?
        };
    }
    if ids.is_empty() {
        return quote!(__graph.enter_row(#kind, #class)?);
    }
    quote!(__graph.enter(#kind, #class, ::std::vec::Vec::from([#(#ids),*]))?)
}

/// The statement that adds a field to its node.
fn add(model: &Model, field: &Field) -> Option<TokenStream> {
    let Field { ident, ty, .. } = field;
    let at = place(model, field);
    Some(match &field.role {
        Role::Id => return None,
        Role::Stored { .. } => {
            quote!(<#ty as _adb::Field>::add(&self.#ident, __graph, __node, #at)?;)
        }
        Role::Converted { with, .. } => {
            let property = &field.property;
            let value = converted::value(ty, with, &quote!(&self.#ident), &at);
            quote! {
                if let ::core::option::Option::Some(__value) = #value {
                    __graph.property(__node, #property, __value);
                }
            }
        }
        Role::Flattened { .. } => {
            quote!(<#ty as _adb::Properties>::add(&self.#ident, __graph.properties(__node))?;)
        }
        Role::Embedding(embedding) => add_embedding(field, embedding, &at),
        Role::Children { .. } | Role::Parts { .. } => {
            let relation = relation(field);
            let make = made::statement(field, &at, &relation);
            quote! {
                <#ty as _adb::Children>::add(&self.#ident, __graph, __node, #relation)?;
                #make
            }
        }
        Role::Label => quote! {
            if let ::core::option::Option::Some(__label) =
                <#ty as _adb::LabelField>::label(&self.#ident)
            {
                __graph.label(__node, ::std::borrow::ToOwned::to_owned(__label));
            }
        },
    })
}

fn add_embedding(field: &Field, embedding: &Embedding, at: &TokenStream) -> TokenStream {
    let Field { ident, ty, .. } = field;
    let spec = set_spec(&embedding.set);
    let class = embedding.class.as_ref().map(|class| {
        let property = &field.property;
        quote!(__graph.descriptor_class(__node, #property, #class);)
    });
    let descriptor = match &embedding.from {
        None => quote! {
            <#ty as _adb::EmbeddingField>::add_given(
                &self.#ident,
                __graph,
                __node,
                #at,
                #spec,
            )?
        },
        Some(Source { named, ty: source }) => {
            let source = respan(source, named.span());
            let face = embedding.face.map(|face| {
                let face = format_ident!("{face}");
                quote!(.map(|__input| __input.face(_adb::NoFace::#face)))
            });
            quote! {
                <#ty as _adb::EmbeddingField>::add_from(
                    &self.#ident,
                    <#source as _adb::EmbedSource>::input(&self.#named) #face,
                    __graph,
                    __node,
                    #at,
                    #spec,
                )?
            }
        }
    };
    let Some(Source { named, ty }) = &embedding.label else { return quote!(#class #descriptor;) };
    let ty = respan(ty, named.span());
    quote! {
        #class
        if let ::core::option::Option::Some(__descriptor) = #descriptor {
            if let ::core::option::Option::Some(__label) =
                <#ty as _adb::LabelField>::label(&self.#named)
            {
                __graph.label(__descriptor, ::std::borrow::ToOwned::to_owned(__label));
            }
        }
    }
}
