//! The inner loops, for the widest registers that the processor has, which is asked when the
//! program runs.
//!
//! What a search answers is always measured by [`dot`] and [`squared_distance`] or by their forms
//! for many rows, which add in the same order: a distance does not depend on the way on which its
//! row was found.

use std::sync::LazyLock;

use pulp::{Arch, Simd, WithSimd};

use super::{metric::Metric, prefetch, sieve::is_beyond};

pub(super) static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);

/// Vectors of registers that are summed side by side, so that no addition waits for the one before.
const SUMS: usize = 4;

/// What is summed over the components of two vectors.
trait Term {
    fn add<S: Simd>(simd: S, x: S::f32s, y: S::f32s, sum: S::f32s) -> S::f32s;
}

struct Product;
struct SquaredDifference;

// No closures here: what is called with registers must be compiled into its caller, and for a closure
// nobody can ask for that.
impl Term for Product {
    #[inline(always)]
    fn add<S: Simd>(simd: S, x: S::f32s, y: S::f32s, sum: S::f32s) -> S::f32s {
        simd.mul_add_e_f32s(x, y, sum)
    }
}

impl Term for SquaredDifference {
    #[inline(always)]
    fn add<S: Simd>(simd: S, x: S::f32s, y: S::f32s, sum: S::f32s) -> S::f32s {
        let difference = simd.sub_f32s(x, y);
        simd.mul_add_e_f32s(difference, difference, sum)
    }
}

/// How many rows ahead memory is asked for.
const AHEAD: usize = 3;

/// The sum of a term. Both vectors are equally long.
#[inline(always)]
fn accumulate<S: Simd, T: Term>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = S::as_simd_f32s(a);
    let (b, b_rest) = S::as_simd_f32s(b);
    let (a_many, a_few) = pulp::as_arrays::<SUMS, _>(a);
    let (b_many, b_few) = pulp::as_arrays::<SUMS, _>(b);
    let mut sums = [simd.splat_f32s(0.0); SUMS];
    for (x, y) in a_many.iter().zip(b_many) {
        for i in 0..SUMS {
            sums[i] = T::add(simd, x[i], y[i], sums[i]);
        }
    }
    for (x, y) in a_few.iter().zip(b_few) {
        sums[0] = T::add(simd, *x, *y, sums[0]);
    }
    if !a_rest.is_empty() {
        let (x, y) = (simd.partial_load_f32s(a_rest), simd.partial_load_f32s(b_rest));
        sums[1] = T::add(simd, x, y, sums[1]);
    }
    total(simd, sums)
}

#[inline(always)]
fn total<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; SUMS]) -> f32 {
    simd.reduce_sum_f32s(simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d)))
}

pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    struct Dot<'a>(&'a [f32], &'a [f32]);
    impl WithSimd for Dot<'_> {
        type Output = f32;
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> f32 {
            accumulate::<S, Product>(simd, self.0, self.1)
        }
    }
    ARCH.dispatch(Dot(a, b))
}

pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    struct Distance<'a>(&'a [f32], &'a [f32]);
    impl WithSimd for Distance<'_> {
        type Output = f32;
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> f32 {
            accumulate::<S, SquaredDifference>(simd, self.0, self.1)
        }
    }
    ARCH.dispatch(Distance(a, b))
}

/// Measures of a query to many rows, less what [`Metric::measure`] does with norms: `out` gets dot
/// products or squared distances, in the order of the rows.
pub(super) struct Measures<'a> {
    pub(super) metric: Metric,
    pub(super) query: &'a [f32],
    /// Whole rows, one after another.
    pub(super) rows: &'a [f32],
    pub(super) out: &'a mut Vec<f32>,
}

impl Measures<'_> {
    pub(super) fn run(self) {
        self.out.clear();
        ARCH.dispatch(self);
    }
}

impl WithSimd for Measures<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.rows.chunks_exact(self.query.len().max(1));
        match self.metric {
            Metric::L2 => {
                for row in rows {
                    self.out.push(accumulate::<S, SquaredDifference>(simd, self.query, row));
                }
            }
            Metric::InnerProduct | Metric::Cosine => {
                for row in rows {
                    self.out.push(accumulate::<S, Product>(simd, self.query, row));
                }
            }
        }
    }
}

