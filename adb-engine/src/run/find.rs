//! The Find commands.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value as Json, json};

use crate::{
    request::{fault::Fail, find::Find, kind::Kind, shape::Batch},
    store::format::class_id,
    vectors::Neighbour,
};

use super::{
    Run, body,
    change::not_unique,
    conditions::Sets,
    connected::Reached,
    list::BlobAt,
    near::{Near, Neighbours},
    refs::{Found, Object},
    unique_id,
    window::window,
};

/// What a Find came upon, before it is shown.
pub(super) struct Matches {
    pub(super) objects: Vec<Object>,
    /// All matches, `limit` or not; known if they were counted.
    count: Option<usize>,
    /// Measures to the query, by row.
    distances: HashMap<i64, f32>,
    pub(super) ranked: bool,
    /// What the answer says of the batch.
    batch: Option<Json>,
    /// Aggregates, as members of the answer.
    figures: Map<String, Json>,
}

impl Run<'_> {
    pub(super) fn find(&mut self, find: &Find) -> Result<Map<String, Json>, Fail> {
        let reached = match &find.select.connected {
            Some(connected) => Some(self.reach(find.kind, connected)?),
            None => None,
        };
        let near = match &find.nearest {
            Some(nearest) => {
                let set = find.select.set.as_deref().unwrap_or_default();
                Some(self.near(set, nearest)?)
            }
            None => None,
        };
        if let (Some(near), Some(_)) = (&near, find.nearest.as_ref().and_then(|n| n.queries)) {
            return self.find_batch(find, near, reached.as_ref());
        }
        let neighbours = match &near {
            Some(near) => self.neighbours(find, near, reached.as_ref())?.pop(),
            None => None,
        };
        let matches = self.matches(find, reached.as_ref(), neighbours)?;
        let mut answer = body(&[]);
        self.answer(&mut answer, find, &matches, reached.as_ref())?;
        let found =
            Found { target: find.kind.target(), objects: matches.objects, ranked: matches.ranked };
        self.refs.define(find.reference, found)?;
        Ok(answer)
    }

    /// FindDescriptorBatch: a list for each query.
    fn find_batch(
        &mut self,
        find: &Find,
        near: &Near,
        reached: Option<&Reached>,
    ) -> Result<Map<String, Json>, Fail> {
        let shape = &find.shape;
        let (mut lists, mut all) = (Vec::new(), Vec::new());
        let (mut returned, mut count) = (0, 0);
        let first_blob = self.blobs_out.len();
        for neighbours in self.neighbours(find, near, reached)? {
            let matches = self.matches(find, reached, Some(neighbours))?;
            let blobs_from = self.blobs_out.len();
            if shape.blobs {
                self.take_blobs(find.kind, &matches.objects, shape)?;
            }
            if shape.lists() {
                let first = shape.blobs.then_some(BlobAt(blobs_from));
                let listed = self.list(&matches.objects, shape, &matches.distances, first)?;
                lists.push(Json::Array(listed));
            }
            returned += matches.objects.len();
            count += matches.count.unwrap_or(matches.objects.len());
            all.extend(matches.objects);
        }
        let mut answer = body(&[]);
        if self.blobs_out.len() > first_blob {
            answer.insert("blobs_start".to_owned(), json!(first_blob));
        }
        let shown = if shape.lists() || shape.blobs { returned } else { 0 };
        answer.insert("returned".to_owned(), json!(shown));
        if shape.count {
            answer.insert("count".to_owned(), json!(count));
        }
        if shape.lists() {
            answer.insert("entities".to_owned(), Json::Array(lists));
        }
        let mut seen = HashSet::new();
        all.retain(|object| seen.insert(*object));
        let found = Found { target: find.kind.target(), objects: all, ranked: true };
        self.refs.define(find.reference, found)?;
        Ok(answer)
    }

    pub(super) fn matches(
        &mut self,
        find: &Find,
        reached: Option<&Reached>,
        neighbours: Option<Neighbours>,
    ) -> Result<Matches, Fail> {
        let shape = &find.shape;
        let neighbours = match neighbours {
            Some(Neighbours { all, settled: true })
                if shape.sort.is_empty() && !shape.aggregates() =>
            {
                return settled(find, &all);
            }
            other => other.map(|neighbours| neighbours.all),
        };
        let mut distances = HashMap::new();
        let mut ranks: Option<HashMap<i64, usize>> = None;
        let mut among: Option<Vec<i64>> = None;
        if let Some(neighbours) = neighbours {
            distances = neighbours.iter().map(|n| (n.id, n.distance)).collect();
            ranks = Some(neighbours.iter().enumerate().map(|(i, n)| (n.id, i)).collect());
            among = Some(neighbours.iter().map(|n| n.id).collect());
        } else if let Some(reached) = reached.filter(|r| r.ranked) {
            ranks = Some(reached.ranks());
        }
        let sets = Sets::Named;
        let chosen = self.selection(find.kind, &find.select, sets, reached, among.as_deref())?;
        let conn = &self.store.conn;
        let figures = match shape.aggregates() {
            true => chosen.figures(conn, shape)?,
            false => Map::new(),
        };
        let wants_objects = wants_objects(find);
        let bounded = shape.limit.is_some() || shape.offset > 0 || shape.batch.is_some();
        // Where nothing is asked for, counting tells at least whether the constraints can be held.
        let wants_count =
            shape.count || find.select.unique || shape.batch.is_some() || !wants_objects;
        let by_rank = ranks.filter(|_| shape.sort.is_empty());
        let mut count = None;
        if wants_count && (bounded || !wants_objects) {
            count = Some(chosen.count(conn)?);
        }
        let (window, batch) = window(shape, count.unwrap_or(0));
        let mut objects = Vec::new();
        let ranked = by_rank.is_some() || !shape.sort.is_empty();
        if wants_objects {
            objects = match by_rank {
                None => chosen.objects(conn, &shape.sort, window.limit, window.offset)?,
                Some(ranks) => {
                    let mut all = chosen.objects(conn, &[], None, 0)?;
                    count = Some(all.len());
                    all.sort_by_key(|o| ranks.get(&o.id).copied().unwrap_or(usize::MAX));
                    window.of(all.into_iter()).collect()
                }
            };
        }
        if find.select.unique && count.unwrap_or(objects.len()) > 1 {
            return Err(not_unique().into());
        }
        Ok(Matches { objects, count, distances, ranked, batch, figures })
    }

    pub(super) fn answer(
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
            self.take_blobs(find.kind, objects, shape)?;
            answer.insert("blobs_start".to_owned(), json!(first_blob));
        }
        let lists = shape.lists();
        let returned = if lists || has_blobs { objects.len() } else { 0 };
        answer.insert("returned".to_owned(), json!(returned));
        if shape.count && shape.group.is_empty() {
            let count = matches.count.unwrap_or(objects.len());
            answer.insert("count".to_owned(), json!(count));
        }
        answer.extend(matches.figures.clone());
        if let Some(batch) = &matches.batch {
            answer.insert("batch".to_owned(), batch.clone());
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

/// What a Find is about when all that it asks for holds of these.
fn settled(find: &Find, neighbours: &[Neighbour]) -> Result<Matches, Fail> {
    if find.select.unique && neighbours.len() > 1 {
        return Err(not_unique().into());
    }
    let (window, batch) = window(&find.shape, neighbours.len());
    let all = neighbours.iter().map(|n| Object { class: class_id::DESCRIPTOR, id: n.id });
    Ok(Matches {
        objects: if wants_objects(find) { window.of(all).collect() } else { Vec::new() },
        count: Some(neighbours.len()),
        distances: neighbours.iter().map(|n| (n.id, n.distance)).collect(),
        ranked: true,
        batch,
        figures: Map::new(),
    })
}

/// Whether it matters which objects are found, not just how many.
fn wants_objects(find: &Find) -> bool {
    let shape = &find.shape;
    (shape.lists() || shape.blobs || find.reference.is_some())
        && !matches!(shape.batch, Some(Batch::Totals))
}

/// The listed objects under the unique ids of those that led to them.
fn group(reached: &Reached, objects: &[Object], listed: &[Json]) -> Json {
    let position: HashMap<i64, usize> =
        objects.iter().enumerate().map(|(i, o)| (o.id, i)).collect();
    let mut groups: Vec<(Object, Vec<usize>)> = Vec::new();
    // Under `any`, a source comes again with each step that leads on from it.
    let mut place: HashMap<Object, usize> = HashMap::new();
    for (source, target) in &reached.pairs {
        let Some(&i) = position.get(target) else { continue };
        let at = *place.entry(*source).or_insert(groups.len());
        match groups.get_mut(at) {
            Some((_, members)) => members.push(i),
            None => groups.push((*source, vec![i])),
        }
    }
    let groups = groups.into_iter().map(|(source, mut members)| {
        members.sort_unstable();
        let members = members.into_iter().map(|i| listed[i].clone()).collect();
        (unique_id(source.class, source.id), Json::Array(members))
    });
    Json::Object(groups.collect())
}
