//! Children that a maker makes: `from = field, by = Maker`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::{ext::IdentExt, spanned::Spanned};

use super::{
    kind::{Kind, Parts},
    meaning::{Field, Made, Model, Role},
};
use crate::respan::{located, respan};

/// What the schema says of it, after the compiler has checked that maker, source and field fit.
pub(super) fn schema(field: &Field) -> TokenStream {
    let Some(Made { from, by }) = &field.made else {
        return quote!(::core::option::Option::None);
    };
    let ty = &field.ty;
    let source = respan(&from.ty, from.named.span());
    let name = from.named.unraw().to_string();
    let (of_field, of_maker) = (located(ty.span()), located(by.span()));
    // Who is no maker at all is told so once: at its name.
    let maker = quote_spanned!(of_maker=> <#by as _adb::ChildMaker>);
    let item = quote_spanned!(of_field=> <#ty as _adb::MadeChildren>::Item);
    let reads = quote_spanned! {located(from.named.span())=>
        let () = <<#source as _adb::MakeSource>::Input as _adb::SameInput<
            #maker::From
        >>::CHECKED;
    };
    let makes = quote_spanned! {of_maker=>
        let () = <#item as _adb::SameChild<#maker::Child>>::CHECKED;
    };
    quote! {{
        #reads
        #makes
        ::core::option::Option::Some(_adb::MadeBy {
            maker: #maker::NAME,
            from: #name,
            empty_stands: <#ty as _adb::MadeChildren>::EMPTY_STANDS,
            by_default: || {
                #[allow(unused_imports)]
                use _adb::{WithDefault as _, Without as _};
                (&_adb::MakerProbe::<#by>(::core::marker::PhantomData)).by_default()
            },
        })
    }}
}

/// The statement that notes what is to be made.
pub(super) fn statement(field: &Field, at: &TokenStream, relation: &TokenStream) -> TokenStream {
    let Some(Made { from, by }) = &field.made else { return TokenStream::new() };
    let (ident, ty) = (&field.ident, &field.ty);
    let source = respan(&from.ty, from.named.span());
    let named = &from.named;
    quote! {
        if <#ty as _adb::MadeChildren>::is_to_be_made(&self.#ident) {
            if let ::core::option::Option::Some(__input) =
                <#source as _adb::MakeSource>::input(&self.#named)
            {
                __graph.to_make(_adb::ToMake {
                    owner: __node,
                    at: #at,
                    relation: #relation,
                    maker: <#by as _adb::ChildMaker>::NAME,
                    input: __input,
                });
            }
        }
    }
}

/// What that relies on, for the bounds of generic models: the types that each bound is about, and
/// the bound.
pub(super) fn needs(field: &Field) -> Vec<(TokenStream, TokenStream)> {
    let Some(Made { from, by }) = &field.made else { return Vec::new() };
    let (ty, source) = (&field.ty, &from.ty);
    vec![
        (ty.to_token_stream(), quote!(#ty: _adb::MadeChildren)),
        (by.to_token_stream(), quote!(#by: _adb::ChildMaker)),
        (source.to_token_stream(), quote!(#source: _adb::MakeSource)),
        (
            quote!(#source #by),
            quote! {
                <#source as _adb::MakeSource>::Input:
                    _adb::SameInput<<#by as _adb::ChildMaker>::From>
            },
        ),
        (
            quote!(#ty #by),
            quote! {
                <#ty as _adb::MadeChildren>::Item:
                    _adb::SameChild<<#by as _adb::ChildMaker>::Child>
            },
        ),
    ]
}

/// A frame is a moment of a video, and no picture that a row brings: nothing can be embedded from a
/// region of it. (Not part of the schema, which may refer to itself through its children.)
pub(super) fn regions_have_a_picture(model: &Model) -> Option<TokenStream> {
    let generic = model.generics.type_params().next().is_some()
        || model.generics.const_params().next().is_some();
    if model.kind != Kind::Frame || generic {
        return None;
    }
    let regions = model.fields.iter().filter_map(|field| match &field.role {
        Role::Parts { what: Parts::Regions, span } => Some((field, *span)),
        _ => None,
    });
    let checks = regions.map(|(field, span)| {
        let ty = &field.ty;
        let message = format!(
            "`{}.{}`: these regions are embedded from their own part of the picture, and a frame \
             has none: it is a moment of a video. Give these vectors yourself: `embed` without \
             `from`, in a model of its own for regions of frames",
            model.name, field.name
        );
        quote_spanned! {located(span)=>
            const _: () = ::core::assert!(
                !<<#ty as _adb::Children>::Model as _adb::DataModel>::SCHEMA.embeds_its_region(),
                #message
            );
        }
    });
    Some(checks.collect())
}
