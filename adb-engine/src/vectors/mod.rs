//! Vectors: measures, exact search, and the committed rows kept in memory.

pub(crate) mod cache;
mod kernel;
pub(crate) mod metric;
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
