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
mod store;
mod token;

use std::{
    fmt,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use adb_protocol::{
    Credentials,
    login::Session,
    secrecy::{ExposeSecret, SecretString},
};
use serde::{Deserialize, Serialize};

use crate::Error;
pub(crate) use command::{begins_session, is_accounts};
use store::{Loaded, State, Store, User};
use token::{Claims, Purpose};

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

    /// Begins a session. Slow on purpose when a password is given, right or wrong: call it where it
    /// may block. A name that is not known takes as long as one that is.
    pub(crate) fn log_in(&self, credentials: &Credentials) -> Option<Result<Session, Error>> {
        let (name, by) = match credentials {
            Credentials::Password { username, password } => {
                let stored =
                    self.loaded().state.users.get(username).and_then(|user| user.password.clone());
                let good = match &stored {
                    Some(hash) => password::verify(password, hash),
                    None => {
                        // For the time that it takes.
                        let _ = password::hash(password);
                        false
                    }
                };
                (good.then(|| username.clone())?, None)
            }
            Credentials::Token { username, token } => {
                let print = token::fingerprint(token);
                let loaded = self.loaded();
                let mut owners =
                    loaded.state.users.iter().filter(|(_, u)| u.tokens.contains_key(&print));
                let (owner, _) = owners.next()?;
                if username.as_ref().is_some_and(|name| name != owner) {
                    return None;
                }
                (owner.clone(), Some(print))
            }
        };
        Some(self.session(&name, by))
    }

    /// Begins another session with what renews one; the old one stays good until its end.
    pub(crate) fn renew(&self, refresh: &SecretString) -> Option<Result<Session, Error>> {
        let claims = good(&self.loaded(), Purpose::Refresh, refresh)?;
        Some(self.session(&claims.user, claims.by))
    }

    /// Who sent a request with this token.
    pub(crate) fn caller(&self, session: &SecretString) -> Option<Caller> {
        let loaded = self.loaded();
        let claims = good(&loaded, Purpose::Session, session)?;
        let role = loaded.state.users.get(&claims.user)?.roles.iter().min().copied()?;
        drop(loaded);
        Some(Caller { name: claims.user, role })
    }

    fn session(&self, user: &str, by: Option<String>) -> Result<Session, Error> {
        let loaded = self.loaded();
        let generation = loaded.state.users.get(user).map_or(0, |user| user.generation);
        let sign = |purpose, lifetime: Duration| {
            // What is told is cut to whole seconds, what is checked is not shorter.
            let expires = now() + lifetime.as_secs() + 1;
            token::sign(
                &loaded.key,
                purpose,
                &Claims { user: user.to_owned(), generation, expires, by: by.clone() },
            )
        };
        Ok(Session {
            token: sign(Purpose::Session, self.lifetimes.session)?,
            expires_in: self.lifetimes.session,
            refresh_token: sign(Purpose::Refresh, self.lifetimes.refresh)?,
            refresh_expires_in: self.lifetimes.refresh,
        })
    }

    /// Makes a user.
    ///
    /// # Errors
    /// When a rule forbids it, there is one of that name, or the file can't be written.
    pub fn create_user(
        &self,
        name: &str,
        password: Option<&SecretString>,
        roles: &[String],
    ) -> Result<(), Error> {
        check_name(name)?;
        let roles = if roles.is_empty() { vec![Role::User] } else { parse_roles(roles)? };
        let user = new_user(password, roles)?;
        self.change(|state| {
            if state.users.contains_key(name) {
                return Err(Error::Account(format!("there is a user `{name}` already")));
            }
            state.users.insert(name.to_owned(), user);
            Ok(())
        })
    }

    /// Removes a user, and with it all sessions and tokens. The last admin stays.
    ///
    /// # Errors
    /// When there is none of that name, or the file can't be written.
    pub fn remove_user(&self, name: &str) -> Result<(), Error> {
        self.change(|state| {
            state.users.remove(name).ok_or_else(|| unknown(name))?;
            keep_an_admin(state)
        })
    }

    /// Makes a token that is nobody's yet.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn generate_token(&self) -> Result<SecretString, Error> {
        let token = token::new_api_token()?;
        self.change(|state| {
            state.unassigned.insert(token::fingerprint(&token), shown(&token));
            Ok(())
        })?;
        Ok(token)
    }

    /// Makes a token that is this user's, and answers it; it is kept nowhere.
    ///
    /// # Errors
    /// When there is none of that name, or the file can't be written.
    pub fn add_token(&self, name: &str) -> Result<SecretString, Error> {
        let token = token::new_api_token()?;
        self.change(|state| {
            let user = state.users.get_mut(name).ok_or_else(|| unknown(name))?;
            user.tokens.insert(token::fingerprint(&token), shown(&token));
            Ok(())
        })?;
        Ok(token)
    }

    /// Takes all tokens from a user, and answers how many there were. Sessions that began with them
    /// end.
    ///
    /// # Errors
    /// When there is none of that name, or the file can't be written.
    pub fn revoke_tokens(&self, name: &str) -> Result<usize, Error> {
        let mut revoked = 0;
        self.change(|state| {
            let user = state.users.get_mut(name).ok_or_else(|| unknown(name))?;
            revoked = std::mem::take(&mut user.tokens).len();
            Ok(())
        })?;
        Ok(revoked)
    }

    /// Gives a user another password. Sessions of the user end.
    ///
    /// # Errors
    /// When it is too weak, there is no such user, or the file can't be written.
    pub fn set_password(&self, name: &str, password: &SecretString) -> Result<(), Error> {
        let change = UserChange { password: Some(password.clone()), ..UserChange::default() };
        self.update_user(name, &change)
    }

    /// All users, in the order of their names.
    #[must_use]
    pub fn users(&self) -> Vec<UserDetails> {
        let loaded = self.loaded();
        let details = loaded.state.users.iter().map(|(name, user)| UserDetails {
            name: name.clone(),
            roles: user.roles.clone(),
            has_password: user.password.is_some(),
            tokens: user.tokens.values().cloned().collect(),
        });
        details.collect()
    }

    /// Changes a user; what is `None` or empty stays.
    ///
    /// # Errors
    /// When a rule forbids it, or the file can't be written; then nothing is changed.
    pub(crate) fn update_user(&self, name: &str, change: &UserChange) -> Result<(), Error> {
        let hashed = change.password.as_ref().map(checked_hash).transpose()?;
        let roles = change.roles.as_deref().map(parse_roles).transpose()?;
        self.change(|state| {
            let State { users, unassigned, .. } = state;
            let taken = |users: &std::collections::BTreeMap<String, User>, print: &str| {
                users.values().any(|user| user.tokens.contains_key(print))
            };
            for token in &change.add_tokens {
                let print = token::fingerprint(token);
                // One that was not made here could be one that is easily guessed.
                if unassigned.remove(&print).is_none() {
                    let fault =
                        if taken(users, &print) { "is in use" } else { "was not made here" };
                    return Err(Error::Account(format!("the token {} {fault}", shown(token))));
                }
                let user = users.get_mut(name).ok_or_else(|| unknown(name))?;
                user.tokens.insert(print, shown(token));
            }
            let user = users.get_mut(name).ok_or_else(|| unknown(name))?;
            for token in &change.remove_tokens {
                if user.tokens.remove(&token::fingerprint(token)).is_none() {
                    let shown = shown(token);
                    return Err(Error::Account(format!("`{name}` has no token {shown}")));
                }
            }
            if let Some(hashed) = hashed {
                user.password = Some(hashed);
                user.generation += 1;
            }
            if let Some(roles) = roles {
                user.roles = roles;
            }
            keep_an_admin(state)
        })
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

/// What is known of a user, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserDetails {
    /// The name.
    pub name: String,
    /// What the user may do.
    pub roles: Vec<Role>,
    /// Whether there is a way in by password.
    pub has_password: bool,
    /// How each API token begins.
    pub tokens: Vec<String>,
}

