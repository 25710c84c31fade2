//! Indexes and the schema.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value as Json, json};

use crate::{
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

use super::{Run, body};
use crate::request::part::overlap;

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
        let first = self.boxes(regions.first)?;
        let second = match &regions.second {
            Region::Reference(reference) => self.boxes(*reference)?,
            Region::Rectangle(rectangle) => vec![rectangle.extent()],
        };
        // About as many bytes as a number takes.
        self.grow(first.len().saturating_mul(second.len()).saturating_mul(8))?;
        let rows: Vec<Vec<f64>> =
            first.iter().map(|a| second.iter().map(|b| overlap(*a, *b)).collect()).collect();
        Ok(body(&[("IoU", json!(rows))]))
    }

    /// The boxes of a reference: x, y, width, height.
    fn boxes(&self, reference: u32) -> Result<Vec<[f64; 4]>, Fail> {
        let found = self.refs.get(reference)?;
        let mut select = self.store.conn.prepare_cached(&format!(
            "SELECT x, y, width, height FROM c{} WHERE id = ?",
            class_id::BOUNDING_BOX
        ))?;
        let mut boxes = Vec::with_capacity(found.objects.len());
        for object in &found.objects {
            if object.class != class_id::BOUNDING_BOX || found.target != Target::Entity {
                return Err(Fault::new(format!(
                    "the reference {reference} must name bounding boxes only; the overlap of other regions is not supported yet"
                ))
                .code("not_supported")
                .into());
            }
            boxes.push(select.query_row([object.id], |row| {
                Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
            })?);
        }
        Ok(boxes)
    }

    pub(super) fn schema(&mut self, what: &GetSchema) -> Result<Map<String, Json>, Fail> {
        let mut answer = body(&[]);
        for (wanted, target, key) in [
            (what.entities, Target::Entity, "entities"),
            (what.connections, Target::Connection, "connections"),
        ] {
            if wanted {
                answer.insert(key.to_owned(), self.classes_schema(target)?);
            }
        }
        Ok(answer)
    }

    /// Every class that has objects; null if none has.
    fn classes_schema(&self, target: Target) -> Result<Json, Fail> {
        let mut classes = Map::new();
        for class in self.store.catalog.classes(target) {
            let shown = match target {
                Target::Entity => self.entity_schema(class)?,
                Target::Connection => self.connection_schema(class)?,
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

    fn entity_schema(&self, class: &Class) -> Result<Option<Json>, Fail> {
        let sql = format!("SELECT count(*){} FROM c{}", counted(class), class.id);
        let (matched, counts) = self.store.conn.query_row(&sql, [], |row| counts(class, row, 0))?;
        // An empty object, which every client can walk through; connections are read with null.
        Ok((matched > 0)
            .then(|| json!({"matched": matched, "properties": properties(class, &counts)})))
    }

    /// One entry for each pair of classes that it joins.
    fn connection_schema(&self, class: &Class) -> Result<Option<Json>, Fail> {
        let sql = format!(
            "SELECT src_class, dst_class, count(*){} FROM c{} GROUP BY src_class, dst_class",
            counted(class),
            class.id
        );
        let mut select = self.store.conn.prepare(&sql)?;
        let mut rows = select.query([])?;
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
