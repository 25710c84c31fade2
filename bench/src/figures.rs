//! Recall and reciprocal rank.

use std::fmt;

/// Ranks of the first right answers, counted from 1; nothing where none was among the hits.
#[derive(Debug, Default)]
pub struct Figures(Vec<Option<usize>>);

impl Figures {
    /// Takes one search's rank.
    pub fn add(&mut self, rank: Option<usize>) {
        self.0.push(rank);
    }

    /// The share of searches whose first right answer is among the first `k`.
    #[must_use]
    pub fn recall(&self, k: usize) -> f64 {
        self.mean(|rank| f64::from(u8::from(rank <= k)))
    }

    /// The mean of 1 / rank.
    #[must_use]
    pub fn reciprocal(&self) -> f64 {
        self.mean(|rank| 1.0 / rank as f64)
    }

    fn mean(&self, value: impl Fn(usize) -> f64) -> f64 {
        self.0.iter().flatten().map(|rank| value(*rank)).sum::<f64>() / self.0.len().max(1) as f64
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for k in [1, 5, 10] {
            write!(f, "R@{k} {:.3}  ", self.recall(k))?;
        }
        write!(f, "MRR {:.3}", self.reciprocal())
    }
}

/// The rank of the first hit that is right.
pub fn found_at<T>(hits: &[T], is_right: impl FnMut(&T) -> bool) -> Option<usize> {
    hits.iter().position(is_right).map(|place| place + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_without_a_right_answer_counts_as_zero() {
        let mut figures = Figures::default();
        for right in [1, 2, 9] {
            figures.add(found_at(&[1, 2, 3, 4], |hit| *hit == right));
        }
        assert!((figures.recall(1) - 1.0 / 3.0).abs() < 1e-12);
        assert!((figures.recall(5) - 2.0 / 3.0).abs() < 1e-12);
        assert!((figures.reciprocal() - 0.5).abs() < 1e-12);
    }
}
