//! Groups of objects that belong together: each is one request, so all of it is there or nothing.
#![allow(dead_code, reason = "every test takes what it needs")]

use std::{collections::BTreeSet, path::Path};

use adb_engine::Engine;
use adb_model::{Database, DbError, Request, Response, graph::vector_bytes};
use bytes::Bytes;
use serde_json::{Value as Json, json};

const DIMENSIONS: usize = 24;

/// What a group's image holds: of many sizes, some of several pages.
fn image(n: i64) -> Bytes {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let size = (n * 7919 % 40_000) as usize;
    bytes.extend((0..size).map(|i| (i as i64 * 31 + n) as u8));
    bytes.into()
}

/// At the distance n² from the origin, in a direction by chance: a graph finds such vectors. On few
/// axes, each would be near to one other alone, and all far ones near to the same few.
fn vector(n: i64) -> Bytes {
    let component = |i: usize| {
        let mixed = (n as u64 * 1_000 + i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 40) as f64 / f64::from(1 << 23) - 1.0
    };
    let components: [f64; DIMENSIONS] = std::array::from_fn(component);
    let length = components.iter().map(|x| x * x).sum::<f64>().sqrt();
    vector_bytes(&components.map(|x| (x / length * n as f64) as f32))
}

/// What must be there before groups are.
pub(crate) fn set() -> Request {
    Request::json(
        &json!([{"AddDescriptorSet": {"name": "s", "dimensions": DIMENSIONS, "engine": ["HNSW", "Flat"]}}]),
    )
}

/// A group: an entity, an image, the connection between them, and a descriptor of the image. The
/// entity brings a property that not every group has, so columns are added as well. Guarded: sent
/// twice, it is there once.
pub(crate) fn group(n: i64) -> Request {
    let guard = json!({"n": ["==", n]});
    let commands = json!([
        {"AddEntity": {"class": "Row", "_ref": 1, "properties": {"n": n, format!("p{}", n % 23): "x".repeat(n as usize % 300)}, "if_not_found": guard}},
        {"AddImage": {"_ref": 2, "properties": {"n": n}, "if_not_found": guard}},
        {"AddConnection": {"class": "has", "src": 1, "dst": 2, "properties": {"n": n}, "if_not_found": guard}},
        {"AddDescriptor": {"set": "s", "properties": {"n": n}, "connect": {"ref": 2}, "if_not_found": guard}},
    ]);
    Request::new(commands.to_string(), vec![image(n), vector(n)])
}

/// Makes an index, one of several. Refused if it is there, which is as good.
pub(crate) fn index(n: i64) -> Request {
    let key = match n % 4 {
        0 => "n".to_owned(),
        k => format!("p{k}"),
    };
    Request::json(
        &json!([{"CreateIndex": {"index_type": "entity", "class": "Row", "property_key": key}}]),
    )
}

