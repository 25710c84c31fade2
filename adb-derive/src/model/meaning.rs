//! A data model that keeps the rules: what each field is, with no attribute left to ask.

use proc_macro2::Span;
use syn::{Generics, Ident, Path, Type, ext::IdentExt};

use super::written::{WrittenEmbed, WrittenField, WrittenModel};
use crate::{ctxt::Ctxt, declaration::SetDeclaration, krate};

pub(crate) struct Model {
    pub(crate) krate: Path,
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    /// The struct's name, for people.
    pub(crate) name: String,
    pub(crate) class: String,
    pub(crate) doc: String,
    pub(crate) kind: Kind,
    pub(crate) fields: Vec<Field>,
}

pub(crate) enum Kind {
    Entity,
    /// With where it says so.
    Image(Span),
}

pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    /// Its name without `r#`.
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) property: String,
    pub(crate) doc: String,
    pub(crate) role: Role,
}

pub(crate) enum Role {
    Id,
    /// A property or media, as its type says.
    Stored {
        /// Where an index is asked for.
        index: Option<Span>,
    },
    Embedding(Box<Embedding>),
    Children {
        connection: String,
    },
}

pub(crate) struct Embedding {
    pub(crate) from: Option<Source>,
    pub(crate) set: Set,
}

/// The field that vectors are made from.
pub(crate) struct Source {
    /// As `from = …` has it.
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
    Some(Model {
        krate: krate::path(written.krate.as_ref()),
        ident: written.ident.clone(),
        generics: written.generics.clone(),
        class: written.class.as_ref().map_or_else(|| name.clone(), |c| c.value.value()),
        name,
        doc: written.doc.clone(),
        kind: written.image.as_ref().map_or(Kind::Entity, |i| Kind::Image(i.key.span())),
        fields: fields.into_iter().collect::<Option<_>>()?,
    })
}

fn field(cx: &Ctxt, model: &WrittenModel, written: &WrittenField) -> Option<Field> {
    let role = if written.id.is_some() {
        Role::Id
    } else if let Some(embed) = &written.embed {
        let from = match &embed.value.from {
            Some(from) => Some(source(model, &from.value)?),
            None => None,
        };
        Role::Embedding(Box::new(Embedding { from, set: set(cx, &embed.value)? }))
    } else if let Some(connect) = &written.connect {
        Role::Children { connection: connect.value.value() }
    } else {
        Role::Stored { index: written.index.as_ref().map(|i| i.key.span()) }
    };
    Some(Field {
        ident: written.ident.clone(),
        ty: written.ty.clone(),
        name: written.ident.unraw().to_string(),
        key: written.key.clone(),
        property: written.property(),
        doc: written.doc.clone(),
        role,
    })
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
