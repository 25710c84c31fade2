//! Constraints as SQL: text from names of our own, values bound.

use std::rc::Rc;

use rusqlite::{
    ToSql,
    types::{ToSqlOutput, Value as Sql},
};

use crate::{
    request::constraint::{Expr, Op, Operand},
    store::{
        catalog::Class,
        format::class_id,
        system,
        value::{PropertyType, Typed},
    },
};

/// A value, or a list of values, to be bound.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Param {
    Value(Sql),
    /// Read in SQL through `rarray(?)`.
    List(Rc<Vec<Sql>>),
}

impl Param {
    pub(crate) fn ids(ids: impl IntoIterator<Item = i64>) -> Self {
        Param::List(Rc::new(ids.into_iter().map(Sql::Integer).collect()))
    }
}

impl ToSql for Param {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Param::Value(value) => value.to_sql(),
            Param::List(list) => list.to_sql(),
        }
    }
}

/// Part of a WHERE clause.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Condition {
    pub(crate) sql: String,
    pub(crate) params: Vec<Param>,
    /// Whether it begins with a column that has an index of the format's own.
    pub(crate) indexed: bool,
}

impl Condition {
    pub(crate) fn new(sql: impl Into<String>, params: impl IntoIterator<Item = Param>) -> Self {
        Self { sql: sql.into(), params: params.into_iter().collect(), indexed: false }
    }

    /// `column`, which has an index, is this id.
    pub(crate) fn is(column: &str, id: i64) -> Self {
        let condition = Self::new(format!("{column} = ?"), [Param::Value(id.into())]);
        Self { indexed: true, ..condition }
    }

    /// `column`, which has an index, is one of these ids.
    pub(crate) fn among(column: &str, ids: impl IntoIterator<Item = i64>) -> Self {
        let sql = format!("{column} IN (SELECT value FROM rarray(?))");
        Self { indexed: true, ..Self::new(sql, [Param::ids(ids)]) }
    }

    /// The same, without the index: in SQL, `+column` is no column.
    pub(crate) fn without_index(mut self) -> Self {
        self.sql.insert(0, '+');
        self
    }

    fn constant(holds: bool) -> Self {
        Self::new(if holds { "1" } else { "0" }, [])
    }
}

/// Where a property of a class is found.
pub(crate) struct Place {
    /// A column, or an expression over the class's table.
    pub(crate) sql: String,
    pub(crate) kind: PropertyType,
}

/// A property of a class, the system's or the user's; nothing if the class has none of that name.
pub(crate) fn place(class: &Class, property: &str) -> Option<Place> {
    if let Some(found) = class.property(property) {
        return Some(Place { sql: format!("p{}", found.id), kind: found.kind });
    }
    let (sql, kind) = match property {
        "_uniqueid" => (format!("('{id}.0.' || c{id}.id)", id = class.id), PropertyType::String),
        "_create_txn" => ("txn".to_owned(), PropertyType::Number),
        _ => {
            let found = system::properties(class).iter().find(|p| p.name == property)?;
            (found.sql.to_owned(), found.kind)
        }
    };
    Some(Place { sql, kind })
}

/// An expression over a class's table. `avoid` holds ids of properties whose indexes are not to be
/// used.
pub(crate) fn compile(class: &Class, expr: &Expr, avoid: &[i64]) -> Condition {
    match expr {
        Expr::All(terms) => join(class, terms, " AND ", true, avoid),
        Expr::Any(terms) => join(class, terms, " OR ", false, avoid),
        Expr::Compare { property, op, operand } => compare(class, property, *op, operand, avoid),
    }
}

/// Halves of halves: SQLite bounds the depth of an expression, not its size.
fn join(class: &Class, terms: &[Expr], with: &str, empty: bool, avoid: &[i64]) -> Condition {
    match terms {
        [] => Condition::constant(empty),
        [one] => compile(class, one, avoid),
        _ => {
            let (left, right) = terms.split_at(terms.len() / 2);
            let mut left = join(class, left, with, empty, avoid);
            let right = join(class, right, with, empty, avoid);
            left.sql = format!("({}{with}{})", left.sql, right.sql);
            left.params.extend(right.params);
            left
        }
    }
}

