//! `adb serve`: a database for others, over ApertureDB's protocol and REST.

mod accounts;
mod limits;
mod options;
mod record;
mod signals;
mod source;
mod users;
mod welcome;

use std::{io::Write as _, net::SocketAddr};

use adb::{protocol::secrecy::ExposeSecret as _, server::Server};

use crate::exit::Exit;
use signals::{Asked, Signals};

/// Serve a database to the official Python SDK, to `adb://…` addresses, and over REST.
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:
  adb serve --db my.adb --init                         # on this machine, port 55555; the first
                                                       # time with --init, which makes `admin`
  adb serve --db my.adb --listen 0.0.0.0:55555 --tls-self-signed
                                                       # for other machines
  adb serve --db my.adb --rest 127.0.0.1:8080          # REST as well, with /healthz and /metrics
  adb serve --upstream adb://admin:…@db.example.com --init
                                                       # another server's, for scripts of your own
  adb serve user add anna --role reader --db my.adb    # somebody who may only read
  adb serve user token anna --db my.adb                # a token for a program

The Python SDK, after the first example (it asks for the password):
  adb config create here --host localhost --port 55555 --username admin \\
      --no-use-ssl --active

Lines on standard output are for scripts: `password of admin: …`, `certificate: …`,
`REST: http://…/api`, and last `listening on ADDRESS`. SIGTERM and Ctrl-C end it in order:
requests at work are answered, a second one ends it at once."
)]
pub(crate) struct Serve {
    #[command(subcommand)]
    user: Option<Sub>,
    #[command(flatten)]
    source: source::Source,
    #[command(flatten)]
    options: options::Listening,
    #[command(flatten)]
    accounts: accounts::Access,
    #[command(flatten)]
    limits: limits::Limits,
    #[command(flatten)]
    recording: record::Recording,
}

#[derive(clap::Subcommand)]
enum Sub {
    /// Accounts of a server, also while it runs.
    #[command(subcommand)]
    User(users::User),
}

impl Serve {
    /// Whether it is to serve, and not to change accounts.
    pub(crate) fn serves(&self) -> bool {
        self.user.is_none()
    }

    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        if let Some(Sub::User(command)) = self.user {
            return command.run();
        }
        self.source.look()?;
        let state = self.accounts.state.directory(&self.source.name())?;
        // Nobody who can't be let in anyway gets a database, and a mistyped directory no accounts; and
        // what can't be listened on leaves neither behind.
        self.accounts.look(&state)?;
        self.recording.look()?;
        let listener = self.options.bind(!self.accounts.no_auth).await?;
        let way_in = self.options.way_in(listener.address()?, &state)?;
        let db = self.source.open(&self.limits, &self.options, &way_in).await?;
        let db = self.recording.around(db)?;
        let (access, password) = self.accounts.open(&state)?;
        if let Some(password) = password {
            // At once: what goes wrong from here on leaves the account, and nobody keeps this.
            say(&format!("password of admin: {}", password.expose_secret()));
        }
        let (options, certificate) = self.options.with(access, &state, self.limits.into())?;
        let tls = options.tls.is_some();
        let server = listener.serve(db, options)?;
        let served = welcome::Served {
            address: server.address()?,
            rest: server.rest_address()?,
            tls,
            certificate,
            accounts: !self.accounts.no_auth,
            directory: self.source.directory()?,
        };
        // Who reads that it listens may ask it to stop at once.
        let signals = Signals::new()?;
        served.tell();
        until_stopped(server, served.address, signals).await
    }
}

/// Serves until somebody asks it to stop.
async fn until_stopped(
    server: Server,
    address: SocketAddr,
    mut signals: Signals,
) -> anyhow::Result<Exit> {
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let running = server.run(async {
        // The sender is dropped only after it has sent.
        let _ = stopped.await;
    });
    let mut running = std::pin::pin!(running);
    let asked = tokio::select! {
        asked = signals.next() => asked,
        _ = running.as_mut() => anyhow::bail!("the server on {address} stopped by itself"),
    };
    let _ = stop.send(());
    let ended = tokio::select! {
        ended = running => ended,
        _ = signals.next() => false,
    };
    if !ended {
        tracing::warn!("requests were cut off");
        return Ok(Exit::Failed);
    }
    tracing::info!("stopped");
    Ok(match asked {
        Asked::ToEnd => Exit::Well,
        Asked::AtTheKeyboard => Exit::Stopped,
    })
}

/// A line for scripts and people. If nobody reads it the server runs all the same.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
