//! The commands that begin and renew a session, their answers, and the answer to who has none.

use std::{fmt, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value as Json, json};

use crate::{Credentials, Error};

/// The command that logs in.
pub const AUTHENTICATE: &str = "Authenticate";
/// The command that renews a session.
pub const REFRESH: &str = "RefreshToken";

/// What both SDKs take for a session that has ended: `info` for old ones, `code` for new ones.
const NOT_AUTHENTICATED: &str = "Not Authenticated!";
const UNAUTHENTICATED: &str = "unauthenticated";

/// A request that logs in; it is sent without a token, alone. It holds the secret: log neither it
/// nor the message around it.
#[must_use]
pub fn authenticate(credentials: &Credentials) -> SecretString {
    let body = match credentials {
        Credentials::Password { username, password } => {
            json!({"username": username, "password": password.expose_secret()})
        }
        Credentials::Token { username: Some(username), token } => {
            json!({"username": username, "token": token.expose_secret()})
        }
        Credentials::Token { username: None, token } => json!({"token": token.expose_secret()}),
    };
    json!([{ AUTHENTICATE: body }]).to_string().into()
}

/// A request that renews a session.
#[must_use]
pub fn refresh(refresh_token: &SecretString) -> SecretString {
    json!([{ REFRESH: {"refresh_token": refresh_token.expose_secret()} }]).to_string().into()
}

/// A session: what a server answers to either command.
#[derive(Clone)]
pub struct Session {
    /// Goes with every request.
    pub token: SecretString,
    /// For how long it is good.
    pub expires_in: Duration,
    /// Renews the session.
    pub refresh_token: SecretString,
    /// For how long that one is good.
    pub refresh_expires_in: Duration,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("expires_in", &self.expires_in)
            .field("refresh_expires_in", &self.refresh_expires_in)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// The answer to `command`, with all five keys that the Python SDK needs.
    #[must_use]
    pub fn to_answer(&self, command: &str) -> Json {
        json!([{ command: {
            "status": 0,
            "session_token": self.token.expose_secret(),
            "refresh_token": self.refresh_token.expose_secret(),
            "session_token_expires_in": self.expires_in.as_secs(),
            "refresh_token_expires_in": self.refresh_expires_in.as_secs(),
        }}])
    }

    /// Reads the answer to `command`.
    ///
    /// # Errors
    /// What the server said if it refused; what is missing otherwise.
    pub fn from_answer(command: &str, answer: &Json) -> Result<Self, Error> {
        let refusal = |told: &Json| {
            let info = told["info"].as_str().unwrap_or("the server gives no reason");
            Error::Refused(format!("{command} was refused: {info}"))
        };
        let told = match answer {
            Json::Array(answers) => match answers.first().and_then(|a| a.get(command)) {
                Some(told) => told,
                None => return Err(Error::Answer(format!("there is no answer to {command}"))),
            },
            object => return Err(refusal(object)),
        };
        if told["status"].as_i64() != Some(0) {
            return Err(refusal(told));
        }
        let text = |key: &str| {
            let text = told[key].as_str().filter(|t| !t.is_empty());
            text.map(SecretString::from)
                .ok_or_else(|| Error::Answer(format!("the answer to {command} lacks `{key}`")))
        };
        // Servers count in whole seconds; a fraction is taken as well.
        let seconds = |key: &str| {
            let seconds = told[key].as_f64().and_then(|s| Duration::try_from_secs_f64(s).ok());
            seconds.ok_or_else(|| Error::Answer(format!("the answer to {command} lacks `{key}`")))
        };
        Ok(Self {
            token: text("session_token")?,
            expires_in: seconds("session_token_expires_in")?,
            refresh_token: text("refresh_token")?,
            refresh_expires_in: seconds("refresh_token_expires_in")?,
        })
    }
}

/// What a server answers to a request without a good token; none of the request was run.
#[must_use]
pub fn not_authenticated() -> Json {
    json!({"status": -1, "info": NOT_AUTHENTICATED, "code": UNAUTHENTICATED})
}

/// Whether an answer says that the session is over, in the words of an old server or a new one.
#[must_use]
pub fn is_not_authenticated(answer: &Json) -> bool {
    answer.get("status").and_then(Json::as_i64) == Some(-1)
        && match answer.get("code").and_then(Json::as_str) {
            Some(code) => code == UNAUTHENTICATED,
            None => answer.get("info").and_then(Json::as_str) == Some(NOT_AUTHENTICATED),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session {
            token: "session-hunter2".into(),
            expires_in: Duration::from_secs(3600),
            refresh_token: "refresh-hunter2".into(),
            refresh_expires_in: Duration::from_secs(86_400),
        }
    }

    #[test]
    fn three_ways_to_log_in() {
        let sent = |c: &Credentials| authenticate(c).expose_secret().to_owned();
        let username = || "admin".to_owned();
        assert_eq!(
            sent(&Credentials::Password { username: username(), password: "p\"".into() }),
            r#"[{"Authenticate":{"username":"admin","password":"p\""}}]"#
        );
        assert_eq!(
            sent(&Credentials::Token { username: Some(username()), token: "adbp_x".into() }),
            r#"[{"Authenticate":{"username":"admin","token":"adbp_x"}}]"#
        );
        assert_eq!(
            sent(&Credentials::Token { username: None, token: "adbp_x".into() }),
            r#"[{"Authenticate":{"token":"adbp_x"}}]"#
        );
        let renewal = refresh(&"r".into());
        assert_eq!(renewal.expose_secret(), r#"[{"RefreshToken":{"refresh_token":"r"}}]"#);
    }

    #[test]
    fn answers_are_read_as_written() {
        for command in [AUTHENTICATE, REFRESH] {
            let read = Session::from_answer(command, &session().to_answer(command)).unwrap();
            assert_eq!(read.token.expose_secret(), "session-hunter2");
            assert_eq!(read.refresh_token.expose_secret(), "refresh-hunter2");
            assert_eq!(read.expires_in, Duration::from_secs(3600));
            assert!(!format!("{read:?}").contains("hunter2"));
        }
    }

    #[test]
    fn refusals_say_why() {
        let of = |answer| Session::from_answer(AUTHENTICATE, &answer).unwrap_err().to_string();
        let inside = json!([{"Authenticate": {"status": -1, "info": "wrong password"}}]);
        assert!(of(inside).contains("wrong password"));
        assert!(of(json!({"status": -1, "info": "too many"})).contains("too many"));
        assert!(of(json!([])).contains("no answer"));
        let mut lacking = session().to_answer(AUTHENTICATE);
        lacking[0][AUTHENTICATE].as_object_mut().unwrap().remove("refresh_token_expires_in");
        assert!(of(lacking).contains("refresh_token_expires_in"));
        let mut negative = session().to_answer(AUTHENTICATE);
        negative[0][AUTHENTICATE]["session_token_expires_in"] = json!(-1);
        assert!(of(negative).contains("session_token_expires_in"));
    }

    #[test]
    fn the_end_of_a_session_in_both_forms() {
        assert!(is_not_authenticated(&not_authenticated()));
        assert!(is_not_authenticated(&json!({"status": -1, "info": "Not Authenticated!"})));
        assert!(is_not_authenticated(&json!({"status": -1, "code": "unauthenticated"})));
        assert!(!is_not_authenticated(
            &json!({"status": -1, "info": "Not Authenticated!", "code": "forbidden"})
        ));
        assert!(!is_not_authenticated(&json!({"status": -1, "info": "no such class"})));
        assert!(!is_not_authenticated(&json!([{"GetStatus": {"status": 0}}])));
    }
}
