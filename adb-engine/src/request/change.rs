//! The Update and Delete commands.

use rusqlite::types::Value as Sql;

use super::{
    add::properties, fault::Fault, find::Select, kind::Kind, params::Params, part::Placement,
};
use crate::store::value::Typed;

/// Which objects a command changes.
#[derive(Debug)]
pub(crate) enum Targets {
    /// Those of a reference.
    Reference(u32),
    Like(Box<Select>),
}

/// An Update of any kind.
#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) kind: Kind,
    pub(crate) targets: Targets,
    pub(crate) properties: Vec<(String, Typed)>,
    pub(crate) remove: Vec<String>,
    /// What the kind has beside properties, as columns.
    pub(crate) system: Vec<(&'static str, Sql)>,
}

/// A Delete of any kind.
#[derive(Debug)]
pub(crate) struct Delete {
    pub(crate) kind: Kind,
    pub(crate) targets: Targets,
}

impl Targets {
    fn take(kind: Kind, params: &mut Params) -> Result<Self, Fault> {
        let select = Select::parse(kind, params)?;
        // With a reference, the rest is not looked at.
        Ok(match params.reference("ref")? {
            Some(reference) => Targets::Reference(reference),
            None => Targets::Like(Box::new(select)),
        })
    }
}

impl Update {
    pub(super) fn parse(kind: Kind, params: &mut Params) -> Result<Self, Fault> {
        let targets = Targets::take(kind, params)?;
        let properties = properties(params)?;
        let remove = params.texts("remove_props")?.unwrap_or_default();
        if let Some((key, _)) = properties.iter().find(|(key, _)| remove.contains(key)) {
            return Err(Fault::new(format!(
                "`{key}` stands in `properties` and in `remove_props`"
            )));
        }
        if let Some(key) = remove.iter().find(|key| key.starts_with('_')) {
            return Err(Fault::new(format!("`{key}` is the database's own and stays")));
        }
        let mut system = Vec::new();
        if kind.traits().labelled
            && let Some(label) = params.text("label")?
        {
            system.push(("label", Sql::Text(label)));
        }
        if let Some(placement) = Placement::take(kind, params)? {
            system.extend(placement.columns());
        }
        Ok(Self { kind, targets, properties, remove, system })
    }
}

impl Delete {
    pub(super) fn parse(kind: Kind, params: &mut Params) -> Result<Self, Fault> {
        Ok(Self { kind, targets: Targets::take(kind, params)? })
    }
}
