//! What a search by nearness is among: descriptors that fulfil constraints, and descriptors that are
//! connected to objects which do.
//!
//! A graph's search asks for a few ids at a time whether they pass; an exact search needs all that
//! do. Both come from SQL. All of them are kept until somebody commits, see
//! [`crate::store::memo`]; when asking for a few has cost as much as asking for all would, all are
//! asked for, so that a filter that is used a thousand times is not paid for a thousand times.

use std::{
    iter,
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::{Connection, params_from_iter};
use serde_json::{Map, Value as Json};

use crate::{
    request::{
        Command, Named,
        fault::{Fail, Fault},
        find::{Find, Step},
        kind::Kind,
    },
    store::{
        catalog::{Class, Target},
        format::class_id,
        system,
    },
    vectors::{places::Passed, search::Among},
};

use super::{
    Run, body,
    conditions::Sets,
    connected::{Reached, ways},
    filter::{Condition, Param, compile},
    key::Key,
    near::Neighbours,
    refs::Found,
};

/// What finding all that pass takes for each vector of the set, roughly.
const ROW: Duration = Duration::from_nanos(100);
/// What looking for the edges of an object takes, in edges that are just read.
const SEEK: usize = 8;
/// A set with one in so many ids of all descriptors, or more, is not told from others by SQL.
const LARGE_SET: usize = 8;

/// The answers of two Finds, or which of them failed.
type Joint = Result<[Map<String, Json>; 2], (usize, Fail)>;

/// The descriptors that a Find is about, but for nearness.
pub(super) struct Passing<'a> {
    run: &'a Run<'a>,
    set: i64,
    find: &'a Find,
    reached: Option<&'a Reached>,
    /// The rows of what was reached, in ascending order.
    targets: Option<Vec<i64>>,
    key: Key,
}

impl<'a> Passing<'a> {
    pub(super) fn new(
        run: &'a Run<'a>,
        set: i64,
        find: &'a Find,
        reached: Option<&'a Reached>,
    ) -> Result<Self, Fail> {
        let mut key = Key::default();
        key.tag(0);
        run.write_key(&mut key, find.kind, &find.select)?;
        let targets = reached.map(Reached::targets);
        if let Some(targets) = &targets {
            key.ids(targets);
        }
        Ok(Self { run, set, find, reached, targets, key })
    }
}

impl Among for Passing<'_> {
    fn all(&self) -> Result<Arc<Passed>, Fail> {
        let Self { run, find, reached, .. } = self;
        run.kept(&self.key, || {
            // A search looks for ids among those of its set: others do no harm. An index on the
            // property has all that is needed then, and SQLite need not look at the rows.
            let sets = if run.is_large(self.set)? { Sets::Any } else { Sets::Named };
            let all = run.selection(find.kind, &find.select, sets, *reached, None)?;
            all.ids(&run.store.conn)
        })
    }

    fn known(&self) -> Option<Arc<Passed>> {
        self.run.known(&self.key)
    }

    fn of(&self, ids: &[i64]) -> Result<Vec<i64>, Fail> {
        let Self { run, set, find, targets, .. } = self;
        let start = Instant::now();
        let some = match targets {
            None => run.rows_of(find.kind, &find.select, Sets::Any, ids)?,
            Some(targets) => {
                let mut ids = ids.to_vec();
                ids.retain(|id| targets.binary_search(id).is_ok());
                run.rows_of(find.kind, &find.select, Sets::Any, &ids)?
            }
        };
        run.spent(&self.key, *set, start.elapsed(), self)?;
        Ok(some)
    }
}

/// The descriptors that a Find is about which are connected to the objects of the Find before.
struct Joined<'a> {
    run: &'a Run<'a>,
    set: i64,
    first: &'a Find,
    second: &'a Find,
    step: &'a Step,
    key: Key,
}