fn compare(class: &Class, property: &str, op: Op, operand: &Operand, avoid: &[i64]) -> Condition {
    if property == "_uniqueid" {
        return unique_id(class, op, operand);
    }
    let Some(mut place) = place(class, property) else {
        // Absent from every object of the class.
        return Condition::constant(*operand == Operand::Null && op == Op::Eq);
    };
    if class.property(property).is_some_and(|p| avoid.contains(&p.id)) {
        place.sql.insert(0, '+');
    }
    if property == "_set_name" {
        // The other way round, so that the index on the descriptors' set serves.
        let names = Place { sql: "s.name".to_owned(), kind: place.kind };
        let inner = compare_place(class, &names, op, operand);
        let sql = format!(
            "set_id IN (SELECT s.id FROM c{} AS s WHERE {})",
            class_id::DESCRIPTOR_SET,
            inner.sql
        );
        return Condition::new(sql, inner.params);
    }
    compare_place(class, &place, op, operand)
}

/// Absent values make SQL's comparisons null, which counts as false; there is no NOT that could
/// turn it round.
fn compare_place(class: &Class, place: &Place, op: Op, operand: &Operand) -> Condition {
    let left = &place.sql;
    let sign = match op {
        Op::Eq => "=",
        Op::Ne => "<>",
        Op::Lt => "<",
        Op::Le => "<=",
        Op::Gt => ">",
        Op::Ge => ">=",
        Op::In => "IN",
        Op::NotIn => "NOT IN",
    };
    match operand {
        Operand::Null if op == Op::Eq => Condition::new(format!("{left} IS NULL"), []),
        Operand::Null => Condition::new(format!("{left} IS NOT NULL"), []),
        Operand::Value(value) => match value.fitting(place.kind) {
            Some(value) => Condition::new(format!("{left} {sign} ?"), [Param::Value(value)]),
            // Another type: nothing of this property is equal to it, or more, or less.
            None => Condition::constant(false),
        },
        Operand::List(list) => {
            let values: Vec<Sql> = list.iter().filter_map(|v| v.fitting(place.kind)).collect();
            match (values.is_empty(), op) {
                // In SQL, even what is absent is not in an empty list.
                (true, Op::NotIn) => Condition::new(format!("{left} IS NOT NULL"), []),
                (true, _) => Condition::constant(false),
                (false, _) => Condition::new(
                    format!("{left} {sign} (SELECT value FROM rarray(?))"),
                    [Param::List(Rc::new(values))],
                ),
            }
        }
        Operand::Property(other) => match self::place(class, other) {
            Some(right) if right.kind == place.kind => {
                Condition::new(format!("{left} {sign} {}", right.sql), [])
            }
            _ => Condition::constant(false),
        },
    }
}

/// Unique ids are class and row: they compare as rows, so that no text is built. Parsing lets
/// nothing through but equality and membership.
fn unique_id(class: &Class, op: Op, operand: &Operand) -> Condition {
    let row = |value: &Typed| match &value.value {
        Sql::Text(text) => parse_unique_id(text).filter(|id| id.0 == class.id).map(|id| id.1),
        _ => None,
    };
    let equal = matches!(op, Op::Eq | Op::In);
    let rows: Vec<i64> = match operand {
        // As for any property, another type makes a comparison false.
        Operand::Value(value) if value.kind != PropertyType::String => {
            return Condition::constant(false);
        }
        Operand::Value(value) => row(value).into_iter().collect(),
        Operand::List(list) => list.iter().filter_map(row).collect(),
        // Every object has one.
        Operand::Null | Operand::Property(_) => return Condition::constant(op == Op::Ne),
    };
    if rows.is_empty() {
        return Condition::constant(!equal);
    }
    let not = if equal { "" } else { "NOT " };
    Condition::new(format!("id {not}IN (SELECT value FROM rarray(?))"), [Param::ids(rows)])
}

/// Class and row of `class.0.row`.
fn parse_unique_id(text: &str) -> Option<(i64, i64)> {
    let mut parts = text.split('.');
    let (class, zero, row) = (parts.next()?, parts.next()?, parts.next()?);
    if zero != "0" || parts.next().is_some() {
        return None;
    }
    Some((class.parse().ok()?, row.parse().ok()?))
}
