//! From conditions to rows: the SELECTs over one class or several.

use std::sync::Arc;

use rusqlite::{Connection, params_from_iter};

use crate::{
    request::{
        constraint::{Expr, Op, Operand},
        fault::Fail,
        shape::{Order, SortKey},
    },
    store::catalog::Class,
};

use super::{
    filter::{Condition, Param, compile, place},
    refs::Object,
};

/// Rows that an index is first asked for before another is tried.
const FIRST_DIVE: usize = 16;
const NEXT_DIVE: usize = 16;

/// The objects of some classes for which conditions hold.
#[derive(Debug, Default)]
pub(super) struct Selection {
    parts: Vec<Part>,
    /// All that were looked into, those without a part as well.
    classes: Vec<Arc<Class>>,
}

/// The part of a selection that is of one class.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) class: Arc<Class>,
    conditions: Vec<Condition>,
}

impl Selection {
    /// Adds a class. Nothing is added when an index shows that nothing of it can hold.
    pub(super) fn push(
        &mut self,
        conn: &Connection,
        class: &Arc<Class>,
        constraints: Option<&Expr>,
        mut conditions: Vec<Condition>,
    ) -> Result<(), Fail> {
        self.classes.push(class.clone());
        let Some(avoid) = weigh_indexes(conn, class, constraints, &conditions)? else {
            return Ok(());
        };
        for (i, condition) in conditions.iter_mut().enumerate() {
            if avoid.conditions.contains(&i) {
                *condition = std::mem::take(condition).without_index();
            }
        }
        if let Some(expr) = constraints {
            conditions.push(compile(class, expr, &avoid.properties));
        }
        self.parts.push(Part { class: class.clone(), conditions });
        Ok(())
    }

    /// The same for a selection that is asked for with [`Selection::of`] alone, which uses no index.
    pub(super) fn push_unweighed(
        &mut self,
        class: &Arc<Class>,
        constraints: Option<&Expr>,
        mut conditions: Vec<Condition>,
    ) {
        if let Some(expr) = constraints {
            conditions.push(compile(class, expr, &[]));
        }
        self.classes.push(class.clone());
        self.parts.push(Part { class: class.clone(), conditions });
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The classes, the oldest first, whether anything of them was found or not.
    pub(super) fn classes(&self) -> impl Iterator<Item = &Class> {
        self.classes.iter().map(|class| &**class)
    }

    pub(super) fn count(&self, conn: &Connection) -> Result<usize, Fail> {
        let mut count = 0;
        for part in &self.parts {
            let mut params = Vec::new();
            let sql = format!(
                "SELECT count(*) FROM c{}{}",
                part.class.id,
                part.where_clause(&mut params)
            );
            let found: i64 =
                conn.prepare_cached(&sql)?.query_row(params_from_iter(params), |row| row.get(0))?;
            count += usize::try_from(found).unwrap_or(0);
        }
        Ok(count)
    }

    /// The objects in order: of the keys, then of their making.
    pub(super) fn objects(
        &self,
        conn: &Connection,
        sort: &[SortKey],
        limit: Option<u64>,
        offset: u64,
    ) -> Result<Vec<Object>, Fail> {
        if self.parts.is_empty() {
            return Ok(Vec::new());
        }
        let (sql, params) = self.sql(sort, limit, offset);
        let mut statement = conn.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(params))?;
        let mut objects = Vec::new();
        while let Some(row) = rows.next()? {
            objects.push(Object { class: row.get(0)?, id: row.get(1)? });
        }
        Ok(objects)
    }

