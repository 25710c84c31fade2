//! The rows that are sent: a picture of 20 kB with 40 properties, a vector of 512 numbers, an entity
//! and the connections between them.

use adb_engine::Engine;
use adb_model::{Database as _, Request, graph::vector_bytes};
use bytes::Bytes;
use serde_json::{Value as Json, json};

pub(crate) const DIMENSIONS: usize = 512;
const PROPERTIES: usize = 40;
const IMAGE_BYTES: usize = 20_000;

/// Numbers that look random and are the same on every run.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.0 >> 33
    }

    pub(crate) fn vector(&mut self) -> Vec<f32> {
        (0..DIMENSIONS).map(|_| (self.next() % 2000) as f32 / 1000.0 - 1.0).collect()
    }

    pub(crate) fn image(&mut self) -> Bytes {
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        bytes.extend((0..IMAGE_BYTES).map(|_| self.next() as u8));
        bytes.into()
    }
}

/// What must be there before rows are: a set, and indexes by which a loader looks for what it has
/// sent before.
pub(crate) fn schema() -> Request {
    let index = |target: &str, class: &str, property: &str| {
        json!({"CreateIndex": {
        "index_type": target, "class": class, "property_key": property}})
    };
    Request::json(&json!([
        {"AddDescriptorSet": {"name": "faces", "dimensions": DIMENSIONS, "metric": "CS"}},
        index("entity", "_Image", "id"),
        index("entity", "_Image", "user_type"),
        index("entity", "_Descriptor", "adb_id"),
        index("entity", "_Descriptor", "user_type"),
        index("entity", "Person", "id"),
        index("connection", "shows", "edge_id"),
    ]))
}

/// Image, descriptor, entity, connection of each row.
pub(crate) fn rows(first: i64, count: i64, guarded: bool, noise: &mut Noise) -> Request {
    let mut commands: Vec<Json> = Vec::new();
    let mut blobs = Vec::new();
    for i in first..first + count {
        let reference = 3 * (i - first) + 1;
        let mut properties = json!({"id": i, "user_type": "Face"});
        for p in 2..PROPERTIES {
            properties[format!("attribute_{p}")] = json!(noise.next().is_multiple_of(2));
        }
        let mut image = json!({"_ref": reference, "properties": properties});
        let look = format!("Face/{i}/look");
        let mut descriptor = json!({"set": "faces", "connect": {"ref": reference},
            "properties": {"adb_id": look, "user_type": "Face"}});
        let mut edge = json!({"class": "shows", "src": reference, "dst": reference + 1,
            "properties": {"edge_id": i.to_string()}});
        let person = i % 1000;
        let entity = json!({"_ref": reference + 1, "class": "Person",
            "properties": {"id": person}, "if_not_found": {"id": ["==", person]}});
        if guarded {
            image["if_not_found"] = json!({"id": ["==", i], "user_type": ["==", "Face"]});
            descriptor["if_not_found"] =
                json!({"adb_id": ["==", look], "user_type": ["==", "Face"]});
            edge["if_not_found"] = json!({"edge_id": ["==", i.to_string()]});
        }
        commands.push(json!({"AddImage": image}));
        blobs.push(noise.image());
        commands.push(json!({"AddDescriptor": descriptor}));
        blobs.push(vector_bytes(&noise.vector()));
        commands.push(json!({"AddEntity": entity}));
        commands.push(json!({"AddConnection": edge}));
    }
    Request::new(json!(commands).to_string(), blobs)
}

pub(crate) async fn done(engine: &Engine, request: Request) -> Vec<Json> {
    engine.execute(request).await.unwrap().done().unwrap().0
}

/// What this process has used so far: microseconds of processors, and bytes written. Nothing where
/// the system does not say.
pub(crate) fn used() -> [f64; 2] {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or_default();
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let written = io.lines().find_map(|line| line.strip_prefix("wchar: ")?.parse().ok());
    // A tick is a hundredth of a second.
    [(ticks(11) + ticks(12)) * 10_000.0, written.unwrap_or_default()]
}
