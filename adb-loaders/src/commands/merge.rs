//! Rows of commands in one request: references are numbered over all of it.

use std::{collections::HashMap, ops::Range};

use adb_model::{Dialect, Request};
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use super::{Command, CommandBlob, CommandRow};

/// A request that grows.
pub(crate) struct Merged {
    json: Vec<u8>,
    blobs: Vec<Bytes>,
    commands: usize,
    next_ref: u64,
    dialect: Dialect,
}

/// The parameters of a command that point to an object.
const POINTERS: [&str; 5] = ["ref", "src", "dst", "image_ref", "video_ref"];

impl Merged {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self { json: vec![b'['], blobs: Vec::new(), commands: 0, next_ref: 1, dialect }
    }

    /// Appends a step of a row; answers which commands are its own.
    ///
    /// # Errors
    /// In words, when a command points to what no command before it names, or a blob is missing;
    /// the request is then unchanged.
    pub(crate) fn push(&mut self, row: &CommandRow, step: usize) -> Result<Range<usize>, String> {
        let (start, json, blobs) = (self.commands, self.json.len(), self.blobs.len());
        let (first_ref, mut refs) = (self.next_ref, HashMap::new());
        for command in row.steps.get(step).map_or(&[][..], |step| &step.commands) {
            if let Err(reason) = self.append(row, command, &mut refs) {
                self.json.truncate(json);
                self.blobs.truncate(blobs);
                (self.commands, self.next_ref) = (start, first_ref);
                return Err(format!("{}: {reason}", command.name));
            }
        }
        Ok(start..self.commands)
    }

    /// Appends the searches of a row that must find something, to be counted.
    pub(crate) fn push_look_ups(&mut self, commands: &[Command]) -> Range<usize> {
        let start = self.commands;
        for command in commands.iter().filter(|c| c.must_find.is_some()) {
            let mut command = command.clone();
            for key in ["_ref", "unique"] {
                command.body.shift_remove(key);
            }
            command.body.insert("results".to_owned(), json!({"count": true}));
            self.write(&command.to_json(self.dialect));
        }
        start..self.commands
    }

    pub(crate) fn finish(mut self) -> Request {
        self.json.push(b']');
        Request::new(self.json, self.blobs)
    }

    fn append(
        &mut self,
        row: &CommandRow,
        command: &Command,
        refs: &mut HashMap<u64, u64>,
    ) -> Result<(), String> {
        let mut json = command.to_json(self.dialect);
        if let Some(Json::Object(body)) = json.get_mut(command.name.as_str()) {
            point(body, refs)?;
            if let Some(own) = body.get("_ref").and_then(Json::as_u64) {
                if refs.insert(own, self.next_ref).is_some() {
                    return Err(format!("two commands of the row have the `_ref` {own}"));
                }
                body.insert("_ref".to_owned(), self.next_ref.into());
                self.next_ref += 1;
            }
            if command.must_find.is_some() {
                // What a search has found is only told to who asks.
                body.entry("results").or_insert_with(|| json!({"count": true}));
            }
        }
        let blob = match &command.blob {
            None => None,
            Some(CommandBlob::Media(media)) => {
                Some(media.loaded().cloned().ok_or("its file has not been read")?)
            }
            Some(CommandBlob::Array(_)) => return Err("its vector has not been read".to_owned()),
            Some(CommandBlob::Made(place)) => {
                let made = row.vectors.get(*place).cloned().flatten();
                Some(made.ok_or("its vector has not been made")?)
            }
        };
        self.blobs.extend(blob);
        self.write(&json);
        Ok(())
    }

    fn write(&mut self, command: &Json) {
        if self.commands > 0 {
            self.json.push(b',');
        }
        // Writing JSON to a vector can't fail.
        let _ = serde_json::to_writer(&mut self.json, command);
        self.commands += 1;
    }
}

/// Lets all that points to an object point to it in the request.
fn point(body: &mut Map<String, Json>, refs: &HashMap<u64, u64>) -> Result<(), String> {
    for key in POINTERS {
        point_one(body, key, refs)?;
    }
    // A guard can be an object that was found.
    if body.get("if_not_found").is_some_and(Json::is_u64) {
        point_one(body, "if_not_found", refs)?;
    }
    if let Some(Json::Object(connect)) = body.get_mut("connect") {
        point_one(connect, "ref", refs)?;
    }
    if let Some(Json::Object(to)) = body.get_mut("is_connected_to") {
        point_connected(to, refs)?;
    }
    Ok(())
}

