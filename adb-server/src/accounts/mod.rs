//! Who may do what: users, their passwords and tokens, and sessions.
//!
//! Passwords are kept as Argon2id, API tokens as SHA-256 (they are random). Sessions are not kept
//! at all: a token says who it is for and until when, signed with a key that lies beside the
//! accounts, so that they outlive a restart, as the older SDK needs. A user who is removed, or gets
//! another password, loses all sessions; a token that is taken away, those that began with it.
//!
//! Several processes may have the same accounts open: each change is made under a lock, and whoever
//! looks at the accounts sees what was changed since.

mod command;
mod password;
mod sessions;
mod store;
#[cfg(test)]
mod tests;
mod token;
mod users;

use std::{
    fmt,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use adb_protocol::secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::Error;
pub(crate) use command::{begins_session, is_accounts};
use store::{Loaded, State, Store};
pub(crate) use users::UserChange;
pub use users::UserDetails;
use users::new_user;

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything, the accounts of others included.
    Admin,
    /// All commands on data.
    User,
    /// Commands that change nothing.
    Reader,
}

impl Role {
    const ALL: [Role; 3] = [Role::Admin, Role::User, Role::Reader];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::User => "user",
            Role::Reader => "reader",
        }
    }

    fn named(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| {
            Error::Account(format!(
                "there is no role `{name}`: this server has admin, user and reader"
            ))
        })
    }
}

/// Somebody whose session is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub name: String,
    /// The highest that the user has.
    pub role: Role,
}

/// For how long sessions are good.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// A session's token. The SDKs renew it ten seconds before its end.
    pub session: Duration,
    /// What renews it.
    pub refresh: Duration,
}

impl Default for Lifetimes {
    /// An hour and a day, as ApertureDB has it.
    fn default() -> Self {
        Self { session: Duration::from_secs(3600), refresh: Duration::from_secs(86_400) }
    }
}

/// The accounts of a server.
pub struct Accounts {
    store: Store,
    loaded: Mutex<Loaded>,
    lifetimes: Lifetimes,
}

/// The names alone.
impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts")
            .field("users", &self.loaded().state.users.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Accounts {
    /// Opens the accounts that lie in a directory of the server's own.
    ///
    /// # Errors
    /// When there are none (make them with [`Accounts::create`]), or they can't be read.
    pub fn open(directory: &Path, lifetimes: Lifetimes) -> Result<Self, Error> {
        let store = Store::at(directory);
        let Some(loaded) = store.load()? else {
            return Err(Error::Account(format!(
                "there are no accounts yet ({}); make the first with `--init`",
                store.path().display()
            )));
        };
        Ok(Self { store, loaded: Mutex::new(loaded), lifetimes })
    }

    /// Makes accounts with one user, `admin`, and answers the password, which is kept nowhere.
    ///
    /// # Errors
    /// When there are accounts already, or they can't be written.
    pub fn create(directory: &Path, lifetimes: Lifetimes) -> Result<(Self, SecretString), Error> {
        let password = password::generate()?;
        let accounts = Self::create_with(directory, &password, lifetimes)?;
        Ok((accounts, password))
    }

    /// Whether a password is strong enough for an account.
    ///
    /// # Errors
    /// When it is not; the error says what is asked for.
    pub fn check_password(password: &SecretString) -> Result<(), Error> {
        password::check_strength(password)
    }

    /// The same with a password that the caller has chosen.
    ///
    /// # Errors
    /// The same; also when the password is too weak.
    pub fn create_with(
        directory: &Path,
        password: &SecretString,
        lifetimes: Lifetimes,
    ) -> Result<Self, Error> {
        let store = Store::at(directory);
        let _lock = store.lock()?;
        if store.load()?.is_some() {
            return Err(Error::Account(format!(
                "there are accounts already ({})",
                store.path().display()
            )));
        }
        let (mut state, key) = State::new()?;
        let admin = new_user(Some(password), vec![Role::Admin])?;
        state.users.insert("admin".to_owned(), admin);
        let loaded = store.save(state, key)?;
        Ok(Self { store, loaded: Mutex::new(loaded), lifetimes })
    }

    /// Whether there are accounts in a directory, readable or not.
    #[must_use]
    pub fn exist(directory: &Path) -> bool {
        Store::at(directory).path().exists()
    }

    /// A password that nobody has had, and that the rules accept.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn generate_password() -> Result<SecretString, Error> {
        password::generate()
    }

    /// The accounts as they are now, also if another process has changed them.
    fn loaded(&self) -> MutexGuard<'_, Loaded> {
        // A change is made on a copy and put in place whole: a panic leaves nothing half done.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        match self.store.load_if_changed(&loaded) {
            Ok(Some(changed)) => *loaded = changed,
            Ok(None) => {}
            // Nobody is let in or out by a file that can't be read.
            Err(e) => tracing::error!(error = %e, "the accounts stay as they were"),
        }
        loaded
    }

    /// Applies a change to a copy, writes it, and puts it in place if that went well.
    fn change(&self, apply: impl FnOnce(&mut State) -> Result<(), Error>) -> Result<(), Error> {
        let _lock = self.store.lock()?;
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        // Unlike `loaded`: what can't be read is not written over.
        if let Some(changed) = self.store.load_if_changed(&loaded)? {
            *loaded = changed;
        }
        let mut copy = loaded.state.clone();
        apply(&mut copy)?;
        *loaded = self.store.save(copy, loaded.key)?;
        Ok(())
    }
}

fn now() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
}

fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|e| Error::Crypto(format!("the system gives no random numbers: {e}")))?;
    Ok(bytes)
}
