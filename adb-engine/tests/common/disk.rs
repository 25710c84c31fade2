//! The engine on a disk that fails and loses its power: all of its files.
#![allow(dead_code, reason = "every test takes what it needs")]

use std::{io, num::NonZero, path::Path};

use adb_engine::{Engine, Options, PackFile, PackFiles};
use adb_faults::{RawFile, file_layer, remove, sync_directory, write_anew};

/// Blobs of so many bytes go to packs: about every second group of `groups`.
const PACK_FROM: usize = 20_000;
/// So small that packs fill.
const PACK_BYTES: u64 = 300_000;

#[derive(Debug)]
pub(crate) struct Packs {
    sync: bool,
}

/// Packs that are not synced, and say that they were.
pub(crate) const UNSYNCED_PACKS: Packs = Packs { sync: false };

#[derive(Debug)]
struct Pack {
    file: RawFile,
    sync: bool,
}

impl PackFiles for Packs {
    fn create(&self, path: &Path) -> io::Result<Box<dyn PackFile>> {
        Ok(Box::new(Pack { file: RawFile::create(path)?, sync: self.sync }))
    }

    fn open(&self, path: &Path, write: bool) -> io::Result<Box<dyn PackFile>> {
        Ok(Box::new(Pack { file: RawFile::open(path, write)?, sync: self.sync }))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        sync_directory(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        remove(path)
    }
}

impl PackFile for Pack {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn read(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.file.read(buffer, at)
    }

    fn write(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.file.write(bytes, at)
    }

    fn sync(&self) -> io::Result<()> {
        if self.sync { self.file.sync() } else { Ok(()) }
    }
}

/// On such a disk; the log is moved after so many pages.
pub(crate) fn options(checkpoint_pages: i64) -> Options {
    small_packs()
        .file_layer(file_layer(), checkpoint_pages, write_anew)
        .pack_files(&Packs { sync: true })
}

/// On a true disk, with packs that fill as fast.
pub(crate) fn small_packs() -> Options {
    Engine::options().readers(NonZero::<usize>::MIN).pack_sizes(PACK_FROM, PACK_BYTES)
}
