//! Indexes and the schema.

use super::{
    fault::Fault,
    params::Params,
    part::{Polygons, Rectangle},
};
use crate::store::{
    catalog::Target,
    system::{can_index, is_built_in},
};

/// CreateIndex and RemoveIndex, in either form.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) target: Target,
    pub(crate) class: String,
    pub(crate) property: String,
    /// Whether it was asked for as SDK 0.5 does, which takes any status but 0 for a failure.
    pub(crate) newer_form: bool,
}

impl Index {
    pub(super) fn parse(params: &mut Params) -> Result<Self, Fault> {
        let newer = params.text("target")?;
        let newer_form = newer.is_some();
        let target = match newer {
            Some(target) => target,
            None => params.required_text("index_type")?,
        };
        let target = index_target(&target)?;
        let class = params.required_text("class")?;
        let property = match params.text("property")? {
            Some(property) => property,
            None => params.required_text("property_key")?,
        };
        // The type of the property decides; older clients name it all the same.
        params.text("property_type")?;
        match params.text("kind")?.as_deref() {
            None | Some("ordered") => {}
            Some(other) => return Err(Fault::not_yet(&format!("an index of kind `{other}`"))),
        }
        if property.starts_with('_')
            && !is_built_in(target, &class, &property)
            && !can_index(target, &class, &property)
        {
            return Err(Fault::new(format!("`{property}` of `{class}` can't be indexed")));
        }
        Ok(Self { target, class, property, newer_form })
    }
}

fn index_target(name: &str) -> Result<Target, Fault> {
    Target::named(name).ok_or_else(|| {
        Fault::new(format!("an index is on an \"entity\" or a \"connection\", not \"{name}\""))
    })
}

/// GetIndexes: those that are so; what is not given does not matter.
#[derive(Debug)]
pub(crate) struct GetIndexes {
    pub(crate) target: Option<Target>,
    pub(crate) class: Option<String>,
    pub(crate) property: Option<String>,
    pub(crate) kind: Option<String>,
}

impl GetIndexes {
    pub(super) fn parse(params: &mut Params) -> Result<Self, Fault> {
        let target = params.text("target")?.or(params.text("index_type")?);
        Ok(Self {
            target: target.as_deref().map(index_target).transpose()?,
            class: params.text("class")?,
            property: params.text("property")?.or(params.text("property_key")?),
            kind: params.text("kind")?,
        })
    }
}

/// GetSchema.
#[derive(Debug)]
pub(crate) struct GetSchema {
    /// Only these objects, what they are joined to, and the edges between.
    pub(crate) around: Option<u32>,
    pub(crate) entities: bool,
    pub(crate) connections: bool,
}

impl GetSchema {
    pub(super) fn parse(params: &mut Params) -> Result<Self, Fault> {
        // The schema is counted when it is asked for: there is nothing to refresh.
        params.boolean("refresh")?;
        let around = params.reference("ref")?;
        let (entities, connections) = match params.text("type")?.as_deref() {
            None | Some("both") => (true, true),
            Some("entities") => (true, false),
            Some("connections") => (false, true),
            Some(other) => {
                return Err(Fault::new(format!(
                    "`type` must be \"entities\", \"connections\" or \"both\", not \"{other}\""
                )));
            }
        };
        Ok(Self { around, entities, connections })
    }
}

/// RegionIoU: how much regions overlap.
#[derive(Debug)]
pub(crate) struct RegionIou {
    pub(crate) first: u32,
    pub(crate) second: Region,
}

/// What they are compared with.
#[derive(Debug)]
pub(crate) enum Region {
    Reference(u32),
    Rectangle(Rectangle),
    Polygons(Polygons),
}

impl RegionIou {
    pub(super) fn parse(params: &mut Params) -> Result<Self, Fault> {
        let first = params.required_reference("roi_1")?;
        let second = match (
            params.reference("roi_2")?,
            Rectangle::take("rectangle", params)?,
            Polygons::take(params)?,
        ) {
            (Some(reference), None, None) => Region::Reference(reference),
            (None, Some(rectangle), None) => Region::Rectangle(rectangle),
            (None, None, Some(polygons)) => Region::Polygons(polygons),
            _ => {
                return Err(Fault::new("one of `roi_2`, `rectangle` and `polygons` must be given"));
            }
        };
        Ok(Self { first, second })
    }
}

/// UserLogMessage: a line in the log of whoever runs the database.
#[derive(Debug)]
pub(crate) struct LogMessage {
    pub(crate) text: String,
    pub(crate) level: tracing::Level,
}

impl LogMessage {
    pub(super) fn parse(params: &mut Params) -> Result<Self, Fault> {
        let level = match params.text("type")?.as_deref() {
            None | Some("INFO") => tracing::Level::INFO,
            Some("WARNING") => tracing::Level::WARN,
            Some("ERROR") => tracing::Level::ERROR,
            Some(other) => {
                return Err(Fault::new(format!(
                    "`type` must be \"INFO\", \"WARNING\" or \"ERROR\", not \"{other}\""
                )));
            }
        };
        Ok(Self { text: params.required_text("text")?, level })
    }
}