/// A query for rows in [`super::half`]'s form: components of even and of odd places apart, each
/// list as long as such a row.
pub(super) struct Halves {
    even: Vec<f32>,
    odd: Vec<f32>,
}

impl Halves {
    pub(super) fn new(query: &[f32]) -> Self {
        let even = query.iter().copied().step_by(2).collect::<Vec<_>>();
        let mut odd = query.iter().copied().skip(1).step_by(2).collect::<Vec<_>>();
        odd.resize(even.len(), 0.0);
        Self { even, odd }
    }
}

/// Dot products of a query and rows of bfloat16, two components a word.
pub(super) struct HalvedDots<'a> {
    pub(super) query: &'a Halves,
    pub(super) rows: &'a [u32],
    pub(super) out: &'a mut Vec<f32>,
}

impl HalvedDots<'_> {
    pub(super) fn run(self) {
        self.out.clear();
        ARCH.dispatch(self);
    }
}

impl WithSimd for HalvedDots<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for row in self.rows.chunks_exact(self.query.even.len().max(1)) {
            self.out.push(halved_dot(simd, self.query, row));
        }
    }
}

#[inline(always)]
fn halved_dot<S: Simd>(simd: S, query: &Halves, row: &[u32]) -> f32 {
    let (even, even_rest) = S::as_simd_f32s(&query.even);
    let (odd, odd_rest) = S::as_simd_f32s(&query.odd);
    let (row, row_rest) = S::as_simd_u32s(row);
    let (row_two, row_one) = pulp::as_arrays::<2, _>(row);
    let (even_two, even_one) = pulp::as_arrays::<2, _>(even);
    let (odd_two, odd_one) = pulp::as_arrays::<2, _>(odd);
    let mut sums = [simd.splat_f32s(0.0); SUMS];
    for ((x, e), o) in row_two.iter().zip(even_two).zip(odd_two) {
        for i in 0..2 {
            let [x_even, x_odd] = widen(simd, x[i]);
            sums[2 * i] = simd.mul_add_e_f32s(x_even, e[i], sums[2 * i]);
            sums[2 * i + 1] = simd.mul_add_e_f32s(x_odd, o[i], sums[2 * i + 1]);
        }
    }
    for ((x, e), o) in row_one.iter().zip(even_one).zip(odd_one) {
        let [x_even, x_odd] = widen(simd, *x);
        sums[0] = simd.mul_add_e_f32s(x_even, *e, sums[0]);
        sums[1] = simd.mul_add_e_f32s(x_odd, *o, sums[1]);
    }
    if !row_rest.is_empty() {
        let [x_even, x_odd] = widen(simd, simd.partial_load_u32s(row_rest));
        sums[2] = simd.mul_add_e_f32s(x_even, simd.partial_load_f32s(even_rest), sums[2]);
        sums[3] = simd.mul_add_e_f32s(x_odd, simd.partial_load_f32s(odd_rest), sums[3]);
    }
    total(simd, sums)
}

/// The values of bfloat16 in pairs: each is the upper half of the binary32 of the same value.
#[inline(always)]
fn widen<S: Simd>(simd: S, pairs: S::u32s) -> [S::f32s; 2] {
    let even = simd.wrapping_dyn_shl_u32s(pairs, simd.splat_u32s(16));
    let odd = simd.and_u32s(pairs, simd.splat_u32s(0xffff_0000));
    [simd.transmute_f32s_u32s(even), simd.transmute_f32s_u32s(odd)]
}

/// Dot products of a query and rows of bfloat16 that lie here and there.
pub(super) struct HalvedDotsOf<'a> {
    pub(super) query: &'a Halves,
    pub(super) rows: &'a [&'a [u32]],
    pub(super) out: &'a mut Vec<f32>,
}

impl HalvedDotsOf<'_> {
    pub(super) fn run(self) {
        self.out.clear();
        ARCH.dispatch(self);
    }
}

