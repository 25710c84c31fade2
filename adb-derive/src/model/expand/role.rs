//! What each field is, and the checks that go with it.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Type, spanned::Spanned};

use super::{embedder, guilty, relation, set_spec};
use crate::{
    converted,
    model::{
        made,
        meaning::{Embedding, Field, Role, Source},
        written::ConnectionClass,
    },
    respan::{located, respan},
};

pub(super) fn role(field: &Field) -> TokenStream {
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
