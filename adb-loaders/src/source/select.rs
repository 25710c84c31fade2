//! A part of a source's rows: some from the middle, a sample, or one share of several.

use std::{collections::BinaryHeap, fmt, num::NonZeroU64, ops::ControlFlow, str::FromStr};

use adb_model::{FieldRole, GraphBuilder, ModelSchema};
use uuid::Uuid;

use super::{Source, SourceRow};
use crate::{Error, MediaRoot};

/// Which of a source's rows: first `offset` and `limit`, of what they leave a `sample`, of that a
/// `shard`. Each of them gives the same rows on every run. Rows that are left out count as little
/// as if they were not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selection {
    /// So many rows are passed over first.
    pub offset: u64,
    /// So many rows at most.
    pub limit: Option<u64>,
    /// So many rows, spread evenly by chance that is always the same. They are held in memory.
    pub sample: Option<u64>,
    /// One share of several.
    pub shard: Option<Shard>,
}

impl Selection {
    /// Whether it leaves nothing out.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }
}

/// One of several shares of a source's rows, which together are all of them. Rows of one id are in
/// one share, so that n processes give the same database as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    number: u64,
    of: NonZeroU64,
}

impl Shard {
    /// The share `number` of `of`, counted from 1; nothing if there is no such share.
    #[must_use]
    pub fn new(number: u64, of: u64) -> Option<Self> {
        let of = NonZeroU64::new(of)?;
        (1..=of.get()).contains(&number).then_some(Self { number, of })
    }

    pub(crate) fn holds(self, key: u64) -> bool {
        key % self.of == self.number - 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/');
        let shard = parts.and_then(|(i, n)| Self::new(i.parse().ok()?, n.parse().ok()?));
        shard.ok_or_else(|| {
            format!("`{text}` is no share of several; of four they are 1/4, 2/4, 3/4 and 4/4")
        })
    }
}

/// Some rows of a source: see [`Source::select`].
#[derive(Debug)]
pub struct Selected<S> {
    source: S,
    selection: Selection,
}

impl<S: Source> Selected<S> {
    pub(super) fn new(source: S, selection: Selection) -> Self {
        Self { source, selection }
    }
}

impl<S: Source> Source for Selected<S> {
    type Row = S::Row;

