//! The INSERT of a class, kept: objects that are added one after another mostly look alike, and
//! looking up forty columns takes longer than filling them.

use std::sync::Arc;

use rusqlite::types::Value as Sql;

use crate::error::ErrorKind;

use super::{
    catalog::Class,
    value::{PropertyType, Typed},
};

/// How an object with certain properties is inserted.
pub(crate) struct InsertPlan {
    /// As the catalog had it. Whatever changes a class puts another in its place.
    class: Arc<Class>,
    system: Vec<String>,
    properties: Vec<(String, PropertyType)>,
    pub(crate) sql: Arc<str>,
}

impl InsertPlan {
    /// For a class that has all of the properties. Values are bound in this order: the object's id,
    /// its transaction, system columns, properties.
    pub(crate) fn new(
        class: &Arc<Class>,
        system: &[(&str, Sql)],
        properties: &[(String, Typed)],
    ) -> Result<Self, ErrorKind> {
        let mut columns = String::from("id, txn");
        let mut marks = String::from("?, ?");
        let mut add = |column: &str| {
            columns.push_str(", ");
            columns.push_str(column);
            marks.push_str(", ?");
        };
        system.iter().for_each(|(column, _)| add(column));
        for (key, _) in properties {
            let column = class.property(key).map(|p| p.id).ok_or_else(|| {
                ErrorKind::Damaged(format!("`{}` has no column for `{key}`", class.name))
            })?;
            add(&format!("p{column}"));
        }
        Ok(Self {
            class: class.clone(),
            system: system.iter().map(|(column, _)| (*column).to_owned()).collect(),
            properties: properties.iter().map(|(key, v)| (key.clone(), v.kind)).collect(),
            sql: format!("INSERT INTO c{} ({columns}) VALUES ({marks})", class.id).into(),
        })
    }

    /// Whether it does for this object.
    pub(crate) fn fits(
        &self,
        class: &Arc<Class>,
        system: &[(&str, Sql)],
        properties: &[(String, Typed)],
    ) -> bool {
        Arc::ptr_eq(&self.class, class)
            && self.system.len() == system.len()
            && self.properties.len() == properties.len()
            && self.system.iter().zip(system).all(|(mine, (column, _))| mine == column)
            && self
                .properties
                .iter()
                .zip(properties)
                .all(|((mine, kind), (key, value))| *kind == value.kind && mine == key)
    }
}
