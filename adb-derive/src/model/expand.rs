//! The code of `#[derive(DataModel)]`.
//!
//! Each trait is asked for at the token that would be guilty if the answer were no: that is where
//! the compiler puts its error.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Type, spanned::Spanned};

use super::{
    bounds,
    meaning::{Embedding, Field, Kind, Model, Role, Set, Source},
};
use crate::{
    respan::{located, respan},
    set::expand::spec,
};

pub(crate) fn expand(model: &Model) -> TokenStream {
    let Model { krate, ident, .. } = model;
    let schema = schema(model);
    let build = build(model);
    let check = check_when_declared(model);
    let (params, args, _) = model.generics.split_for_impl();
    let bounds = bounds::where_clause(model);
    quote! {
        const _: () = {
            use #krate::__macro as _adb;

            #[automatically_derived]
            impl #params _adb::DataModel for #ident #args #bounds {
                #schema
                #build
            }

            #check
        };
    }
}

fn schema(model: &Model) -> TokenStream {
    let Model { name, class, doc, .. } = model;
    let kind = kind(model);
    let fields = model.fields.iter().map(field_schema);
    let check = match model.kind {
        Kind::Entity => None,
        Kind::Image(span) => Some(one_picture(model, span)),
    };
    quote! {
        const SCHEMA: &'static _adb::ModelSchema = {
            #check
            &_adb::ModelSchema {
                name: #name,
                class: #class,
                kind: #kind,
                doc: #doc,
                fields: &[#(#fields),*],
            }
        };
    }
}

/// How many fields are pictures only their types know.
fn one_picture(model: &Model, span: Span) -> TokenStream {
    let stored = model.fields.iter().filter(|f| matches!(f.role, Role::Stored { .. }));
    let stored = stored.map(|f| &f.ty);
    let model = &model.name;
    let none = format!(
        "`{model}` is an image, but none of its fields has the type `Image`: add one, such as \
         `photo: Image`, or take `#[adb(image)]` away"
    );
    let several = format!(
        "`{model}` is an image, but has several fields of the type `Image`: an image object is \
         one picture. Move the others into a model of their own, or take `#[adb(image)]` away: \
         an entity can have any number of pictures"
    );
    let optional = format!(
        "`{model}` is an image, so its picture can't be an `Option`: take `#[adb(image)]` away, \
         and an entity with an optional picture remains"
    );
    quote_spanned! {located(span)=>
        match _adb::FieldKind::pictures(&[#(<#stored as _adb::Field>::KIND),*]) {
            (1, 0) => {}
            (0, 0) => ::core::panic!(#none),
            (0, 1) => ::core::panic!(#optional),
            _ => ::core::panic!(#several),
        }
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
    match model.kind {
        Kind::Entity => quote!(_adb::ObjectKind::Entity),
        Kind::Image(_) => quote!(_adb::ObjectKind::Image),
    }
}

fn field_schema(field: &Field) -> TokenStream {
    let Field { name, key, property, doc, .. } = field;
    let role = role(field);
    quote! {
        _adb::FieldSchema { name: #name, key: #key, property: #property, doc: #doc, role: #role }
    }
}

fn role(field: &Field) -> TokenStream {
    let Field { ty, .. } = field;
    match &field.role {
        Role::Id => quote!(_adb::FieldRole::Id(<#ty as _adb::IdProperty>::ID_TYPE)),
        Role::Stored { index: None } => {
            quote!(_adb::FieldRole::of(<#ty as _adb::Field>::KIND, false))
        }
        Role::Stored { index: Some(span) } => {
            let message = format!("`{}` is a picture: only properties have an index", field.name);
            let check = quote_spanned! {located(*span)=>
                if let _adb::FieldKind::Image { .. } = <#ty as _adb::Field>::KIND {
                    ::core::panic!(#message)
                }
            };
            quote! {{
                #check
                _adb::FieldRole::of(<#ty as _adb::Field>::KIND, true)
            }}
        }
        Role::Embedding(embedding) => {
            let Embedding { from, set } = &**embedding;
            let (embedder, _) = embedder(set);
            let spec = set_spec(set);
            let span = guilty(set).span();
            let accepts = from.as_ref().map(|from| {
                let source = respan(&from.ty, from.named.span());
                quote_spanned! {located(span)=>
                    let () = <#embedder as _adb::Accepts<
                        <#source as _adb::EmbedSource>::Modality
                    >>::CHECKED;
                }
            });
            let from = match from {
                Some(from) => {
                    let name = syn::ext::IdentExt::unraw(&from.named).to_string();
                    quote!(::core::option::Option::Some(#name))
                }
                None => quote!(::core::option::Option::None),
            };
            let produces = quote_spanned! {located(span)=>
                let () = <#embedder as _adb::Produces<
                    <#ty as _adb::EmbeddingField>::Vector
                >>::CHECKED;
            };
            quote! {{
                #produces
                #accepts
                _adb::FieldRole::Embedding { set: #spec, from: #from }
            }}
        }
        Role::Children { connection } => quote! {
            _adb::FieldRole::Children {
                connection: #connection,
                many: <#ty as _adb::Children>::MANY,
                model: <#ty as _adb::Children>::schema,
            }
        },
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

fn build(model: &Model) -> TokenStream {
    let Model { class, .. } = model;
    let kind = kind(model);
    let enter = model.fields.iter().filter(|f| matches!(f.role, Role::Id)).map(|field| {
        let Field { ident, ty, property, .. } = field;
        let at = place(model, field);
        quote! {
            let __id = <#ty as _adb::IdProperty>::id(&self.#ident, #at)?;
            let __node = match __graph.enter(#kind, #class, #property, __id)? {
                _adb::Entered::New(__node) => __node,
                _adb::Entered::Known(__node) => return ::core::result::Result::Ok(__node),
            };
        }
    });
    let adds = model.fields.iter().filter_map(|field| add(model, field));
    quote! {
        fn build(
            &self,
            __graph: &mut _adb::GraphBuilder,
        ) -> ::core::result::Result<_adb::NodeId, _adb::ModelError> {
            #(#enter)*
            #(#adds)*
            ::core::result::Result::Ok(__node)
        }
    }
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
        Role::Embedding(embedding) => add_embedding(field, embedding, &at),
        Role::Children { connection } => {
            quote!(<#ty as _adb::Children>::add(&self.#ident, __graph, __node, #connection)?;)
        }
    })
}

fn add_embedding(field: &Field, embedding: &Embedding, at: &TokenStream) -> TokenStream {
    let Field { ident, ty, .. } = field;
    let spec = set_spec(&embedding.set);
    match &embedding.from {
        None => quote! {
            <#ty as _adb::EmbeddingField>::add_given(
                &self.#ident,
                __graph,
                __node,
                #at,
                #spec,
            )?;
        },
        Some(Source { named, ty: source }) => {
            let source = respan(source, named.span());
            quote! {
                <#ty as _adb::EmbeddingField>::add_from(
                    &self.#ident,
                    <#source as _adb::EmbedSource>::input(&self.#named),
                    __graph,
                    __node,
                    #at,
                    #spec,
                )?;
            }
        }
    }
}

fn place(model: &Model, field: &Field) -> TokenStream {
    let model = &model.name;
    let Field { name, property, .. } = field;
    quote!(_adb::FieldPlace { model: #model, field: #name, property: #property })
}
