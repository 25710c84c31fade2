//! Embeddings: the vectors by which objects are found.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most components that a vector may have.
pub const MAX_DIMENSIONS: usize = 1 << 20;

/// A vector of `N` 32-bit floats, or an empty place that ingestion fills.
///
/// In a source it is an array of exactly `N` numbers; a missing key or `null` means "to be filled
/// from the field that `#[adb(embed(from = …))]` names".
///
/// ```
/// use adb_model::Embedding;
/// let given: Embedding<2> = serde_json::from_str("[0.6, 0.8]").unwrap();
/// assert_eq!(given.as_slice(), Some([0.6, 0.8].as_slice()));
/// assert!(Embedding::<2>::default().as_slice().is_none());
/// assert!(Embedding::<2>::new(&[1.0, 2.0, 3.0]).is_err());
/// ```
#[derive(Clone, PartialEq, Default)]
pub struct Embedding<const N: usize>(Option<Arc<[f32]>>);

impl<const N: usize> Embedding<N> {
    /// The number of components.
    pub const DIMENSIONS: usize = N;

    /// Takes a vector that the caller made.
    ///
    /// # Errors
    /// When there are not exactly `N` components, or one is NaN or infinite.
    pub fn new(vector: &[f32]) -> Result<Self, EmbeddingError> {
        check_vector(vector, N)?;
        Ok(Self(Some(vector.into())))
    }

    /// The components, when there are any yet.
    #[must_use]
    pub fn as_slice(&self) -> Option<&[f32]> {
        self.0.as_deref()
    }

    pub(crate) fn shared(&self) -> Option<Arc<[f32]>> {
        self.0.clone()
    }

    pub(crate) fn from_shared(vector: Arc<[f32]>) -> Result<Self, EmbeddingError> {
        check_vector(&vector, N)?;
        Ok(Self(Some(vector)))
    }
}

/// The components of a vector as the wire has it: little-endian binary32.
pub fn components(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    let (components, _) = bytes.as_chunks::<4>();
    components.iter().map(|component| f32::from_le_bytes(*component))
}

/// Little-endian binary32, as the wire has vectors: the reverse of [`components`].
#[must_use]
pub fn vector_bytes(vector: &[f32]) -> Bytes {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>().into()
}

/// Checks what every vector must satisfy on its way to a set of `dimensions`.
///
/// # Errors
/// Another length, or a component that is not finite: nearness to such a vector has no meaning.
pub(crate) fn check_vector(vector: &[f32], dimensions: usize) -> Result<(), EmbeddingError> {
    if vector.len() != dimensions {
        return Err(EmbeddingError::Dimensions { expected: dimensions, got: vector.len() });
    }
    match vector.iter().position(|x| !x.is_finite()) {
        Some(index) => Err(EmbeddingError::NotFinite { index }),
        None => Ok(()),
    }
}

impl<const N: usize> From<[f32; N]> for Embedding<N> {
    /// Takes the components as they are; one that is not finite is refused when the value is
    /// turned into a graph.
    fn from(vector: [f32; N]) -> Self {
        Self(Some(vector.as_slice().into()))
    }
}

/// The first components stand for all.
impl<const N: usize> fmt::Debug for Embedding<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_slice() {
            None => write!(f, "Embedding<{N}>(to be filled)"),
            Some(v) => {
                let more = if N > 4 { ", …" } else { "" };
                let head =
                    v.iter().take(4).map(|x| format!("{x:.4}")).collect::<Vec<_>>().join(", ");
                write!(f, "Embedding<{N}>[{head}{more}]")
            }
        }
    }
}

/// Why a vector was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddingError {
    /// Not the length that its set has.
    #[error("the vector has {got} components, its set takes {expected}")]
    Dimensions {
        /// What the set takes.
        expected: usize,
        /// What came.
        got: usize,
    },
    /// A component is NaN or infinite.
    #[error("component {index} of the vector is not a finite number")]
    NotFinite {
        /// Counted from 0.
        index: usize,
    },
}

impl<'de, const N: usize> Deserialize<'de> for Embedding<N> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        // Through Option: serde then lets the key be absent without `#[serde(default)]`.
        match Option::<Vec<f32>>::deserialize(d)? {
            None => Ok(Self(None)),
            Some(v) => Self::new(&v).map_err(serde::de::Error::custom),
        }
    }
}

impl<const N: usize> Serialize for Embedding<N> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.as_slice().serialize(s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Holder {
        look: Embedding<2>,
    }

    #[test]
    fn an_absent_key_means_to_be_filled() {
        for text in ["{}", r#"{"look": null}"#] {
            assert!(serde_json::from_str::<Holder>(text).unwrap().look.as_slice().is_none());
        }
        let holder: Holder = serde_json::from_str(r#"{"look": [1, 2]}"#).unwrap();
        assert_eq!(holder.look.as_slice(), Some([1.0, 2.0].as_slice()));
    }

    #[test]
    fn wrong_length_says_both_numbers() {
        let err = serde_json::from_str::<Embedding<3>>("[1.0]").unwrap_err();
        assert!(err.to_string().contains("has 1 components, its set takes 3"), "{err}");
    }

    #[test]
    fn overflowing_components_are_refused() {
        assert_eq!(Embedding::<1>::new(&[f32::NAN]), Err(EmbeddingError::NotFinite { index: 0 }));
    }

    #[test]
    fn round_trip() {
        let e = Embedding::from([0.25, -1.0]);
        let text = serde_json::to_string(&e).unwrap();
        assert_eq!(serde_json::from_str::<Embedding<2>>(&text).unwrap(), e);
        assert_eq!(serde_json::to_string(&Embedding::<2>::default()).unwrap(), "null");
    }
}
