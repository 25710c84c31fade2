//! Finding: selection, connections, nearness, order.

use std::{cmp::Ordering, collections::HashMap};

use serde_json::{Map, Value as Json, json};

use crate::{
    Wrong,
    command::{Batch, Connected, Find, Near, Order, Select, Shape, Step},
    run::{Answer, Named, Run, components, done, no_set},
    state::{Item, Kind, target},
    value::{Type, Value},
};

/// (source, found), the sources in the order of their reference.
pub(crate) struct Reached {
    pub(crate) pairs: Vec<(u64, u64)>,
    /// Whether that order says something.
    pub(crate) ranked: bool,
}

/// What a Find comes upon.
pub(crate) struct Matches {
    pub(crate) items: Vec<Item>,
    /// Without limit and batch.
    pub(crate) count: usize,
    pub(crate) distances: HashMap<u64, f32>,
    ranked: bool,
    batch: Option<Json>,
    figures: Answer,
}

impl Run<'_> {
    pub(crate) fn find(&mut self, find: &Find) -> Result<Answer, Wrong> {
        let reached = self.reached(&find.select)?;
        if let (Some(near), Some(set)) = (&find.near, &find.select.set) {
            let dimensions = self.searchable(set, near)?;
            let queries = usize::try_from(near.queries.unwrap_or(1)).unwrap_or(usize::MAX);
            let blob = self.blob()?;
            let all = components(&blob, dimensions.saturating_mul(queries))?;
            if near.queries.is_some() {
                return self.find_batch(find, reached.as_ref(), all.chunks(dimensions));
            }
            let matches = self.matches(find, reached.as_ref(), Some(&all))?;
            return self.found(find, matches, reached.as_ref());
        }
        let matches = self.matches(find, reached.as_ref(), None)?;
        self.found(find, matches, reached.as_ref())
    }

    fn found(
        &mut self,
        find: &Find,
        matches: Matches,
        reached: Option<&Reached>,
    ) -> Result<Answer, Wrong> {
        let shape = &find.shape;
        let mut answer = done(json!({}));
        let first_blob = self.blobs_out.len();
        let has_blobs = shape.blobs && !matches.items.is_empty();
        if has_blobs {
            self.give_blobs(&matches.items);
            answer.insert("blobs_start".to_owned(), json!(first_blob));
        }
        let lists = shape.lists();
        let returned = if lists || has_blobs { matches.items.len() } else { 0 };
        answer.insert("returned".to_owned(), json!(returned));
        if shape.count && shape.group.is_empty() {
            answer.insert("count".to_owned(), json!(matches.count));
        }
        answer.extend(matches.figures);
        if let Some(batch) = matches.batch {
            answer.insert("batch".to_owned(), batch);
        }
        let grouped = reached.filter(|_| shape.group_by_source);
        if grouped.is_some() {
            answer.insert("group_by_source".to_owned(), json!(true));
        }
        if lists && !matches.items.is_empty() {
            let blobs_at = has_blobs.then_some(first_blob);
            let listed = self.list(&matches.items, shape, &matches.distances, blobs_at);
            let shown = match grouped {
                Some(reached) => self.grouped(reached, &matches.items, &listed),
                None => Json::Array(listed),
            };
            let key = if find.kind == Kind::Connection { "connections" } else { "entities" };
            answer.insert(key.to_owned(), shown);
        }
        let named =
            Named { target: target(find.kind), items: matches.items, ranked: matches.ranked };
        self.define(find.reference, named)?;
        Ok(answer)
    }

    fn find_batch<'q>(
        &mut self,
        find: &Find,
        reached: Option<&Reached>,
        queries: impl Iterator<Item = &'q [f32]>,
    ) -> Result<Answer, Wrong> {
        let shape = &find.shape;
        let first_blob = self.blobs_out.len();
        let (mut lists, mut items) = (Vec::new(), Vec::new());
        let (mut returned, mut count) = (0, 0);
        for query in queries {
            let matches = self.matches(find, reached, Some(query))?;
            let blobs_at = self.blobs_out.len();
            if shape.blobs {
                self.give_blobs(&matches.items);
            }
            let blobs_at = shape.blobs.then_some(blobs_at);
            let listed = self.list(&matches.items, shape, &matches.distances, blobs_at);
            lists.push(Json::Array(listed));
            returned += matches.items.len();
            count += matches.count;
            for item in matches.items {
                if !items.contains(&item) {
                    items.push(item);
                }
            }
        }
        let mut answer = done(json!({}));
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
        self.define(find.reference, Named { target: "entity", items, ranked: true })?;
        Ok(answer)
    }

    /// The label that most of the neighbours have; of equals, the nearest's.
    pub(crate) fn classify(&mut self, set: &str, near: &Near) -> Result<Answer, Wrong> {
        let dimensions = self.searchable(set, near)?;
        let blob = self.blob()?;
        let query = components(&blob, dimensions)?;
        let neighbours = self.neighbours(set, near, &query, |_| true);
        let labels: Vec<&String> = neighbours
            .iter()
            .filter_map(|(number, _)| self.state.objects[number].label.as_ref())
            .collect();
        let votes = |label: &String| labels.iter().filter(|other| **other == label).count();
        let mut best: Option<&String> = None;
        for label in &labels {
            if best.is_none_or(|best| votes(label) > votes(best)) {
                best = Some(label);
            }
        }
        let label = best.map_or("None", String::as_str);
        Ok(done(json!({"label": label})))
    }

    /// The dimensions of a set that can be searched in this way.
    fn searchable(&self, name: &str, near: &Near) -> Result<usize, Wrong> {
        let (_, set) = self.state.set(name).ok_or_else(|| no_set(name))?;
        let has = |all: &[String], wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| all.contains(wanted))
        };
        if !has(&set.engines, &near.engine) || !has(&set.metrics, &near.metric) {
            return Err(Wrong::new("the set has no such engine or metric"));
        }
        Ok(set.dimensions)
    }

    /// The nearest vectors of a set among some, with their measures, nearest first.
    fn neighbours(
        &self,
        set: &str,
        near: &Near,
        query: &[f32],
        among: impl Fn(u64) -> bool,
    ) -> Vec<(u64, f32)> {
        let Some((set, spec)) = self.state.set(set) else { return Vec::new() };
        let metric = near.metric.as_deref().or(spec.metrics.first().map(String::as_str));
        let mut found: Vec<(u64, f32)> = Vec::new();
        for (&number, object) in &self.state.objects {
            if object.container != Some(set) || object.kind != Kind::Descriptor || !among(number) {
                continue;
            }
            let row = object.bytes.as_deref().unwrap_or_default();
            let row = components(row, spec.dimensions).unwrap_or_default();
            found.push((number, measure(metric.unwrap_or("L2"), query, &row)));
        }
        let ascending = metric == Some("L2");
        // Equal ones, 0 and −0 among them, stay in the order of their making.
        found.sort_by(|a, b| {
            let order = a.1.partial_cmp(&b.1).unwrap_or(Ordering::Equal);
            if ascending { order } else { order.reverse() }
        });
        found.truncate(usize::try_from(near.k).unwrap_or(usize::MAX));
        found
    }

    fn matches(
        &self,
        find: &Find,
        reached: Option<&Reached>,
        query: Option<&[f32]>,
    ) -> Result<Matches, Wrong> {
        let shape = &find.shape;
        let mut items = self.selected(find.kind, &find.select, reached, None)?;
        let mut distances = HashMap::new();
        let mut ranks: Option<Vec<u64>> = None;
        if let (Some(near), Some(set), Some(query)) = (&find.near, &find.select.set, query) {
            let among = |number| near.knn_first || items.contains(&Item::of(number));
            let neighbours = self.neighbours(set, near, query, among);
            ranks = Some(neighbours.iter().map(|(number, _)| *number).collect());
            distances = neighbours.into_iter().collect();
            items.retain(|item| distances.contains_key(&item.object));
        } else if let Some(reached) = reached.filter(|reached| reached.ranked) {
            ranks = Some(reached.pairs.iter().map(|(_, found)| *found).collect());
        }
        // What makes no sense by its type is told before what has too many matches.
        let figures = self.figures(find, &items)?;
        if find.select.unique && items.len() > 1 {
            return Err(Wrong::not_unique());
        }
        let ranked = ranks.is_some() || !shape.sort.is_empty();
        if !shape.sort.is_empty() {
            items.sort_by(|a, b| self.compare(&shape.sort, *a, *b));
        } else if let Some(ranks) = ranks {
            let rank = |item: &Item| ranks.iter().position(|number| *number == item.object);
            items.sort_by_key(rank);
        }
        let count = items.len();
        let whole = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let mut left: Vec<Item> = items
            .into_iter()
            .skip(whole(shape.offset))
            .take(shape.limit.map_or(usize::MAX, whole))
            .collect();
        let batch = shape.batch.as_ref().map(|batch| cut(batch, &mut left));
        Ok(Matches { items: left, count, distances, ranked, batch, figures })
    }

    fn compare(&self, sort: &[(String, Order)], a: Item, b: Item) -> Ordering {
        for (key, order) in sort {
            let place = |item: Item| {
                let value = self.state.property(item, key)?;
                match order {
                    Order::Sequence(values) => {
                        let same =
                            |one: &Value| one.kind() == value.kind() && one.order(&value).is_eq();
                        values.iter().position(same).map(|i| Value::Int(i as i64))
                    }
                    _ => Some(value),
                }
            };
            let way = match (place(a), place(b)) {
                (Some(a), Some(b)) if matches!(order, Order::Descending) => b.order_any(&a),
                (Some(a), Some(b)) => a.order_any(&b),
                // What lacks the key comes last, whichever way.
                (a, b) => b.is_some().cmp(&a.is_some()),
            };
            if way.is_ne() {
                return way;
            }
        }
        a.cmp(&b)
    }

    /// What fulfils everything but nearness, in the order of making.
    pub(crate) fn selected(
        &self,
        kind: Kind,
        select: &Select,
        reached: Option<&Reached>,
        among: Option<&[u64]>,
    ) -> Result<Vec<Item>, Wrong> {
        let state = &*self.state;
        let set = match &select.set {
            Some(name) => Some(state.set(name).ok_or_else(|| no_set(name))?.0),
            None => None,
        };
        let named = |reference: Option<u64>| -> Result<Option<Vec<u64>>, Wrong> {
            let Some(reference) = reference else { return Ok(None) };
            Ok(Some(self.ends(reference)?.items.iter().map(|item| item.object).collect()))
        };
        let (within, src, dst) = (named(select.within)?, named(select.src)?, named(select.dst)?);
        let edges = if kind == Kind::Connection { state.edges() } else { Vec::new() };
        let all: Vec<Item> = match kind {
            Kind::Connection => edges
                .iter()
                .filter(|edge| src.as_ref().is_none_or(|src| src.contains(&edge.src)))
                .filter(|edge| dst.as_ref().is_none_or(|dst| dst.contains(&edge.dst)))
                .map(|edge| edge.item)
                .collect(),
            _ => {
                let objects = state.objects.iter();
                let objects = objects.filter(|(_, object)| object.kind != Kind::Connection);
                objects.map(|(number, _)| Item::of(*number)).collect()
            }
        };
        let passes = |item: &Item| {
            let object = &state.objects[&item.object];
            let holds = |name: &str| state.property(*item, name);
            let text = |name: &str, wanted: &Option<String>| {
                wanted
                    .as_ref()
                    .is_none_or(|wanted| holds(name) == Some(Value::Text(wanted.clone())))
            };
            select.class.as_ref().is_none_or(|class| state.class(*item) == *class)
                && text("_name", &select.name)
                && text("_label", &select.label)
                && select.url.is_none()
                && set.is_none_or(|set| object.container == Some(set))
                && within.as_ref().is_none_or(|within| {
                    object.container.is_some_and(|container| within.contains(&container))
                })
                && select.inside.as_ref().is_none_or(|outer| {
                    object.place.as_ref().is_some_and(|place| place.lies_in(outer))
                })
                && reached.is_none_or(|reached| {
                    reached.pairs.iter().any(|(_, found)| *found == item.object)
                })
                && among.is_none_or(|among| among.contains(&item.object))
                && select.constraints.as_ref().is_none_or(|expr| expr.holds(&holds))
        };
        Ok(all.into_iter().filter(passes).collect())
    }

    /// What `is_connected_to` leads to.
    pub(crate) fn reached(&self, select: &Select) -> Result<Option<Reached>, Wrong> {
        let Some(Connected { all, steps }) = &select.connected else { return Ok(None) };
        let mut reached: Option<Reached> = None;
        for step in steps {
            let next = self.step(step)?;
            reached = Some(match reached {
                None => next,
                Some(mut first) if *all => {
                    // From one reference, one source must lead there on every step.
                    let same = step.reference == steps[0].reference;
                    first.pairs.retain(|pair| match same {
                        true => next.pairs.contains(pair),
                        false => next.pairs.iter().any(|(_, found)| *found == pair.1),
                    });
                    first
                }
                Some(mut first) => {
                    for pair in next.pairs {
                        if !first.pairs.contains(&pair) {
                            first.pairs.push(pair);
                        }
                    }
                    first.ranked &= next.ranked;
                    first
                }
            });
        }
        Ok(reached)
    }

    fn step(&self, step: &Step) -> Result<Reached, Wrong> {
        let sources = self.ends(step.reference)?;
        let edges: Vec<_> = self
            .state
            .edges()
            .into_iter()
            .filter(|edge| step.class.as_ref().is_none_or(|class| *class == edge.class))
            .filter(|edge| {
                let holds = |name: &str| self.state.property(edge.item, name);
                step.constraints.as_ref().is_none_or(|expr| expr.holds(&holds))
            })
            .collect();
        let mut pairs = Vec::new();
        for source in &sources.items {
            let mut found: Vec<u64> = edges
                .iter()
                .flat_map(|edge| {
                    let out = edge.src == source.object && step.outward != Some(false);
                    let inward = edge.dst == source.object && step.outward != Some(true);
                    [out.then_some(edge.dst), inward.then_some(edge.src)]
                })
                .flatten()
                .collect();
            found.sort_unstable();
            found.dedup();
            pairs.extend(found.into_iter().map(|found| (source.object, found)));
        }
        Ok(Reached { pairs, ranked: sources.ranked })
    }

    /// Sums, averages, extremes, in groups or not.
    fn figures(&self, find: &Find, items: &[Item]) -> Result<Answer, Wrong> {
        let shape = &find.shape;
        if shape.figures.is_empty() && shape.group.is_empty() {
            return Ok(Answer::new());
        }
        // A property has the type of the oldest class that has one of that name.
        let kind_of = |property: &str| -> Option<Type> {
            let of_kind = |item: &Item| {
                let class = self.state.class(*item);
                let value = self.state.property(*item, property)?;
                Some((self.state.age(target(find.kind), &class), value.kind()))
            };
            let mut found: Vec<(usize, Type)> = items.iter().filter_map(of_kind).collect();
            for ((of, class, name), kind) in &self.state.types {
                let wanted = find.select.class.as_ref().is_none_or(|wanted| wanted == class);
                if *of == target(find.kind) && name == property && wanted {
                    found.push((self.state.age(of, class), *kind));
                }
            }
            found.into_iter().min_by_key(|(age, _)| *age).map(|(_, kind)| kind)
        };
        let value = |item: &Item, property: &str| {
            let kind = kind_of(property);
            self.state.property(*item, property).filter(|value| Some(value.kind()) == kind)
        };
        for (figure, property) in &shape.figures {
            let number = kind_of(property).is_none_or(|kind| kind == Type::Number);
            if matches!(*figure, "sum" | "avg") && !number {
                return Err(Wrong::new(format!("`{property}` is no number")));
            }
        }
        let figures = |items: &[Item], prefix: &str, shown: &mut Answer| {
            for (figure, property) in &shape.figures {
                let values: Vec<Value> = items.iter().filter_map(|i| value(i, property)).collect();
                let of_figure = shown
                    .entry(format!("{prefix}{figure}"))
                    .or_insert_with(|| Json::Object(Map::new()));
                of_figure[property] = one_figure(figure, &values);
            }
        };
        let mut answer = Answer::new();
        if shape.group.is_empty() {
            figures(items, "_", &mut answer);
            return Ok(answer);
        }
        let mut groups: Vec<(Vec<Option<Value>>, Vec<Item>)> = Vec::new();
        for item in items {
            let keys: Vec<_> = shape.group.iter().map(|key| value(item, key)).collect();
            match groups.iter_mut().find(|(other, _)| compare_keys(other, &keys).is_eq()) {
                Some((_, members)) => members.push(*item),
                None => groups.push((keys, vec![*item])),
            }
        }
        groups.sort_by(|a, b| compare_keys(&a.0, &b.0));
        let shown = groups.into_iter().map(|(keys, members)| {
            let mut shown = Answer::new();
            for (name, key) in shape.group.iter().zip(&keys) {
                shown.insert(name.clone(), key.as_ref().map_or(Json::Null, Value::show));
            }
            if shape.count {
                shown.insert("_group_count".to_owned(), json!(members.len()));
            }
            figures(&members, "_group_", &mut shown);
            Json::Object(shown)
        });
        answer.insert("groups".to_owned(), shown.collect());
        Ok(answer)
    }
}

