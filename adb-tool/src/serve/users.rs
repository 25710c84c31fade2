//! `adb serve user`: the accounts of a server, also while it runs.

use std::{io::BufRead as _, path::PathBuf};

use adb::{
    protocol::secrecy::{ExposeSecret as _, SecretString},
    server::{Accounts, Lifetimes},
};
use anyhow::Context as _;

use super::{accounts::State, say, source};
use crate::exit::Exit;

/// Accounts of a server. A server that runs sees each change at once.
#[derive(clap::Subcommand)]
#[command(after_help = "Examples:
  adb serve user add anna --role reader --db my.adb
  adb serve user passwd admin --db my.adb
  adb serve user token anna --db my.adb
  adb serve user ls --db my.adb
  adb serve user rm anna --db my.adb")]
pub(super) enum User {
    /// Make a user, and print the password.
    Add {
        /// The name: four characters or more.
        name: String,
        /// What the user may do: admin (everything), user (all data), reader (change nothing).
        #[arg(long, default_value = "user", value_name = "ROLE")]
        role: String,
        /// No way in by password: by tokens alone.
        #[arg(long, conflicts_with = "password_stdin")]
        no_password: bool,
        #[command(flatten)]
        password: Password,
        #[command(flatten)]
        place: Place,
    },
    /// Show users, their roles and how their tokens begin.
    Ls {
        #[command(flatten)]
        place: Place,
    },
    /// Give a user another password, and print it. The user's sessions end.
    Passwd {
        /// The user.
        name: String,
        #[command(flatten)]
        password: Password,
        #[command(flatten)]
        place: Place,
    },
    /// Make an API token for a user, and print it: for programs.
    Token {
        /// The user.
        name: String,
        /// Take all tokens from the user instead. Sessions that began with them end.
        #[arg(long)]
        revoke_all: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Remove a user, with tokens and sessions.
    Rm {
        /// The user.
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

/// Whose accounts.
#[derive(clap::Args)]
pub(super) struct Place {
    /// The database that is served.
    #[arg(
        long,
        value_name = "DIR",
        env = "ADB_DB",
        hide_env_values = true,
        required_unless_present = "state"
    )]
    db: Option<PathBuf>,
    #[command(flatten)]
    state: State,
}

impl Place {
    fn open(&self) -> anyhow::Result<Accounts> {
        // Without a database there is a state, which needs none.
        let db = self.db.clone().unwrap_or_default();
        source::directory(&db)?;
        Ok(Accounts::open(&self.state.directory(&db)?, Lifetimes::default())?)
    }
}

/// Where a password comes from.
#[derive(clap::Args)]
pub(super) struct Password {
    /// Read the password from standard input, one line, instead of making one.
    #[arg(long)]
    password_stdin: bool,
}

impl Password {
    /// The password, and whether it was made here.
    fn get(&self) -> anyhow::Result<(SecretString, bool)> {
        if !self.password_stdin {
            return Ok((Accounts::generate_password()?, true));
        }
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).context("standard input")?;
        let password = line.trim_end_matches(['\r', '\n']);
        Ok((password.into(), false))
    }
}

impl User {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        match self {
            User::Add { name, role, no_password, password, place } => {
                let accounts = place.open()?;
                let password = if no_password { None } else { Some(password.get()?) };
                accounts.create_user(&name, password.as_ref().map(|(p, _)| p), &[role])?;
                if let Some((password, true)) = password {
                    say(&format!("password of {name}: {}", password.expose_secret()));
                }
            }
            User::Ls { place } => {
                for user in place.open()?.users() {
                    let roles: Vec<&str> = user.roles.iter().map(|role| role.name()).collect();
                    let password = if user.has_password { "password" } else { "no password" };
                    let tokens = match &user.tokens[..] {
                        [] => "no tokens".to_owned(),
                        tokens => format!("tokens {}", tokens.join(" ")),
                    };
                    say(&format!("{}\t{}\t{password}\t{tokens}", user.name, roles.join(",")));
                }
            }
            User::Passwd { name, password, place } => {
                let accounts = place.open()?;
                let (password, made) = password.get()?;
                accounts.set_password(&name, &password)?;
                if made {
                    say(&format!("password of {name}: {}", password.expose_secret()));
                }
            }
            User::Token { name, revoke_all: true, place } => {
                let revoked = place.open()?.revoke_tokens(&name)?;
                say(&format!("tokens of {name} taken: {revoked}"));
            }
            User::Token { name, revoke_all: false, place } => {
                let token = place.open()?.add_token(&name)?;
                say(&format!("token of {name}: {}", token.expose_secret()));
            }
            User::Rm { name, place } => {
                place.open()?.remove_user(&name)?;
                say(&format!("{name} removed"));
            }
        }
        Ok(Exit::Well)
    }
}
