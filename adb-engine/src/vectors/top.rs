//! The k nearest of a stream.

use std::{cmp::Ordering, collections::BinaryHeap};

use super::{Neighbour, metric::Metric};

/// Keeps the `k` nearest that it has seen; among equals, those of smaller id, which were first.
pub(super) struct Top {
    metric: Metric,
    k: usize,
    /// The farthest on top.
    kept: BinaryHeap<Entry>,
}

struct Entry {
    farness: f32,
    neighbour: Neighbour,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_id = self.neighbour.id.cmp(&other.neighbour.id);
        self.farness.total_cmp(&other.farness).then(by_id)
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl Top {
    pub(super) fn new(metric: Metric, k: usize) -> Self {
        Self { metric, k, kept: BinaryHeap::new() }
    }

    pub(super) fn k(&self) -> usize {
        self.k
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether this may be among the nearest; of equals, the one of smaller id is.
    pub(super) fn would_take(&self, distance: f32) -> bool {
        let farness = self.metric.farness(one_zero(distance));
        self.kept.len() < self.k
            || self.kept.peek().is_some_and(|e| farness.total_cmp(&e.farness).is_le())
    }

    pub(super) fn merge(&mut self, other: Self) {
        for entry in other.kept {
            self.offer(entry.neighbour.id, entry.neighbour.distance);
        }
    }

    pub(super) fn offer(&mut self, id: i64, distance: f32) {
        let distance = one_zero(distance);
        let neighbour = Neighbour { id, distance };
        let entry = Entry { farness: self.metric.farness(distance), neighbour };
        if self.kept.len() < self.k {
            self.kept.push(entry);
        } else if let Some(mut farthest) = self.kept.peek_mut()
            && entry < *farthest
        {
            *farthest = entry;
        }
    }

    /// The nearest first.
    pub(super) fn into_sorted(self) -> Vec<Neighbour> {
        self.kept.into_sorted_vec().into_iter().map(|e| e.neighbour).collect()
    }
}

/// Sums of products are 0 or -0 as their order has it: both are as near.
fn one_zero(distance: f32) -> f32 {
    distance + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_of_both_signs_tie() {
        let mut top = Top::new(Metric::InnerProduct, 2);
        for (id, distance) in [(3, 0.0), (2, -0.0), (1, 0.0)] {
            assert!(top.would_take(distance));
            top.offer(id, distance);
        }
        let found: Vec<(i64, u32)> =
            top.into_sorted().iter().map(|n| (n.id, n.distance.to_bits())).collect();
        assert_eq!(found, [(1, 0), (2, 0)]);
    }

    #[test]
    fn ties_go_by_id_and_similarities_descend() {
        let ids = |metric, k| {
            let mut top = Top::new(metric, k);
            for (id, distance) in [(5, 1.0), (2, 3.0), (9, 1.0), (1, 2.0), (3, 1.0)] {
                top.offer(id, distance);
            }
            top.into_sorted().iter().map(|n| n.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(Metric::L2, 2), [3, 5]);
        assert_eq!(ids(Metric::L2, 100), [3, 5, 9, 1, 2]);
        assert_eq!(ids(Metric::Cosine, 3), [2, 1, 3]);
    }
}
