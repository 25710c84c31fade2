//! The grammar of `#[adb(…)]`: keys, each alone, with `= value` or with a list of keys in
//! brackets. What the keys mean is not known here.

use proc_macro2::TokenTree;
use quote::ToTokens;
use syn::{
    Attribute, Ident, Lit, MacroDelimiter, Meta, Token, Type, TypePath,
    ext::IdentExt,
    parenthesized,
    parse::{ParseStream, Parser},
    token::Paren,
};

use crate::ctxt::Ctxt;

/// `key`, `key = value` or `key(…)`.
pub(crate) struct Item {
    pub(crate) key: Ident,
    pub(crate) value: Value,
    /// Whether part of a list could not be read, and is left out of it.
    pub(crate) unread: bool,
}

/// What follows a key.
pub(crate) enum Value {
    /// Nothing.
    None,
    /// `= "text"`, `= 1`.
    Lit(Lit),
    /// `= Name`, `= a::path<Of<Types>>`.
    Type(Box<Type>),
    /// `(…)`
    List(Vec<Item>),
}

/// All items of all `#[adb(…)]` among the attributes. What can't be read is reported and left out.
pub(crate) fn items(cx: &Ctxt, attributes: &[Attribute]) -> Vec<Item> {
    let mut all = Vec::new();
    for attribute in attributes.iter().filter(|a| a.path().is_ident("adb")) {
        match &attribute.meta {
            Meta::List(list) if matches!(list.delimiter, MacroDelimiter::Paren(_)) => {
                let parsed =
                    (|input: ParseStream<'_>| Ok(sequence(cx, input))).parse2(list.tokens.clone());
                match parsed {
                    Ok(items) => all.extend(items),
                    Err(e) => cx.push(e),
                }
            }
            other => {
                cx.error_help(other, "there are no keys to read here", "the form is `#[adb(…)]`");
            }
        }
    }
    all
}

/// Items with commas between them, up to the end. After a fault it goes on behind the next comma.
fn sequence(cx: &Ctxt, input: ParseStream<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    while !input.is_empty() {
        match item(cx, input) {
            Ok(item) => items.push(item),
            Err(e) => {
                cx.push(e);
                skip_to_comma(input);
            }
        }
        if !input.is_empty()
            && let Err(e) = input.parse::<Token![,]>()
        {
            cx.push(e);
            skip_to_comma(input);
            // Either the comma is there now, or the end is.
            let _ = input.parse::<Token![,]>();
        }
    }
    items
}

fn item(cx: &Ctxt, input: ParseStream<'_>) -> syn::Result<Item> {
    let errors = cx.count();
    let key = input.call(Ident::parse_any)?;
    let value = if input.peek(Token![=]) {
        let equals = input.parse::<Token![=]>()?;
        if input.is_empty() || input.peek(Token![,]) {
            let mut tokens = key.to_token_stream();
            equals.to_tokens(&mut tokens);
            return Err(syn::Error::new_spanned(tokens, format!("`{key} =` lacks its value")));
        }
        if input.peek(Lit) {
            Value::Lit(input.parse()?)
        } else if input.peek(Token![in]) {
            // No type begins with it, and it is a direction.
            let word = input.call(Ident::parse_any)?;
            Value::Type(Box::new(Type::Path(TypePath {
                attrs: Vec::new(),
                qself: None,
                path: word.into(),
            })))
        } else {
            Value::Type(Box::new(ungrouped(input.parse()?)))
        }
    } else if input.peek(Paren) {
        let content;
        parenthesized!(content in input);
        Value::List(sequence(cx, &content))
    } else {
        Value::None
    };
    Ok(Item { key, value, unread: cx.count() > errors })
}

/// A type that a declarative macro passed on stands in a group.
fn ungrouped(ty: Type) -> Type {
    match ty {
        Type::Group(group) => ungrouped(*group.elem),
        ty => ty,
    }
}

fn skip_to_comma(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        // Any one token can be taken as a tree.
        let _ = input.parse::<TokenTree>();
    }
}

/// Doc comments, joined; the space after `///` is not part of the text.
pub(crate) fn doc(attributes: &[Attribute]) -> String {
    let texts = attributes.iter().filter_map(|a| match &a.meta {
        Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            syn::Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    let mut doc = String::new();
    for text in texts {
        // Not `lines`, which has none for an empty text: those divide paragraphs.
        for line in text.split('\n') {
            doc.push_str(line.strip_prefix(' ').unwrap_or(line).trim_end());
            doc.push('\n');
        }
    }
    doc.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doc_comments_are_joined_without_their_margin() {
        let model: syn::DeriveInput = syn::parse_quote! {
            /// A photo
            /// of a dish.
            ///
            ///   indented
            #[doc = "and so on"]
            struct Dish;
        };
        assert_eq!(doc(&model.attrs), "A photo\nof a dish.\n\n  indented\nand so on");
    }

    #[test]
    fn reading_goes_on_behind_a_fault() {
        let cx = Ctxt::new();
        let field: syn::Field =
            syn::parse_quote!(#[adb(a = , b c d, e(f = ), g = "h")] #[other(x)] field: u8);
        let items = items(&cx, &field.attrs);
        let keys: Vec<_> = items.iter().map(|i| i.key.to_string()).collect();
        assert_eq!(keys, ["b", "e", "g"]);
        assert!(items[1].unread && !items[2].unread);
        assert_eq!(cx.finish(None::<()>).unwrap_err().len(), 3);
    }
}
