//! Vectors: measures, the committed rows kept in memory, the exact search over them, and graphs for
//! the approximate one.

mod batch;
pub(crate) mod cache;
pub(crate) mod files;
pub(crate) mod graph;
mod half;
mod kernel;
#[expect(
    unsafe_code,
    reason = "mapping a file is a promise about others that no compiler can check"
)]
mod map;
mod matrix;
pub(crate) mod metric;
pub(crate) mod places;
#[allow(unsafe_code, reason = "on some processors, an instruction that takes a pointer")]
mod prefetch;
mod rows;
pub(crate) mod scan;
pub(crate) mod search;
mod sieve;
pub(crate) mod threads;
mod top;

/// A vector that was found, and its measure to the query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Neighbour {
    pub(crate) id: i64,
    /// As the metric has it: see [`metric::Metric`] for which way is nearer.
    pub(crate) distance: f32,
}

/// Little-endian binary32, as requests and rows have vectors. `bytes` is a multiple of four long.
pub(crate) fn components(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    bytes.chunks_exact(4).map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]]))
}

/// Whether an engine of a set is an approximate one, so that searches with it go by a graph.
///
/// `IVF` names another structure for the same bargain, of which the graph is the better form.
pub(crate) fn is_approximate(engine: &str) -> bool {
    matches!(engine, "HNSW" | "IVF")
}
