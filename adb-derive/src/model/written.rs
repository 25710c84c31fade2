//! A data model as it is written: every key where it stands, nothing judged but single values.

use quote::format_ident;
use syn::{
    Attribute, Data, DeriveInput, Fields, Generics, Ident, LitStr, Path, Type, Visibility,
    ext::IdentExt, spanned::Spanned,
};

use super::kind::{Kind, Parts};
use crate::{
    attr::{self, Item, Value},
    case::{RULES, RenameRule},
    ctxt::Ctxt,
    declaration::WrittenSet,
    given::{self, Given, keep},
    names, serde_names,
};

/// A struct with `#[derive(DataModel)]`.
pub(crate) struct WrittenModel {
    pub(crate) ident: Ident,
    pub(crate) vis: Visibility,
    pub(crate) generics: Generics,
    pub(crate) doc: String,
    pub(crate) krate: Option<Given<Path>>,
    /// The kinds that are chosen; more than one is an error.
    pub(crate) kinds: Vec<(Kind, Ident)>,
    pub(crate) row_id: Option<Given<()>>,
    pub(crate) content_id: Option<Given<()>>,
    pub(crate) untyped: Option<Given<()>>,
    pub(crate) class: Option<Given<LitStr>>,
    pub(crate) rename_all: Option<Given<RenameRule>>,
    pub(crate) convention: Option<Given<&'static str>>,
    /// serde's `default` on the struct.
    pub(crate) default: Option<Option<Path>>,
    pub(crate) fields: Vec<WrittenField>,
    /// Whether some attribute could not be read: what seems to be missing may have been there.
    pub(crate) unread: bool,
}

/// One of its fields.
pub(crate) struct WrittenField {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) doc: String,
    /// Its key in a source, which is serde's matter.
    pub(crate) key: String,
    /// Its property's name after the model's `rename_all`.
    pub(crate) by_rule: Option<String>,
    /// `flatten`, if serde is told so.
    pub(crate) serdes_flatten: Option<syn::Meta>,
    pub(crate) flatten: Option<Given<()>>,
    pub(crate) with: Option<Given<Path>>,
    pub(crate) id: Option<Given<()>>,
    pub(crate) index: Option<Given<()>>,
    pub(crate) skip: Option<Given<()>>,
    pub(crate) rename: Option<Given<LitStr>>,
    /// Names that the property had before.
    pub(crate) was: Vec<Given<LitStr>>,
    pub(crate) connect: Option<Given<WrittenConnect>>,
    pub(crate) parts: Vec<(Parts, Ident)>,
    pub(crate) label: Option<Given<()>>,
    /// Ours.
    pub(crate) default: Option<Given<Option<Path>>>,
    /// serde's.
    pub(crate) serdes_default: Option<Option<Path>>,
    pub(crate) embed: Option<Given<WrittenEmbed>>,
    /// The field that a maker makes children from.
    pub(crate) from: Option<Given<Ident>>,
    /// That maker.
    pub(crate) by: Option<Given<Type>>,
    /// Whether some attribute could not be read.
    pub(crate) unread: bool,
}

/// `connect = …` or `connect(…)`.
#[derive(Default)]
pub(crate) struct WrittenConnect {
    pub(crate) class: Option<ConnectionClass>,
    pub(crate) direction: Option<Given<&'static str>>,
    /// Whether some part could not be read.
    pub(crate) unread: bool,
}

/// What a connection is called.
#[derive(Clone)]
pub(crate) enum ConnectionClass {
    Text(LitStr),
    /// A type with `#[derive(Connection)]`.
    Type(Box<Type>),
    /// The child's own, as the Python SDK has it.
    OfChild,
}

/// `embed(…)`.
#[derive(Default)]
pub(crate) struct WrittenEmbed {
    pub(crate) from: Option<Given<Ident>>,
    pub(crate) label: Option<Given<Ident>>,
    /// `set = Type`.
    pub(crate) set_type: Option<Given<Type>>,
    /// `set = "name"`, and what else declares a set on the spot.
    pub(crate) inline: WrittenSet,
    /// The class of the descriptors.
    pub(crate) class: Option<Given<LitStr>>,
    /// Whether a face is looked for, and what is to be done if there is none.
    pub(crate) face: Option<Given<&'static str>>,
    /// Whether some part could not be read.
    pub(crate) unread: bool,
}