/// Keys of groups in order, absent ones first.
fn compare_keys(a: &[Option<Value>], b: &[Option<Value>]) -> Ordering {
    let pairs = a.iter().zip(b).map(|(a, b)| match (a, b) {
        (Some(a), Some(b)) => a.order(b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    });
    pairs.fold(Ordering::Equal, Ordering::then)
}

fn one_figure(figure: &str, values: &[Value]) -> Json {
    let numbers = || values.iter().filter_map(Value::number);
    match figure {
        _ if values.is_empty() => Json::Null,
        "sum" => json!(numbers().sum::<f64>()),
        "avg" => json!(numbers().sum::<f64>() / values.len() as f64),
        "min" => values.iter().min_by(|a, b| a.order(b)).map_or(Json::Null, Value::show),
        _ => values.iter().max_by(|a, b| a.order(b)).map_or(Json::Null, Value::show),
    }
}

fn measure(metric: &str, a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    match metric {
        "L2" => a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum(),
        "IP" => dot(a, b),
        _ => {
            let lengths = dot(a, a).sqrt() * dot(b, b).sqrt();
            if lengths > 0.0 { dot(a, b) / lengths } else { 0.0 }
        }
    }
}

/// Cuts a batch out of what limit and offset left, and tells of it.
fn cut(batch: &Batch, left: &mut Vec<Item>) -> Json {
    let total = left.len() as u64;
    let (start, length, id) = match *batch {
        Batch::Totals => {
            left.clear();
            return json!({"total_elements": total});
        }
        Batch::Size(size, id) => (id.saturating_mul(size), size, Some(id)),
        Batch::Pieces(pieces, id) => {
            let size = total.div_ceil(pieces);
            (id.saturating_mul(size), size, Some(id))
        }
        Batch::Range(start, end) => (start, end.saturating_sub(start), None),
    };
    let start = start.min(total);
    let end = start.saturating_add(length).min(total);
    *left = left[start as usize..end as usize].to_vec();
    let mut shown = json!({"total_elements": total, "start": start, "end": end});
    if let Some(id) = id {
        shown["batch_id"] = json!(id);
    }
    shown
}

impl Shape {
    /// Whether objects are to be listed at all.
    pub(crate) fn lists(&self) -> bool {
        !self.list.is_empty() || self.all_properties || self.unique_ids || !self.flags.is_empty()
    }
}
