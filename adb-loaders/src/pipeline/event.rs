//! What a run tells while it runs, for programs that read it.

use std::{fmt, sync::Arc};

use serde::Serialize;

use super::{Report, RowFailure, progress::Snapshot};

/// The version of the form that events have as JSON. It grows when a consumer of the old form
/// would misread the new one; new kinds of events and new keys come without it.
pub const EVENTS_VERSION: u32 = 1;

/// Something that happened in a run. As JSON it is an object whose key `event` names the kind.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event<'a> {
    /// It begins.
    Started {
        /// [`EVENTS_VERSION`].
        version: u32,
        /// The source's size in bytes, where that is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        source_bytes: Option<u64>,
        /// The class of the objects that its rows become.
        class: &'a str,
    },
    /// What it is at; about once in a second.
    Progress(&'a Snapshot),
    /// A row failed.
    RowFailed(&'a RowFailure),
    /// Something that a person should know.
    Notice {
        /// In words.
        text: &'a str,
    },
    /// It has come to its end.
    Finished {
        /// How the program should end: see [`Report::exit_code`].
        exit_code: u8,
        /// What became of every row.
        report: &'a Report,
    },
}

/// Who hears of events.
#[derive(Clone)]
pub(super) struct Listener(pub(super) Arc<dyn Fn(&Event<'_>) + Send + Sync>);

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}
