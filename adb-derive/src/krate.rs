//! Where the facade is.

use syn::Path;

use crate::given::Given;

/// `::adb`, or what `#[adb(crate = …)]` says.
pub(crate) fn path(given: Option<&Given<Path>>) -> Path {
    given.map_or_else(|| syn::parse_quote!(::adb), |g| g.value.clone())
}
