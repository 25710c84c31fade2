//! `#[derive(Property)]`: an enum whose variants are texts, or a struct around one property.

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
    let (krate, shape) = (written.krate, written.shape);
    match cx.finish(shape) {
        Ok(shape) => expand::expand(krate.as_ref(), &input, &shape),
        Err(errors) => {
            let errors = errors.iter().map(syn::Error::to_compile_error);
            let stand_in = expand::stand_in(krate.as_ref(), &input);
            quote::quote!(#(#errors)* #stand_in)
        }
    }
}
