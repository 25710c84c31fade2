//! The macros of adb.

mod attr;
mod case;
mod ctxt;
mod declaration;
mod given;
mod krate;
mod model;
mod names;
mod respan;
mod serde_names;
mod set;

use proc_macro::TokenStream;

/// Makes a struct a data model.
#[proc_macro_derive(DataModel, attributes(adb))]
pub fn data_model(input: TokenStream) -> TokenStream {
    model::derive(input.into()).into()
}

/// Declares a descriptor set.
#[proc_macro_derive(DescriptorSet, attributes(adb))]
pub fn descriptor_set(input: TokenStream) -> TokenStream {
    set::derive(input.into()).into()
}
