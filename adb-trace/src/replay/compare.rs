//! An answer against the recorded one.

use std::collections::BTreeSet;

use adb_model::{DbError, Response};
use bytes::Bytes;
use serde_json::{Map, Value as Json};

use super::{
    blobs::Contents,
    body_of,
    ids::{Ids, is_id_field},
    lists::{self, Promise},
    name_of,
    report::{Conformity, Difference},
    told,
};
use crate::format::{Blob, Outcome, hash};

/// Answers that tell of the server itself.
const OF_THE_SERVER: [&str; 1] = ["GetStatus"];
/// Fields that say where something stands among all, or say something in words.
const NOT_FIELDS: [&str; 3] = ["info", "blobs_start", "_blob_index"];
/// In the place of a blob's index stands what the blob is.
pub(super) const BLOB: &str = "_blob";
const MADE: &str = "made by the server";

/// One request's answers.
pub(super) struct Comparison<'a> {
    pub n: u64,
    pub commands: &'a [Json],
    pub made_up: bool,
    pub ids: &'a mut Ids,
    pub contents: &'a Contents,
    pub conformity: &'a mut Conformity,
}

impl Comparison<'_> {
    pub(super) fn outcome(mut self, recorded: &Outcome, replayed: Result<Response, DbError>) {
        match (recorded, replayed) {
            (Outcome::Done { answers, blobs }, Ok(Response::Done { answers: now, blobs: new })) => {
                self.answers(answers, blobs, now, &new);
            }
            (Outcome::Refused { refused }, Ok(Response::Refused(refusal))) => {
                if refused.status != refusal.status {
                    self.differ(None, "status", &refused.status, &refusal.status);
                }
            }
            (Outcome::Done { .. }, Ok(Response::Refused(_))) if self.made_up_refuses() => {
                self.conformity.uncompared("operations on pictures that were not recorded");
            }
            (Outcome::Done { .. }, other) => self.differ(None, "answer", &"done", &told(&other)),
            (Outcome::Refused { refused }, other) => {
                let was = format!("refused ({}): {}", refused.status, refused.info);
                self.differ(None, "answer", &was, &told(&other));
            }
            // Not replayed.
            (Outcome::Failed { .. }, _) => {}
        }
    }

    fn answers(
        &mut self,
        recorded: &[Json],
        recorded_blobs: &[Blob],
        mut replayed: Vec<Json>,
        replayed_blobs: &[Bytes],
    ) {
        if recorded.len() != replayed.len() {
            self.differ(None, "answers", &recorded.len(), &replayed.len());
            return;
        }
        let mut recorded = recorded.to_vec();
        let tokens: Vec<String> = recorded_blobs
            .iter()
            .map(|blob| self.contents.replayed(blob).unwrap_or(MADE).to_owned())
            .collect();
        let new_tokens: Vec<String> = replayed_blobs
            .iter()
            .map(|blob| Some(hash(blob)).filter(|h| self.contents.was_sent(h)))
            .map(|known| known.unwrap_or_else(|| MADE.to_owned()))
            .collect();
        let made = tokens.iter().filter(|token| *token == MADE).count();
        for _ in 0..made {
            self.conformity.uncompared("a blob that the server made");
        }
        let commands = self.commands;
        let shares = (slices(&recorded, tokens.len()), slices(&replayed, new_tokens.len()));
        for (at, (was, now)) in recorded.iter_mut().zip(&mut replayed).enumerate() {
            let (name, new_name) = (name_of(was).to_owned(), name_of(now).to_owned());
            if name != new_name {
                self.differ(Some(at), "the command's name", &name, &new_name);
                continue;
            }
            let place = Place { at, name: &name };
            let old = &tokens[shares.0[at].clone()];
            let new = &new_tokens[shares.1[at].clone()];
            if old.len() != new.len() {
                self.differ_at(&place, "blobs", &old.len(), &new.len());
            } else if sorted(old) != sorted(new) && !self.made_up_decides(&place) {
                self.differ_at(&place, "blobs", &"these", &"others");
            }
            name_blobs(was, &tokens);
            name_blobs(now, &new_tokens);
            let parameters = commands.get(at).map_or(&Json::Null, body_of);
            self.command(&place, parameters, body_of(was), body_of(now));
        }
    }

    /// Whether the answer depends on the content of blobs that are made up: neighbours of a vector, and
    /// what is found by way of them.
    fn made_up_decides(&self, place: &Place<'_>) -> bool {
        let by_neighbours = |command: &Json| {
            let asks = |key: &str| body_of(command).get(key).is_some();
            matches!(name_of(command), "ClassifyDescriptor" | "FindDescriptorBatch")
                || asks("k_neighbors")
                || asks("k_closest")
        };
        self.made_up && self.commands.iter().take(place.at + 1).any(by_neighbours)
    }

    /// Whether a request may be refused because a made-up picture is smaller than the recorded one,
    /// as for a crop.
    fn made_up_refuses(&self) -> bool {
        let works = |command: &Json| body_of(command).get("operations").is_some();
        self.contents.made_up_pictures() && self.commands.iter().any(works)
    }

    fn command(&mut self, place: &Place<'_>, parameters: &Json, was: &Json, now: &Json) {
        let (Some(was), Some(now)) = (was.as_object(), now.as_object()) else {
            self.value(place, "answer", was, now);
            return;
        };
        let status = |body: &Map<String, Json>| body.get("status").cloned().unwrap_or(Json::Null);
        if status(was) != status(now) {
            self.differ_at(place, "status", &status(was), &told_in(now));
            return;
        }
        if OF_THE_SERVER.contains(&place.name) {
            return;
        }
        if self.made_up_decides(place) {
            self.conformity.uncompared("neighbours of vectors that were not recorded");
            return;
        }
        let keys: BTreeSet<&String> = was.keys().chain(now.keys()).collect();
        for key in keys {
            if NOT_FIELDS.contains(&key.as_str()) || key == "status" {
                continue;
            }
            match (was.get(key), now.get(key)) {
                (Some(Json::Array(was)), Some(Json::Array(now)))
                    if lists::is_of_objects(was, now) =>
                {
                    let promise = Promise::of(parameters, was, now);
                    self.list(place, key, was, now, &promise);
                }
                // Objects by the source that they were found from.
                (Some(Json::Object(was)), Some(Json::Object(now)))
                    if lists::is_grouped(was, now) =>
                {
                    self.groups(place, key, was, now, parameters);
                }
                (was, now) => {
                    let (was, now) = (was.unwrap_or(&Json::Null), now.unwrap_or(&Json::Null));
                    self.value(place, key, was, now);
                }
            }
        }
    }

    fn groups(
        &mut self,
        place: &Place<'_>,
        key: &str,
        was: &Map<String, Json>,
        now: &Map<String, Json>,
        parameters: &Json,
    ) {
        if was.len() != now.len() {
            self.differ_at(place, &format!("{key}, its groups"), &was.len(), &now.len());
            return;
        }
        for (source, list) in was {
            let other = match self.ids.replayed(source) {
                Some(id) => now.get(id),
                // Sources that no answer has shown: known only where there is no choice.
                None if was.len() == 1 => now.values().next(),
                None => {
                    self.conformity.uncompared("a group whose source was never shown");
                    continue;
                }
            };
            let (Json::Array(list), Some(Json::Array(other))) = (list, other) else {
                self.differ_at(place, &format!("{key}, the group of a source"), list, &"absent");
                continue;
            };
            let promise = Promise::of(parameters, list, other);
            self.list(place, key, list, other, &promise);
        }
    }

    fn list(
        &mut self,
        place: &Place<'_>,
        key: &str,
        was: &[Json],
        now: &[Json],
        promise: &Promise,
    ) {
        if was.len() != now.len() {
            self.differ_at(place, key, &counted(was), &counted(now));
            return;
        }
        if !promise.is_complete {
            self.conformity.uncompared("objects of which a limit left some out, in no order");
            let fields = |list: &[Json]| -> BTreeSet<String> {
                let objects = list.iter().filter_map(Json::as_object);
                objects.flat_map(|object| object.keys().cloned()).collect()
            };
            let (was, now) = (fields(was), fields(now));
            if was != now {
                self.differ_at(place, &format!("{key}[]"), &joined(&was), &joined(&now));
            }
            return;
        }
        for field in &promise.order {
            let values = |list: &[Json]| -> Vec<Json> {
                list.iter().map(|object| object.get(field).cloned().unwrap_or(Json::Null)).collect()
            };
            let (was, now) = (values(was), values(now));
            if !was.iter().zip(&now).all(|(was, now)| same_scalar(was, now)) {
                let field = format!("{key}, in the order of {field}");
                self.differ_at(place, &field, &Json::Array(was), &Json::Array(now));
                return;
            }
        }
        for (was, now) in lists::paired(was, now, &*self.ids) {
            self.value(place, &format!("{key}[]"), was, now);
        }
    }

    /// Two values of a field; objects are compared field by field.
    fn value(&mut self, place: &Place<'_>, field: &str, was: &Json, now: &Json) {
        match (was, now) {
            (Json::Object(was), Json::Object(now)) => {
                let keys: BTreeSet<&String> = was.keys().chain(now.keys()).collect();
                for key in keys.into_iter().filter(|key| !NOT_FIELDS.contains(&key.as_str())) {
                    let field = format!("{field}.{key}");
                    match (was.get(key), now.get(key)) {
                        (Some(Json::String(was)), Some(Json::String(now))) if is_id_field(key) => {
                            if !self.ids.pair(was, now) {
                                let known = self.ids.replayed(was).unwrap_or("another's");
                                let told = format!("{was}, which is {known} here");
                                self.differ_at(place, &field, &told, now);
                            }
                        }
                        (was, now) => {
                            let absent = Json::Null;
                            self.value(
                                place,
                                &field,
                                was.unwrap_or(&absent),
                                now.unwrap_or(&absent),
                            );
                        }
                    }
                }
            }
            (Json::Array(was), Json::Array(now)) if was.len() == now.len() => {
                let field = format!("{field}[]");
                for (was, now) in was.iter().zip(now) {
                    self.value(place, &field, was, now);
                }
            }
            (was, now) if same_scalar(was, now) => {}
            (was, now) => self.differ_at(place, field, was, now),
        }
    }

    fn differ_at(
        &mut self,
        place: &Place<'_>,
        field: &str,
        was: &dyn ToString,
        now: &dyn ToString,
    ) {
        self.differ(Some(place.at), field, was, now);
    }

    fn differ(
        &mut self,
        command: Option<usize>,
        field: &str,
        was: &dyn ToString,
        now: &dyn ToString,
    ) {
        let name = command.and_then(|at| self.commands.get(at)).map_or("", name_of).to_owned();
        self.conformity.differ(Difference {
            request: self.n,
            command,
            name,
            field: field.to_owned(),
            recorded: short(&was.to_string()),
            replayed: short(&now.to_string()),
        });
    }
}

