//! Vectors as a graph has them: a byte a component, or two.
//!
//! A vector is moved by a center that the whole graph shares and scaled so that its greatest component
//! just fits. What is nearer is told by an integer sum of products, two numbers a vector, and nothing
//! else. Distances that are answered are never these.

use pulp::{Simd, WithSimd};

use crate::vectors::{
    kernel::ARCH,
    metric::{Metric, inverse_norm},
    prefetch,
};

/// How many codes ahead memory is asked for.
const AHEAD: usize = 4;
/// Codes are as long as a multiple of this, so that each begins a line of the cache.
const LINE: usize = 64;
/// Neighbours of a vector that its code must find.
const NEAREST: usize = 10;
/// Codes that are measured in one go, at most.
pub(super) const TOGETHER: usize = 32;

/// What a component is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    Byte,
    /// Where a byte doesn't tell neighbours apart.
    Two,
}

impl Width {
    fn greatest(self) -> f32 {
        match self {
            Width::Byte => 127.0,
            Width::Two => 32767.0,
        }
    }
}

/// Turns vectors into codes.
#[derive(Debug, Clone)]
pub(super) struct Coder {
    pub(super) metric: Metric,
    pub(super) width: Width,
    pub(super) center: Vec<f32>,
}

/// What is known of a coded vector beside its code.
///
/// How far two are apart is `a.offset + b.offset - a.factor * b.factor * (the codes' dot product)`,
/// up to something that is the same for all pairs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Term {
    pub(super) offset: f32,
    pub(super) factor: f32,
}

/// A vector to which codes are compared.
pub(super) struct Probe {
    code: ProbeCode,
    term: Term,
}

enum ProbeCode {
    /// Of more bits than the codes have, and so few that their sum of products is no overflow.
    Bytes(Vec<i16>),
    Two(Vec<f32>),
}

impl Coder {
    /// For vectors like these.
    pub(super) fn new(metric: Metric, dimensions: usize, sample: &[&[f32]], width: Width) -> Self {
        let mut center = vec![0.0_f64; dimensions];
        for row in sample {
            let norm = f64::from(norm(metric, row));
            for (c, x) in center.iter_mut().zip(*row) {
                *c += f64::from(*x) * norm / sample.len() as f64;
            }
        }
        Self { metric, width, center: center.into_iter().map(|c| c as f32).collect() }
    }

    /// Whether the nearest to a vector of the sample are the nearest by their codes, or nearly so.
    pub(super) fn tells_apart(&self, sample: &[&[f32]], tested: usize) -> bool {
        let (mut codes, mut scratch) = (Vec::new(), Vec::new());
        let terms: Vec<Term> =
            sample.iter().map(|row| self.encode(row, &mut scratch, &mut codes)).collect();
        let codes: Vec<&[u8]> = codes.chunks_exact(self.stride().max(1)).collect();
        let (mut missed, mut wanted) = (0, 0);
        for query in sample.iter().step_by(sample.len().div_ceil(tested.max(1)).max(1)) {
            let own = inverse_norm(query);
            let mut real: Vec<(f32, usize)> = (0..sample.len())
                .map(|i| {
                    let norms = [own, inverse_norm(sample[i])];
                    let measure = self.metric.measure(query, sample[i], norms);
                    (self.metric.farness(measure), i)
                })
                .collect();
            real.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
            let probe = self.probe(query);
            let mut far = Vec::new();
            for (codes, terms) in codes.chunks(TOGETHER).zip(terms.chunks(TOGETHER)) {
                probe.far(codes, terms, &mut far);
            }
            // The query itself is the first of both.
            let nearest = &real[..real.len().min(NEAREST + 1)];
            let mut order = far.clone();
            order.sort_unstable_by(f32::total_cmp);
            let Some(limit) = order.get(nearest.len() + NEAREST / 2).or(order.last()) else {
                continue;
            };
            wanted += nearest.len();
            missed += nearest.iter().filter(|(_, i)| far[*i] > *limit).count();
        }
        missed * 100 <= wanted
    }

    pub(super) fn dimensions(&self) -> usize {
        self.center.len()
    }

    /// Bytes of a code.
    pub(super) fn stride(&self) -> usize {
        stride(self.dimensions(), self.width)
    }

    /// Adds a code to `codes`, which is a multiple of the stride long.
    pub(super) fn encode(&self, row: &[f32], scratch: &mut Vec<f32>, codes: &mut Vec<u8>) -> Term {
        let to = codes.len() + self.stride();
        let term = self.quantize(row, self.width.greatest(), scratch);
        match self.width {
            Width::Byte => codes.extend(scratch.iter().map(|x| *x as i8 as u8)),
            Width::Two => codes.extend(scratch.iter().flat_map(|x| (*x as i16).to_ne_bytes())),
        }
        codes.resize(to, 0);
        term
    }

    pub(super) fn probe(&self, query: &[f32]) -> Probe {
        let mut numbers = Vec::new();
        let length = self.stride() / bytes(self.width);
        match self.width {
            Width::Byte => {
                let most = (i32::MAX as f32 / 128.0 / length as f32).clamp(1.0, 2047.0).floor();
                let term = self.quantize(query, most, &mut numbers);
                let mut code: Vec<i16> = numbers.iter().map(|x| *x as i16).collect();
                code.resize(length, 0);
                Probe { code: ProbeCode::Bytes(code), term }
            }
            Width::Two => {
                let term = self.quantize(query, self.width.greatest(), &mut numbers);
                numbers.resize(length, 0.0);
                Probe { code: ProbeCode::Two(numbers), term }
            }
        }
    }

