//! The Update and Delete commands.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use rusqlite::{params, params_from_iter};
use serde_json::{Map, Value as Json, json};

use crate::{
    error::ErrorKind,
    request::{
        change::{Delete, Targets, Update},
        fault::{Fail, Fault},
        kind::Kind,
    },
    store::{
        bytes::Stored,
        catalog::{Class, Target},
        format::class_id::{
            BLOB, BOUNDING_BOX, CLIP, DESCRIPTOR, DESCRIPTOR_SET, FRAME, IMAGE, POLYGON, VIDEO,
        },
        system,
    },
    vectors::files::FileKind,
};

use super::{Run, body, conditions::Sets, filter::Param, refs::Object};

/// (container, part, the part's column that names the container), outer containers first: what
/// goes when a container goes.
const PARTS: [(i64, i64, &str); 7] = [
    (DESCRIPTOR_SET, DESCRIPTOR, "set_id"),
    (VIDEO, CLIP, "container"),
    (VIDEO, FRAME, "container"),
    (IMAGE, BOUNDING_BOX, "container"),
    (IMAGE, POLYGON, "container"),
    (FRAME, BOUNDING_BOX, "container"),
    (FRAME, POLYGON, "container"),
];
/// Classes whose objects have bytes in a table of their own.
const BYTES: [(i64, Stored); 4] = [
    (IMAGE, Stored::Blob),
    (BLOB, Stored::Blob),
    (VIDEO, Stored::Blob),
    (DESCRIPTOR, Stored::Vector),
];

/// After so many more tombstones of a set it is asked whether they are too many.
const TOMBSTONE_STRIDE: i64 = 4096;

/// Rows by class.
type Rows = BTreeMap<i64, Vec<i64>>;