    fn schema(&self) -> &'static ModelSchema {
        self.source.schema()
    }

    fn name(&self) -> String {
        self.source.name()
    }

    fn is_part(&self) -> bool {
        !self.selection.is_all() || self.source.is_part()
    }

    fn media_root(&self) -> MediaRoot {
        self.source.media_root()
    }

    fn size(&self) -> Option<u64> {
        // Of a part, nobody knows.
        self.source.size().filter(|_| Selection { shard: None, ..self.selection }.is_all())
    }

    fn read(
        self,
        each: &mut dyn FnMut(SourceRow<S::Row>, u64) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let Selection { offset, limit, sample, shard } = self.selection;
        let by_id = has_own_id(self.source.schema());
        let mut number = 0;
        let mut each = |row: SourceRow<S::Row>, number: u64, bytes: u64| match shard
            .is_none_or(|shard| shard.holds(shard_key(&row, number, by_id)))
        {
            true => each(row, bytes),
            false => ControlFlow::Continue(()),
        };
        let mut sampled = sample.map(Sample::new);
        if limit == Some(0) {
            return Ok(());
        }
        let mut bytes_read = 0;
        self.source.read(&mut |row, bytes| {
            if matches!(row.value, Ok(None)) {
                // A transform has left it out. Of several shares all would count it, so none does.
                return match shard {
                    None => each(row, number, bytes),
                    Some(_) => ControlFlow::Continue(()),
                };
            }
            number += 1;
            bytes_read = bytes;
            if number <= offset {
                return ControlFlow::Continue(());
            }
            let is_last = limit.is_some_and(|limit| number - offset >= limit);
            let go = match &mut sampled {
                Some(sample) => {
                    sample.offer(number, row);
                    ControlFlow::Continue(())
                }
                None => each(row, number, bytes),
            };
            if is_last { ControlFlow::Break(()) } else { go }
        })?;
        for (number, row) in sampled.into_iter().flat_map(Sample::rows) {
            if each(row, number, bytes_read).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Whether an object's identity is known before any file is read, and does not come from the row's
/// place.
fn has_own_id(schema: &ModelSchema) -> bool {
    !schema.content_id && schema.fields.iter().any(|f| matches!(f.role, FieldRole::Id(_)))
}

/// What tells in which share a row is: its id; where there is none, its number.
fn shard_key<T: super::ToGraph>(row: &SourceRow<T>, number: u64, by_id: bool) -> u64 {
    let id = || {
        let value = row.value.as_ref().ok()?.as_ref()?;
        let graph = value.graph_in(GraphBuilder::for_row(row.identity)).ok()?;
        Some(hash(graph.root()?.identity.text().as_bytes()))
    };
    by_id.then(id).flatten().unwrap_or(number)
}

/// The same on every machine and in every version: it decides who ingests what.
fn hash(bytes: &[u8]) -> u64 {
    // The lowest bits of this half say which kind of UUID it is.
    Uuid::new_v5(&Uuid::NAMESPACE_OID, bytes).as_u64_pair().0 >> 16
}

/// The rows whose numbers have the smallest hashes: each set of so many rows is as likely as any
/// other.
struct Sample<T> {
    size: usize,
    rows: BinaryHeap<Held<T>>,
}

struct Held<T> {
    hash: u64,
    number: u64,
    row: T,
}

impl<T> Sample<T> {
    fn new(size: u64) -> Self {
        Self { size: usize::try_from(size).unwrap_or(usize::MAX), rows: BinaryHeap::new() }
    }

    fn offer(&mut self, number: u64, row: T) {
        let hash = hash(&number.to_le_bytes());
        if self.rows.len() == self.size && self.rows.peek().is_none_or(|most| most.hash <= hash) {
            return;
        }
        self.rows.push(Held { hash, number, row });
        if self.rows.len() > self.size {
            self.rows.pop();
        }
    }

    /// In the order in which they stood.
    fn rows(self) -> impl Iterator<Item = (u64, T)> {
        let mut rows = self.rows.into_vec();
        rows.sort_by_key(|held| held.number);
        rows.into_iter().map(|held| (held.number, held.row))
    }
}

impl<T> PartialEq for Held<T> {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl<T> Eq for Held<T> {}

impl<T> PartialOrd for Held<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Held<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.hash.cmp(&other.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_of_its_size_in_order_and_spread() {
        let mut sample = Sample::new(100);
        (1..=10_000u64).for_each(|n| sample.offer(n, n));
        let rows: Vec<u64> = sample.rows().map(|(_, row)| row).collect();
        assert_eq!(rows.len(), 100);
        assert!(rows.is_sorted());
        let half = rows.iter().filter(|n| **n <= 5000).count();
        assert!((30..=70).contains(&half), "{half} of 100 are of the first half");
        for (size, expected) in [(0, 0), (5, 3)] {
            let mut sample = Sample::new(size);
            (1..=3u64).for_each(|n| sample.offer(n, n));
            assert_eq!(sample.rows().count(), expected);
        }
    }

    #[test]
    fn shares_are_counted_from_one() {
        assert_eq!("2/4".parse(), Ok(Shard::new(2, 4).unwrap()));
        for wrong in ["0/4", "5/4", "1/0", "1", "a/b", "-1/4"] {
            let told = wrong.parse::<Shard>().unwrap_err();
            assert!(told.contains("1/4, 2/4"), "{told}");
        }
        let shares = (1..=4).map(|i| Shard::new(i, 4).unwrap());
        assert_eq!(shares.filter(|s| s.holds(hash(b"x"))).count(), 1);
    }
}
