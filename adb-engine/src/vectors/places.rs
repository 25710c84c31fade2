//! Rows that a filter lets through, and where they lie among those that are cached.
//!
//! Looking a row up by its id, and what is noted of it, costs as much as comparing it with a query.
//! A filter that is used again finds both where it left them.

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    matrix::{Block, Matrix, RowNotes},
    scan::View,
};

/// So many rows are looked up once; of more, those of one block lie close together anyway.
const MAX_PLACED: usize = 1 << 16;
/// A filter that lets one of so many ids through, or more, has a bit for each of them.
const DENSE: usize = 64;

/// The ids that a filter lets through.
pub(crate) struct Passed {
    /// In ascending order.
    ids: Vec<i64>,
    /// A bit for each id from the first to the last; empty if these would be too many.
    bits: Vec<u64>,
    places: Mutex<Option<Arc<Places>>>,
}

/// Where rows lie that a search may see.
pub(super) struct Places {
    pub(super) all: Vec<Place>,
    /// Of the matrix that they are places in.
    edition: u64,
    newest: i64,
}

/// A row of a block, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) block: u32,
    pub(super) row: u32,
    pub(super) notes: RowNotes,
}

impl Place {
    pub(super) fn of<'m>(&self, matrix: &'m Matrix) -> (&'m Block, usize) {
        (&matrix.blocks[self.block as usize], self.row as usize)
    }
}

impl Passed {
    /// `ids` is in ascending order.
    pub(crate) fn new(ids: Vec<i64>) -> Self {
        let mut bits = Vec::new();
        if let (Some(&first), Some(&last)) = (ids.first(), ids.last()) {
            let span = usize::try_from(last - first).unwrap_or(usize::MAX);
            if span / DENSE < ids.len() {
                bits = vec![0; span / 64 + 1];
                for id in &ids {
                    let (word, bit) = word_and_bit(id - first);
                    bits[word] |= bit;
                }
            }
        }
        Self { ids, bits, places: Mutex::new(None) }
    }

    pub(crate) fn ids(&self) -> &[i64] {
        &self.ids
    }

    pub(crate) fn has(&self, id: i64) -> bool {
        match self.ids.first() {
            Some(&first) if !self.bits.is_empty() => {
                let (word, bit) = word_and_bit(id - first);
                id >= first && self.bits.get(word).is_some_and(|word| word & bit != 0)
            }
            _ => self.ids.binary_search(&id).is_ok(),
        }
    }

    /// Bytes that it takes, or may come to take.
    pub(crate) fn bytes(&self) -> usize {
        let placed = if self.ids.len() > MAX_PLACED { 0 } else { self.ids.len() };
        8 * (self.ids.len() + self.bits.len()) + size_of::<Place>() * placed
    }

    /// Where they lie, looked up now or by an earlier search; nothing if they are too many.
    pub(super) fn places(&self, view: &View<'_>) -> Option<Arc<Places>> {
        if self.ids.len() > MAX_PLACED {
            return None;
        }
        let mut kept = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = kept.as_ref().filter(|places| places.are_of(view)) {
            return Some(places.clone());
        }
        let places = Arc::new(Places::of(view, &self.ids));
        if view.dead.is_empty() && view.matrix.edition != 0 {
            *kept = Some(places.clone());
        }
        Some(places)
    }
}

fn word_and_bit(from_first: i64) -> (usize, u64) {
    (usize::try_from(from_first / 64).unwrap_or(usize::MAX), 1 << (from_first & 63))
}

impl Places {
    /// Of those of some ids, in ascending order, that a search may see.
    pub(super) fn of(view: &View<'_>, ids: &[i64]) -> Self {
        let mut all = Vec::with_capacity(ids.len());
        let mut rest = ids;
        for (at, block) in view.matrix.blocks.iter().enumerate() {
            let Some(&next) = rest.first() else { break };
            let Some(&last) = block.ids.last().filter(|last| **last >= next) else { continue };
            let here = rest.partition_point(|&id| id <= last);
            let mut from = 0;
            for &id in &rest[..here] {
                // Close to the one before, mostly: the search begins there and takes growing steps.
                let mut step = 1;
                while from + step < block.ids.len() && block.ids[from + step] <= id {
                    from += step;
                    step *= 2;
                }
                let end = (from + step).min(block.ids.len());
                match block.ids[from..end].binary_search(&id) {
                    Ok(place) => {
                        from += place;
                        if view.has(id) {
                            let notes = block.notes(from);
                            all.push(Place { block: at as u32, row: from as u32, notes });
                        }
                    }
                    Err(place) => from += place.saturating_sub(1),
                }
            }
            rest = &rest[here..];
        }
        Self { all, edition: view.matrix.edition, newest: view.newest }
    }

    /// Whether they are what would be found now.
    fn are_of(&self, view: &View<'_>) -> bool {
        self.edition == view.matrix.edition && self.newest == view.newest && view.dead.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::scan::ExactScan, *};

    proptest! {
        #[test]
        fn has_what_it_was_given(
            gaps in prop::collection::vec(prop_oneof![4 => 1_i64..3, 1 => 1_i64..5000], 0..200),
            first in -10_i64..10_000,
        ) {
            let ids: Vec<i64> = gaps.iter().scan(first, |id, gap| { *id += gap; Some(*id) }).collect();
            let passed = Passed::new(ids.clone());
            for around in ids.iter().flat_map(|id| id - 2..id + 3).chain([i64::MIN / 2, -1, 0, i64::MAX / 2]) {
                prop_assert_eq!(passed.has(around), ids.contains(&around), "{}", around);
            }
        }
    }

    #[test]
    fn places_follow_what_they_are_in() {
        let with = |ids: &[i64]| {
            let mut matrix = Matrix::default();
            ids.iter().for_each(|id| matrix.push(*id, &[*id as f32], ExactScan::Halved));
            matrix.publish()
        };
        let (three, two) = (with(&[1, 4, 7]), with(&[4, 7]));
        let passed = Passed::new(vec![1, 2, 7]);
        let found = |matrix: &Arc<Matrix>, newest: i64, dead: &[i64]| {
            let view = View { matrix, newest, dead };
            let places = passed.places(&view).unwrap();
            places
                .all
                .iter()
                .map(|p| matrix.blocks[p.block as usize].ids[p.row as usize])
                .collect::<Vec<_>>()
        };
        for _ in 0..2 {
            assert_eq!(found(&three, 9, &[]), [1, 7]);
            assert_eq!(found(&three, 9, &[]), [1, 7], "kept");
            assert_eq!(found(&three, 5, &[]), [1], "another time's");
            assert_eq!(found(&three, 9, &[7]), [1], "deleted");
            assert_eq!(found(&two, 9, &[]), [7], "another matrix");
        }
    }
}
