//! How objects look in an answer.

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use crate::{
    command::Shape,
    find::Reached,
    run::Run,
    state::{Item, Kind},
    value::Value,
};

/// The system's properties that `all_properties` shows.
fn shown(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::DescriptorSet => &["_name", "_dimensions", "_engines", "_metrics", "_count"],
        Kind::Descriptor => &["_set_name"],
        Kind::Clip => &[
            "_label",
            "_range_type",
            "_range_start",
            "_range_stop",
            "_frame_number_range",
            "_time_offset_range",
            "_time_fraction_range",
        ],
        Kind::Frame => &["_label", "_frame_number", "_time_offset", "_time_fraction"],
        Kind::BoundingBox | Kind::Polygon => &["_label", "_area"],
        _ => &[],
    }
}

impl Run<'_> {
    pub(crate) fn give_blobs(&mut self, items: &[Item]) {
        for item in items {
            let object = &self.state.objects[&item.object];
            self.blobs_out.push(object.bytes.clone().unwrap_or_default());
        }
    }

    pub(crate) fn list(
        &self,
        items: &[Item],
        shape: &Shape,
        distances: &HashMap<u64, f32>,
        blobs_at: Option<usize>,
    ) -> Vec<Json> {
        let one = |(i, item): (usize, &Item)| {
            let mut object = self.show(*item, shape, distances);
            if let Some(first) = blobs_at {
                object.insert("_blob_index".to_owned(), json!(first + i));
            }
            Json::Object(object)
        };
        items.iter().enumerate().map(one).collect()
    }

    fn show(&self, item: Item, shape: &Shape, distances: &HashMap<u64, f32>) -> Map<String, Json> {
        let kind = self.state.kind(item);
        let value = |name: &str| match (name, self.state.property(item, name)) {
            ("_distance", _) => distances.get(&item.object).map(|d| json!(f64::from(*d))),
            // What has a label has one in every answer.
            ("_label", None) if kind.has_label() => Some(json!("None")),
            (_, value) => value.as_ref().map(Value::show),
        };
        let mut object = Map::new();
        let mut add = |name: &str| {
            if let Some(json) = value(name) {
                object.insert(name.to_owned(), json);
            }
        };
        if shape.unique_ids || shape.all_properties {
            add("_uniqueid");
        }
        shape.flags.iter().for_each(|flag| add(flag));
        if shape.all_properties {
            shown(kind).iter().for_each(|name| add(name));
            if !item.own_connection {
                self.state.objects[&item.object].properties.keys().for_each(|name| add(name));
            }
        }
        shape.list.iter().for_each(|name| add(name));
        for name in &shape.list {
            // What was asked for by name stands there, if only as null.
            object.entry(name.clone()).or_insert(Json::Null);
        }
        object
    }

    /// The listed objects below the sources that led to them.
    pub(crate) fn grouped(&self, reached: &Reached, items: &[Item], listed: &[Json]) -> Json {
        let mut groups: Map<String, Json> = Map::new();
        for (source, _) in &reached.pairs {
            let members = items
                .iter()
                .zip(listed)
                .filter(|(item, _)| reached.pairs.contains(&(*source, item.object)));
            let members: Vec<Json> = members.map(|(_, json)| json.clone()).collect();
            if !members.is_empty() {
                groups.insert(self.state.unique_id(Item::of(*source)), Json::Array(members));
            }
        }
        Json::Object(groups)
    }
}
