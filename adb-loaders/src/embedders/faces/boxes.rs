//! Boxes between the nets: moved, made square, and suppressed where a better one covers them.

use std::cmp::Ordering;

/// A box that may hold a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub(super) left: f32,
    pub(super) top: f32,
    pub(super) right: f32,
    pub(super) bottom: f32,
    pub(super) score: f32,
}

/// What an overlap is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    OfUnion,
    OfSmaller,
}

impl Candidate {
    fn area(&self) -> f32 {
        (self.right - self.left) * (self.bottom - self.top)
    }

    fn overlap(&self, other: &Self, share: Share) -> f32 {
        let width = self.right.min(other.right) - self.left.max(other.left);
        let height = self.bottom.min(other.bottom) - self.top.max(other.top);
        let both = width.max(0.0) * height.max(0.0);
        match share {
            Share::OfUnion => both / (self.area() + other.area() - both),
            Share::OfSmaller => both / self.area().min(other.area()),
        }
    }

    /// Moves each edge by so many widths, or heights, of the box (which has one pixel more than
    /// its edges are apart, as in the reference).
    pub(super) fn moved(&self, by: [f32; 4], score: f32) -> Self {
        let (width, height) = (self.right - self.left + 1.0, self.bottom - self.top + 1.0);
        Self {
            left: self.left + by[0] * width,
            top: self.top + by[1] * height,
            right: self.right + by[2] * width,
            bottom: self.bottom + by[3] * height,
            score,
        }
    }

    /// The square around its middle that holds it.
    pub(super) fn square(&self) -> Self {
        let (width, height) = (self.right - self.left, self.bottom - self.top);
        let side = width.max(height);
        let left = self.left + width * 0.5 - side * 0.5;
        let top = self.top + height * 0.5 - side * 0.5;
        Self { left, top, right: left + side, bottom: top + side, score: self.score }
    }

    /// Whether all of it is a number and it has an area: what a net says of noise need not be.
    pub(super) fn is_sound(&self) -> bool {
        let edges = [self.left, self.top, self.right, self.bottom, self.score];
        edges.iter().all(|edge| edge.is_finite())
            && self.right > self.left
            && self.bottom > self.top
    }
}

/// Best first; of equals, the one that lies further up, then further left, so that the order does
/// not depend on how they were found.
fn better(a: &Candidate, b: &Candidate) -> Ordering {
    let by = |x: f32, y: f32| x.total_cmp(&y);
    by(b.score, a.score)
        .then_with(|| by(a.top, b.top))
        .then_with(|| by(a.left, b.left))
        .then_with(|| by(a.bottom, b.bottom))
        .then_with(|| by(a.right, b.right))
}

/// Best first, at most so many, without those of which a better one covers more than `limit`, be
/// that one covered itself or not, as the reference has it.
pub(super) fn suppress<T>(
    mut all: Vec<T>,
    most: usize,
    limit: f32,
    share: Share,
    of: impl Fn(&T) -> &Candidate,
) -> Vec<T> {
    all.sort_by(|a, b| better(of(a), of(b)));
    all.truncate(most);
    let covered: Vec<bool> = (0..all.len())
        .map(|i| all[..i].iter().any(|b| of(b).overlap(of(&all[i]), share) > limit))
        .collect();
    let mut covered = covered.into_iter();
    all.retain(|_| covered.next() == Some(false));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(left: f32, top: f32, right: f32, bottom: f32, score: f32) -> Candidate {
        Candidate { left, top, right, bottom, score }
    }

    fn kept(all: &[Candidate], limit: f32, share: Share) -> Vec<f32> {
        suppress(all.to_vec(), 100, limit, share, |c| c).iter().map(|c| c.score).collect()
    }

    #[test]
    fn overlaps_are_of_the_union_or_of_the_smaller_one() {
        let (a, b) = (candidate(0.0, 0.0, 10.0, 10.0, 0.9), candidate(0.0, 0.0, 5.0, 5.0, 0.8));
        assert_eq!(a.overlap(&b, Share::OfUnion), 0.25);
        assert_eq!(a.overlap(&b, Share::OfSmaller), 1.0);
        assert_eq!(a.overlap(&candidate(20.0, 0.0, 30.0, 9.0, 0.1), Share::OfUnion), 0.0);
        assert_eq!(kept(&[b, a], 0.5, Share::OfUnion), [0.9, 0.8]);
        assert_eq!(kept(&[b, a], 0.5, Share::OfSmaller), [0.9]);
    }

    #[test]
    fn one_that_is_covered_covers_others_all_the_same() {
        // Each half over the next.
        let chain = [
            candidate(0.0, 0.0, 10.0, 10.0, 0.9),
            candidate(3.0, 0.0, 13.0, 10.0, 0.8),
            candidate(6.0, 0.0, 16.0, 10.0, 0.7),
        ];
        assert_eq!(kept(&chain, 0.5, Share::OfUnion), [0.9]);
    }

    #[test]
    fn the_order_does_not_depend_on_how_they_came() {
        let mut all: Vec<Candidate> = (0..6)
            .map(|i| candidate(i as f32 * 50.0, 0.0, i as f32 * 50.0 + 9.0, 9.0, 0.5))
            .collect();
        let one = suppress(all.clone(), 4, 0.5, Share::OfUnion, |c| c);
        all.reverse();
        assert_eq!(suppress(all, 4, 0.5, Share::OfUnion, |c| c), one);
        assert_eq!(one.iter().map(|c| c.left).collect::<Vec<_>>(), [0.0, 50.0, 100.0, 150.0]);
    }

    #[test]
    fn boxes_are_moved_by_their_size_and_made_square_around_their_middle() {
        let moved = candidate(10.0, 10.0, 19.0, 29.0, 0.5).moved([0.1, -0.1, 0.2, 0.0], 0.75);
        assert_eq!(moved, candidate(11.0, 8.0, 21.0, 29.0, 0.75));
        assert_eq!(
            candidate(0.0, 0.0, 10.0, 20.0, 0.5).square(),
            candidate(-5.0, 0.0, 15.0, 20.0, 0.5)
        );
    }

    #[test]
    fn what_is_no_box_is_told() {
        assert!(candidate(0.0, 0.0, 1.0, 1.0, 0.5).is_sound());
        assert!(!candidate(1.0, 0.0, 1.0, 1.0, 0.5).is_sound());
        assert!(!candidate(f32::NAN, 0.0, 1.0, 1.0, 0.5).is_sound());
        assert!(!candidate(0.0, 0.0, f32::INFINITY, 1.0, 0.5).is_sound());
    }
}
