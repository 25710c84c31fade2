//! Figures over what a search finds, one for each value of a property.

use std::marker::PhantomData;

use serde_json::{Value as Json, json};

use super::{Find, QueryError, find::last};
use crate::{Column, DataModel, Database, Field, Property, Value, error::ModelError};

/// What a search finds, in groups: made by [`Find::group_by`].
///
/// Each figure comes as a list of (the group's value, the figure), in the order that the database
/// gives; objects that lack the property are the group of nothing.
#[derive(Debug)]
#[must_use = "groups do nothing until a figure is asked for"]
pub struct Groups<M, K> {
    find: Find<M>,
    key: &'static str,
    of: PhantomData<fn() -> K>,
}

impl<M: DataModel, K: Property> Groups<M, K> {
    pub(super) fn new(find: Find<M>, key: &'static str) -> Self {
        Self { find, key, of: PhantomData }
    }

    /// How many objects each group has.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn count(self, db: &dyn Database) -> Result<Vec<(Option<K>, u64)>, QueryError> {
        let results = json!({"group": [self.key], "count": true});
        self.each(db, results, |group| {
            Ok(group.get("_group_count").and_then(Json::as_u64).unwrap_or(0))
        })
        .await
    }

    /// Each group's sum of a property; nothing where no object has it.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn sum<T>(
        self,
        db: &dyn Database,
        column: impl FnOnce(M::Columns) -> Column<M, T>,
    ) -> Result<Vec<(Option<K>, Option<f64>)>, QueryError> {
        self.number(db, "sum", "_group_sum", column(M::columns()).property()).await
    }

    /// Each group's mean of a property; nothing where no object has it.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn average<T>(
        self,
        db: &dyn Database,
        column: impl FnOnce(M::Columns) -> Column<M, T>,
    ) -> Result<Vec<(Option<K>, Option<f64>)>, QueryError> {
        self.number(db, "average", "_group_avg", column(M::columns()).property()).await
    }

    /// Each group's smallest value of a property; nothing where no object has it.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn min<T: Field<Stored: Property>>(
        self,
        db: &dyn Database,
        column: impl FnOnce(M::Columns) -> Column<M, T>,
    ) -> Result<Vec<(Option<K>, Option<T::Stored>)>, QueryError> {
        self.extreme(db, "min", column(M::columns()).property()).await
    }

    /// Each group's greatest value of a property; nothing where no object has it.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn max<T: Field<Stored: Property>>(
        self,
        db: &dyn Database,
        column: impl FnOnce(M::Columns) -> Column<M, T>,
    ) -> Result<Vec<(Option<K>, Option<T::Stored>)>, QueryError> {
        self.extreme(db, "max", column(M::columns()).property()).await
    }

    async fn number(
        self,
        db: &dyn Database,
        what: &str,
        shown: &str,
        property: &'static str,
    ) -> Result<Vec<(Option<K>, Option<f64>)>, QueryError> {
        let results = json!({"group": [self.key], what: [property]});
        self.each(db, results, |group| {
            Ok(group.get(shown).and_then(|values| values.get(property)?.as_f64()))
        })
        .await
    }

    async fn extreme<T: Property>(
        self,
        db: &dyn Database,
        what: &str,
        property: &'static str,
    ) -> Result<Vec<(Option<K>, Option<T>)>, QueryError> {
        let results = json!({"group": [self.key], what: [property]});
        let shown = format!("_group_{what}");
        self.each(db, results, |group| {
            read(property, group.get(&shown).and_then(|values| values.get(property)))
        })
        .await
    }

    async fn each<F>(
        self,
        db: &dyn Database,
        results: Json,
        figure: impl Fn(&Json) -> Result<F, ModelError>,
    ) -> Result<Vec<(Option<K>, F)>, QueryError> {
        let key = self.key;
        let answers = self.find.aggregate(db, results).await?;
        let answer = last(&answers)?;
        let groups = answer.get("groups").and_then(Json::as_array).map_or(&[][..], |all| all);
        groups.iter().map(|group| Ok((read(key, group.get(key))?, figure(group)?))).collect()
    }
}

/// A property's value in a figure; nothing for null.
pub(super) fn read<T: Property>(
    property: &'static str,
    json: Option<&Json>,
) -> Result<Option<T>, ModelError> {
    let fault = |e: crate::ValueError| ModelError::new(property, e.into());
    match Value::from_answer(json.unwrap_or(&Json::Null)).map_err(fault)? {
        Some(value) => T::from_value(value).map(Some).map_err(fault),
        None => Ok(None),
    }
}