/// What a token says, if it was signed here, is not over and the user's sessions have not ended.
fn good(loaded: &Loaded, purpose: Purpose, token: &SecretString) -> Option<Claims> {
    let claims = token::verify(&loaded.key, purpose, token)?;
    let user = loaded.state.users.get(&claims.user)?;
    let begun = claims.by.as_ref().is_none_or(|by| user.tokens.contains_key(by));
    (begun && user.generation == claims.generation && now() < claims.expires).then_some(claims)
}

/// What is to change about a user.
#[derive(Debug, Default)]
pub(crate) struct UserChange {
    pub password: Option<SecretString>,
    pub roles: Option<Vec<String>>,
    pub add_tokens: Vec<SecretString>,
    pub remove_tokens: Vec<SecretString>,
}

fn new_user(password: Option<&SecretString>, roles: Vec<Role>) -> Result<User, Error> {
    let password = password.map(checked_hash).transpose()?;
    // Random, so that sessions of a removed user are not those of a new one of that name.
    let generation = u64::from(u32::from_le_bytes(random()?));
    Ok(User { password, tokens: Default::default(), roles, generation })
}

fn checked_hash(password: &SecretString) -> Result<String, Error> {
    password::check_strength(password)?;
    password::hash(password)
}

/// Four characters or more, no blanks, no leading underscore: as ApertureDB has it.
fn check_name(name: &str) -> Result<(), Error> {
    let good = name.chars().count() >= 4
        && name.len() <= 64
        && !name.starts_with('_')
        && !name.chars().any(|c| c.is_whitespace() || c.is_control());
    if good {
        return Ok(());
    }
    Err(Error::Account(
        "a user's name has four to 64 characters, no blanks, and no underscore in front".to_owned(),
    ))
}

