//! Lists of objects: what is promised of their order, and which object is which.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::{
    compare::{BLOB, same_scalar},
    ids::{Ids, is_id_field},
};

/// Objects that no other equals are compared with the one that is likest, up to so many of them.
const MATCHED: usize = 300;

/// What a command promises of its list.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Promise {
    /// Fields whose values come in the same order.
    pub order: Vec<String>,
    /// Whether the same objects are there: a limit without an order leaves out any.
    pub is_complete: bool,
}

impl Promise {
    pub(super) fn of(parameters: &Json, was: &[Json], now: &[Json]) -> Self {
        let at = |key: &str| {
            let here = parameters.get(key).or_else(|| parameters.get("results")?.get(key));
            here.filter(|value| !value.is_null())
        };
        let neighbours = at("k_neighbors").or(at("k_closest")).is_some();
        let mut order: Vec<String> = match at("sort") {
            Some(sort) => sort_keys(sort),
            None if neighbours => vec!["_distance".to_owned()],
            None => Vec::new(),
        };
        // What is not shown can't be compared; and only the first key alone orders all.
        let shown = |list: &[Json], key: &str| list.iter().all(|object| object.get(key).is_some());
        let leading = order.iter().take_while(|key| shown(was, key) && shown(now, key)).count();
        let sorted = !order.is_empty();
        order.truncate(leading.min(1));
        let limit = at("limit").and_then(Json::as_u64);
        let cut = at("batch").is_some()
            || at("offset").is_some()
            || limit.is_some_and(|limit| was.len() as u64 >= limit);
        // Among equals at the end of a sorted list there is a choice as well; it is taken for none.
        Self { order, is_complete: sorted || neighbours || !cut }
    }
}

/// `"k"`, `{"key": "k"}`, or an array of these.
fn sort_keys(sort: &Json) -> Vec<String> {
    match sort {
        Json::String(key) => vec![key.clone()],
        Json::Array(list) => list.iter().flat_map(sort_keys).collect(),
        Json::Object(sort) => {
            sort.get("key").and_then(Json::as_str).map(str::to_owned).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

pub(super) fn is_of_objects(was: &[Json], now: &[Json]) -> bool {
    was.iter().chain(now).all(Json::is_object)
}

/// Lists by unique id.
pub(super) fn is_grouped(was: &Map<String, Json>, now: &Map<String, Json>) -> bool {
    let id = |key: &String| {
        let parts: Vec<&str> = key.split('.').collect();
        parts.len() == 3 && parts.iter().all(|part| part.parse::<u64>().is_ok())
    };
    let grouped =
        |map: &Map<String, Json>| map.iter().all(|(key, list)| id(key) && list.is_array());
    grouped(was) && grouped(now) && !(was.is_empty() && now.is_empty())
}

/// Which object is which: first those that are equal but for ids that are not known yet, then those
/// that have most in common.
pub(super) fn paired<'a>(was: &'a [Json], now: &'a [Json], ids: &Ids) -> Vec<(&'a Json, &'a Json)> {
    let mut equal: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, object) in now.iter().enumerate().rev() {
        equal.entry(canonical(object, Side::Replayed, ids)).or_default().push(at);
    }
    let mut pairs = Vec::with_capacity(was.len());
    let mut taken = vec![false; now.len()];
    let mut left = Vec::new();
    for object in was {
        match equal.get_mut(&canonical(object, Side::Recorded, ids)).and_then(Vec::pop) {
            Some(at) => {
                taken[at] = true;
                pairs.push((object, &now[at]));
            }
            None => left.push(object),
        }
    }
    let mut others: Vec<&Json> =
        now.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(object, _)| object).collect();
    for object in left {
        if others.is_empty() {
            break;
        }
        let likest = others
            .iter()
            .take(MATCHED)
            .enumerate()
            .max_by_key(|(at, other)| (likeness(object, other, ids), std::cmp::Reverse(*at)))
            .map_or(0, |(at, _)| at);
        pairs.push((object, others.remove(likest)));
    }
    pairs
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Recorded,
    Replayed,
}

