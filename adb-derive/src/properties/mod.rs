//! `#[derive(Properties)]`, and `#[derive(Connection)]`, which is that and a class.

mod check;
mod columns;
pub(crate) mod expand;
mod written;

use proc_macro2::TokenStream;
use syn::DeriveInput;

use crate::{
    ctxt::Ctxt,
    names::{self, Keys},
};

/// What the struct is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// A class of connections.
    Connection,
    /// A list of properties that models take in.
    Properties,
}

impl What {
    /// For people.
    fn one(self) -> &'static str {
        match self {
            What::Connection => "a connection",
            What::Properties => "a list of properties",
        }
    }

    /// The keys on the struct, and on its fields.
    fn keys(self) -> (&'static Keys, &'static Keys) {
        match self {
            What::Connection => (&names::CONNECTION, &names::CONNECTION_FIELD),
            What::Properties => (&names::PROPERTIES, &names::PROPERTIES_FIELD),
        }
    }
}

/// The macro, as an ordinary function.
pub(crate) fn derive(what: What, input: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(input) {
        Ok(input) => input,
        Err(e) => return e.into_compile_error(),
    };
    let cx = Ctxt::new();
    let written = written::read(&cx, what, &input);
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
