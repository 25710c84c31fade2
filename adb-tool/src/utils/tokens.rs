//! `adb utils keys` and `adb utils tokens`: API tokens of a server's users.

use adb::{Answer, Database, Request, ask, protocol::Configuration};
use serde_json::{Value as Json, json};

use crate::{
    config::{active, assign, key_of, named, new_token},
    database::Db,
    exit::{Exit, usage},
};

/// Keys: a server, and a token of a user, in one word.
#[derive(clap::Subcommand)]
#[command(after_help = "Example:
  adb utils keys generate anna --db config:dev")]
pub(crate) enum Keys {
    Generate(GenerateKey),
}

/// API tokens of a server's users.
#[derive(clap::Subcommand)]
#[command(after_help = "Example:
  adb utils tokens list anna --db config:dev")]
pub(crate) enum Tokens {
    List(ListTokens),
    Generate(GenerateToken),
    Assign(AssignToken),
    Remove(RemoveToken),
}

/// Make a key for a user of the server: what `APERTUREDB_KEY` takes. It is a secret.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb utils keys generate anna --db config:dev")]
pub(crate) struct GenerateKey {
    /// Whose.
    user: String,
    #[command(flatten)]
    db: Db,
}

/// List the tokens of a user, as the server shows them.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb utils tokens list anna --db config:dev")]
pub(crate) struct ListTokens {
    /// Whose.
    user: String,
    #[command(flatten)]
    db: Db,
}

/// Make a token and print it. It is a secret, and nobody has it until it is assigned.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb utils tokens generate --db config:dev")]
pub(crate) struct GenerateToken {
    #[command(flatten)]
    db: Db,
}

/// Give a token to a user.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb utils tokens assign anna adbp_1a2b --db config:dev")]
pub(crate) struct AssignToken {
    /// To whom.
    user: String,
    /// The token.
    token: String,
    #[command(flatten)]
    db: Db,
}

/// Take a token away from a user.
#[derive(clap::Args)]
#[command(after_help = "Example:
  adb utils tokens remove anna adbp_1a2b --db config:dev")]
pub(crate) struct RemoveToken {
    /// From whom.
    user: String,
    /// The token.
    token: String,
    #[command(flatten)]
    db: Db,
}

impl Keys {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let Keys::Generate(GenerateKey { user, db }) = self;
        let configuration = configuration(&db)?;
        let server = db.read()?;
        let token = new_token(&*server).await?;
        assign(&*server, &user, &token).await?;
        println!("{}", key_of(&configuration, &token)?.text());
        Ok(Exit::Well)
    }
}

impl Tokens {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        match self {
            Tokens::List(ListTokens { user, db }) => {
                let request = json!([{"GetUserDetails": {"username": user}}]);
                let (answers, _) = ask(&*server(&db)?, Request::json(&request)).await?;
                let tokens = Answer::at(&answers, 0)?.get("tokens").and_then(Json::as_array);
                for token in tokens.into_iter().flatten() {
                    println!("{}", token.as_str().unwrap_or_default());
                }
            }
            Tokens::Generate(GenerateToken { db }) => {
                println!("{}", new_token(&*server(&db)?).await?);
            }
            Tokens::Assign(AssignToken { user, token, db }) => {
                assign(&*server(&db)?, &user, &token).await?;
            }
            Tokens::Remove(RemoveToken { user, token, db }) => {
                let request = json!([{"UpdateUser": {"username": user, "remove_tokens": [token]}}]);
                ask(&*server(&db)?, Request::json(&request)).await?;
            }
        }
        Ok(Exit::Well)
    }
}

/// An embedded database has no users.
fn server(db: &Db) -> anyhow::Result<std::sync::Arc<dyn Database>> {
    if db.directory().is_some() {
        usage!(
            "an embedded database has no users and tokens; name a server (--db config:NAME or \
             --db adb://…), such as one that `adb serve` is"
        );
    }
    db.read()
}

/// Where the server is, for a key.
fn configuration(db: &Db) -> anyhow::Result<Configuration> {
    server(db)?;
    let address = db.address();
    if let Some(name) = address.strip_prefix("config:").filter(|name| !name.is_empty()) {
        return match named(name)? {
            Some(found) => Ok(found),
            None => {
                usage!("there is no configuration `{name}`; `adb config ls` lists what there is")
            }
        };
    }
    if address.contains("://") {
        return Ok(Configuration::from_address(address)?);
    }
    match active()? {
        Some(found) => Ok(found.configuration),
        None => usage!("no configuration is active; `adb config activate NAME`"),
    }
}