struct Place<'a> {
    at: usize,
    name: &'a str,
}

/// Which blobs are which command's: from `blobs_start` to the next one's.
fn slices(answers: &[Json], blobs: usize) -> Vec<std::ops::Range<usize>> {
    let start = |answer: &Json| {
        let start = body_of(answer).get("blobs_start").and_then(Json::as_u64);
        start.map(|start| usize::try_from(start).unwrap_or(blobs).min(blobs))
    };
    let starts: Vec<Option<usize>> = answers.iter().map(start).collect();
    let slice = |(at, start): (usize, &Option<usize>)| match start {
        None => 0..0,
        Some(start) => {
            let next = starts[at + 1..].iter().flatten().copied().find(|next| next >= start);
            *start..next.unwrap_or(blobs)
        }
    };
    starts.iter().enumerate().map(slice).collect()
}

/// Says of each object what its blob is, in the place of where it stands.
fn name_blobs(answer: &mut Json, tokens: &[String]) {
    match answer {
        Json::Object(object) => {
            let index = object.get("_blob_index").and_then(Json::as_u64);
            if let Some(token) = index.and_then(|i| tokens.get(usize::try_from(i).ok()?)) {
                object.insert(BLOB.to_owned(), Json::String(token.clone()));
            }
            object.values_mut().for_each(|value| name_blobs(value, tokens));
        }
        Json::Array(list) => list.iter_mut().for_each(|value| name_blobs(value, tokens)),
        _ => {}
    }
}

