//! What a migration would change, and what it can't.

use std::fmt;

use crate::check::Difference;

/// Something in which a database and its models differ.
#[derive(Debug)]
#[non_exhaustive]
pub enum Change {
    /// A property that no object of the model has yet. There is nothing to do.
    NewProperty {
        /// The model's class.
        class: &'static str,
        /// The property.
        property: &'static str,
        /// Whether its field is an `Option`; if not, objects that are there can't be read unless
        /// the field has a `default`.
        optional: bool,
        /// The objects that are there.
        objects: u64,
    },
    /// A descriptor set or an index that is to be made.
    ToMake(Difference),
    /// A property that is to be renamed.
    Rename {
        /// The class of objects or connections.
        class: &'static str,
        /// Its name in the database.
        from: &'static str,
        /// Its name in the model.
        to: &'static str,
        /// How many have it under the old name.
        objects: u64,
    },
    /// Something to know. There is nothing to do.
    Note(Difference),
    /// What can't be done, and keeps everything else from being done.
    Blocked(Difference),
    /// A property that can't be renamed, since its type is another as well.
    BlockedRename {
        /// The class.
        class: &'static str,
        /// Its name in the database.
        from: &'static str,
        /// Its name in the model.
        to: &'static str,
        /// Its type in the database.
        database: String,
        /// Its type in the model.
        model: &'static str,
    },
}

impl Change {
    /// Whether [`migrate`](crate::migrate()) has something to do for it.
    #[must_use]
    pub fn is_to_do(&self) -> bool {
        matches!(self, Change::ToMake(_) | Change::Rename { .. })
    }

    /// Whether it keeps [`migrate`](crate::migrate()) from doing anything.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        matches!(self, Change::Blocked(_) | Change::BlockedRename { .. })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::NewProperty { class, property, optional: true, objects } => write!(
                f,
                "`{class}.{property}` is new: nothing to do, {objects} objects are without it"
            ),
            Change::NewProperty { class, property, optional: false, objects } => write!(
                f,
                "`{class}.{property}` is new: nothing to do, but {objects} objects are without it and can be read only if the field is an `Option`, has a `default`, or is filled, as `find().update(…)` does"
            ),
            Change::ToMake(Difference::SetMissing(name)) => {
                write!(f, "the descriptor set `{name}` is to be made")
            }
            Change::ToMake(Difference::IndexMissing { class, property }) => {
                write!(f, "an index on `{class}.{property}` is to be made")
            }
            Change::ToMake(other) | Change::Note(other) => other.fmt(f),
            Change::Rename { class, from, to, objects } => {
                write!(f, "`{class}.{from}` becomes `{class}.{to}` ({objects} have it)")
            }
            Change::Blocked(difference @ Difference::PropertyType { .. }) => write!(
                f,
                "{difference}; the way round: store it under another name (`#[adb(rename = \"…\")]`), fill that from the old property, then remove the old one"
            ),
            Change::Blocked(difference) => difference.fmt(f),
            Change::BlockedRename { class, from, to, database, model } => write!(
                f,
                "`{class}.{from}` is a {database} and can't become `{class}.{to}`, a {model}: take `was` away, fill `{to}` from `{from}` yourself, then remove `{from}`"
            ),
        }
    }
}

/// What a database needs to follow its models: made by [`plan`](super::plan()).
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Plan {
    /// All that differs.
    pub changes: Vec<Change>,
}

impl Plan {
    /// Whether there is something to do.
    #[must_use]
    pub fn is_to_do(&self) -> bool {
        self.changes.iter().any(Change::is_to_do)
    }

    /// Whether something can't be done.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.changes.iter().any(Change::is_blocked)
    }
}

/// A line for each change.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.changes.is_empty() {
            return f.write_str("the database fits");
        }
        for (i, change) in self.changes.iter().enumerate() {
            let end = if i + 1 < self.changes.len() { "\n" } else { "" };
            write!(f, "{change}{end}")?;
        }
        Ok(())
    }
}
