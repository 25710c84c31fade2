//! Where tokens stand: errors are shown there.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::ToTokens;

/// The place of `span` for code of ours: it is the macro's, so no lint takes it for the user's.
pub(crate) fn located(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// Tokens as if they stood at `span`: an error about them is shown there.
pub(crate) fn respan(tokens: &impl ToTokens, span: Span) -> TokenStream {
    fn each(tokens: TokenStream, span: Span) -> TokenStream {
        tokens
            .into_iter()
            .map(|mut token| {
                if let TokenTree::Group(group) = &token {
                    let inner = each(group.stream(), span);
                    token = TokenTree::Group(Group::new(group.delimiter(), inner));
                }
                // Names keep the place where they are looked up.
                token.set_span(token.span().resolved_at(token.span()).located_at(span));
                token
            })
            .collect()
    }
    each(tokens.to_token_stream(), span)
}
