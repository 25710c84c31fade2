//! The files that are made from vectors.

use std::{fs, io, path::Path};

use super::{graph, rows};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    Graph,
    Rows,
}

/// A file, as the database knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SetFile {
    pub(crate) kind: FileKind,
    pub(crate) set: i64,
    /// Its hash, which is also part of its name.
    pub(crate) number: i64,
}

impl FileKind {
    /// The name of the counter that holds the number of a set's file.
    pub(crate) fn counter(self, set: i64) -> String {
        match self {
            FileKind::Graph => format!("graph of {set}"),
            FileKind::Rows => format!("rows of {set}"),
        }
    }
}

/// Removes all files of ours but these, unfinished ones too.
pub(crate) fn sweep(directory: &Path, keep: &[SetFile]) -> io::Result<()> {
    let path = |file: &SetFile| match file.kind {
        FileKind::Graph => graph::file_path(directory, file.set, file.number),
        FileKind::Rows => rows::path(directory, file.set, file.number),
    };
    let keep: Vec<_> = keep.iter().map(path).collect();
    for entry in fs::read_dir(directory)? {
        let file = entry?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let ours =
            [".graph", ".graph.new", ".rows", ".rows.new"].iter().any(|end| name.ends_with(end));
        if ours && !keep.contains(&file) {
            fs::remove_file(&file)?;
        }
    }
    Ok(())
}
