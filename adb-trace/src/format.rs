//! The file: JSON Lines. First a [`Head`], then an [`Entry`] for each request, in the order in which
//! they were answered.
//!
//! ```json
//! {"adbtrace": 1, "blobs": "hashed", "began": 1795732273, "by": "adb 0.1.0"}
//! {"n": 0, "at_ms": 12.5, "took_ms": 3.1, "request": [{"AddBlob": {}}],
//!  "request_blobs": [{"bytes": 3, "sha256": "ba78…"}], "answers": [{"AddBlob": {"status": 0}}]}
//! ```
//! (An entry is one line.) Keys that a reader does not know are passed over.

use adb_model::{Fate, Refusal};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::Blobs;

/// The version that this crate writes, and the newest that it reads.
pub const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Head {
    /// The version of the format.
    pub adbtrace: u32,
    /// What stands of blobs.
    pub blobs: Blobs,
    /// When recording began, in seconds since 1970.
    #[serde(default)]
    pub began: u64,
    /// Which program wrote it.
    #[serde(default)]
    pub by: String,
}

/// A request and what came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the order in which requests began, from 0.
    pub n: u64,
    /// When it began, in milliseconds since recording did.
    #[serde(default)]
    pub at_ms: f64,
    /// How long it took, in milliseconds.
    #[serde(default)]
    pub took_ms: f64,
    /// The commands; null if they were no JSON, and so could hold a secret anywhere.
    pub request: Json,
    /// The blobs that came with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request_blobs: Vec<Blob>,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Outcome {
    /// It was done.
    Done {
        /// One answer for each command.
        answers: Vec<Json>,
        /// The blobs that came with them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        blobs: Vec<Blob>,
    },
    /// It was refused.
    Refused {
        /// How.
        refused: Refused,
    },
    /// No answer could be had.
    Failed {
        /// Why.
        failed: Failed,
    },
}

/// A refusal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refused {
    /// −1, 3 or 4.
    pub status: i64,
    /// In words.
    #[serde(default)]
    pub info: String,
    /// For machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl From<&Refusal> for Refused {
    fn from(refusal: &Refusal) -> Self {
        Self { status: refusal.status, info: refusal.info.clone(), code: refusal.code.clone() }
    }
}

/// A request without an answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failed {
    /// In words.
    pub info: String,
    /// Whether it is known that it was not done.
    pub not_applied: bool,
}

impl Failed {
    pub(crate) fn new(info: String, fate: Fate) -> Self {
        Self { info, not_applied: fate == Fate::NotApplied }
    }
}

/// A blob, by what it hashes to or as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its content, in hexadecimal digits.
    pub sha256: String,
    /// The content in base64, if it was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

impl Blob {
    pub(crate) fn of(blob: &[u8], kept: Blobs) -> Self {
        let data = (kept == Blobs::Whole).then(|| BASE64.encode(blob));
        Self { bytes: blob.len() as u64, sha256: hash(blob), data }
    }

    /// The content, if it was recorded and is what it says.
    pub(crate) fn content(&self) -> Option<Bytes> {
        let content = BASE64.decode(self.data.as_ref()?).ok()?;
        (hash(&content) == self.sha256).then(|| content.into())
    }
}

pub(crate) fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String can't fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}
