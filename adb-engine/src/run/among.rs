//! What a search by nearness is among: descriptors that fulfil constraints, and descriptors that are
//! connected to objects which do.
//!
//! A graph's search asks for a few ids at a time whether they pass; an exact search needs all that
//! do. Both come from SQL. All of them are kept until somebody commits, see
//! [`crate::store::chosen`]; when asking for a few has cost as much as asking for all would, all are
//! asked for, so that a filter that is used a thousand times is not paid for a thousand times.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rusqlite::params_from_iter;
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
    vectors::cache::Among,
};

use super::{
    Run, body,
    connected::{Reached, ways},
    filter::{Condition, Param, compile},
    refs::Found,
    select::Selection,
};

/// What SQLite takes to look at a row, roughly.
const ROW: Duration = Duration::from_nanos(400);

/// The answers of two Finds, or which of them failed.
type Joint = Result<[Map<String, Json>; 2], (usize, Fail)>;

/// The descriptors that a Find is about, but for nearness.
pub(super) struct Passing<'a> {
    run: &'a Run<'a>,
    find: &'a Find,
    reached: Option<&'a Reached>,
    all: Selection,
    key: Vec<u8>,
}

impl<'a> Passing<'a> {
    pub(super) fn new(
        run: &'a Run<'a>,
        find: &'a Find,
        reached: Option<&'a Reached>,
    ) -> Result<Self, Fail> {
        let all = run.selection(find.kind, &find.select, reached, None)?;
        let key = all.key();
        Ok(Self { run, find, reached, all, key })
    }
}

impl Among for Passing<'_> {
    fn all(&self) -> Result<Arc<[i64]>, Fail> {
        self.run.kept(&self.key, || self.all.ids(&self.run.store.conn))
    }

    fn known(&self) -> Option<Arc<[i64]>> {
        self.run.store.chosen.as_ref()?.get(&self.key)
    }

    fn of(&self, ids: &[i64]) -> Result<Vec<i64>, Fail> {
        let Self { run, find, reached, .. } = self;
        let start = Instant::now();
        let some = run.selection(find.kind, &find.select, *reached, Some(ids))?;
        let some = some.ids(&run.store.conn)?;
        run.spent(&self.key, start.elapsed(), self)?;
        Ok(some)
    }
}

/// The descriptors that a Find is about which are connected to the objects of the Find before.
struct Joined<'a> {
    run: &'a Run<'a>,
    first: &'a Find,
    second: &'a Find,
    step: &'a Step,
    /// Those of the first.
    sources: Selection,
    key: Vec<u8>,
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

    /// Those of `ids` for which the rest holds, too.
    fn own(&self, mut ids: Vec<i64>) -> Result<Vec<i64>, Fail> {
        ids.sort_unstable();
        ids.dedup();
        let Self { run, second, .. } = self;
        run.selection(second.kind, &second.select, None, Some(&ids))?.ids(&run.store.conn)
    }
}

