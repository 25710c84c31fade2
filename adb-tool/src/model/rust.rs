//! A model document as Rust: structs with a derive.

use std::{collections::HashMap, fmt::Write as _};

use adb::{
    Engine, Metric, NoFace, ObjectKind, ValueType,
    document::{Document, Field, Model, RelationDocument, Role, Set},
};

use super::{draft::DateForm, words};

/// Presets that have a type, by name.
const TYPES: &[(&str, &str)] = &[
    ("clip-vit-b-16", "ClipVitB16"),
    ("clip-vit-b-32", "ClipVitB32"),
    ("clip-vit-l-14", "ClipVitL14"),
    ("facenet-128", "FaceNet128"),
    ("starter-512", "Starter512"),
];

/// The structs of a document.
pub(super) fn text(document: &Document, dates: &HashMap<(String, String), DateForm>) -> String {
    let mut text = "use adb::prelude::*;\nuse serde::{Deserialize, Serialize};\n".to_owned();
    for set in &document.sets {
        descriptor_set(&mut text, set);
    }
    for model in &document.models {
        structure(&mut text, document, model, dates);
    }
    text
}

// Writing to a String can't fail: what it answers is let go.

fn descriptor_set(text: &mut String, set: &Set) {
    let name = words::class(&set.name);
    let metric = match set.metric {
        Metric::InnerProduct => "InnerProduct",
        Metric::L2 => "L2",
        _ => "Cosine",
    };
    let engine = match set.engine {
        Engine::Flat => "Flat",
        Engine::Ivf => "Ivf",
        _ => "Hnsw",
    };
    let preset = TYPES.iter().find(|(preset, _)| *preset == set.embedder);
    let embedder = match preset {
        Some((_, name)) => (*name).to_owned(),
        None => {
            // An embedder that adb has no type of.
            let own = format!("{name}Embedder");
            let _ = write!(
                text,
                "\n/// What fills `{0}`.\nstruct {own};\n\nimpl adb::EmbedderSpec for {own} {{\n    \
                 const NAME: &'static str = {1:?};\n    const DIMENSIONS: usize = {2};\n}}\n\
                 impl adb::Produces<Embedding<{2}>> for {own} {{}}\n\
                 impl adb::Accepts<Image> for {own} {{}}\nimpl adb::Accepts<String> for {own} {{}}\n",
                set.name, set.embedder, set.dimensions
            );
            own
        }
    };
    let _ = write!(
        text,
        "\n#[derive(DescriptorSet)]\n#[adb(name = {:?}, embedder = {embedder}, metric = {metric}, \
         engine = {engine})]\nstruct {name};\n",
        set.name
    );
}

fn structure(
    text: &mut String,
    document: &Document,
    model: &Model,
    dates: &HashMap<(String, String), DateForm>,
) {
    text.push('\n');
    doc(text, "", &model.doc);
    text.push_str("#[derive(DataModel, Serialize, Deserialize)]\n");
    let mut said: Vec<String> = Vec::new();
    match model.kind {
        ObjectKind::Entity => {}
        ObjectKind::Image => said.push("image".into()),
        ObjectKind::Video => said.push("video".into()),
        ObjectKind::Blob => said.push("blob".into()),
        // The attribute is what the kind is in a document.
        other => {
            said.extend(
                serde_json::to_value(other).ok().and_then(|v| Some(v.as_str()?.to_owned())),
            );
        }
    }
    if model.class != model.name {
        said.push(format!("class = {:?}", model.class));
    }
    if model.untyped {
        said.push("untyped".into());
    }
    let has_id = model.fields.iter().any(|field| matches!(field.role, Role::Id { .. }));
    match (model.content_id, has_id) {
        (true, _) => said.push("content_id".into()),
        (false, false) => said.push("row_id".into()),
        (false, true) => {}
    }
    if !said.is_empty() {
        let _ = writeln!(text, "#[adb({})]", said.join(", "));
    }
    let _ = writeln!(text, "struct {} {{", model.name);
    for field in &model.fields {
        member(text, document, model, field, dates);
    }
    text.push_str("}\n");
}

