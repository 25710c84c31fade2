//! Figures over what a selection finds: sums, averages, extremes, in groups or not.

use rusqlite::{Connection, Row, params_from_iter, types::ValueRef};
use serde_json::{Map, Value as Json, json};

use crate::{
    request::{
        fault::{Fail, Fault},
        shape::{Figure, Shape},
    },
    store::{catalog::Class, value::PropertyType},
};

use super::{
    filter::{Param, place},
    select::Selection,
};

/// A property that a SELECT over several classes yields.
struct Column<'a> {
    name: &'a str,
    /// Of the first class that has it; where another class has another type, it counts as absent.
    kind: Option<PropertyType>,
}

impl<'a> Column<'a> {
    fn new(selection: &Selection, name: &'a str) -> Self {
        let kind = selection.classes().find_map(|class| place(class, name)).map(|p| p.kind);
        Self { name, kind }
    }

    fn sql(&self, class: &Class) -> String {
        match place(class, self.name) {
            Some(place) if Some(place.kind) == self.kind => place.sql,
            _ => "NULL".to_owned(),
        }
    }

    fn to_json(&self, value: ValueRef<'_>) -> Json {
        self.kind.map_or(Json::Null, |kind| kind.to_json(value))
    }
}

impl Figure {
    fn sql(self) -> &'static str {
        match self {
            Figure::Sum => "sum",
            Figure::Average => "avg",
            Figure::Min => "min",
            Figure::Max => "max",
        }
    }
}

impl Selection {
    /// The figures, as members of the answer.
    pub(super) fn figures(
        &self,
        conn: &Connection,
        shape: &Shape,
    ) -> Result<Map<String, Json>, Fail> {
        let groups: Vec<Column<'_>> =
            shape.group.iter().map(|name| Column::new(self, name)).collect();
        let figures: Vec<(Figure, Column<'_>)> =
            shape.aggregates.iter().map(|a| (a.figure, Column::new(self, &a.property))).collect();
        for (figure, column) in &figures {
            let any_type = matches!(figure, Figure::Min | Figure::Max);
            if !any_type && column.kind.is_some_and(|kind| kind != PropertyType::Number) {
                return Err(Fault::new(format!(
                    "`{}` is no number, and has no {}",
                    column.name,
                    figure.sql()
                ))
                .into());
            }
        }
        let mut params = Vec::new();
        let sql = self.figures_sql(&groups, &figures, &mut params);
        let mut select = conn.prepare_cached(&sql)?;
        let mut rows = select.query(params_from_iter(params))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(one(row, &groups, &figures, shape)?);
        }
        if groups.is_empty() {
            return Ok(found.pop().unwrap_or_default());
        }
        let mut answer = Map::new();
        answer.insert("groups".to_owned(), found.into_iter().map(Json::Object).collect());
        Ok(answer)
    }

    fn figures_sql(
        &self,
        groups: &[Column<'_>],
        figures: &[(Figure, Column<'_>)],
        params: &mut Vec<Param>,
    ) -> String {
        let mut inner: Vec<String> = Vec::new();
        for part in self.parts() {
            let mut sql = "SELECT 1 AS one".to_owned();
            for (i, column) in groups.iter().enumerate() {
                sql.push_str(&format!(", {} AS g{i}", column.sql(&part.class)));
            }
            for (i, (_, column)) in figures.iter().enumerate() {
                sql.push_str(&format!(", {} AS a{i}", column.sql(&part.class)));
            }
            inner.push(format!("{sql} FROM c{}{}", part.class.id, part.where_clause(params)));
        }
        if inner.is_empty() {
            let nulls = |prefix: char, n: usize| {
                (0..n).map(|i| format!(", NULL AS {prefix}{i}")).collect::<String>()
            };
            inner.push(format!(
                "SELECT 1 AS one{}{} WHERE 0",
                nulls('g', groups.len()),
                nulls('a', figures.len())
            ));
        }
        let keys: Vec<String> = (0..groups.len()).map(|i| format!("g{i}")).collect();
        let mut sql = "SELECT count(*)".to_owned();
        for key in &keys {
            sql.push_str(&format!(", {key}"));
        }
        for (i, (figure, _)) in figures.iter().enumerate() {
            sql.push_str(&format!(", {}(a{i})", figure.sql()));
        }
        sql.push_str(&format!(" FROM ({})", inner.join(" UNION ALL ")));
        if !keys.is_empty() {
            let keys = keys.join(", ");
            sql.push_str(&format!(" GROUP BY {keys} ORDER BY {keys}"));
        }
        sql
    }
}

/// One row of figures: `{"town": …, "_group_count": …, "_group_avg": {"rating": …}}`
fn one(
    row: &Row<'_>,
    groups: &[Column<'_>],
    figures: &[(Figure, Column<'_>)],
    shape: &Shape,
) -> rusqlite::Result<Map<String, Json>> {
    let grouped = !groups.is_empty();
    let prefix = if grouped { "_group_" } else { "_" };
    let mut shown = Map::new();
    for (i, column) in groups.iter().enumerate() {
        shown.insert(column.name.to_owned(), column.to_json(row.get_ref(1 + i)?));
    }
    if grouped && shape.count {
        shown.insert("_group_count".to_owned(), json!(row.get::<_, i64>(0)?));
    }
    for (i, (figure, column)) in figures.iter().enumerate() {
        let value = column.to_json(row.get_ref(1 + groups.len() + i)?);
        let of_figure = shown
            .entry(format!("{prefix}{}", figure.sql()))
            .or_insert_with(|| Json::Object(Map::new()));
        if let Json::Object(of_figure) = of_figure {
            of_figure.insert(column.name.to_owned(), value);
        }
    }
    Ok(shown)
}
