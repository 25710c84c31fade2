//! Random requests over a small world: few classes, few names, few values, so that things meet.

use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use super::tape::Tape;

/// A request to be. Texts `@3` in constraints on `_uniqueid` stand for an object that is there.
#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    pub(crate) commands: Vec<Json>,
    pub(crate) blobs: Vec<Bytes>,
}

impl Drawn {
    /// Whether a database may be another one afterwards.
    pub(crate) fn writes(&self) -> bool {
        let names = self.commands.iter().filter_map(Json::as_object).flat_map(|c| c.keys());
        let verbs = ["Add", "Update", "Delete", "Create", "Remove"];
        names.into_iter().any(|name| verbs.iter().any(|verb| name.starts_with(verb)))
    }
}

/// What the world begins with: two sets, and objects of all kinds, as many as the tape is long.
pub(crate) fn beginning(numbers: &[u16]) -> Drawn {
    let mut draw = Draw::new(numbers);
    draw.commands = vec![
        json!({"AddDescriptorSet": {"name": "s", "dimensions": 3}}),
        json!({"AddDescriptorSet": {"name": "c", "dimensions": 2, "engine": ["HNSW", "Flat"], "metric": ["CS", "IP"]}}),
    ];
    while !draw.tape.is_empty() {
        draw.settle();
    }
    Drawn { commands: draw.commands, blobs: draw.blobs }
}

const CLASSES: [&str; 3] = ["A", "B", "C"];
const EDGES: [&str; 2] = ["X", "Y"];
const KINDS: [&str; 11] = [
    "Entity",
    "Image",
    "Connection",
    "Descriptor",
    "Blob",
    "BoundingBox",
    "Polygon",
    "Video",
    "Clip",
    "Frame",
    "DescriptorSet",
];
const LABELS: [&str; 3] = ["cat", "dog", "None"];
const NAMES: [&str; 7] = ["n", "t", "b", "d", "j", "u", "x"];
const DATES: [&str; 5] = [
    "2020-01-01T00:00:00+00:00",
    "2020-01-01",
    "2020-01-01T02:00:00+02:00",
    "1969-12-31T23:59:59.999999Z",
    "Sat Jun 04 18:59:32 UTC 2019",
];
const TEXTS: [&str; 9] =
    ["a", "", "b", "$x", "ab", "\u{e9}\u{1F980}", "a\u{0}b", "2020-01-01", "B"];

/// One request under way.
struct Draw<'t> {
    tape: Tape<'t>,
    commands: Vec<Json>,
    blobs: Vec<Bytes>,
    /// (reference, whether it is of connections, its kind)
    references: Vec<(u64, &'static str)>,
    newer: bool,
}

pub(crate) fn draw(numbers: &[u16]) -> Drawn {
    let mut draw = Draw::new(numbers);
    let steps = 1 + draw.tape.below(5);
    for _ in 0..steps {
        if !draw.commands.is_empty() && draw.tape.is_empty() {
            break;
        }
        draw.step();
    }
    if draw.tape.chance(1) {
        draw.blobs.pop();
    } else if draw.tape.chance(1) {
        draw.blobs.push(Bytes::from_static(b"one too many"));
    }
    Drawn { commands: draw.commands, blobs: draw.blobs }
}

impl<'t> Draw<'t> {
    fn new(numbers: &'t [u16]) -> Self {
        let mut tape = Tape::new(numbers);
        let newer = tape.chance(50);
        Self { tape, commands: Vec::new(), blobs: Vec::new(), references: Vec::new(), newer }
    }