/// `{"ref": …}`, or several under `all` and `any`.
fn point_connected(to: &mut Map<String, Json>, refs: &HashMap<u64, u64>) -> Result<(), String> {
    point_one(to, "ref", refs)?;
    for key in ["all", "any"] {
        let Some(Json::Array(several)) = to.get_mut(key) else { continue };
        for one in several {
            if let Json::Object(one) = one {
                point_connected(one, refs)?;
            }
        }
    }
    Ok(())
}

fn point_one(
    of: &mut Map<String, Json>,
    key: &str,
    refs: &HashMap<u64, u64>,
) -> Result<(), String> {
    let Some(pointer) = of.get_mut(key) else { return Ok(()) };
    let own = pointer.as_u64();
    let there = own.and_then(|own| refs.get(&own)).ok_or_else(|| {
        format!("`{key}` is {pointer}, and no command before it in the row has that `_ref`")
    })?;
    *pointer = (*there).into();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(commands: Json) -> CommandRow {
        let Json::Array(commands) = commands else { panic!("commands are an array") };
        CommandRow::new(commands, Vec::new()).unwrap()
    }

    fn commands(request: &Request) -> Json {
        serde_json::from_slice(&request.commands).unwrap()
    }

    #[test]
    fn references_of_two_rows_are_told_apart_everywhere() {
        let one = row(json!([
            {"FindEntity": {"_ref": 5, "with_class": "A"}},
            {"FindImage": {"_ref": 9, "is_connected_to": {"any": [
                {"ref": 5}, {"all": [{"ref": 5, "direction": "in"}]}]}}},
            {"AddConnection": {"class": "has", "src": 5, "dst": 9, "if_not_found": 5}},
            {"AddBoundingBox": {"image_ref": 9, "properties": {"ref": 9}}},
            {"AddClip": {"video_ref": 9}},
            {"UpdateEntity": {"ref": 5}},
            {"AddEntity": {"class": "B", "connect": {"ref": 9}}},
            {"FindEntity": {"is_connected_to": {"ref": 5}}},
        ]));
        let mut merged = Merged::new(Dialect::Classic);
        assert_eq!(merged.push(&one, 0).unwrap(), 0..8);
        assert_eq!(merged.push(&one, 0).unwrap(), 8..16);
        let all = commands(&merged.finish());
        for (from, first, second) in [(0, 1, 2), (8, 3, 4)] {
            assert_eq!(all[from]["FindEntity"]["_ref"], first);
            let to = &all[from + 1]["FindImage"]["is_connected_to"]["any"];
            assert_eq!((&to[0]["ref"], &to[1]["all"][0]["ref"]), (&json!(first), &json!(first)));
            assert_eq!(all[from + 1]["FindImage"]["_ref"], second);
            let edge = &all[from + 2]["AddConnection"];
            assert_eq!((&edge["src"], &edge["dst"]), (&json!(first), &json!(second)));
            assert_eq!(edge["if_not_found"], first);
            let region = &all[from + 3]["AddBoundingBox"];
            assert_eq!(region["image_ref"], second);
            assert_eq!(region["properties"]["ref"], 9, "a property is no reference");
            assert_eq!(all[from + 4]["AddClip"]["video_ref"], second);
            assert_eq!(all[from + 5]["UpdateEntity"]["ref"], first);
            assert_eq!(all[from + 6]["AddEntity"]["connect"]["ref"], second);
            assert_eq!(all[from + 7]["FindEntity"]["is_connected_to"]["ref"], first);
        }
    }

    #[test]
    fn a_row_that_points_nowhere_leaves_the_request_as_it_was() {
        let mut merged = Merged::new(Dialect::Classic);
        let good = row(json!([{"AddEntity": {"_ref": 1, "class": "A"}}]));
        let bad = row(json!([{"AddEntity": {"_ref": 1, "class": "A"}},
                             {"AddConnection": {"class": "x", "src": 1, "dst": 2}}]));
        merged.push(&good, 0).unwrap();
        let error = merged.push(&bad, 0).unwrap_err();
        assert!(error.starts_with("AddConnection: `dst` is 2"), "{error}");
        let twice = row(json!([{"AddEntity": {"_ref": 1}}, {"AddEntity": {"_ref": 1}}]));
        assert!(merged.push(&twice, 0).unwrap_err().contains("two commands"));
        assert_eq!(merged.push(&good, 0).unwrap(), 1..2);
        assert_eq!(
            commands(&merged.finish()),
            json!([{"AddEntity": {"_ref": 1, "class": "A"}}, {"AddEntity": {"_ref": 2, "class": "A"}}])
        );
    }
}
