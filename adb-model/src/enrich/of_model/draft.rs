//! The graph of an object that is there and of the parts that it lacks.

use serde_json::Value as Json;

use crate::{
    EmbedInput, FieldPlace, FieldRole, FieldSchema, Graph, GraphBuilder, MadeBy, MakeInput,
    MediaSource, ModelSchema, ObjectKind, Record, Rect, Relation, SetSpec, ToMake, Value,
    enrich::{BlobAt, Blobs, Draft},
    graph::{Entered, MADE},
};

/// A vector or children to be made, with what they are made from.
pub(super) struct Part<D> {
    pub(super) declared: D,
    pub(super) input: Input,
}

pub(super) enum Input {
    Text(String),
    Blob(String),
    Region(String, Rect),
}

pub(super) struct VectorPart {
    pub(super) field: &'static FieldSchema,
    pub(super) set: SetSpec,
    pub(super) class: Option<&'static str>,
    pub(super) label: Option<String>,
}

pub(super) struct ChildrenPart {
    pub(super) field: &'static FieldSchema,
    pub(super) relation: Relation,
    pub(super) made: MadeBy,
}

pub(super) fn draft(
    schema: &'static ModelSchema,
    record: Record,
    identity: Vec<(&'static str, Value)>,
    vectors: Vec<Part<VectorPart>>,
    children: Vec<Part<ChildrenPart>>,
) -> Draft {
    let mut blobs: Vec<BlobAt> = Vec::new();
    let media_kind = |name: &str| {
        let field = schema.fields.iter().find(|f| f.name == name);
        match field.map(|f| f.role) {
            Some(FieldRole::Media { kind, .. }) => kind,
            _ => ObjectKind::Image,
        }
    };
    let from_vectors = vectors.iter().map(|p| (&p.input, ObjectKind::Image));
    let from_children = children.iter().map(|p| (&p.input, media_kind(p.declared.made.from)));
    for (input, kind) in from_vectors.chain(from_children) {
        if let Input::Blob(id) | Input::Region(id, _) = input
            && !blobs.iter().any(|(_, known)| known == id)
        {
            blobs.push((kind, id.clone()));
        }
    }
    let build = move |blobs: &Blobs| build(schema, &record, identity, vectors, children, blobs);
    Draft { blobs, build: Box::new(build) }
}

fn build(
    schema: &'static ModelSchema,
    record: &Record,
    identity: Vec<(&'static str, Value)>,
    vectors: Vec<Part<VectorPart>>,
    children: Vec<Part<ChildrenPart>>,
    blobs: &Blobs,
) -> Result<Graph, String> {
    let mut graph = GraphBuilder::new();
    let entered = graph.enter(schema.kind, schema.class, identity).map_err(|e| e.to_string())?;
    let (Entered::New(node) | Entered::Known(node)) = entered;
    graph.convention(node, schema.convention);
    if schema.untyped {
        graph.untyped(node);
    }
    let media = |id: &str| Ok::<_, String>(MediaSource::Bytes(blobs.get(id)?));
    let mut own = None;
    for Part { declared: VectorPart { field, set, class, label }, input } in vectors {
        if let Some(class) = class {
            graph.descriptor_class(node, field.property, class);
        }
        let input = match input {
            Input::Text(text) => EmbedInput::Text(text),
            Input::Region(id, rect) => EmbedInput::Region(media(&id)?, rect),
            Input::Blob(id) => EmbedInput::Image(media(&id)?),
        };
        let input = match field.role {
            FieldRole::Embedding { face: Some(otherwise), .. } => input.face(otherwise),
            _ => input,
        };
        let descriptor = graph
            .descriptor(node, field.property, set, None, Some(input))
            .map_err(|e| e.to_string())?;
        if let (Some(descriptor), Some(label)) = (descriptor, label) {
            graph.label(descriptor, label);
        }
    }
    for Part { declared: ChildrenPart { field, relation, made }, input } in children {
        let at = FieldPlace { model: schema.name, field: field.name, property: field.property };
        let input = match input {
            Input::Text(text) => MakeInput::Text(text),
            Input::Region(id, _) | Input::Blob(id) => {
                let blob = media(&id)?;
                if id == record.unique_id() {
                    // Its parts may be embedded from it.
                    own = Some(blob.clone());
                }
                MakeInput::Media(blob)
            }
        };
        graph.to_make(ToMake { owner: node, at, relation, maker: made.maker, input });
    }
    let mut graph = graph.finish();
    graph.stored(node, record.unique_id(), own);
    if let Some(made) = record.properties().get(MADE).and_then(Json::as_str) {
        graph.mark_made(node, made);
    }
    Ok(graph)
}
