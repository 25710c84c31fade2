//! The code of `#[derive(DescriptorSet)]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};

use super::written::Written;
use crate::{declaration::SetDeclaration, krate};

pub(crate) fn expand(written: &Written, declaration: &SetDeclaration) -> TokenStream {
    let embedder = declaration.embedder.to_token_stream();
    // Not with the embedder's own type: one that is none would be two errors.
    let spec = spec(declaration, &quote!(of::<Self>));
    implementation(written, &embedder, &spec)
}

/// Beside errors: a set, so that nothing else is said of the models that use it.
pub(crate) fn stand_in(written: &Written) -> TokenStream {
    let embedder = match &written.set.embedder {
        Some(embedder) => embedder.value.to_token_stream(),
        None => quote!(_adb::AnyEmbedder),
    };
    let spec = quote! {
        _adb::SetSpec::new::<_adb::AnyEmbedder>("", _adb::Metric::Cosine, _adb::Engine::Flat)
    };
    implementation(written, &embedder, &spec)
}

/// A declaration as a constant expression, made by one of `SetSpec`'s functions.
pub(crate) fn spec(declaration: &SetDeclaration, make: &TokenStream) -> TokenStream {
    let SetDeclaration { name, metric, engine, .. } = declaration;
    let (metric, engine) = (format_ident!("{metric}"), format_ident!("{engine}"));
    quote!(_adb::SetSpec::#make(#name, _adb::Metric::#metric, _adb::Engine::#engine))
}

fn implementation(written: &Written, embedder: &TokenStream, spec: &TokenStream) -> TokenStream {
    let krate = krate::path(written.krate.as_ref());
    let ident = &written.ident;
    let (params, args, bounds) = written.generics.split_for_impl();
    quote! {
        const _: () = {
            use #krate::__macro as _adb;

            #[automatically_derived]
            impl #params _adb::DescriptorSet for #ident #args #bounds {
                type Embedder = #embedder;
                const SPEC: _adb::SetSpec = #spec;
            }
        };
    }
}
