//! Files in memory.
//!
//! `unsafe`: a mapped file that somebody else shortens ends the process that reads beyond its end,
//! and one that somebody else writes changes under the reader. Files are mapped that have their last
//! name; this crate writes none of those again, and takes one away only by its name, which leaves
//! what is mapped. What is read of a file is checked by its hash.

use std::{fs::File, io, ops::Deref, path::Path};

/// The bytes of a file.
pub(super) struct Map(memmap2::Mmap);

impl Map {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: see the module's text.
        unsafe { memmap2::Mmap::map(&file) }.map(Self)
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
