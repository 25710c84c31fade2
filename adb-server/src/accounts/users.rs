//! Users and their tokens: made, changed, removed, and by which rules.

use adb_protocol::secrecy::{ExposeSecret, SecretString};

use super::{
    Accounts, Role, password, random,
    store::{State, User},
    token,
};
use crate::Error;

impl Accounts {
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

/// What is to change about a user.
#[derive(Debug, Default)]
pub(crate) struct UserChange {
    pub password: Option<SecretString>,
    pub roles: Option<Vec<String>>,
    pub add_tokens: Vec<SecretString>,
    pub remove_tokens: Vec<SecretString>,
}

pub(super) fn new_user(password: Option<&SecretString>, roles: Vec<Role>) -> Result<User, Error> {
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