    /// One of the objects that are there from the beginning: nothing about it is wrong.
    fn settle(&mut self) {
        let reference = self.references.len() as u64 + 1;
        let mut body = json!({"_ref": reference});
        let mut properties = Map::new();
        for name in ["n", "t", "b", "d", "j", "u"] {
            if self.tape.chance(60) {
                let value = match name {
                    // A class has one type.
                    "u" => Json::Null,
                    _ => self.plain_value(name),
                };
                properties.insert(name.to_owned(), value);
            }
        }
        let others = self.references.clone();
        let of = |kind: &'static str| others.iter().filter(move |(_, of)| *of == kind);
        let kind = match self.tape.below(10) {
            0..3 => {
                let class = self.tape.below(3);
                body["class"] = json!(CLASSES[class]);
                properties
                    .insert("u".to_owned(), [json!(7), json!("a"), json!(true)][class].clone());
                "Entity"
            }
            3 => "Image",
            4 => "Video",
            5 if of("Video").next().is_some() => self.tape.pick(&["Clip", "Frame"]),
            6 if of("Image").next().is_some() => self.tape.pick(&["BoundingBox", "Polygon"]),
            7 if !others.is_empty() => "Connection",
            _ => "Descriptor",
        };
        match kind {
            "Image" | "Video" => self.media(kind),
            "Connection" => {
                body["class"] = json!(self.tape.pick(&EDGES));
                for end in ["src", "dst"] {
                    let to = others[self.tape.below(others.len())];
                    let to = if to.1 == "Connection" { (1, "") } else { to };
                    body[end] = json!(to.0);
                }
            }
            "Descriptor" => {
                let (set, dimensions) = [("s", 3), ("c", 2)][self.tape.below(2)];
                body["set"] = json!(set);
                let sides: Vec<f32> = (0..dimensions).map(|_| self.tape.pick(&SIDES)).collect();
                self.blobs.push(adb_model::graph::vector_bytes(&sides));
                let owners: Vec<_> = others.iter().filter(|(_, of)| *of != "Connection").collect();
                if !owners.is_empty() && self.tape.chance(70) {
                    body["connect"] = json!({"ref": owners[self.tape.below(owners.len())].0});
                }
            }
            "Clip" | "Frame" => {
                body["video_ref"] = json!(of("Video").next_back().map(|(n, _)| n));
                let start = self.tape.below(6);
                match kind {
                    "Frame" => body["frame_number"] = json!(start),
                    _ => body["frame_number_range"] = json!({"start": start, "stop": start + 4}),
                }
            }
            "BoundingBox" | "Polygon" => {
                body["image_ref"] = json!(of("Image").next_back().map(|(n, _)| n));
                match kind {
                    "Polygon" => body["polygons"] = json!([[[0, 0], [10, 0], [10, 10]]]),
                    _ => {
                        body["rectangle"] =
                            json!({"x": self.tape.below(3), "y": 1, "width": 4, "height": 3});
                    }
                }
            }
            _ => {}
        }
        if labelled(kind) && self.tape.chance(60) {
            body["label"] = json!(self.tape.pick(&LABELS));
        }
        body["properties"] = Json::Object(properties);
        if kind == "Connection" && self.references[0].1 == "Connection" {
            return;
        }
        self.references.push((reference, kind));
        self.push(format!("Add{kind}"), body);
    }

    fn media(&mut self, kind: &str) {
        let n = self.tape.below(3);
        self.blobs.push(match kind {
            "Image" => Bytes::from(vec![0x89, b'P', b'N', b'G', 0xd, 0xa, 0x1a, 0xa, n as u8]),
            _ => Bytes::from(vec![n as u8; n]),
        });
    }

    fn step(&mut self) {
        match self.tape.below(32) {
            0..8 => self.add(),
            8..11 => self.connect_two(),
            11..21 => self.find(),
            21..24 => self.near(),
            24..26 => self.update(),
            26..28 => self.delete(),
            28 => self.index(),
            29 => self.look(),
            30 => self.overlap(),
            _ => self.odd(),
        }
    }

    fn push(&mut self, name: String, body: Json) {
        self.commands.push(Json::Object(Map::from_iter([(name, body)])));
    }

    /// Perhaps a `_ref`, mostly a new one.
    fn name(&mut self, body: &mut Json, kind: &'static str, percent: usize) {
        if !self.tape.chance(percent) {
            return;
        }
        let new = self.references.len() as u64 + 1;
        let reference = if self.tape.chance(2) { 1 } else { new };
        body["_ref"] = json!(reference);
        self.references.push((reference, kind));
    }

    /// A reference to something of a kind that fits, mostly.
    fn reference(&mut self, fits: impl Fn(&str) -> bool) -> u64 {
        let fitting: Vec<u64> =
            self.references.iter().filter(|(_, kind)| fits(kind)).map(|(n, _)| *n).collect();
        if fitting.is_empty() || self.tape.chance(1) {
            return 1 + self.tape.below(4) as u64;
        }
        // The latest first: that is what people mean.
        let back = self.tape.below(fitting.len());
        fitting[fitting.len() - 1 - back]
    }

    fn value(&mut self, name: &str) -> Json {
        let name = if self.tape.chance(2) { self.tape.pick(&NAMES) } else { name };
        self.plain_value(name)
    }

