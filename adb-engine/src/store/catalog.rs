//! Classes, their properties, and which columns those are.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use rusqlite::{Connection, params};

use crate::error::ErrorKind;

use super::{
    counter,
    format::{self, class_id},
    set_counter,
    system::{index_column, is_built_in},
    value::PropertyType,
};

/// SQLite's limit of columns, less those that every table has.
pub(crate) const MAX_PROPERTIES: usize = 1990;

/// What a class is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Target {
    Entity,
    Connection,
}

impl Target {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Target::Entity => "entity",
            Target::Connection => "connection",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Target::Entity, Target::Connection].into_iter().find(|t| t.name() == name)
    }
}

/// A class and its table `c<id>`.
#[derive(Debug, Clone)]
pub(crate) struct Class {
    pub(crate) id: i64,
    pub(crate) target: Target,
    pub(crate) name: Arc<str>,
    /// In the order in which they were first seen.
    pub(crate) properties: Vec<Property>,
    by_name: HashMap<Arc<str>, usize>,
}

/// A property and its column `p<id>`.
#[derive(Debug, Clone)]
pub(crate) struct Property {
    pub(crate) id: i64,
    pub(crate) name: Arc<str>,
    pub(crate) kind: PropertyType,
    pub(crate) indexed: bool,
}

impl Class {
    pub(crate) fn property(&self, name: &str) -> Option<&Property> {
        self.by_name.get(name).map(|&i| &self.properties[i])
    }

    fn push(&mut self, property: Property) {
        self.by_name.insert(property.name.clone(), self.properties.len());
        self.properties.push(property);
    }
}

/// Which properties are to be indexed: (target, class, property).
type Wish = (Target, String, String);

/// All classes. Cheap to clone: a request that fails goes back to the one before it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Catalog {
    /// Grows with every change, in the database too.
    pub(crate) version: i64,
    by_id: BTreeMap<i64, Arc<Class>>,
    /// One of entities, one of connections.
    by_name: [HashMap<Arc<str>, i64>; 2],
    /// A property may be indexed before there is a class that has it.
    wishes: Arc<HashSet<Wish>>,
}

/// Why a property can't be added to a class.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// It is there with another type.
    Type(PropertyType),
    /// The table is full.
    TooMany,
    /// The store failed.
    Store(rusqlite::Error),
}

impl From<rusqlite::Error> for Unfit {
    fn from(e: rusqlite::Error) -> Self {
        Unfit::Store(e)
    }
}

pub(crate) fn version(conn: &Connection) -> rusqlite::Result<i64> {
    counter(conn, "catalog")
}