fn parse_roles(names: &[String]) -> Result<Vec<Role>, Error> {
    if names.is_empty() {
        return Err(Error::Account("a user has at least one role".to_owned()));
    }
    names.iter().map(|name| Role::named(name)).collect()
}

fn keep_an_admin(state: &State) -> Result<(), Error> {
    if state.users.values().any(|user| user.roles.contains(&Role::Admin)) {
        return Ok(());
    }
    Err(Error::Account("this is the last admin".to_owned()))
}

fn unknown(name: &str) -> Error {
    Error::Account(format!("there is no user `{name}`"))
}

/// How a token begins, and no more.
fn shown(token: &SecretString) -> String {
    token.expose_secret().chars().take(9).chain("...".chars()).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn by_password(username: &str, password: &str) -> Credentials {
        Credentials::Password { username: username.into(), password: password.into() }
    }

    fn fresh() -> (tempfile::TempDir, Accounts) {
        let dir = tempfile::tempdir().unwrap();
        let accounts =
            Accounts::create_with(dir.path(), &"admin-admin-1".into(), Lifetimes::default())
                .unwrap();
        (dir, accounts)
    }

    #[test]
    fn a_session_outlives_a_restart() {
        let (dir, accounts) = fresh();
        assert!(accounts.log_in(&by_password("admin", "wrong")).is_none());
        assert!(accounts.log_in(&by_password("nobody", "admin-admin-1")).is_none());
        let session = accounts.log_in(&by_password("admin", "admin-admin-1")).unwrap().unwrap();
        drop(accounts);

        let accounts = Accounts::open(dir.path(), Lifetimes::default()).unwrap();
        let caller = accounts.caller(&session.token).unwrap();
        assert_eq!(caller, Caller { name: "admin".into(), role: Role::Admin });
        assert!(accounts.caller(&session.refresh_token).is_none());
        let renewed = accounts.renew(&session.refresh_token).unwrap().unwrap();
        assert!(accounts.caller(&renewed.token).is_some());
        assert!(accounts.caller(&session.token).is_some(), "the old one stays good");
        assert!(accounts.renew(&session.token).is_none());
    }

    #[test]
    fn the_file_is_its_owners_and_holds_no_secret() {
        let (dir, accounts) = fresh();
        let token = accounts.generate_token().unwrap();
        let path = dir.path().join("accounts.json");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("admin-admin-1") && !text.contains(token.expose_secret()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&path), 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            Accounts::open(dir.path(), Lifetimes::default()).unwrap();
            assert_eq!(mode(&path), 0o600);
        }
    }

    #[test]
    fn sessions_end() {
        let dir = tempfile::tempdir().unwrap();
        let lifetimes = Lifetimes { session: Duration::ZERO, ..Lifetimes::default() };
        let accounts =
            Accounts::create_with(dir.path(), &"admin-admin-1".into(), lifetimes).unwrap();
        let session = accounts.session("admin", None).unwrap();
        std::thread::sleep(Duration::from_millis(1100));
        assert!(accounts.caller(&session.token).is_none());
        assert!(accounts.renew(&session.refresh_token).is_some());
    }

    #[test]
    fn another_password_ends_all_sessions() {
        let (_dir, accounts) = fresh();
        let session = accounts.session("admin", None).unwrap();
        let change = UserChange { password: Some("other-pass-2".into()), ..UserChange::default() };
        accounts.update_user("admin", &change).unwrap();
        assert!(accounts.caller(&session.token).is_none());
        assert!(accounts.renew(&session.refresh_token).is_none());
        assert!(accounts.log_in(&by_password("admin", "other-pass-2")).is_some());
        assert!(accounts.log_in(&by_password("admin", "admin-admin-1")).is_none());
    }

    #[test]
    fn tokens_are_made_here_and_are_one_users() {
        let (_dir, accounts) = fresh();
        accounts.create_user("anna", None, &[]).unwrap();
        let token = accounts.generate_token().unwrap();
        let by_token = |username: Option<&str>| Credentials::Token {
            username: username.map(str::to_owned),
            token: token.clone(),
        };
        assert!(accounts.log_in(&by_token(None)).is_none(), "it is nobody's yet");
        let add = UserChange { add_tokens: vec![token.clone()], ..UserChange::default() };
        accounts.update_user("anna", &add).unwrap();
        assert!(accounts.log_in(&by_token(Some("admin"))).is_none());
        assert!(accounts.log_in(&by_token(Some("anna"))).is_some());
        let session = accounts.log_in(&by_token(None)).unwrap().unwrap();
        assert_eq!(accounts.caller(&session.token).unwrap().role, Role::User);

        let error = accounts.update_user("admin", &add).unwrap_err().to_string();
        assert!(error.contains("in use") && !error.contains(token.expose_secret()), "{error}");
        let foreign = UserChange { add_tokens: vec!["adbp_mine".into()], ..UserChange::default() };
        assert!(accounts.update_user("anna", &foreign).is_err());

        let renewed = accounts.renew(&session.refresh_token).unwrap().unwrap();
        let other = accounts.session("anna", None).unwrap();
        let remove = UserChange { remove_tokens: vec![token.clone()], ..UserChange::default() };
        accounts.update_user("anna", &remove).unwrap();
        // The older SDK can't log in again by itself: sessions that have nothing to do with it go on.
        assert!(accounts.caller(&other.token).is_some());
        assert!(accounts.caller(&renewed.token).is_none());
        assert!(accounts.log_in(&by_token(None)).is_none());
        assert!(accounts.caller(&session.token).is_none());
    }

    #[test]
    fn what_another_process_changes_is_seen() {
        let (dir, server) = fresh();
        let session = server.session("admin", None).unwrap();
        let tool = Accounts::open(dir.path(), Lifetimes::default()).unwrap();
        tool.create_user("anna", None, &["reader".into()]).unwrap();
        let token = tool.add_token("anna").unwrap();
        let by_token = Credentials::Token { username: None, token };
        let anna = server.log_in(&by_token).unwrap().unwrap();
        assert_eq!(server.caller(&anna.token).unwrap().role, Role::Reader);
        // Both write, and neither undoes the other's.
        server.create_user("bert", None, &[]).unwrap();
        tool.create_user("carl", None, &[]).unwrap();
        let names = |accounts: &Accounts| {
            accounts.users().into_iter().map(|user| user.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&server), ["admin", "anna", "bert", "carl"]);
        assert_eq!(names(&tool), names(&server));
        tool.set_password("admin", &"other-pass-2".into()).unwrap();
        assert!(server.caller(&session.token).is_none());
        assert_eq!(tool.revoke_tokens("anna").unwrap(), 1);
        assert!(server.caller(&anna.token).is_none() && server.log_in(&by_token).is_none());
        let details = server.users().remove(1);
        assert!(details.tokens.is_empty() && !details.has_password);

        // A file that can't be read lets nobody in and locks nobody out.
        let session = server.session("admin", None).unwrap();
        std::fs::write(dir.path().join("accounts.json"), "{").unwrap();
        assert!(server.caller(&session.token).is_some());
        assert!(server.create_user("dora", None, &[]).is_err(), "nor is it written over");
        assert_eq!(std::fs::read_to_string(dir.path().join("accounts.json")).unwrap(), "{");
    }

    #[test]
    fn many_who_change_at_once_lose_nothing() {
        let (dir, _accounts) = fresh();
        std::thread::scope(|scope| {
            for who in 0..4 {
                let accounts = Accounts::open(dir.path(), Lifetimes::default()).unwrap();
                scope.spawn(move || {
                    for n in 0..10 {
                        accounts.create_user(&format!("user-{who}-{n}"), None, &[]).unwrap();
                    }
                });
            }
        });
        let accounts = Accounts::open(dir.path(), Lifetimes::default()).unwrap();
        assert_eq!(accounts.users().len(), 41);
    }

    #[test]
    fn rules_of_accounts() {
        let (_dir, accounts) = fresh();
        for name in ["bob", "_bob", "bo b", "", &"x".repeat(65)] {
            assert!(accounts.create_user(name, None, &[]).is_err(), "{name}");
        }
        assert!(accounts.create_user("anna", Some(&"weak".into()), &[]).is_err());
        assert!(accounts.create_user("anna", None, &["root".into()]).is_err());
        assert!(accounts.create_user("admin", None, &[]).is_err());
        assert!(accounts.remove_user("admin").is_err(), "the last admin stays");
        let demote = UserChange { roles: Some(vec!["reader".into()]), ..UserChange::default() };
        assert!(accounts.update_user("admin", &demote).is_err());
        accounts.create_user("anna", None, &["admin".into()]).unwrap();
        accounts.update_user("admin", &demote).unwrap();
        let session = accounts.session("admin", None).unwrap();
        assert_eq!(accounts.caller(&session.token).unwrap().role, Role::Reader);
        accounts.remove_user("admin").unwrap();
        assert!(accounts.caller(&session.token).is_none());
        accounts.create_user("admin", None, &[]).unwrap();
        assert!(accounts.caller(&session.token).is_none(), "not the same admin");
    }

    #[test]
    fn damaged_files_are_not_taken_for_none() {
        let (dir, accounts) = fresh();
        drop(accounts);
        let open = || Accounts::open(dir.path(), Lifetimes::default());
        assert!(Accounts::create(dir.path(), Lifetimes::default()).is_err());
        std::fs::write(dir.path().join("accounts.json"), "{\"format\":1").unwrap();
        assert!(matches!(open(), Err(Error::Content { .. })));
        assert!(Accounts::create(dir.path(), Lifetimes::default()).is_err());
        std::fs::remove_file(dir.path().join("accounts.json")).unwrap();
        assert!(open().unwrap_err().to_string().contains("--init"));
    }
}
