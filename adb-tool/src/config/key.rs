//! Keys: a whole configuration in one word, with a token of its own.

use adb::{
    Answer, Database, Request, ask,
    protocol::{Configuration, Credentials, Key, config::Place, secrecy::ExposeSecret as _},
    remote,
};
use anyhow::{Context as _, bail};
use serde_json::{Value as Json, json};

use super::{Which, active, files, named, told};
use crate::exit::{Exit, usage};

/// Print a key for a server: what `APERTUREDB_KEY` takes. It is a secret.
///
/// The server makes a new API token for it, the first time; the key is kept in the file.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb config get-key dev")]
pub(crate) struct GetKey {
    /// The configuration; without it the one that is used here.
    name: Option<String>,
    /// Whose key [default: the one who logs in].
    #[arg(long)]
    user: Option<String>,
    /// A key that holds the configuration's own password or token: no server is asked.
    #[arg(long, conflicts_with = "user")]
    own: bool,
    #[command(flatten)]
    which: Which,
}

impl GetKey {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let configuration = match &self.name {
            Some(name) => match named(name)? {
                Some(found) => found,
                None => usage!(
                    "there is no configuration `{name}`; `adb config ls` lists what there is"
                ),
            },
            None => match active()? {
                Some(found) => found.configuration,
                None => {
                    usage!("no configuration is active; name one, or `adb config activate NAME`")
                }
            },
        };
        if self.own {
            println!("{}", Key::write(&configuration).map_err(told)?.text());
            return Ok(Exit::Well);
        }
        let Some(user) = self.user.or_else(|| configuration.username.clone()) else {
            usage!("the configuration names no user; say for whom: --user NAME");
        };
        let kept = configuration.user_keys.as_ref().and_then(|users| users.get(&user)?.first());
        if let Some(key) = kept {
            println!("{}", key.expose_secret());
            return Ok(Exit::Well);
        }
        let server = remote::Remote::new(&configuration, remote::Options::default())?;
        let token = new_token(&server).await?;
        assign(&server, &user, &token).await?;
        let key = key_of(&configuration, &token)?;
        keep(self.which.place(), &configuration, user, &key)?;
        println!("{}", key.text());
        Ok(Exit::Well)
    }
}

/// Writes a new key beside the configuration that it is of, if a file has that.
fn keep(
    place: Place,
    configuration: &Configuration,
    user: String,
    key: &Key,
) -> anyhow::Result<()> {
    for place in [place, Place::Global, Place::Local] {
        let mut file = files::read(place)?;
        if let Some(mut entry) = file.get(&configuration.name).map_err(told)? {
            entry
                .user_keys
                .get_or_insert_default()
                .entry(user)
                .or_default()
                .push(key.text().into());
            file.set(&entry).map_err(told)?;
            return files::write(place, &file);
        }
    }
    Ok(())
}

/// A new token; nobody has it yet.
pub(crate) async fn new_token(server: &dyn Database) -> anyhow::Result<String> {
    let (answers, _) = ask(server, Request::json(&json!([{"GenerateToken": {}}]))).await?;
    let token = Answer::at(&answers, 0)?.get("token").and_then(Json::as_str);
    Ok(token.context("the server made no token")?.to_owned())
}

/// Gives a token to a user.
pub(crate) async fn assign(server: &dyn Database, user: &str, token: &str) -> anyhow::Result<()> {
    let request = json!([{"UpdateUser": {"username": user, "add_tokens": [token]}}]);
    let (answers, _) = ask(server, Request::json(&request)).await?;
    let answer = Answer::at(&answers, 0)?;
    if answer.status() != 0 {
        bail!("the server did not give the token to `{user}`: {}", answer.info());
    }
    Ok(())
}

/// The key of a configuration with another token in place of its own credentials.
pub(crate) fn key_of(configuration: &Configuration, token: &str) -> anyhow::Result<Key> {
    let credentials = Credentials::Token { username: None, token: token.into() };
    let mut with_token = Configuration::new("", configuration.host.clone(), credentials);
    with_token.port = configuration.port;
    with_token.use_ssl = configuration.use_ssl;
    with_token.use_rest = configuration.use_rest;
    with_token.ca_cert.clone_from(&configuration.ca_cert);
    with_token.verify_hostname = configuration.verify_hostname;
    Ok(Key::write(&with_token).map_err(told)?)
}
