//! A disk under SQLite that fails and loses power: test support of the engine, never published.
//!
//! A [`Disk`] watches one directory. Files are real files of that directory, so what reads them
//! sees what the system's cache would show. Beside that every write and sync is taken down on a
//! tape; [`Replay`] plays it up to any moment and makes the files that a power failure at that
//! moment may leave: what was synced, and of the rest what chance keeps, in whole writes or torn at
//! sectors. A [`Fault`] makes calls fail as disks do.
#![cfg(unix)]

mod dice;
mod disk;
mod file;
mod replay;
#[allow(unsafe_code, reason = "SQLite's file layers are C functions over raw pointers")]
mod vfs;

pub use dice::Dice;
pub use disk::{Disk, Event, Fault, Plan, write_anew};
pub use file::{RawFile, remove, sync_directory};
pub use replay::Replay;
pub use vfs::file_layer;