    fn plain_value(&mut self, name: &str) -> Json {
        match name {
            "n" => [json!(1), json!(2), json!(0), json!(2.0), json!(2.5), json!(-3)]
                [self.tape.below(6)]
            .clone(),
            "t" => json!(self.tape.pick(&TEXTS)),
            "b" => json!(self.tape.chance(50)),
            "d" => json!({"_date": self.tape.pick(&DATES)}),
            "j" => [json!([1, "a"]), json!({"k": 1}), json!([]), json!({"k": {"_date": "x"}})]
                [self.tape.below(4)]
            .clone(),
            "x" => [
                json!(i64::MAX),
                json!(i64::MIN),
                json!(9_007_199_254_740_993_i64),
                json!(9_007_199_254_740_992.0),
                json!(0.1),
                json!(5e-324),
                json!(-0.0),
                json!(1.797_693_134_862_315_7e308),
                json!(u64::MAX),
            ][self.tape.below(9)]
            .clone(),
            // Of another type in another class, or in another case.
            _ => [json!(1), json!("a"), json!(true)][self.tape.below(3)].clone(),
        }
    }

    fn properties(&mut self) -> Json {
        let mut properties = Map::new();
        for _ in 0..self.tape.below(4) {
            let name = self.tape.pick(&NAMES);
            let value = if self.tape.chance(4) { Json::Null } else { self.value(name) };
            let name = if self.tape.chance(1) { "_mine" } else { name };
            properties.insert(name.to_owned(), value);
        }
        Json::Object(properties)
    }

    // Constraints

    fn constraints(&mut self) -> Json {
        match self.newer {
            true => self.expression(2),
            false => self.classic(2),
        }
    }

