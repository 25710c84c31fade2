//! Collects errors, so that one compile shows all of them.

use std::{cell::RefCell, fmt::Display, thread};

use quote::ToTokens;

/// Where rules put the errors that they find. Every one ends in [`Ctxt::finish`]; dropping it
/// earlier would lose errors, so that panics.
pub(crate) struct Ctxt {
    errors: RefCell<Option<Vec<syn::Error>>>,
}

impl Ctxt {
    pub(crate) fn new() -> Self {
        Self { errors: RefCell::new(Some(Vec::new())) }
    }

    /// An error under `tokens`.
    pub(crate) fn error(&self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// An error under `tokens`, and on a second line what to do about it.
    pub(crate) fn error_help(
        &self,
        tokens: impl ToTokens,
        message: impl Display,
        help: impl Display,
    ) {
        self.error(tokens, format_args!("{message}\nhelp: {help}"));
    }

    /// One fault in two places: an error under each.
    pub(crate) fn error_pair(
        &self,
        (tokens, message): (impl ToTokens, impl Display),
        (other, also): (impl ToTokens, impl Display),
    ) {
        self.error(tokens, message);
        self.error(other, also);
    }

    /// An error that a parser made.
    pub(crate) fn push(&self, error: syn::Error) {
        if let Some(errors) = self.errors.borrow_mut().as_mut() {
            errors.push(error);
        }
    }

    /// How many errors there are so far.
    pub(crate) fn count(&self) -> usize {
        self.errors.borrow().as_ref().map_or(0, Vec::len)
    }

    /// What was made, if no rule complained.
    ///
    /// # Panics
    /// When nothing was made and nobody said why: a fault of this crate.
    #[expect(clippy::expect_used, reason = "stated above")]
    pub(crate) fn finish<T>(self, made: Option<T>) -> Result<T, Vec<syn::Error>> {
        let errors = self.errors.take().unwrap_or_default();
        if errors.is_empty() {
            Ok(made.expect("what makes nothing has reported why"))
        } else {
            Err(errors)
        }
    }
}

impl Drop for Ctxt {
    #[expect(clippy::panic, reason = "a fault of this crate that must not pass unseen")]
    fn drop(&mut self) {
        if !thread::panicking() && self.errors.borrow().is_some() {
            panic!("errors were collected and never looked at");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_kept_in_order() {
        let cx = Ctxt::new();
        cx.error(quote::quote!(a), "first");
        cx.error_help(quote::quote!(b), "second", "mend it");
        let errors = cx.finish(None::<()>).unwrap_err();
        let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["first", "second\nhelp: mend it"]);
    }

    #[test]
    #[should_panic(expected = "never looked at")]
    fn dropping_it_unfinished_is_loud() {
        drop(Ctxt::new());
    }
}
