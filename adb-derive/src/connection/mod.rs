//! `#[derive(Connection)]`.

mod check;
mod expand;
mod written;

use proc_macro2::TokenStream;
use syn::DeriveInput;

use crate::ctxt::Ctxt;

/// The macro, as an ordinary function.
pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(input) {
        Ok(input) => input,
        Err(e) => return e.into_compile_error(),
    };
    let cx = Ctxt::new();
    let written = written::read(&cx, &input);
    check::all(&cx, &written);
    match cx.finish(Some(())) {
        Ok(()) => expand::expand(&written),
        Err(errors) => {
            let errors = errors.iter().map(syn::Error::to_compile_error);
            let stand_in = expand::stand_in(&written);
            quote::quote!(#(#errors)* #stand_in)
        }
    }
}
