//! What may be somebody's secret does not go into a file that is sent around.

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::{Error, format::hex};

/// Names of properties and parameters whose texts are secrets; also at the end of a longer name.
const SECRET: [&str; 13] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "tokens",
    "api_key",
    "apikey",
    "private_key",
    "authorization",
    "credential",
    "credentials",
    "signature",
];

/// What stands in constraints beside values.
const OPERATORS: [&str; 10] = ["==", "!=", "<", "<=", ">", ">=", "in", "not in", "all", "any"];

/// Answers that hold names and types alone.
const WITHOUT_VALUES: [&str; 2] = ["GetSchema", "GetIndexes"];

/// Leaves secrets out. In one trace the same secret is replaced by the same word, so that requests
/// that compare it mean what they meant; the word can't be computed from the secret by others.
#[derive(Debug)]
pub(crate) struct Censor {
    salt: [u8; 16],
}

/// The secrets of a request and what stands in their places, for texts that may quote them.
pub(crate) type Found = Vec<(String, String)>;

impl Censor {
    pub(crate) fn new() -> Result<Self, Error> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|e| Error::Chance(e.to_string()))?;
        Ok(Self { salt })
    }

    /// Commands, or answers.
    pub(crate) fn commands(&self, commands: &mut [Json], found: &mut Found) {
        for command in commands {
            let Some(command) = command.as_object_mut() else { continue };
            for (name, body) in command.iter_mut() {
                if !WITHOUT_VALUES.contains(&name.as_str()) {
                    self.walk(body, false, found);
                }
            }
        }
    }

    /// A text that may quote what was found.
    pub(crate) fn text(&self, text: &str, found: &Found) -> String {
        let quoted = found.iter().filter(|(secret, _)| secret.len() >= 4);
        quoted.fold(text.to_owned(), |text, (secret, word)| text.replace(secret, word))
    }

    fn walk(&self, value: &mut Json, secret: bool, found: &mut Found) {
        match value {
            Json::Object(map) => {
                for (key, value) in map.iter_mut() {
                    match (key.as_str(), value) {
                        ("url" | "_url", Json::String(url)) => *url = self.url(url, found),
                        ("info", Json::String(info)) => *info = self.text(info, found),
                        (key, value) => self.walk(value, secret || is_secret(key), found),
                    }
                }
            }
            Json::Array(list) => {
                // A constraint: `["$password", "==", "…"]`.
                let of_secret = list
                    .first()
                    .and_then(Json::as_str)
                    .is_some_and(|first| first.starts_with('$') && is_secret(first));
                for value in list {
                    self.walk(value, secret || of_secret, found);
                }
            }
            Json::String(text) if secret && !is_syntax(text) => {
                let word = self.word(text);
                found.push((std::mem::replace(text, word.clone()), word));
            }
            _ => {}
        }
    }

    fn word(&self, secret: &str) -> String {
        let digest = Sha256::new().chain_update(self.salt).chain_update(secret).finalize();
        format!("secret-{}", hex(&digest[..8]))
    }

    /// An address without the user and the password in it, and without what signs it.
    fn url(&self, url: &str, found: &mut Found) -> String {
        let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (place, rest) = rest.split_at(end);
        let mut out = format!("{scheme}://");
        let host = match place.rsplit_once('@') {
            Some((user, host)) => {
                let word = self.word(user);
                out.push_str(&word);
                out.push('@');
                found.push((user.to_owned(), word));
                host
            }
            None => place,
        };
        out.push_str(host);
        let Some((path, query)) = rest.split_once('?') else { return out + rest };
        out.push_str(path);
        for (at, pair) in query.split('&').enumerate() {
            out.push(if at == 0 { '?' } else { '&' });
            match pair.split_once('=') {
                Some((key, value)) if signs(key) => {
                    let word = self.word(value);
                    out.push_str(&format!("{key}={word}"));
                    found.push((value.to_owned(), word));
                }
                _ => out.push_str(pair),
            }
        }
        out
    }
}

