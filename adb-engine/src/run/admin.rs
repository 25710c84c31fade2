//! Indexes and the schema.

use std::{collections::BTreeMap, sync::Arc};

use rusqlite::params_from_iter;
use serde_json::{Map, Value as Json, json};

use crate::{
    geometry::{Shape, overlap},
    request::{
        admin::{GetIndexes, GetSchema, Index, Region, RegionIou},
        fault::{Fail, Fault},
    },
    store::{
        catalog::{Class, Target},
        format::class_id,
        system::{BUILT_IN_INDEXES, is_built_in},
    },
};

use super::{Run, body, filter::Param, list::rings};

/// Corners that one RegionIoU meets, counted for each pair of regions: some seconds of work.
const MAX_CORNER_PAIRS: usize = 20_000_000;

impl Run<'_> {
    pub(super) fn create_index(&mut self, index: &Index) -> Result<Map<String, Json>, Fail> {
        let Index { target, class, property, newer_form } = index;
        let store = &mut *self.store;
        if !store.catalog.is_indexed(*target, class, property) {
            Arc::make_mut(&mut store.catalog).add_index(&store.conn, *target, class, property)?;
            return Ok(body(&[]));
        }
        let mut answer = body(&[("info", json!("Index exists!"))]);
        if !newer_form {
            answer.insert("status".to_owned(), json!(2));
        }
        Ok(answer)
    }

    pub(super) fn remove_index(&mut self, index: &Index) -> Result<Map<String, Json>, Fail> {
        let Index { target, class, property, .. } = index;
        if is_built_in(*target, class, property) {
            return Err(Fault::new(format!(
                "the index on `{property}` of `{class}` is built in and stays"
            ))
            .into());
        }
        let store = &mut *self.store;
        if !store.catalog.is_indexed(*target, class, property) {
            return Err(
                Fault::new(format!("there is no index on `{property}` of `{class}`")).into()
            );
        }
        Arc::make_mut(&mut store.catalog).remove_index(&store.conn, *target, class, property)?;
        Ok(body(&[]))
    }

    /// `{"entity": {"Person": {"id": [{"kind": "ordered", "params": {}}]}}}`
    pub(super) fn indexes(&mut self, wanted: &GetIndexes) -> Result<Map<String, Json>, Fail> {
        let same = |filter: &Option<String>, found: &str| {
            filter.as_ref().is_none_or(|filter| filter == found)
        };
        let mut found: Vec<_> = self.store.catalog.indexes().chain(BUILT_IN_INDEXES).collect();
        found.retain(|(target, class, property)| {
            wanted.target.is_none_or(|wanted| wanted == *target)
                && same(&wanted.class, class)
                && same(&wanted.property, property)
                && same(&wanted.kind, "ordered")
        });
        found.sort_unstable();
        let mut indexes = json!({});
        for (target, class, property) in found {
            indexes[target.name()][class][property] = json!([{"kind": "ordered", "params": {}}]);
        }
        Ok(body(&[("indexes", indexes)]))
    }

    pub(super) fn region_iou(&mut self, regions: &RegionIou) -> Result<Map<String, Json>, Fail> {
        let first = self.shapes(regions.first)?;
        let second = match &regions.second {
            Region::Reference(reference) => self.shapes(*reference)?,
            Region::Rectangle(rectangle) => vec![Shape::Box(rectangle.extent())],
            Region::Polygons(polygons) => vec![polygons.shape()],
        };
        // About as many bytes as a number takes.
        self.grow(first.len().saturating_mul(second.len()).saturating_mul(8))?;
        let corners = |shapes: &[Shape]| shapes.iter().map(Shape::corners).sum::<usize>();
        let work = corners(&first)
            .saturating_mul(second.len())
            .saturating_add(corners(&second).saturating_mul(first.len()));
        if work > MAX_CORNER_PAIRS {
            return Err(Fault::new(format!(
                "{} regions against {} are more than are compared at a time; take fewer of them, or coarser ones",
                first.len(),
                second.len()
            ))
            .into());
        }
        let rows: Vec<Vec<f64>> =
            first.iter().map(|a| second.iter().map(|b| overlap(a, b)).collect()).collect();
        Ok(body(&[("IoU", json!(rows))]))
    }

    /// The boxes and polygons of a reference.
    fn shapes(&self, reference: u32) -> Result<Vec<Shape>, Fail> {
        let found = self.refs.get(reference)?;
        let conn = &self.store.conn;
        let mut boxes = conn.prepare_cached(&format!(
            "SELECT x, y, width, height FROM c{} WHERE id = ?",
            class_id::BOUNDING_BOX
        ))?;
        let mut polygons = conn
            .prepare_cached(&format!("SELECT vertices FROM c{} WHERE id = ?", class_id::POLYGON))?;
        let mut shapes = Vec::with_capacity(found.objects.len());
        for object in &found.objects {
            shapes.push(match (found.target, object.class) {
                (Target::Entity, class_id::BOUNDING_BOX) => {
                    Shape::Box(boxes.query_row([object.id], |row| {
                        Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
                    })?)
                }
                (Target::Entity, class_id::POLYGON) => {
                    let vertices: String = polygons.query_row([object.id], |row| row.get(0))?;
                    Shape::rings(rings(&vertices)?)
                }
                _ => {
                    return Err(Fault::new(format!(
                        "the reference {reference} must name bounding boxes and polygons only"
                    ))
                    .into());
                }
            });
        }
        Ok(shapes)
    }

    pub(super) fn schema(&mut self, what: &GetSchema) -> Result<Map<String, Json>, Fail> {
        let around = match what.around {
            Some(reference) => Some(self.around(reference)?),
            None => None,
        };
        let mut answer = body(&[]);
        for (wanted, target, key) in [
            (what.entities, Target::Entity, "entities"),
            (what.connections, Target::Connection, "connections"),
        ] {
            if wanted {
                let among = around.as_ref().map(|around| match target {
                    Target::Entity => &around.objects,
                    Target::Connection => &around.edges,
                });
                answer.insert(key.to_owned(), self.classes_schema(target, among)?);
            }
        }
        Ok(answer)
    }

    /// The objects of a reference and what they are joined to; or, of a reference to connections,
    /// those and their ends.
    fn around(&self, reference: u32) -> Result<Around, Fail> {
        let found = self.refs.get(reference)?;
        let named = Param::ids(found.objects.iter().map(|o| o.id));
        let mut objects: Vec<i64> = Vec::new();
        let mut edges: Vec<i64> = Vec::new();
        let ways: &[&str] = match found.target {
            Target::Entity => {
                objects.extend(found.objects.iter().map(|o| o.id));
                // One by one, so that each has its index.
                &["src", "dst"]
            }
            Target::Connection => &["id"],
        };
        for class in self.store.catalog.classes(Target::Connection) {
            for way in ways {
                let mut select = self.store.conn.prepare_cached(&format!(
                    "SELECT id, src, dst FROM c{} WHERE {way} IN (SELECT value FROM rarray(?))",
                    class.id
                ))?;
                let mut rows = select.query([&named])?;
                while let Some(row) = rows.next()? {
                    edges.push(row.get(0)?);
                    objects.extend([row.get::<_, i64>(1)?, row.get(2)?]);
                }
            }
        }
        Ok(Around { objects: Param::ids(objects), edges: Param::ids(edges) })
    }

    /// Every class that has objects, or objects among these; null if none has.
    fn classes_schema(&self, target: Target, among: Option<&Param>) -> Result<Json, Fail> {
        let mut classes = Map::new();
        for class in self.store.catalog.classes(target) {
            let shown = match target {
                Target::Entity => self.entity_schema(class, among)?,
                Target::Connection => self.connection_schema(class, among)?,
            };
            if let Some(shown) = shown {
                classes.insert(class.name.to_string(), shown);
            }
        }
        if classes.is_empty() {
            return Ok(Json::Null);
        }
        Ok(json!({"returned": classes.len(), "classes": classes}))
    }

    fn entity_schema(&self, class: &Class, among: Option<&Param>) -> Result<Option<Json>, Fail> {
        let sql = format!("SELECT count(*){} FROM c{}{}", counted(class), class.id, filter(among));
        let mut select = self.store.conn.prepare(&sql)?;
        let (matched, counts) =
            select.query_row(params_from_iter(among), |row| counts(class, row, 0))?;
        // An empty object, which every client can walk through; connections are read with null.
        Ok((matched > 0)
            .then(|| json!({"matched": matched, "properties": properties(class, &counts)})))
    }

    /// One entry for each pair of classes that it joins.
    fn connection_schema(
        &self,
        class: &Class,
        among: Option<&Param>,
    ) -> Result<Option<Json>, Fail> {
        let sql = format!(
            "SELECT src_class, dst_class, count(*){} FROM c{}{} GROUP BY src_class, dst_class",
            counted(class),
            class.id,
            filter(among)
        );
        let mut select = self.store.conn.prepare(&sql)?;
        let mut rows = select.query(params_from_iter(among))?;
        let mut entries: BTreeMap<(i64, i64), Json> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let ends: (i64, i64) = (row.get(0)?, row.get(1)?);
            let (matched, counts) = counts(class, row, 2)?;
            let name = |id| self.store.catalog.class_by_id(id).map_or("", |c| &*c.name);
            let properties = properties(class, &counts);
            let properties = if properties.is_empty() { Json::Null } else { json!(properties) };
            let entry = json!({
                "matched": matched, "src": name(ends.0), "dst": name(ends.1),
                "properties": properties,
            });
            entries.insert(ends, entry);
        }
        let entries: Vec<Json> = entries.into_values().collect();
        Ok((!entries.is_empty()).then_some(Json::Array(entries)))
    }
}

/// The surroundings of a reference, by row.
struct Around {
    objects: Param,
    edges: Param,
}

fn filter(among: Option<&Param>) -> &'static str {
    match among {
        Some(_) => " WHERE id IN (SELECT value FROM rarray(?))",
        None => "",
    }
}

/// `, count(p1), count(p2)…`
fn counted(class: &Class) -> String {
    class.properties.iter().map(|p| format!(", count(p{})", p.id)).collect()
}

fn counts(
    class: &Class,
    row: &rusqlite::Row<'_>,
    first: usize,
) -> rusqlite::Result<(i64, Vec<i64>)> {
    let counts = (0..class.properties.len()).map(|i| row.get(first + 1 + i));
    Ok((row.get(first)?, counts.collect::<Result<_, _>>()?))
}

/// `[how many have it, whether it is indexed, its type]`
fn properties(class: &Class, counts: &[i64]) -> Map<String, Json> {
    let counted = class.properties.iter().zip(counts).filter(|(_, count)| **count > 0);
    counted
        .map(|(p, count)| (p.name.to_string(), json!([count, p.indexed, p.kind.name()])))
        .collect()
}