impl WrittenModel {
    /// What its objects are.
    pub(crate) fn kind(&self) -> Kind {
        self.kinds.first().map_or(Kind::Entity, |(kind, _)| *kind)
    }

    /// Whether it names things as the Python SDK does.
    pub(crate) fn is_as_sdk(&self) -> bool {
        self.convention.as_ref().is_some_and(|c| c.value == "PythonSdk")
    }

    /// The field of that name.
    pub(crate) fn field(&self, name: &Ident) -> Option<&WrittenField> {
        self.fields.iter().find(|f| f.ident.unraw() == name.unraw())
    }
}

impl WrittenField {
    /// The name under which it is stored.
    pub(crate) fn property(&self) -> String {
        match (&self.rename, &self.by_rule) {
            (Some(renamed), _) => renamed.value.value(),
            (None, Some(by_rule)) => by_rule.clone(),
            (None, None) => self.key.clone(),
        }
    }

    /// Whether its own fields are stored, and not it: when we are told so, or serde is and nobody
    /// says what else it is.
    pub(crate) fn is_flattened(&self) -> bool {
        self.flatten.is_some() || (self.serdes_flatten.is_some() && !self.has_role())
    }

    /// Whether a key says what it is.
    pub(crate) fn has_role(&self) -> bool {
        self.id.is_some()
            || self.embed.is_some()
            || self.connect.is_some()
            || !self.parts.is_empty()
            || self.label.is_some()
            || self.with.is_some()
            || self.skip.is_some()
    }

    /// Whether the database sees that name.
    pub(crate) fn has_property(&self) -> bool {
        self.skip.is_none()
            && !self.is_flattened()
            && self.connect.is_none()
            && self.parts.is_empty()
            && self.label.is_none()
    }
}

/// Reads the attributes of a struct and its fields. What is not a struct with named fields has no
/// fields, and an error.
pub(crate) fn read(cx: &Ctxt, input: &DeriveInput) -> WrittenModel {
    let errors = cx.count();
    let mut model = WrittenModel {
        ident: input.ident.clone(),
        vis: input.vis.clone(),
        generics: input.generics.clone(),
        doc: attr::doc(&input.attrs),
        krate: None,
        kinds: Vec::new(),
        row_id: None,
        content_id: None,
        untyped: None,
        default: serde_names::default(&input.attrs),
        class: None,
        rename_all: None,
        convention: None,
        fields: Vec::new(),
        unread: false,
    };
    for item in attr::items(cx, &input.attrs) {
        match item.key.to_string().as_str() {
            "crate" => keep(cx, &mut model.krate, given::path(cx, item)),
            "row_id" => keep(cx, &mut model.row_id, given::flag(cx, item)),
            "content_id" => keep(cx, &mut model.content_id, given::flag(cx, item)),
            "untyped" => keep(cx, &mut model.untyped, given::flag(cx, item)),
            "class" => keep(cx, &mut model.class, given::text(cx, item)),
            "rename_all" => keep(cx, &mut model.rename_all, read_rule(cx, item)),
            "convention" => {
                let choice =
                    given::choice(cx, item, names::CONVENTIONS, names::CONVENTION_SYNONYMS);
                keep(cx, &mut model.convention, choice);
            }
            key => match Kind::by_key(key) {
                Some(kind) => read_kind(cx, &mut model.kinds, kind, item),
                None => given::unknown(cx, &names::STRUCT, &item),
            },
        }
    }
    let for_keys = serde_names::rename_all(&input.attrs);
    let for_properties = model.rename_all.as_ref().map(|r| r.value);
    let fields = fields(cx, input);
    model.unread = cx.count() > errors;
    let as_sdk = model.is_as_sdk();
    model.fields =
        fields.map(|field| read_field(cx, field, for_keys, for_properties, as_sdk)).collect();
    model
}

