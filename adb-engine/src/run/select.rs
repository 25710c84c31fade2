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
}

#[derive(Debug)]
struct Part {
    class: Arc<Class>,
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
        if let Some(expr) = constraints {
            let Some(avoid) = weigh_indexes(conn, class, expr)? else { return Ok(()) };
            conditions.push(compile(class, expr, &avoid)?);
        }
        self.parts.push(Part { class: class.clone(), conditions });
        Ok(())
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
        let mut statement = conn.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(params))?;
        let mut objects = Vec::new();
        while let Some(row) = rows.next()? {
            objects.push(Object { class: row.get(0)?, id: row.get(1)? });
        }
        Ok(objects)
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

    fn where_clause(&self, params: &mut Vec<Param>) -> String {
        let mut sql = String::new();
        for (i, condition) in self.conditions.iter().enumerate() {
            sql.push_str(if i == 0 { " WHERE " } else { " AND " });
            sql.push_str(&condition.sql);
            params.extend(condition.params.iter().cloned());
        }
        sql
    }
}

/// Which indexes not to use; nothing if no object can fulfil the constraints.
///
/// SQLite has no statistics here and takes all indexes for equally good. An id and a `user_type`
/// are not: the one finds a row, the other half of the table. So where several indexed properties
/// must be equal to something, each index is asked for its first few rows, then for more, until
/// one has fewer than it was asked for.
fn weigh_indexes(conn: &Connection, class: &Class, expr: &Expr) -> Result<Option<Vec<i64>>, Fail> {
    let mut candidates: Vec<(i64, Condition)> = Vec::new();
    collect_candidates(class, expr, &mut candidates)?;
    if candidates.len() < 2 {
        return Ok(Some(Vec::new()));
    }
    let mut depth = FIRST_DIVE;
    loop {
        for (property, condition) in &candidates {
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
                let others = candidates.iter().map(|(id, _)| *id).filter(|id| id != property);
                return Ok(Some(others.collect()));
            }
        }
        depth *= NEXT_DIVE;
    }
}

/// The equalities that must hold on indexed properties.
fn collect_candidates(
    class: &Class,
    expr: &Expr,
    candidates: &mut Vec<(i64, Condition)>,
) -> Result<(), Fail> {
    match expr {
        Expr::All(terms) => {
            for term in terms {
                collect_candidates(class, term, candidates)?;
            }
        }
        Expr::Compare {
            property,
            op: Op::Eq | Op::In,
            operand: Operand::Value(_) | Operand::List(_),
        } => {
            if let Some(found) = class.property(property).filter(|p| p.indexed) {
                candidates.push((found.id, compile(class, expr, &[])?));
            }
        }
        Expr::Any(_) | Expr::Compare { .. } => {}
    }
    Ok(())
}
