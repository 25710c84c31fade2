//! Pictures and files out of a database.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::{Map, Value as Json};

use super::BlobAt;
use crate::{
    Answer, Constraint, Database, DbError, Dialect, ObjectKind, Refusal, Request, Response,
    answer::{blob_of, unique_id},
    query::plan::find,
};

/// Blobs by the unique ids of their objects; or why one could not be had.
#[derive(Debug, Default)]
pub struct Blobs(HashMap<String, Result<Bytes, String>>);

impl Blobs {
    /// A blob.
    ///
    /// # Errors
    /// In words, when it could not be had.
    pub fn get(&self, unique_id: &str) -> Result<Bytes, String> {
        match self.0.get(unique_id) {
            Some(found) => found.clone(),
            None => Err(format!("the database gave no blob for the object {unique_id}")),
        }
    }
}

/// Fetches the blobs of some objects. Where the database refuses so many, as it does when an answer
/// would be too large, fewer are asked for at a time.
///
/// # Errors
/// When the database can't be asked. A blob that it refuses is noted in its place.
pub async fn fetch_blobs(
    dialect: Dialect,
    db: &dyn Database,
    wanted: &[BlobAt],
) -> Result<Blobs, DbError> {
    let mut blobs = Blobs::default();
    let mut parts: Vec<Vec<&BlobAt>> = vec![wanted.iter().collect()];
    while let Some(mut part) = parts.pop() {
        if part.is_empty() {
            continue;
        }
        match db.execute(request(dialect, &part)).await? {
            Response::Done { answers, blobs: all } => read(&answers, &all, &mut blobs)?,
            Response::Refused(refusal) if part.len() == 1 => {
                let Refusal { info, .. } = refusal;
                blobs.0.insert(part[0].1.clone(), Err(format!("its blob can't be had: {info}")));
            }
            Response::Refused(_) => {
                let second = part.split_off(part.len() / 2);
                parts.push(second);
                parts.push(part);
            }
        }
    }
    Ok(blobs)
}

/// A Find for each kind.
fn request(dialect: Dialect, wanted: &[&BlobAt]) -> Request {
    let mut kinds: Vec<(ObjectKind, Vec<crate::Value>)> = Vec::new();
    for (kind, id) in wanted {
        match kinds.iter_mut().find(|(k, _)| k == kind) {
            Some((_, ids)) => ids.push(id.as_str().into()),
            None => kinds.push((*kind, vec![id.as_str().into()])),
        }
    }
    let commands = kinds.into_iter().map(|(kind, ids)| {
        let mut body = Map::new();
        let by_id = Constraint::one_of("_uniqueid", ids).to_json(dialect);
        body.insert("constraints".to_owned(), by_id);
        body.insert("uniqueids".to_owned(), true.into());
        body.insert("blobs".to_owned(), true.into());
        find(kind, body)
    });
    Request::json(&Json::Array(commands.collect()))
}

fn read(answers: &[Json], all: &[Bytes], blobs: &mut Blobs) -> Result<(), DbError> {
    for i in 0..answers.len() {
        for object in Answer::at(answers, i)?.entities() {
            if let (Some(id), Some(blob)) = (unique_id(object), blob_of(object, all)) {
                blobs.0.insert(id.to_owned(), Ok(blob.clone()));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{future::Future as _, sync::Mutex};

    use serde_json::json;

    use super::*;
    use crate::BoxFuture;

    /// Gives two blobs at most in one answer, and that of `1.0.3` never.
    #[derive(Default)]
    struct Narrow(Mutex<Vec<usize>>);

    impl Database for Narrow {
        fn execute(&self, request: Request) -> BoxFuture<'_, Result<Response, DbError>> {
            let commands: Vec<Json> = serde_json::from_slice(&request.commands).unwrap();
            let ids: Vec<String> = serde_json::from_value(
                commands[0]["FindImage"]["constraints"]["_uniqueid"][1].clone(),
            )
            .unwrap();
            self.0.lock().unwrap().push(ids.len());
            let response = if ids.len() > 2 || ids.iter().any(|id| id == "1.0.3") {
                Response::Refused(Refusal { status: 4, ..Refusal::error(None, "too large") })
            } else {
                let entities: Vec<Json> = ids
                    .iter()
                    .enumerate()
                    .map(|(i, id)| json!({"_uniqueid": id, "_blob_index": i}))
                    .collect();
                let blobs = ids.iter().map(|id| Bytes::from(id.clone())).collect();
                let answers = vec![json!({"FindImage": {"status": 0, "entities": entities}})];
                Response::Done { answers, blobs }
            };
            Box::pin(async move { Ok(response) })
        }
    }

    #[test]
    fn too_large_an_answer_is_asked_for_in_parts() {
        let db = Narrow::default();
        let wanted: Vec<BlobAt> = (0..7).map(|i| (ObjectKind::Image, format!("1.0.{i}"))).collect();
        let mut future = std::pin::pin!(fetch_blobs(Dialect::Classic, &db, &wanted));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(blobs) = future.as_mut().poll(&mut context) else {
            panic!("this database never waits");
        };
        let blobs = blobs.unwrap();
        for (_, id) in &wanted {
            match id.as_str() {
                "1.0.3" => assert!(blobs.get(id).unwrap_err().contains("too large")),
                _ => assert_eq!(blobs.get(id).unwrap(), *id),
            }
        }
        assert!(blobs.get("9.0.9").unwrap_err().contains("9.0.9"));
        assert!(db.0.lock().unwrap().iter().filter(|n| **n == 1).count() >= 1);
    }
}