    fn property(&mut self) -> &'static str {
        const SYSTEM: [&str; 16] = [
            "_label",
            "_uniqueid",
            "_name",
            "_set_name",
            "_dimensions",
            "_area",
            "_frame_number",
            "_range_start",
            "_engines",
            "_label",
            "_uniqueid",
            "_set_name",
            "_uniqueid",
            "_range_type",
            "_count",
            "_src",
        ];
        if self.tape.chance(8) { self.tape.pick(&SYSTEM) } else { self.tape.pick(&NAMES) }
    }

    fn constant(&mut self, property: &str) -> Json {
        match property {
            "_label" => json!(self.tape.pick(&LABELS)),
            "_name" | "_set_name" => json!(self.tape.pick(&["s", "c", "t"])),
            "_uniqueid" if self.tape.chance(20) => {
                [json!("0.0.0"), json!("1.2"), json!(5)][self.tape.below(3)].clone()
            }
            "_uniqueid" => json!(format!("@{}", self.tape.below(20))),
            "_engines" => json!(["Flat"]),
            "_area" => json!(self.tape.pick(&[12.0, 50.0])),
            "_dimensions" | "_frame_number" | "_range_start" | "_range_type" | "_count" => {
                json!(self.tape.pick(&[2, 3, 0, 5]))
            }
            // A date as the CSV loaders send it.
            "d" if self.tape.chance(30) => json!(self.tape.pick(&DATES)),
            _ => self.value(property),
        }
    }

    /// (operator, operand, whether that is a list)
    fn comparison(&mut self, property: &str) -> (&'static str, Json, bool) {
        const ORDERED: [&str; 9] = [">=", "!=", "<", "<=", ">", "==", "!", ">=", "<="];
        if self.tape.chance(12) {
            return (self.tape.pick(&["==", "!="]), Json::Null, false);
        }
        if self.tape.chance(25) {
            let n = self.tape.below(4);
            let list: Vec<Json> = (0..n).map(|_| self.constant(property)).collect();
            return (self.tape.pick(&["in", "not in"]), json!(list), true);
        }
        if self.tape.chance(1) {
            return (self.tape.pick(&["=", "in", "like"]), self.constant(property), false);
        }
        let op = match property {
            "_uniqueid" => self.tape.pick(&["!=", "=="]),
            _ => self.tape.pick(&ORDERED),
        };
        (op, self.constant(property), false)
    }

    fn classic(&mut self, depth: usize) -> Json {
        let mut object = Map::new();
        for _ in 0..1 + self.tape.below(2) {
            if depth > 0 && self.tape.chance(20) {
                let group = self.tape.pick(&["any", "all"]);
                let inner = self.classic(depth - 1);
                object.insert(group.to_owned(), inner);
                continue;
            }
            let property = self.property();
            let mut pairs = Vec::new();
            for _ in 0..1 + usize::from(self.tape.chance(20)) {
                let (op, right, _) = self.comparison(property);
                pairs.extend([json!(op), right]);
            }
            object.insert(property.to_owned(), json!(pairs));
        }
        Json::Object(object)
    }

    fn expression(&mut self, depth: usize) -> Json {
        if depth > 0 && self.tape.chance(40) {
            let group = self.tape.pick(&["all", "any"]);
            let mut members = vec![json!(group)];
            members.extend((0..self.tape.below(4)).map(|_| self.expression(depth - 1)));
            return json!(members);
        }
        let property = self.property();
        let left = format!("${property}");
        if self.tape.chance(8) {
            let op = self.tape.pick(&["==", "!=", "<", ">="]);
            let other = self.tape.pick(&NAMES);
            return json!([left, op, format!("${other}")]);
        }
        let (op, right, list) = self.comparison(property);
        let operand = |json: &Json| match json {
            Json::String(text) if text.starts_with('$') => json!(format!("${text}")),
            Json::Object(object) if object.len() == 1 && object.contains_key("_date") => {
                json!({"to_date": object["_date"]})
            }
            Json::Object(_) | Json::Array(_) => json!({ "json": json }),
            plain => plain.clone(),
        };
        let right = match (&right, list) {
            (Json::Array(members), true) => {
                json!({"array": members.iter().map(operand).collect::<Vec<_>>()})
            }
            (one, _) => operand(one),
        };
        json!([left, op, right])
    }

    // Adding

    fn vector(&mut self, dimensions: usize) -> Bytes {
        let mut vector: Vec<f32> = (0..dimensions).map(|_| self.tape.pick(&SIDES)).collect();
        if self.tape.chance(1) {
            vector[0] = f32::NAN;
        } else if self.tape.chance(1) {
            vector.push(1.0);
        }
        adb_model::graph::vector_bytes(&vector)
    }

    fn set(&mut self) -> (&'static str, usize) {
        if self.tape.chance(3) {
            return ("t", 3);
        }
        if self.tape.chance(50) { ("c", 2) } else { ("s", 3) }
    }

    fn add(&mut self) {
        let kind = [
            "Entity",
            "Entity",
            "Entity",
            "Image",
            "Descriptor",
            "Descriptor",
            "BoundingBox",
            "Polygon",
            "Blob",
            "Video",
            "Clip",
            "Frame",
            "DescriptorSet",
        ][self.tape.below(13)];
        let mut body = json!({"properties": self.properties()});
        match kind {
            "Entity" => body["class"] = json!(self.tape.pick(&CLASSES)),
            "Image" | "Blob" | "Video" => self.media(kind),
            "Descriptor" => {
                let (set, dimensions) = self.set();
                body["set"] = json!(set);
                let vector = self.vector(dimensions);
                self.blobs.push(vector);
            }
            "DescriptorSet" => {
                body["name"] = json!(self.tape.pick(&["t", "s", "c"]));
                body["dimensions"] = json!(3);
                if self.tape.chance(50) {
                    body["metric"] = json!(self.tape.pick(&["IP", "L2", "XX"]));
                    body["engine"] = json!(self.tape.pick(&["FaissFlat", "IVF", "HNSW"]));
                }
            }
            "BoundingBox" | "Polygon" => {
                body["image_ref"] = json!(self.one_container("Image"));
                self.place(kind, &mut body);
            }
            _ => {
                body["video_ref"] = json!(self.one_container("Video"));
                self.place(kind, &mut body);
            }
        }
        if labelled(kind) && self.tape.chance(50) {
            body["label"] = json!(self.tape.pick(&LABELS));
        }
        if self.tape.chance(35) {
            body["if_not_found"] = match self.tape.chance(5) {
                true => json!(self.reference(|_| true)),
                false => self.constraints(),
            };
        }
        let connect = self.tape.chance(if kind == "Descriptor" { 60 } else { 12 });
        if connect && self.references.iter().any(|(_, kind)| *kind != "Connection") {
            let mut connect = json!({"ref": self.reference(|kind| kind != "Connection")});
            if kind != "Descriptor" || self.tape.chance(20) {
                connect["class"] = json!(self.tape.pick(&EDGES));
            }
            if self.tape.chance(30) {
                connect["direction"] = json!(self.tape.pick(&["in", "out"]));
            }
            if self.tape.chance(20) {
                connect["properties"] = self.properties();
            }
            body["connect"] = connect;
        }
        self.name(&mut body, kind, 50);
        self.push(format!("Add{kind}"), body);
    }

    /// A reference to one image or video: made for it, or found.
    fn one_container(&mut self, kind: &'static str) -> u64 {
        let kind = if kind == "Image" && self.tape.chance(15) { "Frame" } else { kind };
        if self.references.iter().any(|(_, of)| *of == kind) && self.tape.chance(60) {
            return self.reference(|of| of == kind);
        }
        let reference = self.references.len() as u64 + 1;
        self.references.push((reference, kind));
        let found = kind == "Frame" || self.tape.chance(40);
        let body = if found {
            let mut body = json!({"_ref": reference, "limit": 1});
            if self.tape.chance(50) {
                body["offset"] = json!(self.tape.below(3));
            }
            body
        } else {
            self.blobs.push(Bytes::from_static(b"\x89PNG\r\n\x1a\nmore"));
            json!({"_ref": reference, "properties": {"n": self.tape.below(3)}})
        };
        self.push(format!("{}{kind}", if found { "Find" } else { "Add" }), body);
        reference
    }

    fn rectangle(&mut self) -> Json {
        let mut side = |of: &[f64]| {
            let side = self.tape.pick(of);
            if side.fract() == 0.0 { json!(side as i64) } else { json!(side) }
        };
        json!({
            "x": side(&[0.0, 1.0, 2.0, 0.1]), "y": side(&[0.0, 1.0, 3.0]),
            "width": side(&[4.0, 6.0, 10.0, 0.3]), "height": side(&[3.0, 5.0, 10.0, 0.0]),
        })
    }

    fn place(&mut self, kind: &str, body: &mut Json) {
        match kind {
            "BoundingBox" => body["rectangle"] = self.rectangle(),
            "Polygon" => {
                let rings = [
                    json!([[[0, 0], [10, 0], [10, 10]]]),
                    json!([[[1, 1], [4, 1], [4, 5], [1, 5]]]),
                    json!([[[0, 0], [2, 0], [2, 2]], [[5, 5], [8, 5], [8.5, 9]]]),
                    json!([[[0, 0], [10, 10], [10, 0], [0, 9]]]),
                    json!([[[0, 0], [1, 1]]]),
                ];
                body["polygons"] = rings[self.tape.below(5)].clone();
            }
            "Clip" => {
                let (key, span) = self.span();
                body[key] = span;
            }
            "Frame" => match self.tape.below(3) {
                0 => body["frame_number"] = json!(self.tape.pick(&[5, 0, 9, -1])),
                1 => body["time_offset"] = json!(self.tape.pick(&MOMENTS)),
                _ => body["time_fraction"] = json!(self.tape.pick(&FRACTIONS)),
            },
            _ => {}
        }
    }

    fn span(&mut self) -> (&'static str, Json) {
        match self.tape.below(3) {
            0 => {
                let start = self.tape.below(6);
                let stop = start + self.tape.below(6);
                ("frame_number_range", json!({"start": start, "stop": stop}))
            }
            1 => {
                let ends = (self.tape.pick(&MOMENTS), self.tape.pick(&MOMENTS));
                ("time_offset_range", json!({"start": ends.0, "stop": ends.1}))
            }
            _ => {
                let ends = (self.tape.pick(&FRACTIONS), self.tape.pick(&FRACTIONS));
                ("time_fraction_range", json!({"start": ends.0, "stop": ends.1}))
            }
        }
    }

    fn connect_two(&mut self) {
        while self.references.iter().filter(|(_, kind)| *kind != "Connection").count() < 2 {
            let kind = self.tape.pick(&["Entity", "Image", "Descriptor"]);
            let reference = self.references.len() as u64 + 1;
            self.references.push((reference, kind));
            let mut body = json!({"_ref": reference});
            if self.tape.chance(60) {
                body["limit"] = json!(1 + self.tape.below(3));
            }
            if self.tape.chance(40) {
                body["constraints"] = self.constraints();
            }
            self.push(format!("Find{kind}"), body);
        }
        let mut body = json!({
            "class": self.tape.pick(&EDGES),
            "src": self.reference(|kind| kind != "Connection"),
            "dst": self.reference(|kind| kind != "Connection"),
            "properties": self.properties(),
        });
        if self.tape.chance(40) {
            body["if_not_found"] = self.constraints();
        }
        self.name(&mut body, "Connection", 30);
        self.push("AddConnection".to_owned(), body);
    }

    // Selecting

    fn select(&mut self, kind: &'static str, body: &mut Json) {
        if self.tape.chance(45) {
            body["constraints"] = self.constraints();
        }
        match kind {
            "Entity" if self.tape.chance(70) => {
                let class = match self.tape.chance(15) {
                    true => self.tape.pick(&["_Image", "_Descriptor", "_BoundingBox", "Z"]),
                    false => self.tape.pick(&CLASSES),
                };
                body["with_class"] = json!(class);
            }
            "Connection" => {
                if self.tape.chance(60) {
                    let class = match self.tape.chance(25) {
                        true => self.tape.pick(&SYSTEM_EDGES),
                        false => self.tape.pick(&EDGES),
                    };
                    body["with_class"] = json!(class);
                }
                for end in ["src", "dst"] {
                    if !self.references.is_empty() && self.tape.chance(25) {
                        body[end] = json!(self.reference(|kind| kind != "Connection"));
                    }
                }
            }
            "DescriptorSet" if self.tape.chance(50) => {
                body["with_name"] = json!(self.tape.pick(&["s", "c", "t"]));
            }
            "Descriptor" if self.tape.chance(50) => body["set"] = json!(self.set().0),
            "BoundingBox" | "Polygon" if self.tape.chance(20) => {
                body["in_rectangle"] = self.rectangle();
            }
            "Clip" | "Frame" if self.tape.chance(30) => {
                let (key, span) = self.span();
                body[format!("in_{key}")] = span;
            }
            _ => {}
        }
        if labelled(kind) && self.tape.chance(20) {
            body["with_label"] = json!(self.tape.pick(&LABELS));
        }
        if kind != "Connection" && !self.references.is_empty() && self.tape.chance(50) {
            let container = match kind {
                "BoundingBox" | "Polygon" => Some(("image_ref", "Image")),
                "Clip" | "Frame" => Some(("video_ref", "Video")),
                _ => None,
            };
            match container {
                Some((key, of)) if self.tape.chance(40) => {
                    body[key] = json!(self.reference(|kind| kind == of));
                }
                _ => body["is_connected_to"] = self.connected(),
            }
        }
        if self.tape.chance(2) {
            body["unique"] = json!(true);
        }
    }

    fn connected(&mut self) -> Json {
        if self.tape.chance(70) {
            return self.way();
        }
        let group = self.tape.pick(&["all", "any"]);
        let steps: Vec<Json> = (0..1 + self.tape.below(3)).map(|_| self.way()).collect();
        json!({ group: steps })
    }

    fn way(&mut self) -> Json {
        let mut step = json!({"ref": self.reference(|kind| kind != "Connection")});
        if self.tape.chance(30) {
            let class = match self.tape.chance(30) {
                true => self.tape.pick(&SYSTEM_EDGES),
                false => self.tape.pick(&EDGES),
            };
            let key = if self.tape.chance(20) { "class" } else { "connection_class" };
            step[key] = json!(class);
        }
        if self.tape.chance(40) {
            step["direction"] = json!(self.tape.pick(&["out", "in"]));
        }
        if self.tape.chance(15) {
            step["constraints"] = self.constraints();
        }
        step
    }

    // Shaping

    fn shape(&mut self, kind: &'static str, body: &mut Json) {
        let mut results = Map::new();
        if self.tape.chance(55) {
            let n = 1 + self.tape.below(3);
            let list: Vec<&str> = (0..n).map(|_| self.property()).collect();
            // Ends and ids differ from database to database, but where they are compared.
            results.insert("list".to_owned(), json!(list));
        }
        if self.tape.chance(25) {
            results.insert("all_properties".to_owned(), json!(true));
        }
        if self.tape.chance(25) {
            results.insert("count".to_owned(), json!(true));
        }
        if self.tape.chance(30) {
            body["uniqueids"] = json!(true);
        }
        for flag in flags(kind) {
            if self.tape.chance(25) {
                body[*flag] = json!(true);
            }
        }
        if has_bytes(kind) && self.tape.chance(25) {
            body["blobs"] = json!(true);
        }
        let mut place = |tape: &mut Tape<'_>, body: &mut Json, key: &str, value: Json| {
            if tape.chance(50) {
                results.insert(key.to_owned(), value);
            } else {
                body[key] = value;
            }
        };
        if self.tape.chance(25) {
            let sort = self.sort();
            place(&mut self.tape, body, "sort", sort);
        }
        if self.tape.chance(20) {
            let limit = json!(self.tape.below(5));
            place(&mut self.tape, body, "limit", limit);
        }
        if self.tape.chance(15) {
            place(&mut self.tape, body, "group_by_source", json!(true));
        }
        if self.tape.chance(12) {
            body["offset"] = json!(self.tape.below(4));
        }
        if self.tape.chance(12) {
            self.figures(&mut results);
        }
        if self.tape.chance(8) {
            let (n, id) = (1 + self.tape.below(3), self.tape.below(3));
            body["batch"] = match self.tape.below(4) {
                0 => json!({}),
                1 => json!({"batch_size": n, "batch_id": id}),
                2 => json!({"batches": n, "batch_id": id}),
                _ => json!({"range": [id, n + 1]}),
            };
        }
        if !results.is_empty() || self.tape.chance(10) {
            body["results"] = Json::Object(results);
        }
    }

    fn sort(&mut self) -> Json {
        const KEYS: [&str; 7] = ["n", "t", "d", "u", "b", "_label", "_create_txn"];
        let one = |draw: &mut Self| {
            let key = draw.tape.pick(&KEYS);
            match draw.tape.below(5) {
                0 => json!(key),
                1 => json!({"key": key, "order": "ascending"}),
                2 => json!({"key": key, "order": "descending"}),
                3 if key != "_create_txn" => {
                    let values: Vec<Json> =
                        (0..1 + draw.tape.below(3)).map(|_| draw.constant(key)).collect();
                    json!({"key": key, "sequence": values})
                }
                _ => json!({"key": key}),
            }
        };
        match self.tape.chance(30) {
            true => {
                let keys: Vec<Json> = (0..1 + self.tape.below(3)).map(|_| one(self)).collect();
                json!(keys)
            }
            false => one(self),
        }
    }

    fn figures(&mut self, results: &mut Map<String, Json>) {
        const OVER: [&str; 4] = ["n", "t", "u", "d"];
        for figure in ["sum", "average", "min", "max"] {
            if self.tape.chance(40) {
                let over = match figure {
                    "sum" | "average" if self.tape.chance(80) => "n",
                    _ => self.tape.pick(&OVER),
                };
                results.insert(figure.to_owned(), json!([over]));
            }
        }
        if self.tape.chance(50) {
            let n = 1 + self.tape.below(2);
            let group: Vec<&str> = (0..n).map(|_| self.tape.pick(&["b", "t", "n", "u"])).collect();
            results.insert("group".to_owned(), json!(group));
        }
    }

    fn find(&mut self) {
        let kind = self.tape.pick(&KINDS);
        let mut body = json!({});
        self.select(kind, &mut body);
        self.shape(kind, &mut body);
        self.name(&mut body, kind, 45);
        self.push(format!("Find{kind}"), body);
    }

    /// A search by nearness, often followed by what is connected to its result.
    fn near(&mut self) {
        let (set, dimensions) = self.set();
        let mut body = json!({"set": set, "k_neighbors": 1 + self.tape.below(6)});
        if self.tape.chance(15) {
            body["metric"] = json!(self.tape.pick(&["L2", "IP", "CS"]));
        }
        if self.tape.chance(5) {
            body["engine"] = json!(self.tape.pick(&["Flat", "HNSW"]));
        }
        match self.tape.below(8) {
            0 => {
                let vector = self.vector(dimensions);
                self.blobs.push(vector);
                self.push("ClassifyDescriptor".to_owned(), body);
                return;
            }
            1 => {
                let n = 1 + self.tape.below(3);
                let vectors: Vec<Bytes> = (0..n).map(|_| self.vector(dimensions)).collect();
                self.blobs.push(vectors.concat().into());
                body["n_descriptors"] = json!(n);
                self.select_near(&mut body);
                for key in ["group_by_source", "batch"] {
                    body.as_object_mut().map(|body| body.shift_remove(key));
                }
                self.name(&mut body, "Descriptor", 50);
                self.push("FindDescriptorBatch".to_owned(), body);
            }
            _ => {
                let vector = self.vector(dimensions);
                self.blobs.push(vector);
                self.select_near(&mut body);
                self.name(&mut body, "Descriptor", 70);
                self.push("FindDescriptor".to_owned(), body);
            }
        }
        if self.references.iter().any(|(_, kind)| *kind == "Descriptor") && self.tape.chance(50) {
            let kind = self.tape.pick(&["Image", "Entity", "Descriptor"]);
            let reference = self.reference(|kind| kind == "Descriptor");
            let mut body = json!({"is_connected_to": {"ref": reference}, "uniqueids": true});
            self.shape(kind, &mut body);
            self.push(format!("Find{kind}"), body);
        }
    }

    fn select_near(&mut self, body: &mut Json) {
        if self.tape.chance(50) {
            body["distances"] = json!(true);
        }
        if self.tape.chance(60) {
            let set = body["set"].clone();
            self.select("Descriptor", body);
            body["set"] = set;
            body["knn_first"] = json!(self.tape.chance(40));
        }
        self.shape("Descriptor", body);
    }

    // The rest

    fn update(&mut self) {
        let kind = self.tape.pick(&KINDS);
        let mut body = json!({});
        match self.references.iter().any(|(_, of)| *of == kind) && self.tape.chance(50) {
            true => body["ref"] = json!(self.reference(|of| of == kind)),
            false => self.select(kind, &mut body),
        }
        if self.tape.chance(70) {
            body["properties"] = self.properties();
        }
        if self.tape.chance(25) {
            body["remove_props"] = json!([self.tape.pick(&NAMES)]);
        }
        if labelled(kind) && self.tape.chance(40) {
            body["label"] = json!(self.tape.pick(&LABELS));
        }
        if self.tape.chance(25) {
            self.place(kind, &mut body);
        }
        self.push(format!("Update{kind}"), body);
    }

    fn delete(&mut self) {
        let kind = self.tape.pick(&KINDS);
        let mut body = json!({});
        match self.references.iter().any(|(_, of)| *of == kind) && self.tape.chance(60) {
            true => body["ref"] = json!(self.reference(|of| of == kind)),
            false => {
                self.select(kind, &mut body);
                if body.get("constraints").is_none() && self.tape.chance(80) {
                    body["constraints"] = self.constraints();
                }
            }
        }
        self.push(format!("Delete{kind}"), body);
    }

    fn index(&mut self) {
        let verb = self.tape.pick(&["Create", "Create", "Remove"]);
        let target = self.tape.pick(&["entity", "connection"]);
        let class = match target {
            "entity" => self.tape.pick(&["A", "B", "_Image", "_Descriptor", "_BoundingBox"]),
            _ => self.tape.pick(&EDGES),
        };
        let property = match self.tape.chance(10) {
            true => self.tape.pick(&["_label", "_create_txn", "_area", "_set_name"]),
            false => self.tape.pick(&NAMES),
        };
        let body = match self.newer {
            true => json!({"target": target, "class": class, "property": property}),
            false => json!({"index_type": target, "class": class, "property_key": property}),
        };
        self.push(format!("{verb}Index"), body);
    }

    fn look(&mut self) {
        match self.tape.below(3) {
            0 => {
                let kind = self.tape.pick(&["both", "entities", "connections"]);
                self.push("GetSchema".to_owned(), json!({ "type": kind }));
            }
            1 => self.push("GetIndexes".to_owned(), json!({})),
            _ => self.push("GetIndexes".to_owned(), json!({"target": "entity", "class": "A"})),
        }
    }

    fn overlap(&mut self) {
        let fits = |kind: &str| kind == "BoundingBox";
        if !self.references.iter().any(|(_, kind)| fits(kind)) {
            let mut body = json!({});
            self.select("BoundingBox", &mut body);
            let reference = self.references.len() as u64 + 1;
            self.references.push((reference, "BoundingBox"));
            body["_ref"] = json!(reference);
            self.push("FindBoundingBox".to_owned(), body);
        }
        let mut body = json!({"roi_1": self.reference(fits)});
        match self.tape.chance(50) {
            true => body["roi_2"] = json!(self.reference(fits)),
            false => body["rectangle"] = self.rectangle(),
        }
        self.push("RegionIoU".to_owned(), body);
    }

    /// Something that is not right.
    fn odd(&mut self) {
        let (name, body) = [
            ("FindEntity", json!({"with_clas": "A"})),
            ("FindNothing", json!({})),
            ("AddEntity", json!({})),
            ("AddEntity", json!({"class": "_A"})),
            ("FindDescriptor", json!({"k_neighbors": 3})),
            ("FindEntity", json!({"limit": -1})),
            ("FindImage", json!({"results": {"list": "n"}, "is_connected_to": {"all": []}})),
            ("UpdateEntity", json!({"properties": {"n": 1}, "remove_props": ["n"]})),
            ("AddEntity", json!({"class": "A", "connect": {"ref": 1}})),
            ("FindEntity", json!({"sort": {"key": "n", "order": "up"}})),
            ("GetStatus", json!({})),
        ][self.tape.below(11)]
        .clone();
        self.push(name.to_owned(), body);
    }
}

/// Products of these are exact, so that equal measures are equal.
const SIDES: [f32; 4] = [0.0, 1.0, 2.0, -1.0];
const MOMENTS: [&str; 4] = ["00:00:01", "00:00:00.5", "00:01:05.250001", "10:00:00"];
const FRACTIONS: [f64; 4] = [0.5, 0.0, 0.300_000_000_000_000_04, 1.0];
const SYSTEM_EDGES: [&str; 4] =
    ["_DescriptorSetToDescriptor", "_BoundingBoxToImage", "_DescriptorConnection", "_ClipToVideo"];

fn labelled(kind: &str) -> bool {
    matches!(kind, "Descriptor" | "BoundingBox" | "Polygon" | "Clip" | "Frame")
}

fn has_bytes(kind: &str) -> bool {
    matches!(kind, "Image" | "Blob" | "Video" | "Descriptor")
}

fn flags(kind: &str) -> &'static [&'static str] {
    match kind {
        "BoundingBox" => &["labels", "coordinates", "areas"],
        "Polygon" => &["labels", "vertices", "bounds", "areas"],
        "Clip" | "Frame" | "Descriptor" => &["labels"],
        "DescriptorSet" => &["engines", "metrics", "dimensions", "counts"],
        _ => &[],
    }
}
