//! Who is let in.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
};

use adb::{
    protocol::secrecy::SecretString,
    server::{self, Accounts},
};

use anyhow::Context as _;

use super::limits::Sessions;

/// The password of `admin` that `--init` takes instead of making one: for containers, whose output
/// nobody reads.
const PASSWORD: &str = "ADB_ADMIN_PASSWORD";

/// Where accounts and certificates are.
#[derive(Clone, clap::Args)]
pub(crate) struct State {
    /// Where the server keeps its accounts and the certificate that it makes; DIR.server, beside the
    /// database, unless told. Who copies a database copies no secrets.
    #[arg(long, value_name = "DIR", env = "ADB_SERVER_STATE")]
    state: Option<PathBuf>,
}

impl State {
    pub(super) fn directory(&self, db: &Path) -> anyhow::Result<PathBuf> {
        if let Some(directory) = &self.state {
            return Ok(directory.clone());
        }
        // `.` and `..` have no name to put anything beside.
        let db = std::path::absolute(db)?;
        let db = db.canonicalize().unwrap_or(db);
        let Some(name) = db.file_name() else {
            anyhow::bail!("{}: say with --state where the accounts are to be", db.display());
        };
        let mut beside = OsString::from(name);
        beside.push(".server");
        Ok(db.with_file_name(beside))
    }
}

/// Who is let in.
#[derive(clap::Args)]
#[command(next_help_heading = "Accounts")]
pub(crate) struct Access {
    #[command(flatten)]
    pub(super) state: State,
    /// Make the user `admin` if there are no accounts yet, and print the password, once. With
    /// ADB_ADMIN_PASSWORD set, that is the password.
    #[arg(long, conflicts_with = "no_auth")]
    init: bool,
    /// Let everybody in, whatever they say of themselves: on this machine only.
    #[arg(long)]
    pub(super) no_auth: bool,
    #[command(flatten)]
    sessions: Sessions,
}

impl Access {
    /// Whether the accounts are there, or can be made as is wanted. Makes nothing.
    pub(super) fn look(&self, state: &Path) -> anyhow::Result<()> {
        if self.no_auth {
            return Ok(());
        }
        if !self.init || Accounts::exist(state) {
            Accounts::open(state, self.sessions.into())?;
        } else if let Ok(password) = std::env::var(PASSWORD) {
            Accounts::check_password(&password.into()).context(PASSWORD)?;
        }
        Ok(())
    }

    /// Opens the accounts, or makes them; answers the password that was made.
    pub(super) fn open(
        &self,
        state: &Path,
    ) -> anyhow::Result<(server::Access, Option<SecretString>)> {
        if self.no_auth {
            return Ok((server::Access::Everybody, None));
        }
        let lifetimes = self.sessions.into();
        let (accounts, password) = match std::env::var(PASSWORD) {
            _ if !self.init => (Accounts::open(state, lifetimes)?, None),
            _ if Accounts::exist(state) => {
                tracing::info!("there are accounts already; --init changes nothing");
                (Accounts::open(state, lifetimes)?, None)
            }
            Ok(password) => (Accounts::create_with(state, &password.into(), lifetimes)?, None),
            Err(_) => {
                let (accounts, password) = Accounts::create(state, lifetimes)?;
                (accounts, Some(password))
            }
        };
        Ok((server::Access::Accounts(Arc::new(accounts)), password))
    }
}
