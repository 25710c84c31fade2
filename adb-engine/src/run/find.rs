//! The Find commands.

use std::{collections::HashMap, sync::Arc};

use rusqlite::OptionalExtension as _;
use serde_json::{Map, Value as Json, json};

use crate::{
    request::{
        fault::{Fail, Fault},
        find::{Find, Nearest, Select},
        kind::Kind,
    },
    store::{catalog::Class, format::class_id},
    vectors::{Neighbour, cache::Search, components, metric::Metric},
};

use super::{
    Run, body,
    connected::Reached,
    filter::{Condition, Param},
    list::BlobAt,
    refs::{Found, Object},
    select::Selection,
    unique_id,
};

/// A descriptor set, as searches and additions need it.
pub(super) struct Set {
    pub(super) id: i64,
    pub(super) dimensions: usize,
    /// The default first.
    pub(super) metrics: Vec<String>,
    pub(super) engines: Vec<String>,
}

/// What a Find came upon, before it is shown.
struct Matches {
    objects: Vec<Object>,
    /// All matches, `limit` or not; known if they were counted.
    count: Option<usize>,
    /// Measures to the query, by row.
    distances: HashMap<i64, f32>,
    ranked: bool,
}

impl Run<'_> {
    pub(super) fn find(&mut self, find: &Find) -> Result<Map<String, Json>, Fail> {
        let reached = match &find.select.connected {
            Some(connected) => Some(self.reach(connected)?),
            None => None,
        };
        let matches = self.matches(find, reached.as_ref())?;
        if find.select.unique && matches.count.unwrap_or(matches.objects.len()) > 1 {
            return Err(Fault::not_unique(
                "`unique` is set, and more than one object matches; constrain it further",
            )
            .into());
        }
        let mut answer = body(&[]);
        self.answer(&mut answer, find, &matches, reached.as_ref())?;
        let found =
            Found { target: find.kind.target(), objects: matches.objects, ranked: matches.ranked };
        self.refs.define(find.reference, found)?;
        Ok(answer)
    }

    fn matches(&mut self, find: &Find, reached: Option<&Reached>) -> Result<Matches, Fail> {
        let selection = |run: &Self, among: Option<&[i64]>| run.selection(find, reached, among);
        let mut distances = HashMap::new();
        let mut ranks: Option<HashMap<i64, usize>> = None;
        let chosen = match &find.nearest {
            None => {
                if let Some(reached) = reached.filter(|r| r.ranked) {
                    ranks = Some(reached.ranks());
                }
                selection(self, None)?
            }
            Some(nearest) => {
                let neighbours = self.neighbours(find, nearest, reached)?;
                distances = neighbours.iter().map(|n| (n.id, n.distance)).collect();
                ranks = Some(neighbours.iter().enumerate().map(|(i, n)| (n.id, i)).collect());
                let ids: Vec<i64> = neighbours.iter().map(|n| n.id).collect();
                selection(self, Some(&ids))?
            }
        };
        let (conn, shape) = (&self.store.conn, &find.shape);
        let wants_objects = shape.lists()
            || shape.blobs
            || find.reference.is_some()
            || find.select.unique
            || !shape.count;
        if !wants_objects {
            let count = chosen.count(conn)?;
            return Ok(Matches {
                objects: Vec::new(),
                count: Some(count),
                distances,
                ranked: false,
            });
        }
        if !shape.sort.is_empty() || ranks.is_none() {
            let bounded = shape.limit.is_some() || shape.offset > 0;
            let count = if bounded && (shape.count || find.select.unique) {
                Some(chosen.count(conn)?)
            } else {
                None
            };
            let objects = chosen.objects(conn, &shape.sort, shape.limit, shape.offset)?;
            let ranked = !shape.sort.is_empty();
            return Ok(Matches {
                count: count.or(Some(objects.len())),
                objects,
                distances,
                ranked,
            });
        }
        let ranks = ranks.unwrap_or_default();
        let mut objects = chosen.objects(conn, &[], None, 0)?;
        let count = Some(objects.len());
        objects.sort_by_key(|o| ranks.get(&o.id).copied().unwrap_or(usize::MAX));
        let offset = usize::try_from(shape.offset).unwrap_or(usize::MAX);
        let limit = shape.limit.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
        let objects = objects.into_iter().skip(offset).take(limit).collect();
        Ok(Matches { objects, count, distances, ranked: true })
    }

    /// The objects that fulfil everything but nearness; of those `among`, if there are any given.
    fn selection(
        &self,
        find: &Find,
        reached: Option<&Reached>,
        among: Option<&[i64]>,
    ) -> Result<Selection, Fail> {
        let mut selection = Selection::default();
        let mut shared = self.conditions(&find.select)?;
        if let Some(reached) = reached {
            shared.push(Condition::among("id", reached.targets()));
        }
        if let Some(ids) = among {
            shared.push(Condition::among("id", ids.iter().copied()));
        }
        for class in self.classes(find) {
            selection.push(
                &self.store.conn,
                &class,
                find.select.constraints.as_ref(),
                shared.clone(),
            )?;
        }
        Ok(selection)
    }

    /// The classes that a Find looks into.
    fn classes(&self, find: &Find) -> Vec<Arc<Class>> {
        let catalog = &self.store.catalog;
        let target = find.kind.target();
        match find.kind.system_class().or(find.select.with_class.as_deref()) {
            Some(name) => catalog.class(target, name).into_iter().cloned().collect(),
            None => catalog.classes(target).cloned().collect(),
        }
    }

    /// What a Find asks for beside constraints, connections and nearness.
    fn conditions(&self, select: &Select) -> Result<Vec<Condition>, Fail> {
        let mut conditions = Vec::new();
        let text = |text: &str| Param::Value(text.to_owned().into());
        if let Some(name) = &select.with_name {
            conditions.push(Condition::new("name = ?", [text(name)]));
        }
        if let Some(label) = &select.with_label {
            conditions.push(Condition::new("label = ?", [text(label)]));
        }
        if let Some(set) = &select.set {
            let set = self.set(set)?;
            conditions.push(Condition::new("set_id = ?", [Param::Value(set.id.into())]));
        }
        for (end, reference) in [("src", select.src), ("dst", select.dst)] {
            if let Some(reference) = reference {
                let ends = self.refs.ends(reference)?;
                conditions.push(Condition::among(end, ends.objects.iter().map(|o| o.id)));
            }
        }
        Ok(conditions)
    }

    /// The nearest to the command's blob.
    fn neighbours(
        &mut self,
        find: &Find,
        nearest: &Nearest,
        reached: Option<&Reached>,
    ) -> Result<Vec<Neighbour>, Fail> {
        let name = find.select.set.as_deref().unwrap_or_default();
        let set = self.set(name)?;
        let metric = set.metric(name, nearest)?;
        let query = self.blob()?;
        let query = check_vector(&query, set.dimensions)?;
        let unfiltered = find.select.constraints.is_none()
            && find.select.with_label.is_none()
            && reached.is_none();
        let among = if nearest.knn_first || unfiltered {
            None
        } else {
            let selection = self.selection(find, reached, None)?;
            let objects = selection.objects(&self.store.conn, &[], None, 0)?;
            Some(objects.into_iter().map(|o| o.id).collect::<Vec<i64>>())
        };
        let search = Search {
            set: set.id,
            query: &query,
            metric,
            k: usize::try_from(nearest.k).unwrap_or(usize::MAX),
            among: among.as_deref(),
        };
        // A writer sees what it has not committed; a reader never does.
        let committed = self.sequence.is_none();
        Ok(self.vectors.search(&self.store.conn, &search, committed)?)
    }

    /// A descriptor set by name.
    pub(super) fn set(&self, name: &str) -> Result<Set, Fail> {
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
                Ok(Set {
                    id: row.get(0)?,
                    dimensions: usize::try_from(dimensions).unwrap_or(0),
                    metrics: names(row.get(2)?),
                    engines: names(row.get(3)?),
                })
            })
            .optional()?;
        found.ok_or_else(|| {
            Fault::new(format!("there is no descriptor set `{name}`")).code("no_set").into()
        })
    }

    fn answer(
        &mut self,
        answer: &mut Map<String, Json>,
        find: &Find,
        matches: &Matches,
        reached: Option<&Reached>,
    ) -> Result<(), Fail> {
        let shape = &find.shape;
        let objects = &matches.objects;
        let first_blob = self.blobs_out.len();
        let has_blobs = shape.blobs && !objects.is_empty();
        if has_blobs {
            self.take_blobs(find.kind, objects)?;
            answer.insert("blobs_start".to_owned(), json!(first_blob));
        }
        let lists = shape.lists();
        let returned = if lists || has_blobs { objects.len() } else { 0 };
        answer.insert("returned".to_owned(), json!(returned));
        if shape.count {
            let count = matches.count.unwrap_or(objects.len());
            answer.insert("count".to_owned(), json!(count));
        }
        let grouped = reached.filter(|_| shape.group_by_source);
        if grouped.is_some() {
            answer.insert("group_by_source".to_owned(), json!(true));
        }
        if !lists || objects.is_empty() {
            return Ok(());
        }
        let first_blob = has_blobs.then_some(BlobAt(first_blob));
        let listed = self.list(objects, shape, &matches.distances, first_blob)?;
        let listed = match grouped {
            Some(reached) => group(reached, objects, &listed),
            None => Json::Array(listed),
        };
        let key = if find.kind == Kind::Connection { "connections" } else { "entities" };
        answer.insert(key.to_owned(), listed);
        Ok(())
    }
}

