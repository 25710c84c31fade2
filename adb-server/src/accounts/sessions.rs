//! Sessions: begun, renewed, and looked at with each request.

use std::time::Duration;

use adb_protocol::{Credentials, login::Session, secrecy::SecretString};

use super::{
    Accounts, Caller, now, password,
    store::Loaded,
    token::{self, Claims, Purpose},
};
use crate::Error;

impl Accounts {
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
        Some(self.session(&name, by.as_deref()))
    }

    /// Begins another session with what renews one; the old one stays good until its end.
    pub(crate) fn renew(&self, refresh: &SecretString) -> Option<Result<Session, Error>> {
        let claims = good(&self.loaded(), Purpose::Refresh, refresh)?;
        Some(self.session(&claims.user, claims.by.as_deref()))
    }

    /// Who sent a request with this token.
    pub(crate) fn caller(&self, session: &SecretString) -> Option<Caller> {
        let loaded = self.loaded();
        let claims = good(&loaded, Purpose::Session, session)?;
        let role = loaded.state.users.get(&claims.user)?.roles.iter().min().copied()?;
        drop(loaded);
        Some(Caller { name: claims.user, role })
    }

    pub(super) fn session(&self, user: &str, by: Option<&str>) -> Result<Session, Error> {
        let loaded = self.loaded();
        let generation = loaded.state.users.get(user).map_or(0, |user| user.generation);
        let sign = |purpose, lifetime: Duration| {
            // What is told is cut to whole seconds, what is checked is not shorter.
            let expires = now() + lifetime.as_secs() + 1;
            token::sign(
                &loaded.key,
                purpose,
                &Claims { user: user.to_owned(), generation, expires, by: by.map(str::to_owned) },
            )
        };
        Ok(Session {
            token: sign(Purpose::Session, self.lifetimes.session)?,
            expires_in: self.lifetimes.session,
            refresh_token: sign(Purpose::Refresh, self.lifetimes.refresh)?,
            refresh_expires_in: self.lifetimes.refresh,
        })
    }
}

/// What a token says, if it was signed here, is not over and the user's sessions have not ended.
fn good(loaded: &Loaded, purpose: Purpose, token: &SecretString) -> Option<Claims> {
    let claims = token::verify(&loaded.key, purpose, token)?;
    let user = loaded.state.users.get(&claims.user)?;
    let begun = claims.by.as_ref().is_none_or(|by| user.tokens.contains_key(by));
    (begun && user.generation == claims.generation && now() < claims.expires).then_some(claims)
}