impl Run<'_> {
    pub(super) fn update(&mut self, update: &Update) -> Result<Map<String, Json>, Fail> {
        let rows = by_class(self.targets(update.kind, &update.targets)?);
        let count: usize = rows.values().map(Vec::len).sum();
        for (class, ids) in rows {
            let class = self.class(class)?;
            if system::is_view(&class) {
                return Err(Fault::new(format!(
                    "connections of the class `{}` are the system's and stay as they are",
                    class.name
                ))
                .into());
            }
            self.update_rows(&class, ids, update)?;
        }
        Ok(body(&[("count", json!(count))]))
    }

    fn update_rows(&mut self, class: &Class, ids: Vec<i64>, update: &Update) -> Result<(), Fail> {
        let class = self.ready_class(class.target, &class.name, &update.properties)?;
        let mut sets = Vec::new();
        let mut values = Vec::new();
        for (column, value) in &update.system {
            sets.push(format!("{column} = ?"));
            values.push(Param::Value(value.clone()));
        }
        for (key, value) in &update.properties {
            if let Some(property) = class.property(key) {
                sets.push(format!("p{} = ?", property.id));
                values.push(Param::Value(value.value.clone()));
            }
        }
        for key in &update.remove {
            if let Some(property) = class.property(key) {
                sets.push(format!("p{} = NULL", property.id));
            }
        }
        if sets.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "UPDATE c{} SET {} WHERE id IN (SELECT value FROM rarray(?))",
            class.id,
            sets.join(", ")
        );
        values.push(Param::ids(ids));
        self.store.conn.prepare_cached(&sql)?.execute(params_from_iter(values))?;
        Ok(())
    }

    pub(super) fn delete(&mut self, delete: &Delete) -> Result<Map<String, Json>, Fail> {
        let mut rows = by_class(self.targets(delete.kind, &delete.targets)?);
        // Edges that stand in an object's row go with the object, not by themselves.
        for class in rows.keys().copied().collect::<Vec<_>>() {
            let is_view = {
                let class = self.class(class)?;
                system::is_view(&class)
            };
            if is_view {
                rows.remove(&class);
            }
        }
        let count: usize = rows.values().map(Vec::len).sum();
        if let Targets::Reference(reference) = delete.targets {
            self.refs.consume(reference);
        }
        if count > 0 {
            self.remove(rows)?;
        }
        Ok(body(&[("count", json!(count))]))
    }

    /// The objects that a command is to change.
    fn targets(&self, kind: Kind, targets: &Targets) -> Result<Vec<Object>, Fail> {
        let select = match targets {
            Targets::Like(select) => select,
            Targets::Reference(reference) => return Ok(self.named(kind, *reference)?),
        };
        let reached = match &select.connected {
            Some(connected) => Some(self.reach(kind, connected)?),
            None => None,
        };
        let selection = self.selection(kind, select, Sets::Named, reached.as_ref(), None)?;
        let objects = selection.objects(&self.store.conn, &[], None, 0)?;
        if select.unique && objects.len() > 1 {
            return Err(not_unique().into());
        }
        Ok(objects)
    }

    /// The objects of a reference, if all of them are of the kind.
    fn named(&self, kind: Kind, reference: u32) -> Result<Vec<Object>, Fault> {
        let found = self.refs.get(reference)?;
        let wrong = |what: &str| {
            Fault::new(format!(
                "the reference {reference} names {what}, not what the command is about"
            ))
        };
        if found.target != kind.target() {
            return Err(wrong(match found.target {
                Target::Entity => "objects that are no connections",
                Target::Connection => "connections",
            }));
        }
        if let Some(name) = kind.traits().class {
            let class = self.store.catalog.class(found.target, name).map(|c| c.id);
            if let Some(other) = found.objects.iter().find(|o| Some(o.class) != class) {
                let other = self.store.catalog.class_by_id(other.class);
                let other = other.map_or("", |c| &*c.name);
                return Err(wrong(&format!("objects of the class `{other}`")));
            }
        }
        Ok(found.objects.clone())
    }

    fn class(&self, id: i64) -> Result<Arc<Class>, ErrorKind> {
        let class = self.store.catalog.class_by_id(id).cloned();
        class.ok_or_else(|| ErrorKind::Damaged(format!("there is no class {id}")))
    }

    /// Takes objects away, with their parts, their bytes and their edges.
    fn remove(&mut self, mut rows: Rows) -> Result<(), Fail> {
        self.add_parts(&mut rows)?;
        self.bury(&rows)?;
        let mut gone: HashSet<i64> = HashSet::new();
        for (class, ids) in &rows {
            gone.extend(ids);
            self.delete_rows(&format!("c{class}"), ids)?;
            if let Some((_, what)) = BYTES.iter().find(|(of, _)| of == class) {
                self.delete_rows(what.table(), ids)?;
            }
        }
        let ends: Vec<i64> = rows
            .iter()
            .filter(|(class, _)| {
                let class = self.store.catalog.class_by_id(**class);
                class.is_some_and(|class| class.target == Target::Entity)
            })
            .flat_map(|(_, ids)| ids)
            .copied()
            .collect();
        if !ends.is_empty() {
            self.delete_edges(&ends, &mut gone)?;
        }
        self.refs.forget(&gone);
        Ok(())
    }

    /// Adds the parts of containers, and the parts of those.
    fn add_parts(&self, rows: &mut Rows) -> Result<(), Fail> {
        for (container, part, column) in PARTS {
            let Some(ids) = rows.get(&container) else { continue };
            let sql =
                format!("SELECT id FROM c{part} WHERE {column} IN (SELECT value FROM rarray(?))");
            let mut select = self.store.conn.prepare_cached(&sql)?;
            let found = select.query_map([Param::ids(ids.iter().copied())], |row| row.get(0))?;
            let found = found.collect::<Result<Vec<i64>, _>>()?;
            if found.is_empty() {
                continue;
            }
            let parts = rows.entry(part).or_default();
            parts.extend(found);
            parts.sort_unstable();
            parts.dedup();
        }
        Ok(())
    }

    /// Marks vectors as gone, for caches that have them.
    fn bury(&self, rows: &Rows) -> Result<(), Fail> {
        let conn = &self.store.conn;
        if let Some(sets) = rows.get(&DESCRIPTOR_SET) {
            conn.prepare_cached(
                "DELETE FROM tombstone WHERE set_id IN (SELECT value FROM rarray(?))",
            )?
            .execute([Param::ids(sets.iter().copied())])?;
            for set in sets {
                for kind in [FileKind::Graph, FileKind::Rows] {
                    conn.prepare_cached("DELETE FROM counter WHERE name = ?")?
                        .execute([kind.counter(*set)])?;
                }
                self.vectors.forget(*set);
            }
        }
        let Some(ids) = rows.get(&DESCRIPTOR) else { return Ok(()) };
        let mut select = conn.prepare_cached(&format!(
            "SELECT set_id, id FROM c{DESCRIPTOR} WHERE id IN (SELECT value FROM rarray(?))"
        ))?;
        let mut of_sets: Rows = Rows::new();
        let mut found = select.query([Param::ids(ids.iter().copied())])?;
        while let Some(row) = found.next()? {
            of_sets.entry(row.get(0)?).or_default().push(row.get(1)?);
        }
        if let Some(sets) = rows.get(&DESCRIPTOR_SET) {
            of_sets.retain(|set, _| !sets.contains(set));
        }
        for (set, ids) in of_sets {
            self.bury_in(set, &ids)?;
        }
        Ok(())
    }

    fn bury_in(&self, set: i64, ids: &[i64]) -> Result<(), Fail> {
        let conn = &self.store.conn;
        let last: i64 = conn
            .prepare_cached("SELECT ifnull(max(number), 0) FROM tombstone WHERE set_id = ?")?
            .query_row([set], |row| row.get(0))?;
        let mut insert =
            conn.prepare_cached("INSERT INTO tombstone (set_id, number, id) VALUES (?, ?, ?)")?;
        let mut number = last;
        for id in ids {
            number += 1;
            insert.execute(params![set, number, id])?;
        }
        if last / TOMBSTONE_STRIDE == number / TOMBSTONE_STRIDE {
            return Ok(());
        }
        // The rows are still there.
        let rows: i64 = conn
            .prepare_cached(&format!("SELECT count(*) FROM c{DESCRIPTOR} WHERE set_id = ?"))?
            .query_row([set], |row| row.get(0))?;
        if number > rows / 2 {
            conn.prepare_cached("DELETE FROM tombstone WHERE set_id = ?")?.execute([set])?;
            conn.prepare_cached(&format!(
                "UPDATE c{DESCRIPTOR_SET} SET epoch = epoch + 1 WHERE id = ?"
            ))?
            .execute([set])?;
        }
        Ok(())
    }

    fn delete_rows(&self, table: &str, ids: &[i64]) -> Result<(), Fail> {
        let sql = format!("DELETE FROM {table} WHERE id IN (SELECT value FROM rarray(?))");
        self.store.conn.prepare_cached(&sql)?.execute([Param::ids(ids.iter().copied())])?;
        Ok(())
    }

    /// Takes away all edges that begin or end at these; says which.
    fn delete_edges(&self, ends: &[i64], gone: &mut HashSet<i64>) -> Result<(), Fail> {
        let ends = Param::ids(ends.iter().copied());
        for class in self.store.catalog.classes(Target::Connection) {
            if system::is_view(class) {
                continue;
            }
            // One by one, so that each has its index.
            for end in ["src", "dst"] {
                let sql = format!(
                    "DELETE FROM c{} WHERE {end} IN (SELECT value FROM rarray(?)) RETURNING id",
                    class.id
                );
                let mut delete = self.store.conn.prepare_cached(&sql)?;
                let mut rows = delete.query([&ends])?;
                while let Some(row) = rows.next()? {
                    gone.insert(row.get(0)?);
                }
            }
        }
        Ok(())
    }
}

fn by_class(objects: Vec<Object>) -> Rows {
    let mut rows = Rows::new();
    for object in objects {
        rows.entry(object.class).or_default().push(object.id);
    }
    rows
}

pub(super) fn not_unique() -> Fault {
    Fault::not_unique("`unique` is set, and more than one object matches; constrain it further")
}