    /// The objects' rows in ascending order.
    pub(super) fn ids(&self, conn: &Connection) -> Result<Vec<i64>, Fail> {
        let mut params = Vec::new();
        let Some(sql) = self.ids_sql(&mut params) else { return Ok(Vec::new()) };
        let mut statement = conn.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(params))?;
        let mut ids = Vec::new();
        while let Some(row) = rows.next()? {
            ids.push(row.get(0)?);
        }
        // An index may give them in its own order.
        if !ids.is_sorted() {
            ids.sort_unstable();
        }
        Ok(ids)
    }

    /// Those of some rows that are in it; both in ascending order.
    pub(super) fn of(&self, conn: &Connection, ids: &[i64]) -> Result<Vec<i64>, Fail> {
        let rows = Param::ids(ids.iter().copied());
        let mut found = Vec::with_capacity(ids.len());
        for part in &self.parts {
            let mut params = vec![rows.clone()];
            let sql = part.of_sql(&mut params);
            let mut statement = conn.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(params))?;
            while let Some(row) = rows.next()? {
                found.push(row.get(0)?);
            }
        }
        // Each class comes in the order of `ids`.
        if !found.is_sorted() {
            found.sort_unstable();
        }
        Ok(found)
    }

    /// A SELECT of the rows' ids; nothing if there can't be any.
    pub(super) fn ids_sql(&self, params: &mut Vec<Param>) -> Option<String> {
        let select =
            |part: &Part| format!("SELECT id FROM c{}{}", part.class.id, part.where_clause(params));
        let selects: Vec<String> = self.parts.iter().map(select).collect();
        (!selects.is_empty()).then(|| selects.join(" UNION ALL "))
    }

    fn sql(&self, sort: &[SortKey], limit: Option<u64>, offset: u64) -> (String, Vec<Param>) {
        let mut params = Vec::new();
        let selects: Vec<String> =
            self.parts.iter().map(|part| part.select(sort, &mut params)).collect();
        let mut sql = selects.join(" UNION ALL ");
        sql.push_str(" ORDER BY ");
        for (i, key) in sort.iter().enumerate() {
            let direction = if matches!(key.order, Order::Descending) { "DESC" } else { "ASC" };
            sql.push_str(&format!("k{i} {direction} NULLS LAST, "));
        }
        sql.push_str("id");
        if limit.is_some() || offset > 0 {
            sql.push_str(" LIMIT ? OFFSET ?");
            // A negative limit is none.
            let limit = limit.map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX));
            let offset = i64::try_from(offset).unwrap_or(i64::MAX);
            params.push(Param::Value(limit.into()));
            params.push(Param::Value(offset.into()));
        }
        (sql, params)
    }
}

impl Part {
    /// `SELECT class, id, k0, … FROM c… WHERE …`
    fn select(&self, sort: &[SortKey], params: &mut Vec<Param>) -> String {
        let mut sql = format!("SELECT {} AS class, id", self.class.id);
        for (i, key) in sort.iter().enumerate() {
            let expression = match (place(&self.class, &key.property), &key.order) {
                (None, _) => "NULL".to_owned(),
                (Some(place), Order::Ascending | Order::Descending) => place.sql,
                (Some(place), Order::Sequence(values)) => {
                    let mut case = String::from("CASE");
                    for (position, value) in values.iter().enumerate() {
                        if value.kind == place.kind {
                            case.push_str(&format!(" WHEN {} = ? THEN {position}", place.sql));
                            params.push(Param::Value(value.value.clone()));
                        }
                    }
                    if case.len() == 4 { "NULL".to_owned() } else { case + " END" }
                }
            };
            sql.push_str(&format!(", {expression} AS k{i}"));
        }
        sql.push_str(&format!(" FROM c{}{}", self.class.id, self.where_clause(params)));
        sql
    }

    /// The rows of an array that fulfil the conditions, in its order: SQLite looks each of them up by
    /// its id.
    fn of_sql(&self, params: &mut Vec<Param>) -> String {
        let (class, conditions) = (self.class.id, self.where_clause(params));
        format!("SELECT id FROM rarray(?) CROSS JOIN c{class} ON id = value{conditions}")
    }

    pub(super) fn where_clause(&self, params: &mut Vec<Param>) -> String {
        let mut sql = String::new();
        for (i, condition) in self.conditions.iter().enumerate() {
            sql.push_str(if i == 0 { " WHERE " } else { " AND " });
            sql.push_str(&condition.sql);
            params.extend(condition.params.iter().cloned());
        }
        sql
    }
}

/// Indexes that are not to be used.
#[derive(Debug, Default)]
struct Avoid {
    /// Of these properties.
    properties: Vec<i64>,
    /// Of these conditions, by position.
    conditions: Vec<usize>,
}

/// What an index could be used for.
struct Candidate {
    owner: Owner,
    condition: Condition,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Property(i64),
    Condition(usize),
}

/// Which indexes not to use; nothing if no object can fulfil the constraints.
///
/// SQLite has no statistics here and takes all indexes for equally good. An id and a `user_type`
/// are not: the one finds a row, the other half of the table. So where several indexed columns
/// must be equal to something, each index is asked for its first few rows, then for more, until
/// one has fewer than it was asked for.
fn weigh_indexes(
    conn: &Connection,
    class: &Class,
    constraints: Option<&Expr>,
    conditions: &[Condition],
) -> Result<Option<Avoid>, Fail> {
    let mut candidates = Vec::new();
    if let Some(expr) = constraints {
        collect_candidates(class, expr, &mut candidates);
    }
    for (i, condition) in conditions.iter().enumerate().filter(|(_, c)| c.indexed) {
        candidates.push(Candidate { owner: Owner::Condition(i), condition: condition.clone() });
    }
    if candidates.len() < 2 {
        return Ok(Some(Avoid::default()));
    }
    let mut depth = FIRST_DIVE;
    loop {
        for Candidate { owner, condition } in &candidates {
            let sql = format!(
                "SELECT count(*) FROM (SELECT 1 FROM c{} WHERE {} LIMIT {depth})",
                class.id, condition.sql
            );
            let found: i64 = conn
                .prepare_cached(&sql)?
                .query_row(params_from_iter(&condition.params), |row| row.get(0))?;
            let found = usize::try_from(found).unwrap_or(0);
            if found == 0 {
                return Ok(None);
            }
            if found < depth {
                let mut avoid = Avoid::default();
                for other in candidates.iter().map(|c| c.owner).filter(|other| other != owner) {
                    match other {
                        Owner::Property(id) => avoid.properties.push(id),
                        Owner::Condition(i) => avoid.conditions.push(i),
                    }
                }
                return Ok(Some(avoid));
            }
        }
        depth *= NEXT_DIVE;
    }
}

