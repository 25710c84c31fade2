//! Indexes and the schema.

use super::{fault::Fault, params::Params};
use crate::store::catalog::{Target, is_built_in, system_column};

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
        let target = Target::named(&target).ok_or_else(|| {
            Fault::new(format!(
                "an index is on an \"entity\" or a \"connection\", not \"{target}\""
            ))
        })?;
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
            && !can_index(&class, &property)
        {
            return Err(Fault::new(format!("`{property}` of `{class}` can't be indexed")));
        }
        Ok(Self { target, class, property, newer_form })
    }
}

/// Whether a class has this system property in a column.
fn can_index(class: &str, property: &str) -> bool {
    match system_column(property) {
        None => false,
        Some("label") => class == "_Descriptor",
        Some(_) => class != "_DescriptorSetToDescriptor",
    }
}

/// GetSchema.
#[derive(Debug)]
pub(crate) struct GetSchema {
    pub(crate) entities: bool,
    pub(crate) connections: bool,
}

impl GetSchema {
    pub(super) fn parse(params: &mut Params) -> Result<Self, Fault> {
        // The schema is counted when it is asked for: there is nothing to refresh.
        params.boolean("refresh")?;
        params.not_yet(&["ref"])?;
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
        Ok(Self { entities, connections })
    }
}
