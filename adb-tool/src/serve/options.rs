//! Where a server listens, and what its connections are made of.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use adb::server::{Access, Guards, Identity, Limits, Listener, Options};

use super::welcome;

/// Where it listens.
#[derive(clap::Args)]
#[command(next_help_heading = "Listening")]
pub(crate) struct Listening {
    /// Where ApertureDB's protocol is spoken; port 0 takes a free one. Addresses that other machines
    /// can reach need TLS and accounts.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:55555")]
    listen: SocketAddr,
    /// Where REST is: /api, /healthz and /metrics.
    #[arg(long, value_name = "ADDRESS")]
    rest: Option<SocketAddr>,
    /// The certificate, with those that vouch for it after it (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// TLS with a certificate of the server's own making, kept beside the accounts. Clients trust it by
    /// being given its file.
    #[arg(long, conflicts_with = "tls_cert")]
    tls_self_signed: bool,
    /// A name or an address of this machine that clients use, for that certificate; localhost,
    /// 127.0.0.1 and the address of --listen are in it anyway. May be given more than once.
    #[arg(long, value_name = "NAME", requires = "tls_self_signed")]
    tls_name: Vec<String>,
    /// Let clients of ApertureDB's protocol go without TLS, on this machine.
    #[arg(long)]
    allow_plain: bool,
}

/// The command that whoever is refused the database is told of.
impl fmt::Display for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("adb serve")?;
        match self.listen.port() {
            0 => Ok(()),
            _ => write!(f, " --listen {}", self.listen),
        }
    }
}

impl Listening {
    /// Begins to listen, if its certificate is good or can be made; makes nothing.
    pub(super) async fn bind(&self, accounts: bool) -> anyhow::Result<Listener> {
        if let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) {
            Identity::from_files(certificate, key)?;
        }
        Identity::check_names(&self.tls_name)?;
        let tls = (self.tls_cert.is_some() || self.tls_self_signed) && !self.allow_plain;
        Ok(Listener::bind(self.listen, self.rest, Guards { accounts, tls }).await?)
    }

    /// How others reach it, once it listens there: an address without user and password.
    pub(super) fn way_in(&self, listening: SocketAddr, state: &Path) -> anyhow::Result<String> {
        let certificate = match self.tls_self_signed {
            true => Some(std::path::absolute(Identity::certificate_in(state))?),
            false => None,
        };
        let tls = self.tls_cert.is_some() || self.tls_self_signed;
        Ok(welcome::way_in("user:password", listening, tls, certificate.as_deref()))
    }

    /// The options of the server, and the certificate that it has made.
    pub(super) fn with(
        &self,
        access: Access,
        state: &Path,
        limits: Limits,
    ) -> anyhow::Result<(Options, Option<PathBuf>)> {
        let mut options = Options::new(0, access);
        options.listen = self.listen;
        options.rest = self.rest;
        options.limits = limits;
        options.plain_beside_tls = self.allow_plain;
        let mut made = None;
        if let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) {
            let identity = Identity::from_files(certificate, key)?;
            if identity.is_authority() {
                tracing::warn!(
                    certificate = %certificate.display(),
                    "the certificate says that it is an authority's (CA:TRUE), and clients such as adb do \
                     not take such a one for a server's: make it with `openssl req -x509 … -addext \
                     basicConstraints=critical,CA:FALSE`"
                );
            }
            options.tls = Some(identity);
        } else if self.tls_self_signed {
            let listening = [Some(self.listen), self.rest].into_iter().flatten();
            let addresses = listening.map(|address| address.ip().to_string());
            let names: Vec<String> = addresses.chain(self.tls_name.iter().cloned()).collect();
            let (identity, certificate) = Identity::self_signed(state, &names)?;
            options.tls = Some(identity);
            made = Some(certificate);
        }
        Ok((options, made))
    }
}
