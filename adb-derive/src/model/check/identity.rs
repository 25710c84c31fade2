//! What tells the objects of a model apart.

use syn::{GenericArgument, PathArguments, Type, ext::IdentExt};

use crate::{
    ctxt::Ctxt,
    model::{
        kind::Kind,
        written::{WrittenField, WrittenModel},
    },
    shown::shown,
};

pub(super) fn identified(cx: &Ctxt, model: &WrittenModel) {
    let id = model.fields.iter().find_map(|f| f.id.as_ref().map(|id| (f, id)));
    let instead = [&model.row_id, &model.content_id].into_iter().flatten();
    match (id, instead.clone().next()) {
        (None, None) => no_id(cx, model),
        (Some((field, id)), Some(_)) => {
            for given in instead {
                let message = format!("`{}` is for models that have no id of their own", given.key);
                cx.error_pair(
                    (&given.key, message),
                    (&id.key, format!("`{}` is one", field.ident)),
                );
            }
        }
        _ => {}
    }
    if let (Some(row_id), Some(content_id)) = (&model.row_id, &model.content_id) {
        cx.error_pair(
            (&content_id.key, "an object is identified by its row or by its blob, not by both"),
            (&row_id.key, "`row_id` is given here"),
        );
    }
}

fn no_id(cx: &Ctxt, model: &WrittenModel) {
    // Where something could not be read, that may have been the id.
    if model.unread || model.fields.iter().any(|f| f.unread) {
        return;
    }
    let message = format!(
        "`{}` has no id, so nothing tells its objects apart: a second run would add them again",
        model.ident
    );
    let help = match likely_id(model) {
        Some((field, Fitness::Fit)) => {
            let ty = shown(&field.ty);
            format!("mark the field that identifies one: `#[adb(id)] {}: {ty}`", field.ident)
        }
        Some((field, Fitness::Optional(ty))) => format!(
            "an id is never absent: if every row has `{0}`, make it `#[adb(id)] {0}: {1}`",
            field.ident,
            shown(ty)
        ),
        None => {
            let is_taken = model.fields.iter().any(|f| f.ident == "id");
            let name = if is_taken { "object_id" } else { "id" };
            format!("add a field that identifies one, such as `#[adb(id)] {name}: u64`")
        }
    };
    let help = format!(
        "{help}\nhelp: if only several fields together do, mark each of them\nhelp: if none does, \
         `#[adb(row_id)]` on the struct takes an id from the row in its source"
    );
    cx.error_help(&model.ident, message, help);
}

/// How a type can be an id, as far as its name says.
enum Fitness<'a> {
    Fit,
    /// But for its `Option`, whose inside can.
    Optional(&'a Type),
}

/// A field that is called like an id, and can be one; else one that could but for its `Option`.
fn likely_id(model: &WrittenModel) -> Option<(&WrittenField, Fitness<'_>)> {
    let free = model.fields.iter().filter(|f| {
        f.has_property() && f.embed.is_none() && f.with.is_none() && f.default.is_none()
    });
    let named = free.filter_map(|f| {
        let name = f.ident.unraw().to_string();
        let rank = match name.as_str() {
            "id" | "uuid" => 0,
            _ if name.ends_with("_id") => 1,
            "key" | "name" => 2,
            _ => return None,
        };
        let fitness = fitness(&f.ty)?;
        Some(((matches!(fitness, Fitness::Optional(_)), rank), (f, fitness)))
    });
    named.min_by_key(|(order, _)| *order).map(|(_, field)| field)
}

/// What `IdProperty` is implemented for. A type of the user's own counts as fit, since it may be.
fn fitness(ty: &Type) -> Option<Fitness<'_>> {
    let path = match ty {
        Type::Group(group) => return fitness(&group.elem),
        Type::Paren(paren) => return fitness(&paren.elem),
        Type::Reference(text) => match &*text.elem {
            Type::Path(path) if path.path.is_ident("str") => return Some(Fitness::Fit),
            _ => return None,
        },
        Type::Path(path) => &path.path,
        _ => return None,
    };
    let last = path.segments.last()?;
    let inside = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => {
            arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
        }
        _ => None,
    };
    match (last.ident.unraw().to_string().as_str(), inside) {
        ("Option", Some(inside)) => match fitness(inside)? {
            Fitness::Fit => Some(Fitness::Optional(inside)),
            Fitness::Optional(_) => None,
        },
        ("Box" | "Rc" | "Arc" | "Cow", Some(inside)) => fitness(inside),
        (_, Some(_)) => None,
        (name, None) => (!NEVER_IDS.contains(&name)).then_some(Fitness::Fit),
    }
}

/// Types that every model may hold, and none as its id.
const NEVER_IDS: [&str; 20] = [
    "f32",
    "f64",
    "bool",
    "Timestamp",
    "Date",
    "DateTime",
    "Value",
    "Duration",
    "PathBuf",
    "Image",
    "Video",
    "Blob",
    "Rect",
    "Polygon",
    "TimeSpan",
    "FrameSpan",
    "FractionSpan",
    "TimeOffset",
    "FrameNumber",
    "TimeFraction",
];

/// Only where the blob is the user's own bytes does the same content mean the same object.
pub(super) fn content_is_there(cx: &Ctxt, model: &WrittenModel) {
    let Some(content_id) = &model.content_id else { return };
    let kind = model.kind();
    if !kind.has_content() && !model.unread {
        let message = format!(
            "`content_id` identifies images, videos and blobs by their bytes, and `{}` is {}",
            model.ident,
            kind.about().one
        );
        let help = "mark the fields that identify one with `#[adb(id)]`, or take `row_id`";
        cx.error_help(&content_id.key, message, help);
    }
}

pub(super) fn a_class_to_leave_out(cx: &Ctxt, model: &WrittenModel) {
    if let Some(untyped) = model.untyped.as_ref().filter(|_| !model.unread)
        && model.kind() == Kind::Entity
    {
        let message = "`untyped` leaves `user_type` out, and entities have none: their class is \
                       what they are";
        cx.error_help(&untyped.key, message, "take `untyped` away");
    }
}
