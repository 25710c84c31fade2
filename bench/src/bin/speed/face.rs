//! Rows as CelebA has them: a picture, 40 properties, a vector, somebody who is shown.

use adb_model::Request;
use serde_json::{Map, Value as Json, json};

use crate::{
    client::{Client, Index},
    data::{Pictures, mix},
};

pub(crate) const SET: &str = "faces";
pub(crate) const DIMENSIONS: usize = 512;
const BOOLEANS: usize = 34;
/// Faces show one of so many people.
const PEOPLE: usize = 1000;

/// What a row's commands are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shape {
    /// AddImage and AddDescriptor, joined by a connection with a class; nothing asks whether they
    /// are there.
    Plain,
    /// As a loader sends a model: picture, vector, person and connection, each with a guard.
    Guarded,
}

/// Makes the set, and indexes of five properties (and those that guards need).
pub(crate) fn prepare(client: &Client, index: Index, shape: Shape) -> anyhow::Result<()> {
    client.add_set(SET, DIMENSIONS, index)?;
    for property in ["id", "user_type", "identity", "attribute_0", "attribute_1"] {
        client.add_index("entity", "_Image", property)?;
    }
    if shape == Shape::Guarded {
        client.add_index("entity", "_Descriptor", "adb_id")?;
        client.add_index("entity", "_Descriptor", "user_type")?;
        client.add_index("entity", "Person", "id")?;
        client.add_index("connection", "shows", "edge_id")?;
    }
    Ok(())
}

/// One request that adds rows. `vectors`: their bytes, one after another.
pub(crate) fn request(first: usize, vectors: &[u8], pictures: &Pictures, shape: Shape) -> Request {
    let mut commands: Vec<Json> = Vec::new();
    let mut blobs = Vec::new();
    for (i, vector) in vectors.chunks_exact(DIMENSIONS * 4).enumerate() {
        let row = first + i;
        match shape {
            Shape::Plain => plain(&mut commands, row, i + 1),
            Shape::Guarded => guarded(&mut commands, row, 2 * i + 1),
        }
        blobs.push(pictures.picture(row).into());
        blobs.push(vector.to_vec().into());
    }
    Request::new(json!(commands).to_string(), blobs)
}

fn plain(commands: &mut Vec<Json>, row: usize, reference: usize) {
    commands.push(json!({"AddImage": {"_ref": reference, "properties": properties(row)}}));
    commands.push(json!({"AddDescriptor": {"set": SET,
        "connect": {"ref": reference, "class": "looks_like"}, "properties": {"row": row}}}));
}

fn guarded(commands: &mut Vec<Json>, row: usize, reference: usize) {
    let guard = |key: &str, value: Json| json!({key: ["==", value], "user_type": ["==", "Face"]});
    let (person, look, edge) =
        (row % PEOPLE, format!("Face/{row}/look"), format!("Face/{row}/shows"));
    commands.push(json!({"AddImage": {"_ref": reference, "properties": properties(row),
        "if_not_found": guard("id", json!(row))}}));
    commands.push(json!({"AddDescriptor": {"set": SET, "connect": {"ref": reference},
        "properties": {"row": row, "adb_id": look, "user_type": "Face"},
        "if_not_found": guard("adb_id", json!(look))}}));
    commands.push(json!({"AddEntity": {"_ref": reference + 1, "class": "Person",
        "properties": {"id": person}, "if_not_found": {"id": ["==", person]}}}));
    commands.push(json!({"AddConnection": {"class": "shows", "src": reference,
        "dst": reference + 1, "properties": {"edge_id": edge},
        "if_not_found": {"edge_id": ["==", edge]}}}));
}

/// 34 booleans, 4 integers, 2 texts. Python has the same.
fn properties(row: usize) -> Json {
    let bits = mix(row as u64);
    let mut all = Map::new();
    all.insert("id".to_owned(), row.into());
    all.insert("user_type".to_owned(), "Face".into());
    all.insert("file".to_owned(), format!("{row:06}.jpg").into());
    all.insert("identity".to_owned(), (row % PEOPLE).into());
    all.insert("left".to_owned(), (bits >> 34 & 0xff).into());
    all.insert("top".to_owned(), (bits >> 42 & 0xff).into());
    for i in 0..BOOLEANS {
        all.insert(format!("attribute_{i}"), (bits >> i & 1 == 1).into());
    }
    Json::Object(all)
}
