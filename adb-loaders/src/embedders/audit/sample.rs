//! Vectors from all over a set, each with the picture that it stands for.

use adb_model::{Answer, Database, DbError, Rect, Request, ask, components, ensure::FoundSet};
use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::super::{Error, ErrorKind};
use crate::spread::spread;

/// A stored vector and its picture.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub(super) vector: Vec<f32>,
    pub(super) picture: Bytes,
    pub(super) region: Option<Rect>,
}

/// Vectors of a set, and how far one has come.
#[derive(Debug)]
pub(super) struct Sample {
    set: String,
    dimensions: usize,
    ids: Vec<String>,
    next: usize,
    left_out: usize,
}

impl Sample {
    /// At most `size` vectors, spread evenly.
    pub(super) async fn of(db: &dyn Database, set: &FoundSet, size: usize) -> Result<Self, Error> {
        let ids = spread(db, set, size).await.map_err(ErrorKind::Database)?;
        let (set, dimensions) = (set.name.clone(), set.dimensions);
        Ok(Self { set, dimensions, ids, next: 0, left_out: 0 })
    }

    /// Up to `wanted` of it, spread as well, wherever one has come.
    pub(super) async fn some(&self, db: &dyn Database, wanted: usize) -> Result<Vec<Taken>, Error> {
        let mut taken = Vec::new();
        // First one of each stretch, then those beside them, so that vectors without a picture
        // don't leave nothing.
        let stretch = self.ids.len().div_ceil(wanted).max(1);
        for offset in 0..stretch {
            for id in self.ids.iter().skip(offset).step_by(stretch) {
                if taken.len() == wanted {
                    return Ok(taken);
                }
                taken.extend(self.fetch(db, id).await?);
            }
        }
        Ok(taken)
    }

    /// The next ones, `most` at once; nothing at the end.
    pub(super) async fn next(
        &mut self,
        db: &dyn Database,
        most: usize,
    ) -> Result<Option<Vec<Taken>>, Error> {
        let mut batch = Vec::new();
        while batch.len() < most {
            let Some(id) = self.ids.get(self.next) else { break };
            let fetched = self.fetch(db, id).await?;
            self.next += 1;
            match fetched {
                Some(taken) => batch.push(taken),
                None => self.left_out += 1,
            }
        }
        Ok((!batch.is_empty()).then_some(batch))
    }

    /// Vectors that were looked at.
    pub(super) fn looked_at(&self) -> usize {
        self.next
    }

    /// Of these, the ones that stand for no picture, or not for a single one.
    pub(super) fn left_out(&self) -> usize {
        self.left_out
    }

    /// One vector with the image, or the region of an image, that it is connected to.
    async fn fetch(&self, db: &dyn Database, id: &str) -> Result<Option<Taken>, Error> {
        // Two of each would show that it is not for one picture alone.
        let connected = |to: u64| json!({"ref": to});
        let commands = json!([
            {"FindDescriptor": {"_ref": 1, "set": self.set, "blobs": true, "uniqueids": true,
                "constraints": {"_uniqueid": ["==", id]}}},
            {"FindImage": {"is_connected_to": connected(1), "blobs": true, "uniqueids": true,
                "results": {"limit": 2}}},
            {"FindBoundingBox": {"_ref": 2, "is_connected_to": connected(1), "coordinates": true,
                "results": {"limit": 2}}},
            {"FindImage": {"is_connected_to": connected(2), "blobs": true, "uniqueids": true,
                "results": {"limit": 2}}},
        ]);
        let (answers, blobs) =
            ask(db, Request::json(&commands)).await.map_err(ErrorKind::Database)?;
        let read = || -> Result<Option<Taken>, DbError> {
            let answer = |i| Answer::at(&answers, i);
            let Some(vector) = only(&answer(0)?, &blobs) else { return Ok(None) };
            let vector: Vec<f32> = components(&vector).collect();
            if vector.len() != self.dimensions {
                return Err(DbError::permanent(format!(
                    "the database sent a vector of {} components from the set `{}` of {}",
                    vector.len(),
                    self.set,
                    self.dimensions
                )));
            }
            if let Some(picture) = only(&answer(1)?, &blobs) {
                return Ok(Some(Taken { vector, picture, region: None }));
            }
            let boxes = answer(2)?;
            let (Some(picture), [region]) = (only(&answer(3)?, &blobs), boxes.entities()) else {
                return Ok(None);
            };
            let rect = region.get("_coordinates").cloned().unwrap_or_default();
            let region = serde_json::from_value::<Rect>(rect).ok();
            Ok(region.map(|region| Taken { vector, picture, region: Some(region) }))
        };
        Ok(read().map_err(ErrorKind::Database)?)
    }
}

/// The blob of an answer with a single one.
fn only(answer: &Answer<'_>, blobs: &[Bytes]) -> Option<Bytes> {
    if answer.get("returned").and_then(Json::as_u64) != Some(1) {
        return None;
    }
    let start = answer.get("blobs_start").and_then(Json::as_u64)?;
    blobs.get(usize::try_from(start).ok()?).cloned()
}