impl Joined<'_> {
    /// Something for each way along each class of edges: the class, the end where the sources are,
    /// the other one, and what must hold of the edge.
    fn each_way(
        &self,
        mut visit: impl FnMut(&Class, &str, &str, &Condition) -> Result<(), Fail>,
    ) -> Result<(), Fail> {
        let catalog = &self.run.store.catalog;
        let classes: Vec<_> = match &self.step.class {
            Some(name) => catalog.class(Target::Connection, name).into_iter().collect(),
            None => catalog.classes(Target::Connection).collect(),
        };
        let from_sets = self.first.kind == Kind::DescriptorSet;
        for class in classes {
            // Edges that stand in an object's row: of a descriptor's, those to its set only.
            if system::is_view(class) && !(from_sets && class.id == class_id::SET_TO_DESCRIPTOR) {
                continue;
            }
            let on_edge = match &self.step.constraints {
                Some(expr) => compile(class, expr, &[]),
                None => Condition::new("1", []),
            };
            for (from, to) in ways(self.step.direction) {
                visit(class, from, to, &on_edge)?;
            }
        }
        Ok(())
    }

    /// Those of `ids` that are of the second Find, be they of its set or not.
    fn own(&self, mut ids: Vec<i64>) -> Result<Vec<i64>, Fail> {
        ids.sort_unstable();
        ids.dedup();
        match self.second.select.wants_whole_set() {
            true => Ok(ids),
            false => self.run.rows_of(self.second.kind, &self.second.select, Sets::Any, &ids),
        }
    }

    /// What edges lead to from these objects.
    fn ends(&self, sources: Vec<i64>) -> Result<Vec<i64>, Fail> {
        let conn = &self.run.store.conn;
        let array = Param::ids(sources.iter().copied());
        let sources = Passed::new(sources);
        let mut ids = Vec::new();
        self.each_way(|class, from, to, on_edge| {
            let all = !system::is_view(class) && sources.ids().len() * SEEK > span(conn, class.id)?;
            let (near, array) = match all {
                true => (format!("c{}", class.id), None),
                // SQLite keeps the order of a CROSS JOIN.
                false => {
                    (format!("rarray(?) CROSS JOIN c{} ON {from} = value", class.id), Some(&array))
                }
            };
            let sql = format!("SELECT {to}, {from} FROM {near} WHERE {}", on_edge.sql);
            let mut select = conn.prepare_cached(&sql)?;
            let mut rows =
                select.query(params_from_iter(array.into_iter().chain(&on_edge.params)))?;
            while let Some(row) = rows.next()? {
                if sources.has(row.get(1)?) {
                    ids.push(row.get(0)?);
                }
            }
            Ok(())
        })?;
        Ok(ids)
    }
}

/// How many ids there are from a class's first object to its last.
fn span(conn: &Connection, class: i64) -> Result<usize, Fail> {
    // One at a time, each is the end of an index.
    let sql = format!(
        "SELECT ifnull((SELECT max(id) FROM c{class}) - (SELECT min(id) FROM c{class}) + 1, 0)"
    );
    let span: i64 = conn.prepare_cached(&sql)?.query_row([], |row| row.get(0))?;
    Ok(usize::try_from(span).unwrap_or(usize::MAX))
}

impl Among for Joined<'_> {
    fn all(&self) -> Result<Arc<Passed>, Fail> {
        let (run, first) = (self.run, self.first);
        run.kept(&self.key, || {
            let sources = run.selection(first.kind, &first.select, Sets::Named, None, None)?;
            self.own(self.ends(sources.ids(&run.store.conn)?)?)
        })
    }

    fn known(&self) -> Option<Arc<Passed>> {
        self.run.known(&self.key)
    }

    fn of(&self, ids: &[i64]) -> Result<Vec<i64>, Fail> {
        let start = Instant::now();
        let (run, first) = (self.run, self.first);
        let near = Param::ids(ids.iter().copied());
        let mut pairs: Vec<(i64, i64)> = Vec::new();
        self.each_way(|class, from, to, on_edge| {
            let sql = format!(
                "SELECT {from}, {to} FROM rarray(?) CROSS JOIN c{} ON {to} = value WHERE {}",
                class.id, on_edge.sql
            );
            let mut select = run.store.conn.prepare_cached(&sql)?;
            let mut rows =
                select.query(params_from_iter(iter::once(&near).chain(&on_edge.params)))?;
            while let Some(row) = rows.next()? {
                pairs.push((row.get(0)?, row.get(1)?));
            }
            Ok(())
        })?;
        let mut sources: Vec<i64> = pairs.iter().map(|(source, _)| *source).collect();
        sources.sort_unstable();
        sources.dedup();
        let sources = run.rows_of(first.kind, &first.select, Sets::Named, &sources)?;
        pairs.retain(|(source, _)| sources.binary_search(source).is_ok());
        let some = self.own(pairs.into_iter().map(|(_, id)| id).collect())?;
        run.spent(&self.key, self.set, start.elapsed(), self)?;
        Ok(some)
    }
}

