//! The commands about users and tokens, which no database sees.

use adb_protocol::{
    Credentials,
    login::{AUTHENTICATE, REFRESH},
    secrecy::{ExposeSecret, SecretString},
};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::{Accounts, Caller, Role, UserChange};
use crate::Error;

/// Commands that an admin gives.
const ADMINISTRATION: [&str; 8] = [
    "CreateUser",
    "UpdateUser",
    "RemoveUser",
    "GetUserDetails",
    "GenerateToken",
    "CreateRole",
    "UpdateRole",
    "RemoveRole",
];

/// Whether a command is the accounts' and not the database's.
pub(crate) fn is_accounts(command: &str) -> bool {
    begins_session(command) || ADMINISTRATION.contains(&command)
}

/// Whether a command needs no session.
pub(crate) fn begins_session(command: &str) -> bool {
    command == AUTHENTICATE || command == REFRESH
}

#[derive(Deserialize)]
struct LogIn {
    username: Option<String>,
    password: Option<SecretString>,
    token: Option<SecretString>,
}

#[derive(Deserialize)]
struct Refresh {
    refresh_token: SecretString,
}

#[derive(Deserialize)]
struct Named {
    username: Option<String>,
    password: Option<SecretString>,
    roles: Option<Vec<String>>,
    #[serde(default)]
    add_tokens: Vec<SecretString>,
    #[serde(default)]
    remove_tokens: Vec<SecretString>,
}

impl Accounts {
    /// Answers `Authenticate` or `RefreshToken`. May block.
    pub(crate) fn begin_session(&self, command: &str, body: &Json) -> Json {
        let session = if command == REFRESH {
            let Ok(Refresh { refresh_token }) = Refresh::deserialize(body) else {
                return refused(command, "RefreshToken takes `refresh_token`, a text");
            };
            self.renew(&refresh_token)
        } else {
            let credentials = match LogIn::deserialize(body) {
                Ok(LogIn { username: Some(username), password: Some(password), .. }) => {
                    Credentials::Password { username, password }
                }
                Ok(LogIn { username, password: None, token: Some(token) }) => {
                    Credentials::Token { username, token }
                }
                _ => {
                    let info = "Authenticate takes `username` and `password`, or `token`";
                    return refused(command, info);
                }
            };
            self.log_in(&credentials)
        };
        match session {
            Some(Ok(session)) => session.to_answer(command),
            Some(Err(e)) => refused(command, &e.to_string()),
            // The same for a name that is not known and a password that is wrong.
            None if command == REFRESH => {
                refused(command, "the refresh token is not, or no longer, good")
            }
            None => refused(command, "the user name, password or token is wrong"),
        }
    }

    /// Answers commands about users and tokens, one after the other up to the first that fails. What
    /// went before a failure stays done, unlike with data. May block.
    pub(crate) fn administrate(&self, caller: &Caller, commands: &[Map<String, Json>]) -> Json {
        let mut answers = Vec::new();
        for (at, command) in commands.iter().enumerate() {
            let Some((name, body)) = command.iter().next() else { continue };
            match self.one(caller, name, body) {
                Ok(Json::Object(mut answer)) => {
                    answer.insert("status".to_owned(), json!(0));
                    answers.push(json!({ name: answer }));
                }
                Ok(_) => answers.push(json!({ name: {"status": 0} })),
                Err(info) => {
                    let info = format!("{name} (command {at}): {info}");
                    return json!({"status": -1, "info": info});
                }
            }
        }
        Json::Array(answers)
    }

    fn one(&self, caller: &Caller, name: &str, body: &Json) -> Result<Json, String> {
        // What serde says could quote a secret.
        let named = Named::deserialize(body).map_err(|_| "a parameter is of a wrong kind")?;
        let own = named.username.as_deref() == Some(caller.name.as_str());
        let changes_roles = named.roles.is_some();
        let allowed = match name {
            "GenerateToken" => true,
            "GetUserDetails" => own,
            "UpdateUser" => own && !changes_roles,
            _ => false,
        };
        if caller.role != Role::Admin && !allowed {
            return Err("only an admin may do that".to_owned());
        }
        let told = |e: Error| e.to_string();
        let username = || named.username.as_deref().ok_or("it lacks `username`".to_owned());
        match name {
            "CreateUser" => {
                let roles = named.roles.as_deref().unwrap_or_default();
                let password = named.password.as_ref();
                let user = username()?;
                self.create_user(user, password, roles).map_err(told)?;
                tracing::info!(by = caller.name, user, "user made");
            }
            "UpdateUser" => {
                let user = username()?.to_owned();
                let change = UserChange {
                    password: named.password,
                    roles: named.roles,
                    add_tokens: named.add_tokens,
                    remove_tokens: named.remove_tokens,
                };
                self.update_user(&user, &change).map_err(told)?;
                tracing::info!(by = caller.name, user, "user changed");
            }
            "RemoveUser" => {
                let user = username()?;
                self.remove_user(user).map_err(told)?;
                tracing::info!(by = caller.name, user, "user removed");
            }
            "GenerateToken" => {
                let token = self.generate_token().map_err(told)?;
                return Ok(json!({"token": token.expose_secret()}));
            }
            "GetUserDetails" => {
                let wanted = |name: &str| named.username.as_deref().is_none_or(|u| u == name);
                let details = self.users().into_iter().filter(|user| wanted(&user.name)).map(
                    |user| json!({"username": user.name, "roles": user.roles, "tokens": user.tokens}),
                );
                let mut details: Vec<Json> = details.collect();
                return match (&named.username, details.len()) {
                    (Some(user), 0) => Err(format!("there is no user `{user}`")),
                    (Some(_), _) => Ok(details.remove(0)),
                    (None, _) => Ok(json!({"users": details})),
                };
            }
            _ => {
                return Err(
                    "this server has the roles admin, user and reader, and no others".into()
                );
            }
        }
        Ok(Json::Null)
    }
}

