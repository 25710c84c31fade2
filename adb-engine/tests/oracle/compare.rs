//! Whether two answers say the same, where one database's unique ids are not the other's.

use std::collections::HashMap;

use adb_model::Response;
use serde_json::{Map, Value as Json};

/// Which ids are of one object: the engine's to the reference's.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    there: HashMap<String, String>,
}

impl Ids {
    pub(crate) fn pair(&mut self, engine: &str, reference: &str) -> bool {
        if let Some(known) = self.there.get(engine) {
            return known == reference;
        }
        let free = !self.there.values().any(|known| known == reference);
        self.there.insert(engine.to_owned(), reference.to_owned());
        free
    }

    /// What differs, in words.
    pub(crate) fn compare(
        &mut self,
        engine: &Response,
        reference: &Response,
    ) -> Result<(), String> {
        match (engine, reference) {
            (Response::Refused(a), Response::Refused(b)) => {
                match (a.status, a.command) == (b.status, b.command) {
                    true => Ok(()),
                    false => Err(format!("refused as {a:?} and as {b:?}")),
                }
            }
            (Response::Done { answers: a, blobs: x }, Response::Done { answers: b, blobs: y }) => {
                if a.len() != b.len() {
                    return Err("more answers".to_owned());
                }
                for (i, (a, b)) in a.iter().zip(b).enumerate() {
                    if a.get("GetStatus").is_none() {
                        self.same(a, b, false).map_err(|e| format!("command {i}: {e}"))?;
                    }
                }
                if x == y { Ok(()) } else { Err("other blobs".to_owned()) }
            }
            _ => Err("only one refuses".to_owned()),
        }
    }

    /// `own`: below a key of the system's, where 2 is as good as 2.0.
    fn same(&mut self, a: &Json, b: &Json, own: bool) -> Result<(), String> {
        let differ = || Err(format!("{a} and {b}"));
        match (a, b) {
            (Json::String(x), Json::String(y)) if is_id(x) && is_id(y) => {
                if self.pair(x, y) {
                    Ok(())
                } else {
                    differ()
                }
            }
            (Json::Number(x), Json::Number(y)) if own => {
                let (x, y) = (x.as_f64().unwrap_or(f64::NAN), y.as_f64().unwrap_or(f64::NAN));
                let close = (x - y).abs() <= 1e-5 * x.abs().max(1.0) || x == y;
                if close { Ok(()) } else { differ() }
            }
            (Json::Number(x), Json::Number(y)) => {
                // −0 is not 0, and each number is the one that was sent.
                if x == y && x.to_string() == y.to_string() { Ok(()) } else { differ() }
            }
            (Json::Array(x), Json::Array(y)) => {
                if x.len() != y.len() {
                    return differ();
                }
                let (x, y) = (sorted(x), sorted(y));
                x.iter().zip(&y).try_for_each(|(a, b)| self.same(a, b, own))
            }
            (Json::Object(x), Json::Object(y)) => {
                if x.len() != y.len() {
                    return differ();
                }
                for (key, value) in x {
                    let Some(other) = self.entry(key, y) else {
                        return Err(format!("`{key}` of {a}, not in {b}"));
                    };
                    let own = own || key.starts_with('_') || key == "groups" || key == "IoU";
                    if key != "_create_txn" {
                        self.same(value, other, own).map_err(|e| format!("{key}: {e}"))?;
                    }
                }
                Ok(())
            }
            _ if a == b => Ok(()),
            _ => differ(),
        }
    }

    fn entry<'j>(&self, key: &str, of: &'j Map<String, Json>) -> Option<&'j Json> {
        of.get(key).or_else(|| of.get(self.there.get(key)?))
    }
}

/// The variants of a connection's class in the schema have no order.
fn sorted(all: &[Json]) -> Vec<&Json> {
    let mut all: Vec<&Json> = all.iter().collect();
    let ends = |json: &Json| -> Option<String> {
        json.get("matched")?;
        Some(format!("{} {}", json.get("src")?, json.get("dst")?))
    };
    if all.iter().all(|json| ends(json).is_some()) {
        all.sort_by_key(|json| ends(json));
    }
    all
}

fn is_id(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let digits = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    parts.len() == 3 && parts.iter().all(digits)
}
