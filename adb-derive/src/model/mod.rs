//! `#[derive(DataModel)]`: read, check, understand, write.

pub(crate) mod check;
mod columns;
mod expand;
mod kind;
mod made;
mod meaning;
mod needs;
mod read;
mod stand_in;
pub(crate) mod written;

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
    let model = meaning::of(&cx, &written);
    match cx.finish(model) {
        Ok(model) => expand::expand(&model),
        Err(errors) => {
            let errors = errors.iter().map(syn::Error::to_compile_error);
            let stand_in = stand_in::expand(&written);
            quote::quote!(#(#errors)* #stand_in)
        }
    }
}
