//! Chance as a tape of numbers: what is shorter and smaller makes a simpler request, so that a
//! failing one shrinks to its core.

/// A tape, read from its beginning. Past its end it is all zeros.
pub(crate) struct Tape<'a> {
    left: &'a [u16],
}

impl<'a> Tape<'a> {
    pub(crate) fn new(numbers: &'a [u16]) -> Self {
        Self { left: numbers }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// From 0 to before `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let Some((first, rest)) = self.left.split_first() else { return 0 };
        self.left = rest;
        usize::from(*first) % n.max(1)
    }

    /// Yes in so many of a hundred; no at the tape's end.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}
