//! The code of `#[derive(DataModel)]`.
//!
//! Each trait is asked for at the token that would be guilty if the answer were no: that is where
//! the compiler puts its error.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Type, spanned::Spanned};

use super::{
    columns::Columns,
    kind::{About, Kind, Parts},
    made,
    meaning::{Embedding, Field, Model, Role, Set, Source},
    needs, read,
    written::ConnectionClass,
};
use crate::{
    converted,
    flattened::{self, Flattened, Listed},
    properties::expand::in_a_function,
    respan::{located, respan},
    set::expand::spec,
};

pub(crate) fn expand(model: &Model) -> TokenStream {
    let Model { krate, ident, .. } = model;
    let schema = schema(model);
    let build = build(model);
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

fn schema(model: &Model) -> TokenStream {
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
    let mut check = fields_fit_the_kind(model);
    check.extend(sdk_has_no_media_beside(model));
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

/// Which fields are media or geometry only their types know.
fn fields_fit_the_kind(model: &Model) -> TokenStream {
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
fn sdk_has_no_media_beside(model: &Model) -> Option<TokenStream> {
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

fn role(field: &Field) -> TokenStream {
    let Field { ty, .. } = field;
    match &field.role {
        Role::Id => quote!(_adb::FieldRole::Id(<#ty as _adb::IdProperty>::ID_TYPE)),
        Role::Stored { index: None } => {
            quote!(_adb::FieldRole::of(<#ty as _adb::Field>::KIND, false))
        }
        Role::Stored { index: Some(span) } => {
            let message = format!("`{}` is no property: only these have an index", field.name);
            let check = quote_spanned! {located(*span)=>
                match <#ty as _adb::Field>::KIND {
                    _adb::FieldKind::Property { .. } => {}
                    _ => ::core::panic!(#message),
                }
            };
            quote! {{
                #check
                _adb::FieldRole::of(<#ty as _adb::Field>::KIND, true)
            }}
        }
        Role::Converted { with, indexed } => converted::role(ty, with, *indexed),
        // Its fields stand in the list for it.
        Role::Flattened { .. } => TokenStream::new(),
        Role::Embedding(embedding) => {
            let Embedding { from, label, set, class, face } = &**embedding;
            let class = match class {
                Some(class) => quote!(::core::option::Option::Some(#class)),
                None => quote!(::core::option::Option::None),
            };
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
            let looks = from.as_ref().filter(|_| face.is_some()).map(|from| {
                let source = respan(&from.ty, from.named.span());
                quote_spanned! {located(from.named.span())=>
                    let () = <#source as _adb::FaceSource>::CHECKED;
                }
            });
            let face = match face.map(|face| format_ident!("{face}")) {
                Some(face) => quote!(::core::option::Option::Some(_adb::NoFace::#face)),
                None => quote!(::core::option::Option::None),
            };
            let name = |source: &Option<Source>| match source {
                Some(source) => {
                    let name = syn::ext::IdentExt::unraw(&source.named).to_string();
                    quote!(::core::option::Option::Some(#name))
                }
                None => quote!(::core::option::Option::None),
            };
            let (from, label) = (name(from), name(label));
            let produces = quote_spanned! {located(span)=>
                let () = <#embedder as _adb::Produces<
                    <#ty as _adb::EmbeddingField>::Vector
                >>::CHECKED;
            };
            quote! {{
                #produces
                #accepts
                #looks
                _adb::FieldRole::Embedding {
                    set: #spec,
                    from: #from,
                    label: #label,
                    optional: <#ty as _adb::EmbeddingField>::OPTIONAL,
                    class: #class,
                    face: #face,
                }
            }}
        }
        Role::Children { class, .. } => {
            let relation = relation(field);
            let (check, edge) = match class {
                ConnectionClass::Text(text) => (plain_edge(ty, text.span()), quote!(&[])),
                ConnectionClass::OfChild => (plain_edge(ty, ty.span()), quote!(&[])),
                ConnectionClass::Type(edge) => {
                    let span = located(edge.span());
                    let of_field = edge_of(ty, edge.span());
                    let check = quote_spanned! {span=>
                        let () = _adb::same_edge::<_, #edge>(#of_field);
                    };
                    (check, quote!(<#edge as _adb::Properties>::FIELDS))
                }
            };
            children(field, &check, &relation, &edge)
        }
        Role::Parts { what, span } => {
            let marker = format_ident!("{}", what.marker());
            let mut check = plain_edge(ty, *span);
            let model = quote_spanned!(located(ty.span())=> <#ty as _adb::Children>::Model);
            check.extend(quote_spanned! {located(*span)=>
                let () = <#model as _adb::#marker>::CHECKED;
            });
            children(field, &check, &relation(field), &quote!(&[]))
        }
        Role::Label => quote! {
            _adb::FieldRole::Label { optional: <#ty as _adb::LabelField>::OPTIONAL }
        },
    }
}

/// What stands for the type of a field's connections. Whether the field can have any is a question
/// of its own, and not asked here.
fn edge_of(ty: &Type, guilty: Span) -> TokenStream {
    quote_spanned!(located(guilty)=> _adb::EdgeOf::<#ty>::EDGE)
}

/// The children's connections must have no properties.
fn plain_edge(ty: &Type, guilty: Span) -> TokenStream {
    let edge = edge_of(ty, guilty);
    quote_spanned!(located(guilty)=> let () = _adb::plain_edge(#edge);)
}

fn children(
    field: &Field,
    check: &TokenStream,
    relation: &TokenStream,
    edge: &TokenStream,
) -> TokenStream {
    let ty = &field.ty;
    // serde's default fills what a row lacks; without it, only an `Option` may be absent.
    let optional = match &field.serdes_default {
        Some(_) => quote!(true),
        None => quote!(<#ty as _adb::Children>::OPTIONAL),
    };
    let made = made::schema(field);
    quote! {{
        #check
        _adb::FieldRole::Children {
            relation: #relation,
            edge: #edge,
            many: <#ty as _adb::Children>::MANY,
            optional: #optional,
            model: _adb::SchemaRef::Declared(<#ty as _adb::Children>::schema),
            made: #made,
        }
    }}
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

fn build(model: &Model) -> TokenStream {
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

pub(crate) fn place(model: &Model, field: &Field) -> TokenStream {
    let model = &model.name;
    let Field { name, property, .. } = field;
    quote!(_adb::FieldPlace { model: #model, field: #name, property: #property })
}
