//! Test support: a server that runs for as long as a test needs it.
#![expect(clippy::expect_used, reason = "tests fail by panicking")]

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use adb_model::Database;
use adb_protocol::{Configuration, Credentials};
use adb_server::{Access, Accounts, Lifetimes, Options, Server};
use tokio::{sync::oneshot, task::JoinHandle};

/// The password of the user `admin`.
pub const PASSWORD: &str = "admin-admin-1";

/// A server that runs until it is told to stop.
#[derive(Debug)]
pub struct Running {
    /// Where the framed protocol is.
    pub address: SocketAddr,
    /// Where REST is, if anywhere.
    pub rest: Option<SocketAddr>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<bool>,
}

impl Running {
    /// Starts a server in front of a database.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(db: Arc<dyn Database>, options: Options) -> Self {
        let mut attempts = 0;
        let server = loop {
            match Server::bind(Arc::clone(&db), options.clone()).await {
                // A process that another test begins holds for a moment what was closed here.
                Err(e) if e.is_transient() && attempts < 100 => attempts += 1,
                bound => break bound.expect("the server starts"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let address = server.address().expect("it listens");
        let rest = server.rest_address().expect("it listens");
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self { address, rest, stop, task }
    }

    /// Tells it to stop; answers whether all requests ended.
    ///
    /// # Panics
    /// When it has panicked.
    pub async fn stop(self) -> bool {
        let _ = self.stop.send(());
        self.task.await.expect("the server did not panic")
    }

    /// How `admin` gets in, without TLS; attempts follow each other soon.
    #[must_use]
    pub fn configuration(&self) -> Configuration {
        let credentials =
            Credentials::Password { username: "admin".into(), password: PASSWORD.into() };
        let mut configuration =
            Configuration::new("test", self.address.ip().to_string(), credentials);
        configuration.port = self.address.port();
        configuration.use_ssl = false;
        configuration.retry_interval_seconds = 0.05;
        configuration
    }

    /// The same over REST.
    ///
    /// # Panics
    /// When the server was started without.
    #[must_use]
    pub fn rest_configuration(&self) -> Configuration {
        let mut configuration = self.configuration();
        configuration.use_rest = true;
        configuration.port = self.rest.expect("the server was started with REST").port();
        configuration
    }

    /// The same as an address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("adb://admin:{PASSWORD}@{}?tls=off", self.address)
    }

    /// The same as an address, over REST.
    ///
    /// # Panics
    /// When the server was started without.
    #[must_use]
    pub fn rest_url(&self) -> String {
        let rest = self.rest.expect("the server was started with REST");
        format!("http://admin:{PASSWORD}@{rest}/api")
    }
}

/// The accounts that the directory holds, or new ones: `admin` with [`PASSWORD`].
///
/// # Panics
/// When there can't be any.
#[must_use]
pub fn accounts(state: &Path, lifetimes: Lifetimes) -> Access {
    let accounts = Accounts::open(state, lifetimes)
        .or_else(|_| Accounts::create_with(state, &PASSWORD.into(), lifetimes))
        .expect("there are accounts");
    Access::Accounts(Arc::new(accounts))
}

/// Both transports on free ports, for those with [`accounts`].
#[must_use]
pub fn options(state: &Path) -> Options {
    let mut options = Options::new(0, accounts(state, Lifetimes::default()));
    options.rest = Some(([127, 0, 0, 1], 0).into());
    options
}
