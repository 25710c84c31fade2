//! A whole database as files, without a model: rows that are commands, which go in again.
//!
//! A directory holds `export.json` (what it is), a file of rows for each [`STAGES`], and `files/`.

mod find;
mod read;
mod select;
mod stored;
mod write;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

pub(crate) use read::{Dump, DumpRows};
pub(crate) use write::write;

/// The version of the form that this code writes and reads.
pub(crate) const VERSION: u32 = 1;
/// The file that says what the directory is.
pub(crate) const HEAD: &str = "export.json";
/// The property by which what came from an export is found again. It keeps a second run from adding
/// anything, and is left out when its object is exported in turn.
pub(crate) const MARK: &str = "adb_export";
/// The property by which an object keeps the address that its blob was fetched from: the database it
/// came from had that as `_url`, which goes in with no blob. Of an object that is exported in turn it
/// becomes the row's address again.
pub(crate) const ADDRESS: &str = "adb_url";

/// Objects in one request without their blobs.
const WITHOUT: usize = 500;

/// Files of rows, in the order of need: each is in before the next begins.
pub(crate) const STAGES: [&str; 6] =
    ["sets", "objects", "parts", "regions", "descriptors", "connections"];

/// What a directory of rows is.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Head {
    /// [`VERSION`]; the key tells what kind of file it is.
    pub(crate) adb_export: u32,
    /// What tells this export from all others.
    pub(crate) id: String,
    /// Rows in each file.
    pub(crate) rows: BTreeMap<String, u64>,
    /// Classes of objects that rows are of.
    pub(crate) classes: Vec<String>,
    /// Classes of connections that rows are of.
    pub(crate) connections: Vec<String>,
    /// Indexes that the database had.
    pub(crate) indexes: Vec<Index>,
}

/// An index on a property.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Index {
    /// Whether it is on connections.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) connection: bool,
    pub(crate) class: String,
    pub(crate) property: String,
}

/// One object, or one connection.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// Its unique id where it came from.
    pub(crate) id: String,
    /// The command that adds it, and what it takes beside what is said below.
    pub(crate) add: String,
    pub(crate) with: Map<String, Json>,
    /// Parameters that name another object: what it lies in, or where a connection ends.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) refs: BTreeMap<String, Other>,
    /// Objects that a descriptor is of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) of: Vec<Of>,
    /// Its blob, below the directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<String>,
    /// Where the database had fetched its blob from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) vector: Option<Vec<f32>>,
}

/// Another object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Other {
    pub(crate) class: String,
    pub(crate) id: String,
}

/// What a descriptor is joined to by the system's own connection.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Of {
    #[serde(flatten)]
    pub(crate) other: Other,
    /// Whether the connection begins there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) begins_there: bool,
}
