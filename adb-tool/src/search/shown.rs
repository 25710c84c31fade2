//! What was found, as a table and as JSON.

use std::collections::BTreeSet;

use adb::{Metric, ObjectKind, StoredSchema, Value, loaders::runs, nearest_name, query::AnyHit};
use comfy_table::{Table, presets};
use serde_json::{Map, Value as Json, json};

use crate::exit::usage;

/// Properties that a table has unless told.
const COLUMNS: usize = 6;
/// Characters of a property that a table shows.
const WIDTH: usize = 48;

/// Refuses names that no object has.
pub(super) fn check(asked: &[String], schema: &StoredSchema) -> anyhow::Result<()> {
    let classes = || schema.classes.iter().filter(|class| class.name != runs::CLASS);
    let names = || classes().flat_map(|class| &class.properties).map(|p| p.name.as_str());
    for name in asked {
        if !names().any(|there| there == name) {
            let near = nearest_name(name, names());
            let near = near.map(|near| format!(" (is it `{near}`?)")).unwrap_or_default();
            let there: BTreeSet<&str> = names().filter(|name| is_for_people(name)).collect();
            let there: Vec<&str> = there.into_iter().collect();
            usage!(
                "--show: no object has the property `{name}`{near}; there are {}",
                there.join(", ")
            );
        }
    }
    Ok(())
}

/// Hits with the properties that are shown of them.
pub(super) struct Shown<'h> {
    pub(super) hits: &'h [AnyHit],
    columns: Vec<String>,
}

impl<'h> Shown<'h> {
    pub(super) fn of(hits: &'h [AnyHit], asked: &[String]) -> Self {
        let mut columns = asked.to_vec();
        if columns.is_empty() {
            for name in hits.iter().flat_map(|hit| hit.record.properties().keys()) {
                if columns.len() < COLUMNS && is_for_people(name) && !columns.contains(name) {
                    columns.push(name.clone());
                }
            }
        }
        Self { hits, columns }
    }

    /// What a property is as text; nothing if an object lacks it.
    pub(super) fn properties<'s>(
        &'s self,
        hit: &'s AnyHit,
    ) -> impl Iterator<Item = (&'s str, String)> {
        self.columns.iter().filter_map(|name| {
            let value = hit.record.properties().get(name).and_then(text)?;
            Some((name.as_str(), value))
        })
    }

    pub(super) fn text(&self) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        let nearness = self.hits.first().map_or("distance", |hit| word(hit.metric));
        let mut header = vec!["rank".to_owned(), "class".to_owned(), nearness.to_owned()];
        header.extend(self.columns.iter().cloned());
        table.set_header(header);
        for (rank, hit) in (1..).zip(self.hits) {
            let mut row = vec![rank.to_string(), hit.class.clone(), number(hit.distance)];
            row.extend(self.columns.iter().map(|name| {
                let value = hit.record.properties().get(name).and_then(text);
                shortened(&value.unwrap_or_default(), WIDTH)
            }));
            table.add_row(row);
        }
        table
    }

    pub(super) fn json(&self) -> Json {
        let object = |(rank, hit): (usize, &AnyHit)| {
            let properties: Map<String, Json> = hit
                .record
                .properties()
                .iter()
                .filter(|(name, value)| {
                    !value.is_null() && !matches!(name.as_str(), "_distance" | "_ref")
                })
                .map(|(name, value)| (name.clone(), plain(value)))
                .collect();
            json!({
                "rank": rank, "kind": hit.kind, "class": hit.class,
                word(hit.metric): hit.distance, "_uniqueid": hit.record.unique_id(),
                "properties": properties,
            })
        };
        (1..).zip(self.hits).map(object).collect()
    }
}

/// What the distance is called: of L2 less is nearer, of the others more.
pub(super) fn word(metric: Metric) -> &'static str {
    match metric {
        Metric::L2 => "distance",
        _ => "similarity",
    }
}

pub(super) fn number(distance: f64) -> String {
    format!("{distance:.3}")
}

/// What adb and the system keep for themselves is left out, but for a picture's path.
fn is_for_people(name: &str) -> bool {
    !name.starts_with("adb_") && name != "user_type" && (!name.starts_with('_') || name == "_label")
}

/// Dates as text.
fn plain(value: &Json) -> Json {
    match Value::from_answer(value) {
        Ok(Some(Value::Date(date))) => date.to_string().into(),
        _ => value.clone(),
    }
}

fn text(value: &Json) -> Option<String> {
    match plain(value) {
        Json::Null => None,
        Json::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// The beginning of a text, on one line.
pub(super) fn shortened(text: &str, width: usize) -> String {
    let line = text.replace(char::is_control, " ");
    match line.char_indices().nth(width) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}

/// Whether an object's blob is a picture.
pub(super) fn picture(hit: &AnyHit) -> Option<&[u8]> {
    match hit.kind {
        ObjectKind::Image | ObjectKind::BoundingBox | ObjectKind::Polygon => {
            hit.record.blob().map(|blob| &blob[..])
        }
        _ => None,
    }
}
