//! The descriptor that a second set gets for one of the first.

use serde_json::Value as Json;

use crate::{
    DbError, EmbedInput, Graph, GraphBuilder, MediaSource, NoFace, ObjectKind, Record, Rect,
    SetSpec, Value,
    content::made_from,
    enrich::{BlobAt, Blobs},
    graph::{CONTENT, Entered, OBJECT_ID, USER_TYPE},
    kept::kept,
};

/// Who says what a descriptor was made from.
pub(super) enum By {
    /// The field of a model, with its word on faces.
    Field(Option<NoFace>),
    /// The note on the descriptor, if it has one.
    Note(Option<String>),
}

impl By {
    /// The source, which is `plain` or the largest face of it.
    fn source(self, plain: EmbedInput) -> Result<EmbedInput, String> {
        match self {
            By::Field(Some(otherwise)) => Ok(plain.face(otherwise)),
            By::Field(None) | By::Note(None) => Ok(plain),
            By::Note(Some(note)) => {
                let faces = [NoFace::Fail, NoFace::Whole].map(|or| plain.clone().face(or));
                let all = std::iter::once(plain).chain(faces);
                made_from(&note, all).ok_or_else(|| {
                    "it was made neither from the picture that it hangs on, as that is now, nor from the largest face in it; give the model that says what it was made from".to_owned()
                })
            }
        }
    }
}

pub(super) enum Input {
    Text(String),
    Blob(BlobAt),
    Region(BlobAt, Rect),
}

/// What a descriptor of the second set has of that of the first.
pub(super) struct Copied {
    id: Option<String>,
    class: Option<String>,
    label: Option<String>,
    properties: Vec<(&'static str, Value)>,
}

pub(super) fn copied(record: &Record) -> Result<Copied, DbError> {
    let text = |key: &str| record.properties().get(key).and_then(Json::as_str).map(str::to_owned);
    let mut properties = Vec::new();
    for name in record.properties().keys() {
        // What it was made from is noted anew, with the new embedder.
        if name.starts_with('_') || [OBJECT_ID, USER_TYPE, CONTENT].contains(&name.as_str()) {
            continue;
        }
        let value = record.get(name).map_err(|e| {
            DbError::permanent(format!("the property `{name}` of a descriptor can't be read: {e}"))
        })?;
        if let Some(value) = value {
            properties.push((kept(name), value));
        }
    }
    let label = record.label().map(str::to_owned);
    Ok(Copied { id: text(OBJECT_ID), class: text(USER_TYPE), label, properties })
}

/// A descriptor to be made in the second set.
pub(super) struct Counterpart {
    pub(super) to: SetSpec,
    /// The owner's kind, class and id.
    pub(super) kind: ObjectKind,
    pub(super) class: &'static str,
    pub(super) owner: String,
    /// The owner's field, where the connection to it names one.
    pub(super) field: Option<String>,
    pub(super) of: Copied,
    pub(super) input: Input,
    pub(super) by: By,
}

impl Counterpart {
    pub(super) fn graph(self, blobs: &Blobs) -> Result<Graph, String> {
        let Self { to, kind, class, owner, field, of, input, by } = self;
        let source = match input {
            Input::Text(text) => EmbedInput::Text(text),
            Input::Blob((_, id)) => EmbedInput::Image(MediaSource::Bytes(blobs.get(&id)?)),
            Input::Region((_, id), rect) => {
                EmbedInput::Region(MediaSource::Bytes(blobs.get(&id)?), rect)
            }
        };
        let source = by.source(source)?;
        let mut graph = GraphBuilder::new();
        let identity = vec![("_uniqueid", owner.as_str().into())];
        let (Entered::New(node) | Entered::Known(node)) =
            graph.enter(kind, class, identity).map_err(|e| e.to_string())?;
        // A descriptor that adb made keeps its identity, so that the model which is told to use
        // the second set finds it. Of others, the object and the field that they hang on say who
        // is who.
        let id = of.id.unwrap_or_else(|| match &field {
            Some(field) => format!("{}/{owner}/{field}", to.name),
            None => format!("{}/{owner}", to.name),
        });
        let class = of.class.as_deref().map(kept);
        let descriptor = graph.copied_descriptor(node, class, id, to, source);
        graph.properties(descriptor).extend(of.properties);
        if let Some(label) = of.label {
            graph.label(descriptor, label);
        }
        if let (Some(field), Some(class)) = (field, class) {
            graph.connect_copied(node, descriptor, class, field);
        }
        let mut graph = graph.finish();
        graph.stored(node, &owner, None);
        Ok(graph)
    }
}
