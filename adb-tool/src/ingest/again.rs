//! What becomes of rows that are there already, and of those that are there no longer.

use std::{
    env,
    hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher},
    path::PathBuf,
};

use adb::loaders::{Ingest, Mirror, OnExisting};

use crate::database::Db;

/// A source that is brought in again.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Running it again")]
pub(crate) struct Again {
    /// What becomes of rows whose objects are there already.
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = Existing::Keep)]
    pub(crate) on_existing: Existing,
    /// What left the source leaves the database: tells what would be deleted, of what earlier runs
    /// of this source have added.
    #[arg(long)]
    pub(crate) mirror: bool,
    /// Deletes what `--mirror` tells.
    #[arg(long, requires = "mirror")]
    pub(crate) yes: bool,
    /// What the source is called, the same on every run: by it `--mirror` knows what earlier runs
    /// brought, and `adb runs` shows it. Without it: the whole path of its file, folder or pattern, or
    /// its address. Programs and standard input have none of their own.
    #[arg(long, value_name = "NAME")]
    pub(crate) source_name: Option<String>,
    /// Compares every row with the database, whatever is noted of it: where others have changed
    /// what this source brought.
    #[arg(long)]
    pub(crate) recheck: bool,
    /// Reads every file of the source, though its size and time are what they were.
    #[arg(long)]
    pub(crate) no_ledger: bool,
}

/// What becomes of rows whose objects are there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Existing {
    /// They stay as they are.
    Keep,
    /// They become what the source says.
    Update,
    /// They fail.
    Fail,
}

impl Again {
    pub(crate) fn set_up(&self, ingest: Ingest, db: &Db) -> Ingest {
        let ingest = ingest.recheck(self.recheck).on_existing(match self.on_existing {
            Existing::Keep => OnExisting::Keep,
            Existing::Update => OnExisting::Update,
            Existing::Fail => OnExisting::Fail,
        });
        let ingest = match (self.mirror, self.yes) {
            (false, _) => ingest,
            (true, false) => ingest.mirror(Mirror::Tell),
            (true, true) => ingest.mirror(Mirror::Delete),
        };
        let ingest = match &self.source_name {
            Some(name) => ingest.source_name(name),
            None => ingest,
        };
        match ledger(db).filter(|_| !self.no_ledger) {
            Some(path) => ingest.ledger(path),
            None => ingest,
        }
    }
}

/// Where the ledger of a database lies: in its directory; of a server's, under the user's state. A
/// user without a home has none.
fn ledger(db: &Db) -> Option<PathBuf> {
    if let Some(directory) = db.directory() {
        return Some(directory.join("ingest.ledger"));
    }
    let state = match env::var_os("XDG_STATE_HOME").map(PathBuf::from) {
        Some(state) if state.is_absolute() => state,
        _ => env::home_dir()?.join(".local/state"),
    };
    Some(state.join("adb").join(name(db.address())))
}

/// No file names a user or a password. (Another compiler's programs may have other names for it:
/// then files are read once more.)
fn name(address: &str) -> String {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(address);
    format!("{hash:016x}.ledger")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_s_ledger_names_no_password() {
        let server = name("adb://anna:secret@db.example.com");
        assert!(server.ends_with(".ledger") && !server.contains("secret"), "{server}");
        assert_ne!(server, name("config:db"));
    }
}
