//! The file of accounts: only its owner can read it, and it is replaced in one step.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};

use super::{Role, random, token::SigningKey};
use crate::{Error, files};

const FILE: &str = "accounts.json";
/// Held by whoever changes the accounts.
const LOCK: &str = "accounts.lock";
const FORMAT: u32 = 1;

/// One user.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    /// Argon2id, as a PHC string; none: there is no way in by password.
    pub password: Option<String>,
    /// Fingerprints of API tokens, and how each begins, so that a person can tell them apart.
    #[serde(default)]
    pub tokens: BTreeMap<String, String>,
    /// What the user may do.
    pub roles: Vec<Role>,
    /// Rises when sessions of before are to end.
    pub generation: u64,
}

/// All users, and the key that signs their sessions.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    format: u32,
    signing_key: String,
    /// Tokens that were generated and are nobody's yet, by fingerprint.
    #[serde(default)]
    pub unassigned: BTreeMap<String, String>,
    pub users: BTreeMap<String, User>,
}

impl State {
    /// Nobody, and a key of its own.
    pub(super) fn new() -> Result<(Self, SigningKey), Error> {
        let key: SigningKey = random()?;
        let state = Self {
            format: FORMAT,
            signing_key: BASE64.encode(key),
            unassigned: BTreeMap::new(),
            users: BTreeMap::new(),
        };
        Ok((state, key))
    }
}

/// The accounts as they were when their file was read or written.
pub(super) struct Loaded {
    pub state: State,
    pub key: SigningKey,
    stamp: Stamp,
}

/// Tells one version of the file from the next: each is a file of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    file: u64,
    length: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        let modified = meta.modified().ok();
        Ok(Self { file: file_number(&meta), length: meta.len(), modified })
    }
}

#[cfg(unix)]
fn file_number(meta: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

#[cfg(not(unix))]
fn file_number(_: &fs::Metadata) -> u64 {
    0
}

/// A directory of the server's own.
#[derive(Debug)]
pub(super) struct Store {
    directory: PathBuf,
}

impl Store {
    pub(super) fn at(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.join(FILE)
    }

    /// Waits until nobody else changes the accounts. The lock lasts until the answer is dropped, or
    /// the process ends, however it ends.
    pub(super) fn lock(&self) -> Result<File, Error> {
        let path = self.directory.join(LOCK);
        let failed = |source| Error::File { path: path.clone(), source };
        fs::create_dir_all(&self.directory).map_err(failed)?;
        let mut options = File::options();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(file)
    }

    /// What is there; none if nothing is.
    pub(super) fn load(&self) -> Result<Option<Loaded>, Error> {
        let path = self.path();
        let failed = |source| Error::File { path: path.clone(), source };
        // Before the file is read: a version that comes in between is then read again.
        let stamp = match Stamp::of(&path) {
            Ok(stamp) => stamp,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed(source)),
        };
        let text = fs::read(&path).map_err(failed)?;
        // What serde says could quote a secret; where it stopped says enough.
        let state: State = serde_json::from_slice(&text).map_err(|e| Error::Content {
            path: path.clone(),
            fault: format!("not a file of accounts, at line {}, column {}", e.line(), e.column()),
        })?;
        let fault = |fault: &str| Error::Content { path: path.clone(), fault: fault.to_owned() };
        if state.format != FORMAT {
            return Err(fault("written by a newer adb"));
        }
        let key = BASE64.decode(&state.signing_key).ok().and_then(|key| key.try_into().ok());
        let Some(key) = key else {
            return Err(fault("its key is damaged; remove the file and make accounts anew"));
        };
        private(&path)?;
        Ok(Some(Loaded { state, key, stamp }))
    }

    /// What is there, if it is another version than this one. A file that was taken away counts as
    /// unchanged.
    pub(super) fn load_if_changed(&self, loaded: &Loaded) -> Result<Option<Loaded>, Error> {
        match Stamp::of(&self.path()) {
            Ok(stamp) if stamp == loaded.stamp => Ok(None),
            _ => self.load(),
        }
    }

    /// Replaces what is there: after a power failure it is the old or the new, and whole. The caller
    /// holds the lock.
    pub(super) fn save(&self, state: State, key: SigningKey) -> Result<Loaded, Error> {
        files::replace(&self.directory, FILE, |file| {
            Ok(serde_json::to_writer_pretty(file, &state)?)
        })?;
        let path = self.path();
        let stamp = Stamp::of(&path).map_err(|source| Error::File { path, source })?;
        Ok(Loaded { state, key, stamp })
    }
}

/// Takes the file from everybody but its owner, should somebody have given it to them.
#[cfg(unix)]
fn private(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let failed = |source| Error::File { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others could read the accounts; not any more");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn private(_: &Path) -> Result<(), Error> {
    Ok(())
}