fn member(
    text: &mut String,
    document: &Document,
    model: &Model,
    field: &Field,
    dates: &HashMap<(String, String), DateForm>,
) {
    doc(text, "    ", &field.doc);
    let mut said: Vec<String> = Vec::new();
    let date = dates.get(&(model.name.clone(), field.name.clone()));
    let option = |optional: bool, inner: String| match optional {
        true => format!("Option<{inner}>"),
        false => inner,
    };
    let mut is_defaulted = false;
    let r#type = match &field.role {
        Role::Id { r#type } => {
            said.push("id".into());
            property(*r#type, date)
        }
        Role::Property { r#type, optional, indexed } => {
            if *indexed {
                said.push("index".into());
            }
            option(*optional, property(*r#type, date))
        }
        Role::Media { kind, optional } => {
            let media = match kind {
                ObjectKind::Image => "Image",
                ObjectKind::Video => "Video",
                _ => "Blob",
            };
            option(*optional, media.to_owned())
        }
        Role::Geometry { system } => geometry(system).to_owned(),
        Role::Label { optional } => {
            said.push("label".into());
            option(*optional, "String".to_owned())
        }
        Role::Embedding { set, from, label, optional, face, .. } => {
            let mut parts = Vec::new();
            parts.extend(from.iter().map(|from| format!("from = {from}")));
            parts.push(format!("set = {}", words::class(set)));
            parts.extend(label.iter().map(|label| format!("label = {label}")));
            parts.extend(face.iter().map(|face| {
                let face = match face {
                    NoFace::Skip => "LargestOrSkip",
                    NoFace::Whole => "LargestOrWhole",
                    _ => "LargestOrFail",
                };
                format!("face = {face}")
            }));
            said.push(format!("embed({})", parts.join(", ")));
            let known = document.sets.iter().find(|known| known.name == *set);
            option(*optional, format!("Embedding<{}>", known.map_or(0, |set| set.dimensions)))
        }
        Role::Children { relation, many, optional, model: child, .. } => {
            match relation {
                RelationDocument::Connection(class) => said.push(format!("connect = {class:?}")),
                RelationDocument::Reversed(class) => {
                    said.push(format!("connect(class = {class:?}, direction = in)"));
                }
                _ => {}
            }
            is_defaulted = *many && *optional;
            match many {
                true => format!("Vec<{child}>"),
                false => option(*optional, child.clone()),
            }
        }
    };
    let has_property = matches!(
        field.role,
        Role::Id { .. } | Role::Property { .. } | Role::Media { .. } | Role::Embedding { .. }
    );
    if has_property && field.property != field.key {
        said.push(format!("rename = {:?}", field.property));
    }
    if !said.is_empty() {
        let _ = writeln!(text, "    #[adb({})]", said.join(", "));
    }
    let mut serde: Vec<String> = Vec::new();
    if field.key != field.name {
        serde.push(format!("rename = {:?}", field.key));
    }
    if is_defaulted {
        serde.push("default".to_owned());
    }
    if !serde.is_empty() {
        let _ = writeln!(text, "    #[serde({})]", serde.join(", "));
    }
    let _ = writeln!(text, "    {}: {},", field.name, r#type);
}

fn property(r#type: ValueType, date: Option<&DateForm>) -> String {
    match r#type {
        ValueType::Bool => "bool",
        ValueType::Int => "i64",
        ValueType::Float => "f64",
        ValueType::Date => match date {
            Some(DateForm::Day) => "adb::jiff::civil::Date",
            Some(DateForm::Time) => "adb::jiff::civil::DateTime",
            _ => "adb::jiff::Timestamp",
        },
        ValueType::Json => "AsJson<serde_json::Value>",
        _ => "String",
    }
    .to_owned()
}

fn geometry(system: &str) -> &'static str {
    match system {
        "_coordinates" => "Rect",
        "_frame_number_range" => "FrameSpan",
        "_time_offset_range" => "TimeSpan",
        "_time_fraction_range" => "FractionSpan",
        "_frame_number" => "FrameNumber",
        "_time_offset" => "TimeOffset",
        "_time_fraction" => "TimeFraction",
        _ => "Polygon",
    }
}

fn doc(text: &mut String, indent: &str, doc: &str) {
    for line in doc.lines() {
        let _ = writeln!(text, "{indent}/// {}", line.trim());
    }
}