/// The equalities that must hold on indexed properties.
fn collect_candidates(class: &Class, expr: &Expr, candidates: &mut Vec<Candidate>) {
    match expr {
        Expr::All(terms) => {
            for term in terms {
                collect_candidates(class, term, candidates);
            }
        }
        Expr::Compare {
            property,
            op: Op::Eq | Op::In,
            operand: Operand::Value(_) | Operand::List(_),
        } => {
            if let Some(found) = class.property(property).filter(|p| p.indexed) {
                let condition = compile(class, expr, &[]);
                candidates.push(Candidate { owner: Owner::Property(found.id), condition });
            }
        }
        Expr::Any(_) | Expr::Compare { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::{
        directory::Directory,
        store::{
            Settings, Store,
            catalog::{Catalog, Target},
            value::PropertyType,
        },
    };

    /// A thousand descriptors of one set and one type, each with an id of its own.
    fn descriptors() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::open(dir.path(), true, Settings::default()).unwrap();
        let mut store = Store::open_writer(&directory).unwrap();
        let catalog = Arc::make_mut(&mut store.catalog);
        let mut class = catalog.class(Target::Entity, "_Descriptor").unwrap().clone();
        for property in ["adb_id", "user_type"] {
            class = catalog
                .ensure_property(&store.conn, &class, property, PropertyType::String)
                .unwrap();
            catalog.add_index(&store.conn, Target::Entity, "_Descriptor", property).unwrap();
        }
        store
            .conn
            .execute_batch(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
                INSERT INTO c4 (id, txn, set_id, p1, p2) SELECT i, 1, 1, 'id ' || i, 'Face' FROM n",
            )
            .unwrap();
        (dir, store)
    }

    fn class(catalog: &Catalog) -> &Arc<Class> {
        catalog.class(Target::Entity, "_Descriptor").unwrap()
    }

    /// How SQLite would look for these, and what it finds.
    fn plan(store: &Store, constraints: Json, within: Vec<Condition>) -> (String, usize) {
        let expr = Expr::parse(constraints).unwrap();
        let mut selection = Selection::default();
        selection.push(&store.conn, class(&store.catalog), expr.as_ref(), within).unwrap();
        let found = selection.objects(&store.conn, &[], Some(1000), 0).unwrap().len();
        if selection.parts.is_empty() {
            return (String::new(), found);
        }
        let (sql, params) = selection.sql(&[], Some(1000), 0);
        let mut explain = store.conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = explain.query_map(params_from_iter(params), |row| row.get::<_, String>(3));
        (steps.unwrap().map(Result::unwrap).collect::<Vec<_>>().join("; "), found)
    }

    #[test]
    fn the_index_that_finds_least_is_used() {
        let (_dir, store) = descriptors();
        let in_set = || vec![Condition::is("set_id", 1)];
        let face = json!(["==", "Face"]);
        let one = json!({"user_type": face, "adb_id": ["==", "id 7"]});
        let few = json!({"user_type": face, "adb_id": ["in", ["id 7", "id 8", "id 9"]]});
        for (constraints, within, index, count) in [
            (one.clone(), in_set(), "SEARCH c4 USING INDEX i1 ", 1),
            (few, in_set(), "SEARCH c4 USING INDEX i1 ", 3),
            (json!({"adb_id": ["==", "id 7"]}), in_set(), "SEARCH c4 USING INDEX i1 ", 1),
            (
                json!({"user_type": face}),
                vec![Condition::among("id", [3, 4])],
                "SEARCH c4 USING INTEGER PRIMARY KEY",
                2,
            ),
            (
                json!(null),
                vec![Condition::is("set_id", 1), Condition::among("id", [3, 4])],
                "SEARCH c4 USING INTEGER PRIMARY KEY",
                2,
            ),
        ] {
            let (plan, found) = plan(&store, constraints.clone(), within);
            assert_eq!(found, count, "{constraints}");
            assert!(plan.contains(index), "{constraints}: {plan}");
        }
        let none = json!({"user_type": face, "adb_id": ["==", "nobody"]});
        assert_eq!(plan(&store, none, in_set()), (String::new(), 0));
        let other_set = plan(&store, one, vec![Condition::is("set_id", 2)]);
        assert_eq!(other_set.1, 0);
    }
}