impl Run<'_> {
    /// What is kept of a filter.
    fn known(&self, key: &Key) -> Option<Arc<Passed>> {
        self.store.memo.as_ref()?.passed(key.as_bytes())
    }

    /// The same, or what is found and kept now.
    fn kept(
        &self,
        key: &Key,
        find: impl FnOnce() -> Result<Vec<i64>, Fail>,
    ) -> Result<Arc<Passed>, Fail> {
        if let Some(passed) = self.known(key) {
            return Ok(passed);
        }
        if self.hurried {
            return Err(Fail::Slow);
        }
        let passed = Arc::new(Passed::new(find()?));
        if let Some(memo) = &self.store.memo {
            memo.keep_passed(key.as_bytes().to_vec(), passed.clone());
        }
        Ok(passed)
    }

    /// How many vectors of a set are in memory.
    fn cached(&self, set: i64) -> Result<usize, Fail> {
        Ok(self.vectors.of_set(&self.store.conn, set)?.len())
    }

    /// Whether a set is a good part of all descriptors.
    fn is_large(&self, set: i64) -> Result<bool, Fail> {
        Ok(self.cached(set)? * LARGE_SET > span(&self.store.conn, class_id::DESCRIPTOR)?)
    }

    /// Notes what asking for a few has cost; asks for all when that was enough.
    fn spent(&self, key: &Key, set: i64, time: Duration, among: &dyn Among) -> Result<(), Fail> {
        let Some(memo) = &self.store.memo else { return Ok(()) };
        let spent = memo.spend(key.as_bytes(), time);
        if spent > ROW * u32::try_from(self.cached(set)?).unwrap_or(u32::MAX) {
            among.all()?;
        }
        Ok(())
    }

    /// Two Finds of which the first only says what the second is to search among: its objects need
    /// not be found one by one. Nothing if these are no such two.
    pub(super) fn find_joined(&mut self, commands: &[Named]) -> Option<Joint> {
        let [
            Named { command: Command::Find(first), .. },
            Named { command: Command::Find(second), .. },
            rest @ ..,
        ] = commands
        else {
            return None;
        };
        let reference = first.reference?;
        let [step] = &second.select.connected.as_ref()?.steps[..] else { return None };
        let nearest = second.nearest.as_ref()?;
        let joined = self.sequence.is_none()
            && first.kind.target() == Target::Entity
            && first.nearest.is_none()
            && first.select.connected.is_none()
            && !first.select.unique
            && first.shape.asks_nothing()
            && step.reference == reference
            && !nearest.knn_first
            && nearest.queries.is_none()
            && !second.shape.group_by_source
            && !self.refs.has(reference)
            && !rest.iter().any(|named| named.command.may_use(reference));
        joined.then(|| self.joined(first, second, step))
    }

    fn joined(&mut self, first: &Find, second: &Find, step: &Step) -> Joint {
        let mut key = Key::default();
        key.tag(1);
        self.write_key(&mut key, first.kind, &first.select).map_err(|fail| (0, fail))?;
        let mut before = body(&[]);
        before.insert("returned".to_owned(), 0.into());
        let after = self.joined_second(first, second, step, key).map_err(|fail| (1, fail))?;
        Ok([before, after])
    }

    fn joined_second(
        &mut self,
        first: &Find,
        second: &Find,
        step: &Step,
        mut key: Key,
    ) -> Result<Map<String, Json>, Fail> {
        let (Some(nearest), Some(set)) = (&second.nearest, &second.select.set) else {
            return Err(Fault::new("`set` is missing").into());
        };
        let near = self.near(set, nearest)?;
        key.step(step);
        self.write_key(&mut key, second.kind, &second.select)?;
        let joined = Joined { run: self, set: near.set.id, first, second, step, key };
        let all = self.search(&near, Some(&joined))?.pop().unwrap_or_default();
        let matches = self.matches(second, None, Some(Neighbours { all, settled: true }))?;
        let mut answer = body(&[]);
        self.answer(&mut answer, second, &matches, None)?;
        let found = Found {
            target: second.kind.target(),
            objects: matches.objects,
            ranked: matches.ranked,
        };
        self.refs.define(second.reference, found)?;
        Ok(answer)
    }
}
