//! A data model that keeps the rules: what each field is, with no attribute left to ask.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Generics, Ident, Path, Type, Visibility, ext::IdentExt};

use super::{
    kind::{Kind, Parts},
    written::{ConnectionClass, WrittenEmbed, WrittenField, WrittenModel},
};
use crate::{ctxt::Ctxt, declaration::SetDeclaration, given::Given, krate};

pub(crate) struct Model {
    pub(crate) krate: Path,
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    pub(crate) generics: Generics,
    /// The struct's name, for people.
    pub(crate) name: String,
    pub(crate) class: String,
    pub(crate) doc: String,
    pub(crate) kind: Kind,
    /// Whether it names things as the Python SDK does.
    pub(crate) as_sdk: bool,
    /// Where it says so: what is wrong with the kind is shown there.
    pub(crate) kind_span: Span,
    /// Whether an object is identified by its blob.
    pub(crate) content_id: bool,
    pub(crate) untyped: bool,
    pub(crate) fields: Vec<Field>,
    pub(crate) skipped: Vec<Skipped>,
}

/// A field that the database does not see.
pub(crate) struct Skipped {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) default: Option<TokenStream>,
}

pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    /// Its name without `r#`.
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) property: String,
    pub(crate) doc: String,
    /// Names that its property had before.
    pub(crate) was: Vec<String>,
    /// What it is when the object lacks it.
    pub(crate) default: Option<TokenStream>,
    /// What serde makes it when a row lacks it.
    pub(crate) serdes_default: Option<TokenStream>,
    pub(crate) role: Role,
    /// Who makes its children, if the row does not bring them.
    pub(crate) made: Option<Made>,
}

/// `from = field, by = Maker`.
pub(crate) struct Made {
    pub(crate) from: Source,
    pub(crate) by: Type,
}

pub(crate) enum Role {
    Id,
    /// A property or media, as its type says.
    Stored {
        /// Where an index is asked for.
        index: Option<Span>,
    },
    /// A property, by functions of the user's.
    Converted {
        with: Path,
        indexed: bool,
    },
    /// A struct whose fields are properties of this object.
    Flattened {
        /// Whether serde flattens it as well; otherwise a row has it under its key.
        in_rows: bool,
    },
    Embedding(Box<Embedding>),
    Children {
        class: ConnectionClass,
        /// Whether it leads from the child to this object.
        reversed: bool,
    },
    Parts {
        what: Parts,
        /// Where it says so.
        span: Span,
    },
    Label,
}

pub(crate) struct Embedding {
    pub(crate) from: Option<Source>,
    pub(crate) label: Option<Source>,
    pub(crate) set: Set,
    /// The class of the descriptors, if it is given.
    pub(crate) class: Option<String>,
    /// A variant of `adb::NoFace`, where the largest face of `from` is embedded.
    pub(crate) face: Option<&'static str>,
}

/// The field that vectors or children are made from, or vectors labelled by.
pub(crate) struct Source {
    /// As `from = …` or `label = …` has it.
    pub(crate) named: Ident,
    pub(crate) ty: Type,
}

pub(crate) enum Set {
    /// A type with `#[derive(DescriptorSet)]`.
    Type(Type),
    Inline(SetDeclaration),
}

/// What is written, understood; nothing where a rule has found a fault.
pub(crate) fn of(cx: &Ctxt, written: &WrittenModel) -> Option<Model> {
    let name = written.ident.unraw().to_string();
    let fields: Vec<Option<Field>> =
        written.fields.iter().filter(|f| f.skip.is_none()).map(|f| field(cx, written, f)).collect();
    let kind = written.kind();
    let kind_span = written.kinds.first().map_or(written.ident.span(), |(_, key)| key.span());
    let skipped = written.fields.iter().filter(|f| f.skip.is_some());
    Some(Model {
        krate: krate::path(written.krate.as_ref()),
        ident: written.ident.clone(),
        generics: written.generics.clone(),
        class: written.class.as_ref().map_or_else(|| name.clone(), |c| c.value.value()),
        name,
        doc: written.doc.clone(),
        vis: written.vis.clone(),
        kind,
        as_sdk: written.is_as_sdk(),
        kind_span,
        content_id: written.content_id.is_some(),
        untyped: written.untyped.is_some(),
        fields: fields.into_iter().collect::<Option<_>>()?,
        skipped: skipped
            .map(|f| Skipped {
                ident: f.ident.clone(),
                ty: f.ty.clone(),
                default: default(f, written.default.as_ref(), true),
            })
            .collect(),
    })
}

