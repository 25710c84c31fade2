//! How near two vectors are.

use super::kernel::{dot, squared_distance};
use crate::request::fault::Fault;

/// A measure of nearness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metric {
    /// Squared Euclidean distance: smaller is nearer.
    L2,
    /// Dot product: greater is nearer.
    InnerProduct,
    /// Cosine of the angle: greater is nearer. Vectors need not be normalised; with a zero vector
    /// it is 0.
    Cosine,
}

impl Metric {
    pub(crate) fn parse(name: &str) -> Result<Self, Fault> {
        Ok(match name {
            "L2" => Metric::L2,
            "IP" => Metric::InnerProduct,
            "CS" => Metric::Cosine,
            other => {
                return Err(Fault::new(format!(
                    "there is no metric \"{other}\"; there are \"L2\", \"IP\" and \"CS\""
                )));
            }
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Metric::L2 => "L2",
            Metric::InnerProduct => "IP",
            Metric::Cosine => "CS",
        }
    }

    /// The measure between a query and a row; `inverse_norms` are those of both.
    pub(crate) fn measure(self, query: &[f32], row: &[f32], inverse_norms: [f32; 2]) -> f32 {
        match self {
            Metric::L2 => squared_distance(query, row),
            Metric::InnerProduct => dot(query, row),
            Metric::Cosine => dot(query, row) * inverse_norms[0] * inverse_norms[1],
        }
    }

    /// What is smaller for what is nearer.
    pub(crate) fn farness(self, measure: f32) -> f32 {
        match self {
            Metric::L2 => measure,
            Metric::InnerProduct | Metric::Cosine => -measure,
        }
    }
}

/// 1 / the vector's length; 0 for the zero vector.
pub(crate) fn inverse_norm(vector: &[f32]) -> f32 {
    let norm = dot(vector, vector).sqrt();
    if norm > 0.0 { 1.0 / norm } else { 0.0 }
}
