//! `is_connected_to`: from references to what they are joined to.

use std::collections::{HashMap, HashSet};

use rusqlite::params_from_iter;

use crate::{
    request::{
        add::Direction,
        fault::Fail,
        find::{Connected, Step},
        kind::Kind,
    },
    store::{
        catalog::Target,
        system::{self, Ends},
    },
};

use super::{
    Run,
    filter::{Condition, Param, compile},
    refs::Object,
};

/// What is joined to the references, and by which of their objects.
#[derive(Debug, Default)]
pub(super) struct Reached {
    /// (source, target's row), the sources in the order of their reference.
    pub(super) pairs: Vec<(Object, i64)>,
    /// Whether the order of the sources says something.
    pub(super) ranked: bool,
}

impl Reached {
    /// Rows of the targets, each once, in ascending order.
    pub(super) fn targets(&self) -> Vec<i64> {
        let mut ids: Vec<i64> = self.pairs.iter().map(|(_, id)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// For each target, how early its first source comes.
    pub(super) fn ranks(&self) -> HashMap<i64, usize> {
        let mut ranks = HashMap::with_capacity(self.pairs.len());
        for (rank, (_, target)) in self.pairs.iter().enumerate() {
            ranks.entry(*target).or_insert(rank);
        }
        ranks
    }
}

impl Run<'_> {
    /// The objects that steps lead to. Others than those of `kind` may be left out.
    pub(super) fn reach(&self, kind: Kind, connected: &Connected) -> Result<Reached, Fail> {
        let mut reached: Option<(u32, Reached)> = None;
        for step in &connected.steps {
            let next = self.step(kind, step)?;
            reached = Some(match reached {
                None => (step.reference, next),
                Some((reference, so_far)) if connected.all => {
                    (reference, both(so_far, &next, reference == step.reference))
                }
                Some((reference, mut so_far)) => {
                    let seen: HashSet<(Object, i64)> = so_far.pairs.iter().copied().collect();
                    so_far.pairs.extend(next.pairs.into_iter().filter(|p| !seen.contains(p)));
                    so_far.ranked &= next.ranked;
                    (reference, so_far)
                }
            });
        }
        Ok(reached.map(|(_, reached)| reached).unwrap_or_default())
    }

    fn step(&self, kind: Kind, step: &Step) -> Result<Reached, Fail> {
        let sources = self.refs.ends(step.reference)?;
        let position: HashMap<i64, usize> =
            sources.objects.iter().enumerate().map(|(i, o)| (o.id, i)).collect();
        let catalog = &self.store.catalog;
        let classes: Vec<_> = match &step.class {
            Some(name) => catalog.class(Target::Connection, name).into_iter().collect(),
            None => catalog.classes(Target::Connection).collect(),
        };
        let ways = ways(step.direction);
        let from_classes: HashSet<i64> = sources.objects.iter().map(|o| o.class).collect();
        let wanted = kind.traits().class.and_then(|name| catalog.class(kind.target(), name));
        let mut pairs: Vec<(usize, i64)> = Vec::new();
        for class in classes {
            let on_edge = match &step.constraints {
                Some(expr) => compile(class, expr, &[]),
                None => Condition::new("1", []),
            };
            for (from, to) in ways {
                if let Some(Ends { src, dst }) = system::view_ends(class) {
                    let (near, far) = if *from == "src" { (src, dst) } else { (dst, src) };
                    let leads = near.iter().any(|class| from_classes.contains(class))
                        && wanted.is_none_or(|class| far.contains(&class.id));
                    if !leads {
                        continue;
                    }
                }
                let near = Condition::among(from, sources.objects.iter().map(|o| o.id));
                let sql = format!(
                    "SELECT {from}, {to} FROM c{} WHERE {} AND {}",
                    class.id, near.sql, on_edge.sql
                );
                let params: Vec<&Param> = near.params.iter().chain(&on_edge.params).collect();
                let mut select = self.store.conn.prepare_cached(&sql)?;
                let mut rows = select.query(params_from_iter(params))?;
                while let Some(row) = rows.next()? {
                    if let Some(&i) = position.get(&row.get(0)?) {
                        pairs.push((i, row.get(1)?));
                    }
                }
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        Ok(Reached {
            pairs: pairs.into_iter().map(|(i, target)| (sources.objects[i], target)).collect(),
            ranked: sources.ranked,
        })
    }
}

/// Columns of an edge: the end at the reference, and the other one.
pub(super) fn ways(direction: Option<Direction>) -> &'static [(&'static str, &'static str)] {
    match direction {
        Some(Direction::Out) => &[("src", "dst")],
        Some(Direction::In) => &[("dst", "src")],
        None => &[("src", "dst"), ("dst", "src")],
    }
}

/// Targets of both steps. From one reference, the same source must lead there on both ways; from
/// two, the first one's sources stand for the target.
fn both(mut first: Reached, second: &Reached, same_reference: bool) -> Reached {
    if same_reference {
        let there: HashSet<(Object, i64)> = second.pairs.iter().copied().collect();
        first.pairs.retain(|pair| there.contains(pair));
    } else {
        let there: HashSet<i64> = second.pairs.iter().map(|(_, target)| *target).collect();
        first.pairs.retain(|(_, target)| there.contains(target));
    }
    first
}