/// Numbers with a fraction are the same if they differ in the last digits of single precision, in
/// which vectors are stored.
pub(super) fn same_scalar(was: &Json, now: &Json) -> bool {
    match (was, now) {
        (Json::Number(was), Json::Number(now)) => {
            if was == now {
                return true;
            }
            let whole = |number: &serde_json::Number| number.is_i64() || number.is_u64();
            if whole(was) && whole(now) {
                return false;
            }
            match (was.as_f64(), now.as_f64()) {
                (Some(was), Some(now)) => {
                    let scale = was.abs().max(now.abs());
                    (was - now).abs() <= 1e-5 * scale.max(1e-3)
                }
                _ => false,
            }
        }
        _ => was == now,
    }
}

fn sorted(tokens: &[String]) -> Vec<&String> {
    let mut sorted: Vec<&String> = tokens.iter().collect();
    sorted.sort();
    sorted
}

fn counted(list: &[Json]) -> String {
    format!("{} of them", list.len())
}

fn joined(fields: &BTreeSet<String>) -> String {
    fields.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn told_in(body: &Map<String, Json>) -> String {
    let status = body.get("status").cloned().unwrap_or(Json::Null);
    match body.get("info").and_then(Json::as_str) {
        Some(info) => format!("{status}: {info}"),
        None => status.to_string(),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