impl Catalog {
    pub(crate) fn read(conn: &Connection) -> Result<Self, ErrorKind> {
        let mut catalog = Self { version: version(conn)?, ..Self::default() };
        let damaged = |what: &str| ErrorKind::Damaged(format!("the catalog names the {what}"));
        let mut wishes = HashSet::new();
        let mut select =
            conn.prepare_cached("SELECT target, class, property FROM property_index")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let target: String = row.get(0)?;
            let target =
                Target::named(&target).ok_or_else(|| damaged(&format!("target {target}")))?;
            wishes.insert((target, row.get(1)?, row.get(2)?));
        }
        catalog.wishes = Arc::new(wishes);
        let mut select = conn.prepare_cached("SELECT id, target, name FROM class")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let target: String = row.get(1)?;
            let target =
                Target::named(&target).ok_or_else(|| damaged(&format!("target {target}")))?;
            let name: String = row.get(2)?;
            catalog.insert(row.get(0)?, target, name.into());
        }
        let mut select =
            conn.prepare_cached("SELECT id, class, name, type FROM property ORDER BY id")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let (class, name, kind): (i64, String, String) =
                (row.get(1)?, row.get(2)?, row.get(3)?);
            let kind =
                PropertyType::named(&kind).ok_or_else(|| damaged(&format!("type {kind}")))?;
            let property = Property { id: row.get(0)?, name: name.into(), kind, indexed: false };
            catalog.attach(class, property).ok_or_else(|| damaged(&format!("class {class}")))?;
        }
        Ok(catalog)
    }

    fn insert(&mut self, id: i64, target: Target, name: Arc<str>) -> Arc<Class> {
        let class = Arc::new(Class {
            id,
            target,
            name: name.clone(),
            properties: Vec::new(),
            by_name: HashMap::new(),
        });
        self.by_id.insert(id, class.clone());
        self.by_name[target as usize].insert(name, id);
        class
    }

    /// Adds a property to a class of the catalog; says whether it is to be indexed.
    fn attach(&mut self, class: i64, mut property: Property) -> Option<bool> {
        let class = self.by_id.get_mut(&class)?;
        property.indexed = self.wishes.contains(&(
            class.target,
            class.name.to_string(),
            property.name.to_string(),
        ));
        let indexed = property.indexed;
        Arc::make_mut(class).push(property);
        Some(indexed)
    }

    pub(crate) fn class(&self, target: Target, name: &str) -> Option<&Arc<Class>> {
        self.by_id.get(self.by_name[target as usize].get(name)?)
    }

    pub(crate) fn class_by_id(&self, id: i64) -> Option<&Arc<Class>> {
        self.by_id.get(&id)
    }

    /// All classes of one target, the oldest first.
    pub(crate) fn classes(&self, target: Target) -> impl Iterator<Item = &Arc<Class>> {
        self.by_id.values().filter(move |c| c.target == target)
    }

    /// The class, made if it is new.
    pub(crate) fn ensure_class(
        &mut self,
        conn: &Connection,
        target: Target,
        name: &str,
    ) -> rusqlite::Result<Arc<Class>> {
        if let Some(class) = self.class(target, name) {
            return Ok(class.clone());
        }
        let last = self.by_id.keys().next_back().copied().unwrap_or(0);
        let id = (last + 1).max(class_id::FIRST_USER);
        conn.prepare_cached("INSERT INTO class (id, target, name) VALUES (?, ?, ?)")?
            .execute(params![id, target.name(), name])?;
        conn.execute_batch(&match target {
            Target::Entity => format::entity_table(id),
            Target::Connection => format::connection_table(id),
        })?;
        let class = self.insert(id, target, name.into());
        let wished = self.wishes.contains(&(target, name.to_owned(), "_create_txn".to_owned()));
        if wished {
            create_system_index(conn, id, "txn")?;
        }
        self.changed(conn)?;
        Ok(class)
    }

    /// The class with this property, made if it is new. A property has a type as long as an object
    /// has a value of it; with the last one it is free again, which is looked at only here, where
    /// a request would be refused.
    pub(crate) fn ensure_property(
        &mut self,
        conn: &Connection,
        class: &Arc<Class>,
        name: &str,
        kind: PropertyType,
    ) -> Result<Arc<Class>, Unfit> {
        match class.property(name) {
            Some(there) if there.kind == kind => return Ok(class.clone()),
            Some(there) if has_values(conn, class.id, there)? => {
                return Err(Unfit::Type(there.kind));
            }
            Some(there) => return Ok(self.retype(conn, class.id, there, kind)?),
            None if class.properties.len() >= MAX_PROPERTIES => return Err(Unfit::TooMany),
            None => {}
        }
        conn.prepare_cached("INSERT INTO property (class, name, type) VALUES (?, ?, ?)")?
            .execute(params![class.id, name, kind.name()])?;
        let id = conn.last_insert_rowid();
        let column = kind.column_type();
        conn.execute_batch(&format!("ALTER TABLE c{} ADD COLUMN p{id} {column}", class.id))?;
        let property = Property { id, name: name.into(), kind, indexed: false };
        if self.attach(class.id, property) == Some(true) {
            create_index(conn, class.id, id)?;
        }
        self.changed(conn)?;
        Ok(self.by_id[&class.id].clone())
    }

    /// Gives a property that no object has another type. It keeps its name, its number and its
    /// index.
    fn retype(
        &mut self,
        conn: &Connection,
        class: i64,
        there: &Property,
        kind: PropertyType,
    ) -> rusqlite::Result<Arc<Class>> {
        let id = there.id;
        conn.prepare_cached("UPDATE property SET type = ? WHERE id = ?")?
            .execute(params![kind.name(), id])?;
        // SQLite makes of what it stores what the column's type asks for, so the column has to be
        // another one. That writes all rows of the class anew; mostly there are none.
        if there.kind.column_type() != kind.column_type() {
            let column = kind.column_type();
            conn.execute_batch(&format!(
                "DROP INDEX IF EXISTS i{id};
                ALTER TABLE c{class} DROP COLUMN p{id};
                ALTER TABLE c{class} ADD COLUMN p{id} {column};"
            ))?;
            if there.indexed {
                create_index(conn, class, id)?;
            }
        }
        if let Some(class) = self.by_id.get_mut(&class)
            && let Some(&i) = class.by_name.get(&there.name)
        {
            Arc::make_mut(class).properties[i].kind = kind;
        }
        self.changed(conn)?;
        Ok(self.by_id[&class].clone())
    }

    /// Whether this property is to be indexed.
    pub(crate) fn is_indexed(&self, target: Target, class: &str, property: &str) -> bool {
        is_built_in(target, class, property)
            || self.wishes.contains(&(target, class.to_owned(), property.to_owned()))
    }

    /// The indexes that were asked for.
    pub(crate) fn indexes(&self) -> impl Iterator<Item = (Target, &str, &str)> {
        self.wishes.iter().map(|(target, class, property)| (*target, &**class, &**property))
    }

    /// Keeps an index on a property from now on, be it there or not.
    pub(crate) fn add_index(
        &mut self,
        conn: &Connection,
        target: Target,
        class: &str,
        property: &str,
    ) -> rusqlite::Result<()> {
        conn.prepare_cached(
            "INSERT INTO property_index (target, class, property) VALUES (?, ?, ?)",
        )?
        .execute(params![target.name(), class, property])?;
        Arc::make_mut(&mut self.wishes).insert((target, class.to_owned(), property.to_owned()));
        if let Some(found) = self.class(target, class).cloned() {
            if let Some(column) = found.property(property).map(|p| p.id) {
                create_index(conn, found.id, column)?;
            } else if let Some(column) = index_column(property) {
                create_system_index(conn, found.id, column)?;
            }
            self.mark_indexed(found.id, property, true);
        }
        self.changed(conn)
    }

    /// Gives an index up.
    pub(crate) fn remove_index(
        &mut self,
        conn: &Connection,
        target: Target,
        class: &str,
        property: &str,
    ) -> rusqlite::Result<()> {
        conn.prepare_cached(
            "DELETE FROM property_index WHERE target = ? AND class = ? AND property = ?",
        )?
        .execute(params![target.name(), class, property])?;
        Arc::make_mut(&mut self.wishes).remove(&(target, class.to_owned(), property.to_owned()));
        if let Some(found) = self.class(target, class).cloned() {
            if let Some(column) = found.property(property).map(|p| p.id) {
                conn.execute_batch(&format!("DROP INDEX IF EXISTS i{column}"))?;
            } else if let Some(column) = index_column(property) {
                conn.execute_batch(&format!("DROP INDEX IF EXISTS c{}_by_{column}", found.id))?;
            }
            self.mark_indexed(found.id, property, false);
        }
        self.changed(conn)
    }

    fn mark_indexed(&mut self, class: i64, property: &str, indexed: bool) {
        if let Some(class) = self.by_id.get_mut(&class)
            && let Some(&i) = class.by_name.get(property)
        {
            Arc::make_mut(class).properties[i].indexed = indexed;
        }
    }

    fn changed(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        self.version += 1;
        set_counter(conn, "catalog", self.version)
    }
}

/// Whether an object of the class has this property.
fn has_values(conn: &Connection, class: i64, property: &Property) -> rusqlite::Result<bool> {
    let id = property.id;
    let sql = match property.indexed {
        // The index's last entry. Without it this would read all rows, where the other form ends
        // with the first that has a value.
        true => format!("SELECT max(p{id}) IS NOT NULL FROM c{class}"),
        false => format!("SELECT EXISTS (SELECT 1 FROM c{class} WHERE p{id} IS NOT NULL)"),
    };
    conn.query_row(&sql, [], |row| row.get(0))
}

fn create_index(conn: &Connection, class: i64, property: i64) -> rusqlite::Result<()> {
    conn.execute_batch(&format!("CREATE INDEX i{property} ON c{class} (p{property})"))
}

fn create_system_index(conn: &Connection, class: i64, column: &str) -> rusqlite::Result<()> {
    conn.execute_batch(&format!(
        "CREATE INDEX IF NOT EXISTS c{class}_by_{column} ON c{class} ({column})"
    ))
}