/// Operators, and references to properties.
fn is_syntax(text: &str) -> bool {
    OPERATORS.contains(&text) || (text.starts_with('$') && !text.starts_with("$$"))
}

fn is_secret(name: &str) -> bool {
    let name = name.trim_start_matches(['$', '_']).to_ascii_lowercase().replace('-', "_");
    SECRET.iter().any(|secret| {
        name.strip_suffix(secret).is_some_and(|front| front.is_empty() || front.ends_with('_'))
    })
}

/// Parameters that let in whoever has the address: of S3, of Google, of Azure, and plain ones.
fn signs(key: &str) -> bool {
    let plain = ["key", "sig", "auth", "access_key_id", "awsaccesskeyid", "googleaccessid"];
    is_secret(key) || plain.iter().any(|name| key.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn censored(mut commands: Json) -> (Json, Found) {
        let mut found = Found::new();
        Censor::new().unwrap().commands(commands.as_array_mut().unwrap(), &mut found);
        (commands, found)
    }

    #[test]
    fn nothing_secret_is_left() {
        let commands = json!([
            {"Authenticate": {"username": "admin", "password": "hunter2"}},
            {"RefreshToken": {"refresh_token": "hunter2"}},
            {"UpdateUser": {"username": "anna", "add_tokens": ["hunter2"], "X-Api-Key": "hunter2"}},
            {"AddEntity": {"class": "User", "properties": {"db_password": "hunter2", "name": "Ada"},
                           "if_not_found": ["$db_password", "==", "hunter2"]}},
            {"FindEntity": {"constraints": {"all": {"secret": ["in", ["hunter2", "hunter2"]]}}}},
            {"AddImage": {"url": "https://hunter2:x@h/a.jpg?size=1&X-Amz-Signature=hunter2&sig=hunter2"}},
            {"FindUser": {"info": "there is no `hunter2`"}},
        ]);
        let (censored, found) = censored(commands);
        assert!(!censored.to_string().contains("hunter2"), "{censored}");
        assert!(found.iter().any(|(secret, _)| secret == "hunter2"));
        assert_eq!(censored[3]["AddEntity"]["properties"]["name"], "Ada");
        assert_eq!(censored[0]["Authenticate"]["username"], "admin");
    }

    /// What compared equal still does, and operators and references are what they were.
    #[test]
    fn requests_mean_what_they_meant() {
        let (told, _) = censored(json!([
            {"AddEntity": {"properties": {"token": "abcd"}, "if_not_found": ["all", ["$token", "==", "abcd"], ["$token", "!=", "$other"]]}},
            {"FindEntity": {"constraints": {"token": ["==", "abcd", "not in", ["x"]]}, "results": {"list": ["token"]}, "sort": {"key": "token"}}},
        ]));
        let guard = &told[0]["AddEntity"]["if_not_found"];
        let word = &told[0]["AddEntity"]["properties"]["token"];
        assert!(word.as_str().unwrap().starts_with("secret-"));
        assert_eq!(guard, &json!(["all", ["$token", "==", word], ["$token", "!=", "$other"]]));
        let find = &told[1]["FindEntity"];
        assert_eq!(find["constraints"]["token"][1], *word);
        assert_eq!(find["constraints"]["token"][2], "not in");
        assert_eq!(find["results"]["list"][0], "token");
        assert_eq!(find["sort"]["key"], "token");
    }

    #[test]
    fn what_is_no_secret_stays() {
        let plain = json!([
            {"AddImage": {"url": "https://h/a.jpg?size=1#token", "properties": {"tokenizer": "bpe", "keyboard": "de", "secretary": "Bo"}}},
            {"GetSchema": {"entities": {"password": [1, true, "String"]}}},
        ]);
        assert_eq!(censored(plain.clone()).0, plain);
    }

    #[test]
    fn two_traces_have_different_words() {
        let one = censored(json!([{"A": {"token": "abcd"}}])).0;
        let other = censored(json!([{"A": {"token": "abcd"}}])).0;
        assert_ne!(one, other);
    }
}
