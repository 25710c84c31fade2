//! Searches by nearness: what they go by, and whom they ask.

use std::sync::{Arc, OnceLock};

use rusqlite::OptionalExtension as _;
use serde_json::{Map, Value as Json, json};

use crate::{
    request::{
        fault::{Fail, Fault},
        find::{Classify, Find, Nearest},
    },
    store::{format::class_id, memo::DescriptorSet},
    vectors::{
        Neighbour,
        cache::SetState,
        components, is_approximate,
        metric::Metric,
        search::{Among, Search},
    },
};

use super::{Run, among::Passing, body, connected::Reached};

/// What a search by nearness goes by.
pub(super) struct Near {
    pub(super) set: Arc<DescriptorSet>,
    state: SetState,
    metric: Metric,
    k: usize,
    /// Whether neighbours are looked for before the constraints, or among what these leave.
    knn_first: bool,
    approximate: bool,
    /// One vector, or several one after another.
    query: Vec<f32>,
}

/// The neighbours of one query.
pub(super) struct Neighbours {
    /// The nearest first.
    pub(super) all: Vec<Neighbour>,
    /// Whether all that a Find asks for holds of them, and nothing is left to be looked up.
    pub(super) settled: bool,
}

impl Run<'_> {
    /// ClassifyDescriptor: the label that most of the neighbours have; of equals, the nearest's.
    pub(super) fn classify(&mut self, classify: &Classify) -> Result<Map<String, Json>, Fail> {
        let near = self.near(&classify.set, &classify.nearest)?;
        let neighbours = self.search(&near, None)?.pop().unwrap_or_default();
        let mut votes: Vec<(String, usize)> = Vec::new();
        let mut select = self
            .store
            .conn
            .prepare_cached(&format!("SELECT label FROM c{} WHERE id = ?", class_id::DESCRIPTOR))?;
        for neighbour in neighbours {
            let label: Option<String> = select.query_row([neighbour.id], |row| row.get(0))?;
            let Some(label) = label else { continue };
            match votes.iter_mut().find(|(of, _)| *of == label) {
                Some((_, votes)) => *votes += 1,
                None => votes.push((label, 1)),
            }
        }
        // The first of the greatest; `max_by_key` would take the last.
        let most = votes.into_iter().rev().max_by_key(|(_, votes)| *votes);
        let label = most.map_or_else(|| "None".to_owned(), |(label, _)| label);
        Ok(body(&[("label", json!(label))]))
    }

    /// What a search goes by: the set, the measure, and the command's blob.
    pub(super) fn near(&mut self, name: &str, nearest: &Nearest) -> Result<Near, Fail> {
        let set = self.set(name)?;
        let metric = metric(&set, name, nearest)?;
        let state = match set.state.get() {
            Some(state) => *state,
            None => {
                let state = SetState::read(&self.store.conn, set.id)?;
                *set.state.get_or_init(|| state)
            }
        };
        let engine = nearest.engine.as_ref().or(set.engines.first());
        let blob = self.blob()?;
        let queries = nearest.queries.unwrap_or(1);
        let query = check_vector(&blob, set.dimensions.saturating_mul(queries))?;
        Ok(Near {
            metric,
            k: usize::try_from(nearest.k).unwrap_or(usize::MAX),
            knn_first: nearest.knn_first,
            approximate: engine.is_some_and(|engine| is_approximate(engine)),
            query,
            state,
            set,
        })
    }

    /// The neighbours of each query, of all in the set or of those that the Find is about.
    pub(super) fn neighbours(
        &self,
        find: &Find,
        near: &Near,
        reached: Option<&Reached>,
    ) -> Result<Vec<Neighbours>, Fail> {
        let unfiltered = find.select.wants_whole_set() && reached.is_none();
        let all = match near.knn_first || unfiltered {
            true => self.search(near, None)?,
            false => self.search(near, Some(&Passing::new(self, near.set.id, find, reached)?))?,
        };
        let settled = unfiltered || !near.knn_first;
        Ok(all.into_iter().map(|all| Neighbours { all, settled }).collect())
    }

    pub(super) fn search(
        &self,
        near: &Near,
        among: Option<&dyn Among>,
    ) -> Result<Vec<Vec<Neighbour>>, Fail> {
        let search = Search {
            set: near.set.id,
            state: near.state,
            dimensions: near.set.dimensions,
            queries: &near.query,
            metric: near.metric,
            k: near.k,
            approximate: near.approximate,
            among,
        };
        // A writer sees what it has not committed; a reader never does.
        let committed = self.sequence.is_none();
        self.vectors.search(&self.store.conn, &search, committed)
    }

    /// A descriptor set by name.
    pub(super) fn set(&self, name: &str) -> Result<Arc<DescriptorSet>, Fail> {
        if let Some(set) = self.store.memo.as_ref().and_then(|memo| memo.set(name)) {
            return Ok(set);
        }
        let found = self
            .store
            .conn
            .prepare_cached(&format!(
                "SELECT id, dimensions, metrics, engines FROM c{} WHERE name = ?",
                class_id::DESCRIPTOR_SET
            ))?
            .query_row([name], |row| {
                let names = |text: String| serde_json::from_str(&text).unwrap_or_default();
                let dimensions: i64 = row.get(1)?;
                Ok(DescriptorSet {
                    id: row.get(0)?,
                    dimensions: usize::try_from(dimensions).unwrap_or(0),
                    metrics: names(row.get(2)?),
                    engines: names(row.get(3)?),
                    state: OnceLock::new(),
                })
            })
            .optional()?;
        let Some(found) = found.map(Arc::new) else {
            let fault = Fault::new(format!("there is no descriptor set `{name}`"));
            return Err(fault.code("no_set").into());
        };
        if let Some(memo) = &self.store.memo {
            memo.keep_set(name, &found);
        }
        Ok(found)
    }
}

/// The measure of a search, and a check that the set has it.
fn metric(set: &DescriptorSet, name: &str, nearest: &Nearest) -> Result<Metric, Fault> {
    if let Some(engine) = &nearest.engine
        && !set.engines.contains(engine)
    {
        return Err(Fault::new(format!(
            "the set `{name}` has no engine \"{engine}\"; it has {}",
            set.engines.join(", ")
        )));
    }
    let default = set.metrics.first().map_or(Ok(Metric::L2), |m| Metric::parse(m))?;
    let metric = nearest.metric.unwrap_or(default);
    if set.metrics.iter().any(|m| m == metric.name()) {
        return Ok(metric);
    }
    Err(Fault::new(format!(
        "the set `{name}` has no metric \"{}\"; it has {}",
        metric.name(),
        set.metrics.join(", ")
    )))
}

/// The components of a vector of the right length, all of them finite.
pub(super) fn check_vector(bytes: &[u8], dimensions: usize) -> Result<Vec<f32>, Fault> {
    let expected = dimensions.saturating_mul(4);
    if bytes.len() != expected {
        return Err(Fault::new(format!(
            "the vector has {} bytes, its set takes {expected} ({dimensions} components of 4 bytes)",
            bytes.len(),
        ))
        .code("bad_vector"));
    }
    let vector: Vec<f32> = components(bytes).collect();
    match vector.iter().position(|x| !x.is_finite()) {
        None => Ok(vector),
        Some(i) => Err(Fault::new(format!("component {i} of the vector is not a finite number"))
            .code("bad_vector")),
    }
}