fn field(cx: &Ctxt, model: &WrittenModel, written: &WrittenField) -> Option<Field> {
    let role = if written.id.is_some() {
        Role::Id
    } else if let Some(embed) = &written.embed {
        let named = |given: &Option<Given<Ident>>| match given {
            Some(field) => source(model, &field.value).map(Some),
            None => Some(None),
        };
        let (from, label) = (named(&embed.value.from)?, named(&embed.value.label)?);
        let class = embed.value.class.as_ref().map(|class| class.value.value());
        let face = embed.value.face.as_ref().and_then(|f| f.value.strip_prefix("LargestOr"));
        let set = set(cx, &embed.value)?;
        Role::Embedding(Box::new(Embedding { from, label, set, class, face }))
    } else if let Some(connect) = &written.connect {
        Role::Children {
            class: connect.value.class.clone()?,
            reversed: connect.value.direction.as_ref().is_some_and(|d| d.value == "in"),
        }
    } else if let Some((what, key)) = written.parts.first() {
        Role::Parts { what: *what, span: key.span() }
    } else if written.label.is_some() {
        Role::Label
    } else if written.is_flattened() {
        Role::Flattened { in_rows: written.serdes_flatten.is_some() }
    } else if let Some(with) = &written.with {
        Role::Converted { with: with.value.clone(), indexed: written.index.is_some() }
    } else {
        Role::Stored { index: written.index.as_ref().map(|i| i.key.span()) }
    };
    let made = match (&written.from, &written.by) {
        (Some(from), Some(by)) => {
            Some(Made { from: source(model, &from.value)?, by: by.value.clone() })
        }
        _ => None,
    };
    Some(Field {
        ident: written.ident.clone(),
        ty: written.ty.clone(),
        name: written.ident.unraw().to_string(),
        key: written.key.clone(),
        property: written.property(),
        doc: written.doc.clone(),
        was: written.was.iter().map(|name| name.value.value()).collect(),
        default: default(written, model.default.as_ref(), true),
        serdes_default: default(written, model.default.as_ref(), false),
        role,
        made,
    })
}

/// What fills a field that an object lacks: our `default`, if it counts, before serde's; the field's
/// before the struct's.
fn default(
    field: &WrittenField,
    of_struct: Option<&Option<Path>>,
    ours_counts: bool,
) -> Option<TokenStream> {
    let ours = field.default.as_ref().filter(|_| ours_counts).map(|d| &d.value);
    let own = ours.or(field.serdes_default.as_ref());
    let ident = &field.ident;
    match (own, of_struct) {
        (Some(Some(path)), _) => Some(quote!(#path())),
        (Some(None), _) => Some(quote!(::core::default::Default::default())),
        (None, Some(Some(path))) => {
            Some(quote!({ let __default: Self = #path(); __default.#ident }))
        }
        (None, Some(None)) => Some(quote!(<Self as ::core::default::Default>::default().#ident)),
        (None, None) => None,
    }
}

fn source(model: &WrittenModel, named: &Ident) -> Option<Source> {
    Some(Source { named: named.clone(), ty: model.field(named)?.ty.clone() })
}

fn set(cx: &Ctxt, embed: &WrittenEmbed) -> Option<Set> {
    match &embed.set_type {
        Some(ty) => Some(Set::Type(ty.value.clone())),
        None => embed.inline.declaration(cx).map(Set::Inline),
    }
}