fn refused(command: &str, info: &str) -> Json {
    json!([{ command: {"status": -1, "info": info} }])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::Lifetimes;

    fn caller(name: &str, role: Role) -> Caller {
        Caller { name: name.to_owned(), role }
    }

    fn asked(accounts: &Accounts, caller: &Caller, commands: Json) -> Json {
        let commands: Vec<Map<String, Json>> = serde_json::from_value(commands).unwrap();
        accounts.administrate(caller, &commands)
    }

    #[test]
    fn as_the_sdk_administrates() {
        let dir = tempfile::tempdir().unwrap();
        let (accounts, password) = Accounts::create(dir.path(), Lifetimes::default()).unwrap();
        let admin = caller("admin", Role::Admin);

        let body = json!({"username": "admin", "password": password.expose_secret()});
        let answer = accounts.begin_session("Authenticate", &body);
        assert_eq!(answer[0]["Authenticate"]["status"], 0);
        let refresh = json!({"refresh_token": answer[0]["Authenticate"]["refresh_token"]});
        let renewed = accounts.begin_session("RefreshToken", &refresh);
        assert_eq!(renewed[0]["RefreshToken"]["status"], 0);
        for body in [json!({}), json!({"username": "admin"}), json!(3), json!({"token": 1})] {
            let refused = accounts.begin_session("Authenticate", &body);
            assert_eq!(refused[0]["Authenticate"]["status"], -1, "{body}");
        }

        let made = json!([
            {"CreateUser": {"username": "anna", "password": "secret-word-1", "roles": ["reader"]}},
            {"GenerateToken": {}},
        ]);
        let answers = asked(&accounts, &admin, made);
        let token = answers[1]["GenerateToken"]["token"].clone();
        let given = asked(
            &accounts,
            &admin,
            json!([{"UpdateUser": {"username": "anna", "add_tokens": [token]}},
                   {"GetUserDetails": {"username": "anna"}}]),
        );
        let details = &given[1]["GetUserDetails"];
        assert_eq!(details["roles"], json!(["reader"]));
        let shown = details["tokens"][0].as_str().unwrap();
        assert!(token.as_str().unwrap().starts_with(shown.trim_end_matches("...")));
        let session = accounts.begin_session("Authenticate", &json!({"token": token}));
        assert_eq!(session[0]["Authenticate"]["status"], 0);
        assert_eq!(
            asked(&accounts, &admin, json!([{"GetUserDetails": {}}]))[0]["GetUserDetails"]["users"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
    }

    #[test]
    fn others_change_themselves_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (accounts, _) = Accounts::create(dir.path(), Lifetimes::default()).unwrap();
        accounts.create_user("anna", None, &[]).unwrap();
        let anna = caller("anna", Role::User);
        let forbidden = [
            json!([{"CreateUser": {"username": "bert"}}]),
            json!([{"RemoveUser": {"username": "anna"}}]),
            json!([{"UpdateUser": {"username": "admin", "password": "secret-word-1"}}]),
            json!([{"UpdateUser": {"username": "anna", "roles": ["admin"]}}]),
            json!([{"GetUserDetails": {}}]),
            json!([{"GetUserDetails": {"username": "admin"}}]),
            json!([{"CreateRole": {"name": "x"}}]),
        ];
        for commands in forbidden {
            let answer = asked(&accounts, &anna, commands.clone());
            assert_eq!(answer["status"], -1, "{commands}");
        }
        let own = json!([{"UpdateUser": {"username": "anna", "password": "secret-word-1"}}]);
        assert_eq!(asked(&accounts, &anna, own)[0]["UpdateUser"]["status"], 0);
        let role = asked(&accounts, &caller("admin", Role::Admin), json!([{"CreateRole": {}}]));
        assert!(role["info"].as_str().unwrap().contains("reader"));
    }

    #[test]
    fn faults_quote_no_secret() {
        let dir = tempfile::tempdir().unwrap();
        let (accounts, _) = Accounts::create(dir.path(), Lifetimes::default()).unwrap();
        let admin = caller("admin", Role::Admin);
        for body in [
            json!({"username": "anna", "password": ["hunter2"]}),
            json!({"username": "anna", "password": "hunter2"}),
            json!({"username": "admin", "add_tokens": ["adbp_hunter2hunter2"]}),
        ] {
            for command in ["CreateUser", "UpdateUser"] {
                let answer = asked(&accounts, &admin, json!([{command: body}])).to_string();
                assert!(!answer.contains("hunter2"), "{answer}");
            }
        }
    }
}