impl WithSimd for HalvedDotsOf<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.rows.iter().take(AHEAD).for_each(|row| prefetch::soon(row));
        for (at, row) in self.rows.iter().enumerate() {
            if let Some(ahead) = self.rows.get(at + AHEAD) {
                prefetch::soon(ahead);
            }
            self.out.push(halved_dot(simd, self.query, row));
        }
    }
}

/// How many queries one panel takes: two registers full.
pub(super) fn panel_width() -> usize {
    struct Width;
    impl WithSimd for Width {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            2 * S::F32_LANES
        }
    }
    ARCH.dispatch(Width)
}

/// Queries side by side: the first components of all, then the second ones. Missing ones are zero.
pub(super) fn pack_panel(queries: &[&[f32]], dimensions: usize, width: usize) -> Vec<f32> {
    let mut panel = vec![0.0; dimensions * width];
    for (lane, query) in queries.iter().enumerate() {
        for (place, x) in query.iter().enumerate() {
            panel[place * width + lane] = *x;
        }
    }
    panel
}

/// The limits that a panel's queries set: see [`super::sieve`]. A lane without a query has
/// -infinity for its limit.
#[derive(Default)]
pub(super) struct Limits {
    pub(super) norms: Vec<f32>,
    pub(super) constants: Vec<f32>,
    pub(super) limits: Vec<f32>,
}

/// Rows against a panel of queries: every pair whose lower bound is within the query's limit.
pub(super) struct Tile<'a> {
    pub(super) dimensions: usize,
    pub(super) rows: &'a [f32],
    /// As [`pack_panel`] makes it.
    pub(super) panel: &'a [f32],
    /// For each row: see [`super::sieve::RowBound`].
    pub(super) bounds: &'a [super::sieve::RowBound],
    pub(super) limits: &'a Limits,
    /// (row, lane, dot product)
    pub(super) out: &'a mut Vec<(u32, u32, f32)>,
}

impl Tile<'_> {
    pub(super) fn run(self) {
        self.out.clear();
        ARCH.dispatch(self);
    }

    /// `R` rows at a time: their sums and a place of the panel fill the registers.
    #[inline(always)]
    fn go<S: Simd, const R: usize>(self, simd: S) {
        let (d, count) = (self.dimensions, self.bounds.len());
        let (panel, _) = S::as_simd_f32s(self.panel);
        let (panel, _) = pulp::as_arrays::<2, _>(panel);
        let (norms, _) = S::as_simd_f32s(&self.limits.norms);
        let (constants, _) = S::as_simd_f32s(&self.limits.constants);
        let (limits, _) = S::as_simd_f32s(&self.limits.limits);
        let mut first = 0;
        while first < count {
            // The last rows are taken again where there are too few.
            let mut rows: [&[f32]; R] = [&[]; R];
            for (r, row) in rows.iter_mut().enumerate() {
                *row = &self.rows[(first + r).min(count - 1) * d..][..d];
            }
            let mut sums = [[simd.splat_f32s(0.0); 2]; R];
            for place in 0..d {
                let [left, right] = &panel[place];
                for r in 0..R {
                    let x = simd.splat_f32s(rows[r][place]);
                    sums[r][0] = simd.mul_add_e_f32s(x, *left, sums[r][0]);
                    sums[r][1] = simd.mul_add_e_f32s(x, *right, sums[r][1]);
                }
            }
            for (r, sums) in sums.iter().enumerate().take(count - first) {
                let bound = &self.bounds[first + r];
                let offset = simd.splat_f32s(bound.offset - bound.fixed);
                let factor = simd.splat_f32s(bound.factor);
                let slack = simd.splat_f32s(bound.slack);
                for half in 0..2 {
                    // offset - factor × dot - slack × norm - constant
                    let lower = simd.sub_f32s(offset, simd.mul_f32s(factor, sums[half]));
                    let lower = simd.sub_f32s(lower, simd.mul_f32s(slack, norms[half]));
                    let lower = simd.sub_f32s(lower, constants[half]);
                    // What is not a number passes.
                    let beyond = simd.greater_than_f32s(lower, limits[half]);
                    let within = simd.not_m32s(beyond);
                    if simd.first_true_m32s(within) >= S::F32_LANES {
                        continue;
                    }
                    let (lower, dots) = ([lower], [sums[half]]);
                    let lower: &[f32] = bytemuck::cast_slice(&lower);
                    let dots: &[f32] = bytemuck::cast_slice(&dots);
                    for lane in 0..S::F32_LANES {
                        let at = half * S::F32_LANES + lane;
                        if !is_beyond(lower[lane], self.limits.limits[at]) {
                            self.out.push(((first + r) as u32, at as u32, dots[lane]));
                        }
                    }
                }
            }
            first += R;
        }
    }
}

