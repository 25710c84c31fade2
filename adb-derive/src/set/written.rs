//! A descriptor set as it is written.

use syn::{Data, DeriveInput, Generics, Ident, Path};

use crate::{
    attr,
    ctxt::Ctxt,
    declaration::WrittenSet,
    given::{self, Given, keep},
    names,
};

pub(crate) struct Written {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) krate: Option<Given<Path>>,
    pub(crate) set: WrittenSet,
    /// Whether some attribute could not be read: what seems to be missing may have been there.
    pub(crate) unread: bool,
}

pub(crate) fn read(cx: &Ctxt, input: &DeriveInput) -> Written {
    let errors = cx.count();
    let mut written = Written {
        ident: input.ident.clone(),
        generics: input.generics.clone(),
        krate: None,
        set: WrittenSet::default(),
        unread: false,
    };
    let token = match &input.data {
        Data::Struct(_) => None,
        Data::Enum(data) => Some(data.enum_token.span),
        Data::Union(data) => Some(data.union_token.span),
    };
    if let Some(span) = token {
        let help = format!("it stands for itself alone: `struct {};`", input.ident);
        let at = Ident::new("_", span);
        cx.error_help(at, "a descriptor set is declared on a struct", help);
    }
    for item in attr::items(cx, &input.attrs) {
        match item.key.to_string().as_str() {
            "crate" => keep(cx, &mut written.krate, given::path(cx, item)),
            "name" => keep(cx, &mut written.set.name, given::text(cx, item)),
            "embedder" => keep(cx, &mut written.set.embedder, given::ty(cx, item)),
            "metric" => written.set.read_metric(cx, item),
            "engine" => written.set.read_engine(cx, item),
            _ => given::unknown(cx, &names::SET, &item),
        }
    }
    written.unread = cx.count() > errors;
    written
}
