//! Which part of all matches an answer is about: `limit`, `offset` and `batch`.

use serde_json::{Map, Value as Json, json};

use crate::request::shape::{Batch, Shape};

/// The part of all matches that is looked at.
pub(super) struct Window {
    pub(super) offset: u64,
    /// Nothing for no end.
    pub(super) limit: Option<u64>,
}

impl Window {
    pub(super) fn of<T>(&self, all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        let whole = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        all.skip(whole(self.offset)).take(self.limit.map_or(usize::MAX, whole))
    }
}

/// Which part of `count` matches a Find is about, and what the answer says of it.
pub(super) fn window(shape: &Shape, count: usize) -> (Window, Option<Json>) {
    let Some(batch) = &shape.batch else {
        return (Window { offset: shape.offset, limit: shape.limit }, None);
    };
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    let total = count.saturating_sub(shape.offset).min(shape.limit.unwrap_or(u64::MAX));
    let (start, length, id) = match *batch {
        Batch::Totals => {
            return (Window { offset: 0, limit: Some(0) }, Some(json!({"total_elements": total})));
        }
        Batch::OfSize { size, id } => (id.saturating_mul(size), size, Some(id)),
        Batch::OfPieces { pieces, id } => {
            let size = total.div_ceil(pieces);
            (id.saturating_mul(size), size, Some(id))
        }
        Batch::Range(start, end) => (start, end.saturating_sub(start), None),
    };
    let start = start.min(total);
    let end = start.saturating_add(length).min(total);
    let mut shown = Map::new();
    shown.insert("total_elements".to_owned(), json!(total));
    if let Some(id) = id {
        shown.insert("batch_id".to_owned(), json!(id));
    }
    shown.insert("start".to_owned(), json!(start));
    shown.insert("end".to_owned(), json!(end));
    let offset = shape.offset.saturating_add(start);
    (Window { offset, limit: Some(end - start) }, Some(Json::Object(shown)))
}