impl Set {
    /// The measure of a search, and a check that the set has it.
    fn metric(&self, name: &str, nearest: &Nearest) -> Result<Metric, Fault> {
        if let Some(engine) = &nearest.engine
            && !self.engines.contains(engine)
        {
            return Err(Fault::new(format!(
                "the set `{name}` has no engine \"{engine}\"; it has {}",
                self.engines.join(", ")
            )));
        }
        let default = self.metrics.first().map_or(Ok(Metric::L2), |m| Metric::parse(m))?;
        let metric = nearest.metric.unwrap_or(default);
        if self.metrics.iter().any(|m| m == metric.name()) {
            return Ok(metric);
        }
        Err(Fault::new(format!(
            "the set `{name}` has no metric \"{}\"; it has {}",
            metric.name(),
            self.metrics.join(", ")
        )))
    }
}

/// The components of a vector of the right length, all of them finite.
pub(super) fn check_vector(bytes: &[u8], dimensions: usize) -> Result<Vec<f32>, Fault> {
    if bytes.len() != dimensions * 4 {
        return Err(Fault::new(format!(
            "the vector has {} bytes, its set takes {} ({dimensions} components of 4 bytes)",
            bytes.len(),
            dimensions * 4,
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

/// The listed objects under the unique ids of those that led to them.
fn group(reached: &Reached, objects: &[Object], listed: &[Json]) -> Json {
    let position: HashMap<i64, usize> =
        objects.iter().enumerate().map(|(i, o)| (o.id, i)).collect();
    let mut groups: Vec<(Object, Vec<usize>)> = Vec::new();
    for (source, target) in &reached.pairs {
        let Some(&i) = position.get(target) else { continue };
        match groups.last_mut() {
            Some((last, members)) if last == source => members.push(i),
            _ => groups.push((*source, vec![i])),
        }
    }
    let groups = groups.into_iter().map(|(source, mut members)| {
        members.sort_unstable();
        let members = members.into_iter().map(|i| listed[i].clone()).collect();
        (unique_id(source.class, source.id), Json::Array(members))
    });
    Json::Object(groups.collect())
}