/// Which groups are there, if all of them are whole. One request, so one state of the database.
pub(crate) async fn whole_groups(engine: &Engine) -> Result<BTreeSet<i64>, String> {
    let mut commands = vec![
        json!({"FindEntity": {"with_class": "Row", "results": {"list": ["n"]}}}),
        json!({"FindConnection": {"with_class": "has", "results": {"list": ["n"]}}}),
        json!({"FindImage": {"results": {"list": ["n"]}, "blobs": true}}),
        json!({"FindDescriptor": {"results": {"list": ["n"]}}}),
        json!({"FindConnection": {"with_class": "_DescriptorConnection", "results": {"count": true}}}),
        json!({"FindDescriptor": {"set": "s", "k_neighbors": 1_000_000, "distances": true, "results": {"list": ["n"]}}}),
    ];
    let origin = vector_bytes(&[0.0; DIMENSIONS]);
    let searched = ask(engine, Request::new(json!(commands).to_string(), vec![origin])).await;
    let (answers, blobs) = match searched {
        // Nobody had the time to make the set, so nothing may be there either.
        Err(text) if text.contains("no descriptor set") => {
            commands.pop();
            ask(engine, Request::json(&json!(commands))).await?
        }
        other => other?,
    };
    let numbers = |i: usize, command: &str, key: &str| -> Result<Vec<i64>, String> {
        let objects = answers[i][command].get(key).and_then(Json::as_array);
        objects.unwrap_or(&Vec::new()).iter().map(number).collect()
    };
    let rows = numbers(0, "FindEntity", "entities")?;
    let all: BTreeSet<i64> = rows.iter().copied().collect();
    same("objects that are there once", &rows.len(), &all.len())?;
    let as_set = |numbers: Vec<i64>| numbers.into_iter().collect::<BTreeSet<_>>();
    same("connections", &as_set(numbers(1, "FindConnection", "connections")?), &all)?;
    let images = numbers(2, "FindImage", "entities")?;
    same("images", &images.iter().copied().collect(), &all)?;
    same("descriptors", &as_set(numbers(3, "FindDescriptor", "entities")?), &all)?;
    same("connected descriptors", &answers[4]["FindConnection"]["count"], &json!(all.len()))?;
    for (n, blob) in images.into_iter().zip(&blobs) {
        if *blob != image(n) {
            return Err(format!("image {n} has other bytes"));
        }
    }
    // The vectors in memory agree with the rows: each is found, at its own distance.
    let neighbours = answers.get(5).and_then(|a| a["FindDescriptor"]["entities"].as_array());
    let found = neighbours.cloned().unwrap_or_default();
    let order: Vec<i64> = found.iter().map(number).collect::<Result<_, _>>()?;
    same("neighbours in order", &order, &all.iter().copied().collect())?;
    for (n, found) in order.iter().zip(&found) {
        let distance = found["_distance"].as_f64().unwrap_or(f64::INFINITY);
        let own = (n * n) as f64;
        if (distance - own).abs() > own * 1e-5 {
            return Err(format!("distance: {distance} for {own}"));
        }
    }
    Ok(all)
}

/// Whether searches by the graph find the vectors of these groups: some of all ages, and the last.
pub(crate) async fn found_by_graph(engine: &Engine, all: &BTreeSet<i64>) -> Result<(), String> {
    for n in all.iter().rev().step_by(1 + all.len() / 16) {
        let find = json!([{"FindDescriptor": {"set": "s", "k_neighbors": 1, "distances": true, "results": {"list": ["n"]}}}]);
        let request = Request::new(find.to_string(), vec![vector(*n)]);
        let (answers, _) = ask(engine, request).await?;
        let found = &answers[0]["FindDescriptor"]["entities"][0];
        same("nearest by the graph", &number(found)?, n)?;
        same("its distance", &found["_distance"].as_f64(), &Some(0.0))?;
    }
    Ok(())
}

/// What SQLite and the tables themselves say of a database that nobody has open.
pub(crate) fn sound(dir: &Path) -> Result<(), String> {
    let check = || -> rusqlite::Result<(String, [i64; 4])> {
        let conn = rusqlite::Connection::open(dir.join("adb.sqlite"))?;
        let text = conn.query_row("PRAGMA integrity_check", [], |r| r.get(0))?;
        let count = |what: &str| {
            conn.query_row(&format!("SELECT count(*) FROM {what}"), [], |r| r.get::<_, i64>(0))
        };
        let unmatched =
            "vector FULL JOIN c4 ON c4.id = vector.id WHERE c4.id IS NULL OR vector.id IS NULL";
        Ok((text, [count("vector")?, count("c4")?, count(unmatched)?, count("blob")?]))
    };
    let (text, [vectors, descriptors, unmatched, blobs]) = check().map_err(|e| e.to_string())?;
    let report = Engine::verify(dir).map_err(|e| e.to_string())?;
    same("problems", &report.problems.as_slice(), &&[][..])?;
    same("integrity", &text.as_str(), &"ok")?;
    same("vectors without rows", &unmatched, &0)?;
    same("vectors", &(vectors, blobs), &(descriptors, descriptors))
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} for {expected:?}")) }
}

fn number(object: &Json) -> Result<i64, String> {
    object["n"].as_i64().ok_or_else(|| format!("an object without number: {object}"))
}

/// A Find's answer.
async fn ask(engine: &Engine, request: Request) -> Result<(Vec<Json>, Vec<Bytes>), String> {
    let answer: Result<Response, DbError> = engine.execute(request).await;
    answer.map_err(|e| e.to_string())?.done().map_err(|refusal| refusal.to_string())
}