impl Among for Joined<'_> {
    fn all(&self) -> Result<Arc<[i64]>, Fail> {
        let conn = &self.run.store.conn;
        self.run.kept(&self.key, || {
            let mut ids = Vec::new();
            self.each_way(|class, from, to, on_edge| {
                let mut params = Vec::new();
                let Some(sources) = self.sources.ids_sql(&mut params) else { return Ok(()) };
                let sql = format!(
                    "SELECT {to} FROM c{} WHERE {from} IN ({sources}) AND {}",
                    class.id, on_edge.sql
                );
                params.extend(on_edge.params.iter().cloned());
                let mut select = conn.prepare_cached(&sql)?;
                let mut rows = select.query(params_from_iter(params))?;
                while let Some(row) = rows.next()? {
                    ids.push(row.get(0)?);
                }
                Ok(())
            })?;
            self.own(ids)
        })
    }

    fn known(&self) -> Option<Arc<[i64]>> {
        self.run.store.chosen.as_ref()?.get(&self.key)
    }

    fn of(&self, ids: &[i64]) -> Result<Vec<i64>, Fail> {
        let start = Instant::now();
        let conn = &self.run.store.conn;
        let mut pairs: Vec<(i64, i64)> = Vec::new();
        self.each_way(|class, from, to, on_edge| {
            let near = Condition::among(to, ids.iter().copied());
            let sql = format!(
                "SELECT {from}, {to} FROM c{} WHERE {} AND {}",
                class.id, near.sql, on_edge.sql
            );
            let params: Vec<&Param> = near.params.iter().chain(&on_edge.params).collect();
            let mut select = conn.prepare_cached(&sql)?;
            let mut rows = select.query(params_from_iter(params))?;
            while let Some(row) = rows.next()? {
                pairs.push((row.get(0)?, row.get(1)?));
            }
            Ok(())
        })?;
        let mut sources: Vec<i64> = pairs.iter().map(|(source, _)| *source).collect();
        sources.sort_unstable();
        sources.dedup();
        let first = self.first;
        let sources =
            self.run.selection(first.kind, &first.select, None, Some(&sources))?.ids(conn)?;
        pairs.retain(|(source, _)| sources.binary_search(source).is_ok());
        let some = self.own(pairs.into_iter().map(|(_, id)| id).collect())?;
        self.run.spent(&self.key, start.elapsed(), self)?;
        Ok(some)
    }
}

impl Run<'_> {
    /// What is kept under a key, or is found and kept now.
    fn kept(
        &self,
        key: &[u8],
        find: impl FnOnce() -> Result<Vec<i64>, Fail>,
    ) -> Result<Arc<[i64]>, Fail> {
        let Some(chosen) = &self.store.chosen else { return Ok(find()?.into()) };
        if let Some(ids) = chosen.get(key) {
            return Ok(ids);
        }
        let ids = find()?.into();
        chosen.put(key.to_vec(), &ids);
        Ok(ids)
    }

    /// Notes what asking for a few has cost; asks for all when that was enough.
    fn spent(&self, key: &[u8], time: Duration, among: &dyn Among) -> Result<(), Fail> {
        let Some(chosen) = &self.store.chosen else { return Ok(()) };
        let spent = chosen.spend(key, time);
        let rows: i64 = self
            .store
            .conn
            // One at a time, each is the end of an index.
            .prepare_cached(&format!(
                "SELECT ifnull((SELECT max(id) FROM c{0}) - (SELECT min(id) FROM c{0}), 0)",
                class_id::DESCRIPTOR
            ))?
            .query_row([], |row| row.get(0))?;
        if spent > ROW * u32::try_from(rows).unwrap_or(u32::MAX) {
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
        let at = |command: usize| move |fail: Fail| (command, fail);
        let sources = self.selection(first.kind, &first.select, None, None).map_err(at(0))?;
        let mut before = body(&[]);
        before.insert("returned".to_owned(), 0.into());
        let after = self.joined_second(first, second, step, sources).map_err(at(1))?;
        Ok([before, after])
    }

    fn joined_second(
        &mut self,
        first: &Find,
        second: &Find,
        step: &Step,
        sources: Selection,
    ) -> Result<Map<String, Json>, Fail> {
        let (Some(nearest), Some(set)) = (&second.nearest, &second.select.set) else {
            return Err(Fault::new("`set` is missing").into());
        };
        let near = self.near(set, nearest)?;
        let mut key = sources.key();
        key.extend(self.selection(second.kind, &second.select, None, None)?.key());
        key.extend(format!("{:?} {:?} {:?}", step.class, step.direction, step.constraints).bytes());
        let joined = Joined { run: self, first, second, step, sources, key };
        let neighbours = self.search(&near, Some(&joined))?.pop();
        // Whatever else must hold of the neighbours does.
        let matches = self.matches(second, None, neighbours)?;
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
