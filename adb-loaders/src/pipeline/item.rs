//! A row on its way through the stages.

use std::{collections::HashMap, path::PathBuf};

use adb_model::{Graph, NodeId, PreparedImage, RowNote, SetSpec};

use super::{Context, budget::Held, enrich, tally::Row, unchanged::Files, upsert};
use crate::{ledger::Stamp, makers::MediaCache};

/// A row on its way.
pub(super) struct Item {
    pub(super) row: Row,
    pub(super) graph: Graph,
    /// Whether the probe found its root.
    pub(super) existed: bool,
    /// How what exists differs from the row, if it does.
    pub(super) difference: Option<String>,
    /// What the database has of it, where it is upserted.
    pub(super) known: Option<Box<upsert::Known>>,
    /// Of which stored object it is, where that is to be made up for what it lacks.
    pub(super) lacking: Option<Box<enrich::Lacking>>,
    /// What was read of it so far.
    pub(super) media: MediaCache,
    /// What downloads hold of their budgets, until the row is written.
    #[cfg(feature = "http")]
    pub(super) downloads: Vec<crate::media::budget::Held>,
    pub(super) jobs: Vec<Job>,
    /// Descriptors that there is nothing to make from.
    pub(super) left_out: Vec<NodeId>,
    /// Bytes of the row itself.
    pub(super) _held: Option<Held>,
    /// Bytes of its media, once it has passed the gate to them.
    pub(super) held_media: Option<Held>,
    /// The hash of the row, if it is one.
    pub(super) row_hash: Option<u128>,
    /// The files that it names.
    pub(super) files: Files,
    /// Stamps of files that were read, by origin.
    pub(super) stamps: HashMap<String, (PathBuf, Stamp)>,
    /// What the database notes of the row, if that can be believed.
    pub(super) stored_note: Option<RowNote>,
    /// Whether there is nothing to do.
    pub(super) unchanged: bool,
    /// Its turn among rows of its identity, where rows are upserted.
    pub(super) turn: Option<upsert::Turn>,
}

impl Item {
    pub(super) fn new(row: Row, graph: Graph) -> Self {
        Self {
            row,
            graph,
            existed: false,
            difference: None,
            known: None,
            lacking: None,
            media: MediaCache::default(),
            #[cfg(feature = "http")]
            downloads: Vec::new(),
            jobs: Vec::new(),
            left_out: Vec::new(),
            _held: None,
            held_media: None,
            row_hash: None,
            files: Files::default(),
            stamps: HashMap::new(),
            stored_note: None,
            unchanged: false,
            turn: None,
        }
    }

    /// One of a row of the source, with what is to be noted of it.
    pub(super) fn of_row(row: Row, graph: Graph, context: &Context) -> Self {
        let hash = graph.row_hash(|set| context.embedders.identity(set));
        let files = Files::of(&graph);
        let mut item = Self { row_hash: Some(hash), files, ..Self::new(row, graph) };
        // So that the probe asks for it; what is written is noted when the files have been read.
        item.graph.note_row(String::new());
        item
    }

    /// Counts bytes of its media.
    pub(super) fn hold_media(&mut self, bytes: usize) {
        if let Some(held) = &mut self.held_media {
            held.add(bytes);
        }
    }
}

/// A vector to be made, and where it belongs.
pub(super) struct Job<P = NodeId> {
    pub(super) node: P,
    pub(super) set: SetSpec,
    pub(super) input: JobInput,
}

pub(super) enum JobInput {
    Image(PreparedImage),
    Text(String),
}