fn fields<'a>(cx: &Ctxt, input: &'a DeriveInput) -> impl Iterator<Item = &'a syn::Field> + use<'a> {
    let help = format!(
        "a data model is a struct with named fields, such as `struct {} {{ #[adb(id)] id: u64 }}`",
        input.ident
    );
    let named = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(named) => Some(&named.named),
            Fields::Unnamed(unnamed) => {
                cx.error_help(unnamed, "a tuple struct can't be a data model", help);
                None
            }
            // A unit struct lacks an id, as `struct S {}` does: the rule for that speaks.
            Fields::Unit => None,
        },
        Data::Enum(data) => {
            cx.error_help(data.enum_token, "an enum can't be a data model", help);
            None
        }
        Data::Union(data) => {
            cx.error_help(data.union_token, "a union can't be a data model", help);
            None
        }
    };
    named.into_iter().flatten()
}

fn read_kind(cx: &Ctxt, kinds: &mut Vec<(Kind, Ident)>, kind: Kind, item: Item) {
    let Some(given) = given::flag(cx, item) else { return };
    match kinds.iter().find(|(seen, _)| *seen == kind) {
        Some((_, first)) => given::twice(cx, first, &given.key),
        None => kinds.push((kind, given.key)),
    }
}

fn read_parts(cx: &Ctxt, parts: &mut Vec<(Parts, Ident)>, what: Parts, item: Item) {
    let Some(given) = given::flag(cx, item) else { return };
    match parts.iter().find(|(seen, _)| *seen == what) {
        Some((_, first)) => given::twice(cx, first, &given.key),
        None => parts.push((what, given.key)),
    }
}

/// One of serde's rules, for the properties' names.
pub(crate) fn read_rule(cx: &Ctxt, item: Item) -> Option<Given<RenameRule>> {
    let given = given::text(cx, item)?;
    let text = given.value.value();
    if let Some(value) = RenameRule::by_name(&text) {
        return Some(Given { key: given.key, value });
    }
    let expected = names::list(RULES.iter().copied());
    let message = format!("unknown rule `{text}`, expected one of {expected}");
    match names::nearest(&text, RULES.iter().copied(), &[]) {
        Some(meant) => {
            cx.error_help(&given.value, message, format_args!("did you mean `{meant}`?"));
        }
        None => cx.error(&given.value, message),
    }
    None
}

fn read_field(
    cx: &Ctxt,
    field: &syn::Field,
    for_keys: Option<RenameRule>,
    for_properties: Option<RenameRule>,
    as_sdk: bool,
) -> WrittenField {
    let errors = cx.count();
    // Fields of a struct with named fields have names.
    let ident = field.ident.clone().unwrap_or_else(|| format_ident!("_", span = field.span()));
    let mut written = WrittenField {
        key: source_key(&ident, &field.attrs, for_keys),
        by_rule: for_properties.map(|rule| rule.apply(&ident.unraw().to_string())),
        ident,
        ty: field.ty.clone(),
        doc: attr::doc(&field.attrs),
        serdes_flatten: serde_names::flatten(&field.attrs),
        flatten: None,
        with: None,
        id: None,
        index: None,
        skip: None,
        rename: None,
        was: Vec::new(),
        connect: None,
        parts: Vec::new(),
        label: None,
        default: None,
        serdes_default: serde_names::default(&field.attrs),
        embed: None,
        from: None,
        by: None,
        unread: false,
    };
    for item in attr::items(cx, &field.attrs) {
        match item.key.to_string().as_str() {
            "id" => keep(cx, &mut written.id, given::flag(cx, item)),
            "index" => keep(cx, &mut written.index, given::flag(cx, item)),
            "skip" => keep(cx, &mut written.skip, given::flag(cx, item)),
            "rename" => keep(cx, &mut written.rename, given::text(cx, item)),
            "was" => written.was.extend(given::text(cx, item)),
            "label" => keep(cx, &mut written.label, given::flag(cx, item)),
            "flatten" => keep(cx, &mut written.flatten, given::flag(cx, item)),
            "with" => keep(cx, &mut written.with, given::path(cx, item)),
            "default" => keep(cx, &mut written.default, given::path_or_none(cx, item)),
            "connect" => keep(cx, &mut written.connect, read_connect(cx, item, as_sdk)),
            "embed" => keep(cx, &mut written.embed, read_embed(cx, item)),
            "from" => keep(cx, &mut written.from, given::field(cx, item)),
            "by" => keep(cx, &mut written.by, given::ty(cx, item)),
            key => match Parts::ALL.into_iter().find(|parts| parts.key() == key) {
                Some(what) => read_parts(cx, &mut written.parts, what, item),
                None => given::unknown(cx, &names::FIELD, &item),
            },
        }
    }
    if as_sdk && written.id.is_some() {
        written.by_rule = Some(names::SDK_ID.to_owned());
    }
    written.unread = cx.count() > errors;
    written
}

