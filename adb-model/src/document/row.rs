//! From a row and a document to the graph that the struct would give.

use serde_json::{Map, Value as Json};

use super::{Field, LoadedModel, Made, Model, Role, Set};
use crate::{
    Date, EmbedInput, FieldPlace, FractionSpan, FrameNumber, FrameSpan, Geometry, Graph,
    GraphBuilder, MakeInput, MediaSource, ModelError, NodeId, ObjectKind, Polygon, Rect, SetSpec,
    TimeFraction, TimeOffset, TimeSpan, ToMake, Value, ValueError, ValueType,
    embedding::check_vector, error::ModelErrorKind, graph::Entered,
};

impl LoadedModel {
    /// The graph of a row: what [`DataModel::graph_in`](crate::DataModel::graph_in) gives for the
    /// struct that serde reads from the same row.
    ///
    /// # Errors
    /// When the row lacks something, or has it with another type.
    pub fn graph_in(self, row: &Json, mut graph: GraphBuilder) -> Result<Graph, ModelError> {
        if let Some(root) = self.document().root() {
            self.build(&mut graph, root, row)?;
        }
        Ok(graph.finish())
    }

    fn build(
        self,
        graph: &mut GraphBuilder,
        model: &'static Model,
        row: &Json,
    ) -> Result<NodeId, ModelError> {
        let Json::Object(row) = row else {
            let found = ValueError::Unexpected { expected: "object", found: row.to_string() };
            return Err(ModelError::new(model.name.as_str(), found.into()));
        };
        let mut ids = Vec::new();
        for field in &model.fields {
            if let Role::Id { r#type } = field.role {
                ids.push((field.property.as_str(), required(model, field, r#type, row)?));
            }
        }
        let entered = if let Some(field) = model.own_media().filter(|_| model.content_id) {
            let at = place(model, field);
            let json = value_of(field, row, at)?;
            let absent = || at.error(ModelErrorKind::Missing { key: &field.key });
            let media = media(json.ok_or_else(absent)?, at)?;
            graph.enter_content(model.kind, &model.class, Some(&media))?
        } else if ids.is_empty() {
            graph.enter_row(model.kind, &model.class)?
        } else {
            graph.enter(model.kind, &model.class, ids)?
        };
        let node = match entered {
            Entered::Known(node) => return Ok(node),
            Entered::New(node) => node,
        };
        graph.convention(node, model.convention);
        if model.untyped {
            graph.untyped(node);
        }
        for field in &model.fields {
            self.add(graph, node, model, field, row)?;
        }
        Ok(node)
    }

    fn add(
        self,
        graph: &mut GraphBuilder,
        node: NodeId,
        model: &'static Model,
        field: &'static Field,
        row: &Map<String, Json>,
    ) -> Result<(), ModelError> {
        if lacks_struct(&model.fields, field, row) {
            return Ok(());
        }
        let at = place(model, field);
        let value = value_of(field, row, at)?;
        let missing = || at.error(ModelErrorKind::Missing { key: &field.key });
        match &field.role {
            Role::Id { .. } => {}
            Role::Property { r#type, optional, .. } => match value {
                None if *optional => {}
                None => return Err(missing()),
                Some(json) => {
                    let value = property(json, *r#type).map_err(|e| at.error(e.into()))?;
                    graph.property(node, &field.property, value);
                }
            },
            Role::Media { kind, optional } => match value {
                None if *optional => {}
                None => return Err(missing()),
                Some(json) => graph.media(node, *kind, &field.property, &media(json, at)?),
            },
            Role::Geometry { system } => {
                let geometry =
                    geometry(system, value.ok_or_else(missing)?).map_err(|e| at.error(e.into()))?;
                geometry.check().map_err(|e| at.error(e.into()))?;
                graph.geometry(node, geometry);
            }
            Role::Label { optional } => match value {
                None if *optional => {}
                None => return Err(missing()),
                Some(json) => graph.label(node, text(json).map_err(|e| at.error(e.into()))?),
            },
            Role::Embedding { set, from, label, optional, class, face } => {
                if let Some(class) = class {
                    graph.descriptor_class(node, &field.property, class);
                }
                // `check` has seen to it that there is one.
                let Some(set) = self.document().set(set) else { return Ok(()) };
                let vector = value.map(|json| vector(json, set, at)).transpose()?;
                let source = match from {
                    Some(from) => {
                        let source = source(model, from, row)?;
                        match face {
                            Some(otherwise) => source.map(|input| input.face(*otherwise)),
                            None => source,
                        }
                    }
                    None if vector.is_none() && !optional => {
                        return Err(at.error(ModelErrorKind::NoVector { set: &set.name }));
                    }
                    None => None,
                };
                let descriptor =
                    graph.descriptor(node, &field.property, spec(set), vector, source)?;
                let named = |name: &String| model.fields.iter().find(|f| f.name == *name);
                if let (Some(descriptor), Some(field)) =
                    (descriptor, label.as_ref().and_then(named))
                {
                    let at = place(model, field);
                    if let Some(json) = value_of(field, row, at)? {
                        let label = text(json).map_err(|e| at.error(e.into()))?;
                        graph.label(descriptor, label);
                    }
                }
            }
            Role::Children { relation, edge, many, optional, model: child, made } => {
                let Some(child) = self.document().model(child) else { return Ok(()) };
                let relation = relation.as_relation(*many);
                let children = match value {
                    None if *optional => &[][..],
                    None => return Err(missing()),
                    Some(Json::Array(all)) if *many => all,
                    Some(one) => std::slice::from_ref(one),
                };
                for row in children {
                    let node_of_child = self.build(graph, child, row)?;
                    let properties = edge_properties(child, edge, row)?;
                    graph.relate(node, node_of_child, relation, properties);
                }
                if let Some(made) = made
                    && children.is_empty()
                    && (value.is_none() || !made.empty_stands)
                    && let Some(input) = make_input(model, made, row)?
                {
                    let maker = &made.by;
                    graph.to_make(ToMake { owner: node, at, relation, maker, input });
                }
            }
        }
        Ok(())
    }
}

/// What children are made from: the field that `from` names.
fn make_input(
    model: &'static Model,
    made: &Made,
    row: &Map<String, Json>,
) -> Result<Option<MakeInput>, ModelError> {
    let Some(field) = model.fields.iter().find(|f| f.name == made.from) else { return Ok(None) };
    let at = place(model, field);
    let Some(json) = value_of(field, row, at)? else { return Ok(None) };
    Ok(Some(match &field.role {
        Role::Media { .. } => MakeInput::Media(media(json, at)?),
        _ => MakeInput::Text(text(json).map_err(|e| at.error(e.into()))?),
    }))
}

fn place(model: &'static Model, field: &'static Field) -> FieldPlace {
    FieldPlace { model: &model.name, field: &field.name, property: &field.property }
}

/// Whether a row is without the flattened struct that a field is of. Without a part of it that is
/// needed it is so only if it has no other part either; else that part is missing.
fn lacks_struct(all: &[Field], field: &Field, row: &Map<String, Json>) -> bool {
    if !field.of_optional {
        return false;
    }
    let has = |key: &str| row.get(key).is_some_and(|value| !value.is_null());
    if let Some(key) = &field.within {
        return !has(key);
    }
    // As `Field::of` spells fields of flattened structs.
    let outer = |field: &Field| field.name.split('.').next().map(str::to_owned);
    let of = outer(field);
    let same = all.iter().filter(|f| f.of_optional && f.within.is_none() && outer(f) == of);
    let mut is_needed = false;
    for part in same {
        if has(&part.key) {
            return false;
        }
        is_needed |= !part.is_optional_in_struct();
    }
    is_needed
}

/// What a row has for a field, if anything.
///
/// # Errors
/// When the object is missing that the field is in.
fn value_of<'r>(
    field: &'static Field,
    row: &'r Map<String, Json>,
    at: FieldPlace,
) -> Result<Option<&'r Json>, ModelError> {
    let row = match &field.within {
        None => row,
        Some(key) => match row.get(key) {
            Some(Json::Object(inner)) => inner,
            Some(found) => {
                let found = found.to_string();
                return Err(at.error(ValueError::Unexpected { expected: "object", found }.into()));
            }
            None => return Err(at.error(ModelErrorKind::Missing { key })),
        },
    };
    Ok(row.get(&field.key).or(field.default.as_ref()).filter(|v| !v.is_null()))
}

fn required(
    model: &'static Model,
    field: &'static Field,
    value_type: ValueType,
    row: &Map<String, Json>,
) -> Result<Value, ModelError> {
    let at = place(model, field);
    let json = row
        .get(&field.key)
        .ok_or_else(|| at.error(ModelErrorKind::MissingId { key: &field.key }))?;
    property(json, value_type).map_err(|e| at.error(e.into()))
}

fn edge_properties(
    child: &'static Model,
    edge: &'static [Field],
    row: &Json,
) -> Result<Vec<(&'static str, Value)>, ModelError> {
    let mut properties = Vec::new();
    let Json::Object(row) = row else { return Ok(properties) };
    for field in edge {
        let Role::Property { r#type, optional, .. } = field.role else { continue };
        if lacks_struct(edge, field, row) {
            continue;
        }
        let at = place(child, field);
        match value_of(field, row, at)? {
            None if optional => {}
            None => return Err(at.error(ModelErrorKind::Missing { key: &field.key })),
            Some(json) => {
                let value = property(json, r#type).map_err(|e| at.error(e.into()))?;
                properties.push((field.property.as_str(), value));
            }
        }
    }
    Ok(properties)
}

/// A property's value, of the type that the model gives it.
fn property(json: &Json, value_type: ValueType) -> Result<Value, ValueError> {
    let wrong = |expected| Err(ValueError::Unexpected { expected, found: json.to_string() });
    Ok(match value_type {
        ValueType::Bool => match json.as_bool() {
            Some(b) => Value::Bool(b),
            None => return wrong("boolean"),
        },
        ValueType::Int => match (json.as_i64(), json.as_u64()) {
            (Some(i), _) => Value::Int(i),
            (None, Some(u)) => return Err(ValueError::IntegerRange(u.to_string())),
            (None, None) => return wrong("whole number"),
        },
        ValueType::Float => match json.as_f64() {
            Some(x) => Value::Float(x),
            None => return wrong("number"),
        },
        ValueType::String => Value::String(text(json)?),
        ValueType::Date => match json.as_str() {
            Some(text) => Value::Date(text.parse::<Date>()?),
            None => return wrong("date, such as \"2024-05-01\" or \"2024-05-01T12:30:00Z\""),
        },
        ValueType::Json => match json {
            Json::Object(_) | Json::Array(_) => Value::Json(json.clone()),
            other => return Err(ValueError::NotAContainer(other.to_string())),
        },
    })
}

fn text(json: &Json) -> Result<String, ValueError> {
    json.as_str()
        .map(str::to_owned)
        .ok_or_else(|| ValueError::Unexpected { expected: "text", found: json.to_string() })
}

fn media(json: &Json, at: FieldPlace) -> Result<MediaSource, ModelError> {
    match json.as_str() {
        Some(text) if !text.is_empty() => Ok(MediaSource::from_text(text)),
        _ => {
            let expected = "path or address";
            Err(at.error(ValueError::Unexpected { expected, found: json.to_string() }.into()))
        }
    }
}

fn vector(json: &Json, set: &Set, at: FieldPlace) -> Result<std::sync::Arc<[f32]>, ModelError> {
    let read: Result<Vec<f32>, _> = serde::Deserialize::deserialize(json);
    let vector = read.map_err(|_| {
        at.error(ValueError::Unexpected { expected: "vector", found: json.to_string() }.into())
    })?;
    check_vector(&vector, set.dimensions).map_err(|e| at.error(e.into()))?;
    Ok(vector.into())
}

/// What a vector is made from: the field that `from` names.
fn source(
    model: &'static Model,
    from: &str,
    row: &Map<String, Json>,
) -> Result<Option<EmbedInput>, ModelError> {
    let Some(field) = model.fields.iter().find(|f| f.name == from) else { return Ok(None) };
    let at = place(model, field);
    let Some(json) = value_of(field, row, at)? else { return Ok(None) };
    Ok(Some(match &field.role {
        Role::Media { kind: ObjectKind::Image, .. } => EmbedInput::Image(media(json, at)?),
        Role::Geometry { .. } => EmbedInput::OwnRegion,
        _ => EmbedInput::Text(text(json).map_err(|e| at.error(e.into()))?),
    }))
}

fn geometry(system: &str, json: &Json) -> Result<Geometry, ValueError> {
    fn read<T: serde::de::DeserializeOwned>(json: &Json) -> Result<T, ValueError> {
        T::deserialize(json).map_err(|e| ValueError::Unexpected {
            expected: "geometry",
            found: format!("{json} ({e})"),
        })
    }
    Ok(match system {
        "_coordinates" => Geometry::Rect(read::<Rect>(json)?),
        "_frame_number_range" => Geometry::Frames(read::<FrameSpan>(json)?),
        "_time_offset_range" => Geometry::Time(read::<TimeSpan>(json)?),
        "_time_fraction_range" => Geometry::Fraction(read::<FractionSpan>(json)?),
        "_frame_number" => Geometry::FrameNumber(read::<FrameNumber>(json)?),
        "_time_offset" => Geometry::TimeOffset(read::<TimeOffset>(json)?),
        "_time_fraction" => Geometry::TimeFraction(read::<TimeFraction>(json)?),
        _ => Geometry::Polygon(read::<Polygon>(json)?),
    })
}

pub(super) fn spec(set: &'static Set) -> SetSpec {
    SetSpec {
        name: &set.name,
        dimensions: set.dimensions,
        metric: set.metric,
        engine: set.engine,
        embedder: &set.embedder,
    }
}
