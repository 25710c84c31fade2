//! A sample of a descriptor set, spread evenly over it.

use adb_model::{Answer, Database, DbError, Request, ask, ensure::FoundSet};
use serde_json::{Value as Json, json};

/// Places that are asked for in one request.
const AT_ONCE: usize = 100;

/// The unique ids of so many vectors of a set; of all, if there are no more.
pub(crate) async fn spread(
    db: &dyn Database,
    set: &FoundSet,
    size: usize,
) -> Result<Vec<String>, DbError> {
    let count = match set.count {
        Some(count) => count,
        None => count_of(db, &set.name).await?,
    };
    let mut ids = Vec::new();
    for places in places(count, size).chunks(AT_ONCE) {
        let find = |place: &u64| {
            json!({"FindDescriptor": {
                "set": set.name, "uniqueids": true, "batch": {"batch_size": 1, "batch_id": place},
            }})
        };
        let commands = Json::Array(places.iter().map(find).collect());
        let (answers, _) = ask(db, Request::json(&commands)).await?;
        for at in 0..places.len() {
            ids.extend(Answer::at(&answers, at)?.unique_ids().map(str::to_owned).next());
        }
    }
    Ok(ids)
}

/// Each in the middle of one of as many equal stretches.
fn places(count: u64, size: usize) -> Vec<u64> {
    let size = (size as u64).min(count);
    // With 128 bits no set is too large.
    let place =
        |i: u64| ((2 * u128::from(i) + 1) * u128::from(count) / (2 * u128::from(size))) as u64;
    (0..size).map(place).collect()
}

async fn count_of(db: &dyn Database, set: &str) -> Result<u64, DbError> {
    let command = json!([{"FindDescriptor": {"set": set, "results": {"count": true}}}]);
    let (answers, _) = ask(db, Request::json(&command)).await?;
    Ok(Answer::at(&answers, 0)?.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_spread_over_all() {
        assert_eq!(places(10, 5), [1, 3, 5, 7, 9]);
        assert_eq!(places(3, 100), [0, 1, 2]);
        assert_eq!(places(0, 5), [0_u64; 0]);
        let large = places(u64::MAX, 2);
        assert_eq!(large, [u64::MAX / 4, u64::MAX / 4 * 3 + 2]);
    }
}