pub(crate) fn source_key(
    field: &Ident,
    attributes: &[Attribute],
    rule: Option<RenameRule>,
) -> String {
    let name = field.unraw().to_string();
    match (serde_names::rename(attributes), rule) {
        (Some(renamed), _) => renamed.value(),
        (None, Some(rule)) => rule.apply(&name),
        (None, None) => name,
    }
}

fn read_connect(cx: &Ctxt, item: Item, as_sdk: bool) -> Option<Given<WrittenConnect>> {
    let key = item.key.clone();
    let mut connect = WrittenConnect { unread: item.unread, ..WrittenConnect::default() };
    match item.value {
        Value::None if as_sdk => connect.class = Some(ConnectionClass::OfChild),
        Value::Lit(_) => connect.class = Some(ConnectionClass::Text(given::text(cx, item)?.value)),
        Value::Type(ty) => connect.class = Some(ConnectionClass::Type(ty)),
        _ => {
            let errors = cx.count();
            let mut class: Option<Given<ConnectionClass>> = None;
            for item in given::list(cx, item, "connect = \"HasPart\"")?.value {
                match (item.key.to_string().as_str(), &item.value) {
                    ("class", Value::Type(ty)) => {
                        let value = ConnectionClass::Type(ty.clone());
                        keep(cx, &mut class, Some(Given { key: item.key, value }));
                    }
                    ("class", _) => {
                        let text = given::text(cx, item).map(|text| Given {
                            key: text.key,
                            value: ConnectionClass::Text(text.value),
                        });
                        keep(cx, &mut class, text);
                    }
                    ("direction", _) => {
                        let direction =
                            given::choice(cx, item, names::DIRECTIONS, names::DIRECTION_SYNONYMS);
                        keep(cx, &mut connect.direction, direction);
                    }
                    _ => given::unknown(cx, &names::CONNECT, &item),
                }
            }
            connect.class = class.map(|class| class.value);
            connect.unread |= cx.count() > errors;
        }
    }
    Some(Given { key, value: connect })
}

fn read_embed(cx: &Ctxt, item: Item) -> Option<Given<WrittenEmbed>> {
    let mut embed = WrittenEmbed { unread: item.unread, ..WrittenEmbed::default() };
    let errors = cx.count();
    let list = given::list(cx, item, "embed(from = field, set = Set)")?;
    for item in list.value {
        match item.key.to_string().as_str() {
            "from" => keep(cx, &mut embed.from, given::field(cx, item)),
            "label" => keep(cx, &mut embed.label, given::field(cx, item)),
            "set" => read_set(cx, &mut embed, item),
            "embedder" => keep(cx, &mut embed.inline.embedder, given::ty(cx, item)),
            "class" => keep(cx, &mut embed.class, given::text(cx, item)),
            "face" => keep(
                cx,
                &mut embed.face,
                given::choice(cx, item, names::FACES, names::FACE_SYNONYMS),
            ),
            "metric" => embed.inline.read_metric(cx, item),
            "engine" => embed.inline.read_engine(cx, item),
            _ => given::unknown(cx, &names::EMBED, &item),
        }
    }
    embed.unread |= cx.count() > errors;
    Some(Given { key: list.key, value: embed })
}

/// `set = Type` and `set = "name"` are one key.
fn read_set(cx: &Ctxt, embed: &mut WrittenEmbed, item: Item) {
    let first = embed.set_type.as_ref().map(|s| &s.key);
    if let Some(first) = first.or(embed.inline.name.as_ref().map(|n| &n.key)) {
        given::twice(cx, first, &item.key);
    } else if matches!(item.value, Value::Lit(_)) {
        embed.inline.name = given::text(cx, item);
    } else {
        embed.set_type = given::ty(cx, item);
    }
}