/// A text that two objects share which may be the same one.
fn canonical(object: &Json, side: Side, ids: &Ids) -> String {
    let Some(fields) = object.as_object() else { return object.to_string() };
    let mut parts: Vec<String> = fields
        .iter()
        .filter(|(key, _)| *key != "_blob_index")
        .map(|(key, value)| match value {
            Json::String(id) if is_id_field(key) => {
                let known = match side {
                    Side::Recorded => ids.replayed(id),
                    Side::Replayed => Some(id.as_str()).filter(|id| ids.is_known(id)),
                };
                format!("{key}={}", known.unwrap_or("?"))
            }
            // Enough digits to tell most apart, few enough to be the same on both sides; those at an
            // edge are found by likeness.
            Json::Number(number) if number.is_f64() => {
                format!("{key}={:.4e}", number.as_f64().unwrap_or_default())
            }
            value => format!("{key}={value}"),
        })
        .collect();
    parts.sort_unstable();
    parts.join("\n")
}

fn likeness(was: &Json, now: &Json, ids: &Ids) -> usize {
    let (Some(was), Some(now)) = (was.as_object(), now.as_object()) else { return 0 };
    let alike = was.iter().filter(|(key, was)| match (was, now.get(*key)) {
        (Json::String(was), Some(Json::String(now))) if is_id_field(key) => {
            ids.replayed(was) == Some(now)
        }
        (was, Some(now)) => same_scalar(was, now),
        (_, None) => false,
    });
    // An object that is known by its id, or by its blob, is that one whatever else it says.
    alike.map(|(key, _)| if is_id_field(key) || key == BLOB { 100 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_promised() {
        let list = [json!({"a": 1, "_distance": 0.5}), json!({"a": 2, "_distance": 0.6})];
        let of = |parameters: Json| {
            let promise = Promise::of(&parameters, &list, &list);
            (promise.order, promise.is_complete)
        };
        let key = |key: &str| vec![key.to_owned()];
        assert_eq!(of(json!({})), (vec![], true));
        assert_eq!(of(json!({"limit": 2})), (vec![], false));
        assert_eq!(of(json!({"results": {"limit": 2}})), (vec![], false));
        assert_eq!(of(json!({"limit": 3})), (vec![], true));
        assert_eq!(of(json!({"limit": 2, "sort": "a"})), (key("a"), true));
        assert_eq!(
            of(json!({"results": {"sort": [{"key": "a"}, {"key": "b"}]}})),
            (key("a"), true)
        );
        assert_eq!(of(json!({"sort": {"key": "not shown"}})), (vec![], true));
        assert_eq!(of(json!({"k_neighbors": 2, "limit": 2})), (key("_distance"), true));
        assert_eq!(of(json!({"batch": {"batch_size": 2, "batch_id": 0}})), (vec![], false));
    }

    #[test]
    fn objects_are_matched_by_what_they_are() {
        let was = [
            json!({"_uniqueid": "1.0.1", "n": 1}),
            json!({"_uniqueid": "1.0.2", "n": 2}),
            json!({"_uniqueid": "1.0.3", "n": 2}),
            json!({"_uniqueid": "1.0.4", "n": 4, "x": 1}),
        ];
        let now = [
            json!({"_uniqueid": "5.0.4", "n": 5, "x": 1}),
            json!({"_uniqueid": "5.0.3", "n": 2}),
            json!({"_uniqueid": "5.0.1", "n": 1}),
            json!({"_uniqueid": "5.0.2", "n": 2}),
        ];
        let mut ids = Ids::default();
        ids.pair("1.0.2", "5.0.2");
        let found: Vec<(&Json, &Json)> = paired(&was, &now, &ids)
            .into_iter()
            .map(|(a, b)| (&a["_uniqueid"], &b["_uniqueid"]))
            .collect();
        let wanted =
            [("1.0.1", "5.0.1"), ("1.0.2", "5.0.2"), ("1.0.3", "5.0.3"), ("1.0.4", "5.0.4")];
        assert_eq!(found.len(), 4);
        for (a, b) in wanted {
            assert!(found.contains(&(&json!(a), &json!(b))), "{a}: {found:?}");
        }
    }

    #[test]
    fn groups_are_known_by_their_keys() {
        let map = |json: Json| json.as_object().unwrap().clone();
        let (grouped, plain) = (map(json!({"1.0.2": []})), map(json!({"a": []})));
        assert!(is_grouped(&grouped, &grouped) && !is_grouped(&grouped, &plain));
        assert!(!is_grouped(&map(json!({})), &map(json!({}))));
    }
}