impl WithSimd for Tile<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT >= 32 { self.go::<S, 12>(simd) } else { self.go::<S, 6>(simd) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::half, *};

    fn wide(a: &[f32], b: &[f32], f: fn(f64, f64) -> f64) -> f64 {
        a.iter().zip(b).map(|(x, y)| f(f64::from(*x), f64::from(*y))).sum()
    }

    proptest! {
        #[test]
        fn agree_with_sums_in_f64(pairs in prop::collection::vec((-10.0_f32..10.0, -10.0_f32..10.0), 1..150)) {
            let (a, b): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
            let scale = 1e-5 * (1.0 + 400.0 * a.len() as f64);
            let product = wide(&a, &b, |x, y| x * y);
            prop_assert!((f64::from(dot(&a, &b)) - product).abs() <= scale);
            let squared = wide(&a, &b, |x, y| (x - y) * (x - y));
            prop_assert!((f64::from(squared_distance(&a, &b)) - squared).abs() <= scale);
            let two = [&b[..], &a[..]].concat();
            for metric in [Metric::L2, Metric::InnerProduct] {
                let mut out = Vec::new();
                Measures { metric, query: &a, rows: &two, out: &mut out }.run();
                let one = |row: &[f32]| metric.measure(&a, row, [1.0; 2]);
                prop_assert_eq!(out, vec![one(&b), one(&a)], "many rows as one");
            }
            let mut words = Vec::new();
            half::push(&b, &mut words);
            let rounded = half::values(&words, b.len());
            let mut out = Vec::new();
            HalvedDots { query: &Halves::new(&a), rows: &words, out: &mut out }.run();
            let product = wide(&a, &rounded, |x, y| x * y);
            prop_assert!((f64::from(out[0]) - product).abs() <= scale);
        }

        #[test]
        fn tiles_find_what_is_within_the_limits(
            dimensions in 1_usize..40,
            count in 1_usize..30,
            queries in 1_usize..5,
            seed in any::<u32>(),
        ) {
            let mut state = seed;
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) as f32 / 32768.0 - 1.0
            };
            let rows: Vec<f32> = (0..count * dimensions).map(|_| next()).collect();
            let all: Vec<f32> = (0..queries * dimensions).map(|_| next()).collect();
            let width = panel_width();
            let queries: Vec<&[f32]> = all.chunks(dimensions).take(width).collect();
            let mut limits = Limits { norms: vec![0.0; width], constants: vec![0.0; width], limits: vec![f32::NEG_INFINITY; width] };
            limits.limits[..queries.len()].fill(0.25);
            let bounds = vec![super::super::sieve::RowBound { offset: 0.0, factor: 1.0, slack: 0.0, fixed: 0.0 }; count];
            let mut out = Vec::new();
            let panel = pack_panel(&queries, dimensions, width);
            Tile { dimensions, rows: &rows, panel: &panel, bounds: &bounds, limits: &limits, out: &mut out }.run();
            let mut expected = 0;
            for (lane, query) in queries.iter().enumerate() {
                for (i, row) in rows.chunks(dimensions).enumerate() {
                    let product = wide(query, row, |x, y| x * y);
                    let found = out.iter().find(|(r, l, _)| (*r as usize, *l as usize) == (i, lane));
                    match found {
                        Some((_, _, dot)) => {
                            expected += 1;
                            prop_assert!((f64::from(*dot) - product).abs() < 1e-4);
                        }
                        None => prop_assert!(-product > 0.2499),
                    }
                }
            }
            prop_assert_eq!(out.len(), expected, "no lane without a query, no row twice");
        }
    }
}