    /// The components as whole numbers up to `most`.
    fn quantize(&self, row: &[f32], most: f32, out: &mut Vec<f32>) -> Term {
        let norm = norm(self.metric, row);
        out.clear();
        out.extend(row.iter().zip(&self.center).map(|(x, c)| x * norm - c));
        let greatest = out.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let scale = greatest / most;
        let inverse = if scale > 0.0 { most / greatest } else { 0.0 };
        for x in &mut *out {
            *x = (*x * inverse).round_ties_even();
        }
        match self.metric {
            // Of vectors of length 1 those at the least distance have the greatest cosine, and a
            // distance suffers less from the codes' roughness the smaller it is.
            Metric::L2 | Metric::Cosine => Term {
                offset: scale * scale * out.iter().map(|x| x * x).sum::<f32>(),
                factor: std::f32::consts::SQRT_2 * scale,
            },
            Metric::InnerProduct => Term {
                offset: -scale * out.iter().zip(&self.center).map(|(x, c)| x * c).sum::<f32>(),
                factor: scale,
            },
        }
    }
}

/// What a vector is multiplied with before anything else.
fn norm(metric: Metric, row: &[f32]) -> f32 {
    match metric {
        Metric::Cosine => inverse_norm(row),
        Metric::L2 | Metric::InnerProduct => 1.0,
    }
}

/// Bytes of a component.
pub(super) fn bytes(width: Width) -> usize {
    match width {
        Width::Byte => 1,
        Width::Two => 2,
    }
}

pub(super) fn stride(dimensions: usize, width: Width) -> usize {
    (dimensions * bytes(width)).next_multiple_of(LINE)
}

/// A probe that is a code itself.
pub(super) fn probe_of(code: &[u8], term: Term, width: Width) -> Probe {
    let code = match width {
        Width::Byte => ProbeCode::Bytes(code.iter().map(|x| i16::from(*x as i8)).collect()),
        Width::Two => ProbeCode::Two(words(code).iter().map(|x| f32::from(*x)).collect()),
    };
    Probe { code, term }
}

fn words(code: &[u8]) -> &[i16] {
    bytemuck::cast_slice(code)
}

impl Probe {
    /// How far codes are, the nearer the smaller. There are [`TOGETHER`] at most.
    pub(super) fn far(&self, codes: &[&[u8]], terms: &[Term], out: &mut Vec<f32>) {
        let mut dots = [0.0; TOGETHER];
        ARCH.dispatch(Dots { probe: &self.code, codes, out: &mut dots });
        out.extend(dots.iter().zip(terms).map(|(dot, term)| self.term.apart(*term, *dot)));
    }
}

impl Term {
    pub(super) fn apart(self, other: Term, dot: f32) -> f32 {
        let apart = self.offset + other.offset - self.factor * other.factor * dot;
        // Numbers that are too great to be told apart.
        if apart.is_nan() { f32::INFINITY } else { apart }
    }
}

/// The dot product of two codes.
pub(super) fn dot(a: &[u8], b: &[u8], width: Width) -> f32 {
    ARCH.dispatch(Dot { a, b, width })
}

struct Dots<'a> {
    probe: &'a ProbeCode,
    codes: &'a [&'a [u8]],
    out: &'a mut [f32; TOGETHER],
}

impl WithSimd for Dots<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (at, (code, out)) in self.codes.iter().zip(self.out).enumerate() {
            if let Some(ahead) = self.codes.get(at + AHEAD) {
                prefetch::soon(ahead);
            }
            *out = match self.probe {
                ProbeCode::Bytes(probe) => bytes_dot(probe, code),
                ProbeCode::Two(probe) => words_dot(probe, words(code)),
            };
        }
    }
}

struct Dot<'a> {
    a: &'a [u8],
    b: &'a [u8],
    width: Width,
}

impl WithSimd for Dot<'_> {
    type Output = f32;
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f32 {
        match self.width {
            Width::Byte => {
                let both = self.a.iter().zip(self.b);
                both.map(|(a, b)| i32::from(*a as i8) * i32::from(*b as i8)).sum::<i32>() as f32
            }
            Width::Two => {
                let mut sums = [0.0; LANES];
                for (a, b) in
                    words(self.a).chunks_exact(LANES).zip(words(self.b).chunks_exact(LANES))
                {
                    for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                        *sum += f32::from(*a) * f32::from(*b);
                    }
                }
                sums.iter().sum()
            }
        }
    }
}

const LANES: usize = 32;

// Plain loops: compiled for the registers of the processor, they become its own instructions for
// this (products of pairs of 16 bits, summed).
#[inline(always)]
fn bytes_dot(probe: &[i16], code: &[u8]) -> f32 {
    probe.iter().zip(code).map(|(p, c)| i32::from(*p) * i32::from(*c as i8)).sum::<i32>() as f32
}

#[inline(always)]
fn words_dot(probe: &[f32], code: &[i16]) -> f32 {
    let mut sums = [0.0; LANES];
    for (p, c) in probe.chunks_exact(LANES).zip(code.chunks_exact(LANES)) {
        for ((sum, p), c) in sums.iter_mut().zip(p).zip(c) {
            *sum += *p * f32::from(*c);
        }
    }
    sums.iter().sum()
}
