//! HTTP/1.1 with TLS: connections, and to whom they may be made.

use std::{
    error::Error as StdError,
    fmt, io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
    vec,
};

use adb_model::net::is_public;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client, Error as ClientError,
        connect::{HttpConnector, dns::Name},
    },
    rt::{TokioExecutor, TokioTimer},
};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, crypto::ring};
use tower_service::Service;
use url::{Host, Url};

use super::place::Place;
use crate::media::{MediaError, MediaErrorKind, MediaOptions};

/// How long a connection that nobody uses is kept.
const KEPT: Duration = Duration::from_secs(20);

/// A client with its connections.
#[derive(Debug, Clone)]
pub(super) struct Transport {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    policy: Policy,
    /// To connect and to begin an answer.
    patience: Duration,
}

impl Transport {
    fn new(options: &MediaOptions, tls: ClientConfig, policy: Policy) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver { policy });
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(options.connect_timeout));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT)
            .pool_max_idle_per_host(options.per_host)
            .build(https);
        let patience = options.connect_timeout + options.idle_timeout;
        Self { client, policy, patience }
    }

    /// One request and the beginning of its answer.
    pub(super) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, MediaErrorKind> {
        match tokio::time::timeout(self.patience, self.client.request(request)).await {
            Ok(answer) => answer.map_err(|e| failed(&e)),
            Err(_) => {
                Err(MediaErrorKind::TimedOut { what: "there was no answer", limit: self.patience })
            }
        }
    }

    /// Whether an address may be asked, as far as its text tells.
    pub(super) fn check(&self, url: &Url) -> Result<(), MediaErrorKind> {
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
            _ => return Ok(()),
        };
        let port = url.port_or_known_default().unwrap_or_default();
        match self.policy.allows(SocketAddr::new(ip, port)) {
            true => Ok(()),
            false => Err(MediaErrorKind::Private(ip)),
        }
    }
}

/// The clients for what rows name and for what the user names.
#[derive(Debug)]
pub(super) struct Transports {
    of_rows: Transport,
    of_user: Transport,
    /// Addresses that the user has named: what lies below them is asked as the user's own.
    trusted: Vec<Url>,
}

impl Transports {
    pub(super) fn new(options: &MediaOptions) -> Result<Self, MediaError> {
        let tls = tls()?;
        let trusted = options.trusted.iter().filter_map(|address| match Place::parse(address) {
            Ok(Place::Http(url)) => Some(url),
            // Where buckets lie is said by the user's settings in any case.
            _ => None,
        });
        Ok(Self {
            of_rows: Transport::new(options, tls.clone(), Policy::of_rows(options)),
            of_user: Transport::new(options, tls, Policy::All),
            trusted: trusted.collect(),
        })
    }

    /// The client for what the user's settings name.
    #[cfg(any(feature = "s3", feature = "gs"))]
    pub(super) fn of_user(&self) -> &Transport {
        &self.of_user
    }

    /// The client for an address; `listed` is what the user wants to have listed, if that is done.
    pub(super) fn of(&self, url: &Url, listed: Option<&Url>) -> &Transport {
        match self.trusted.iter().chain(listed).any(|top| is_below(top, url)) {
            true => &self.of_user,
            false => &self.of_rows,
        }
    }
}

/// Whether an address is another one, or lies below it. (Parts such as `..` are resolved where
/// addresses are parsed.)
fn is_below(top: &Url, url: &Url) -> bool {
    let folder = top.path().strip_suffix('/').unwrap_or(top.path());
    let rest = url.path().strip_prefix(folder);
    url.scheme() == top.scheme()
        && url.host() == top.host()
        && url.port_or_known_default() == top.port_or_known_default()
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Which addresses may be connected to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Policy {
    /// All: the user's own settings name them.
    All,
    /// Those of the public net, and one that is trusted all the same.
    Public { trusting: Option<SocketAddr> },
}

impl Policy {
    /// For addresses that rows name.
    pub(super) fn of_rows(options: &MediaOptions) -> Self {
        match options.allow_private {
            true => Self::All,
            false => Self::Public { trusting: options.trusting },
        }
    }

    fn allows(self, address: SocketAddr) -> bool {
        match self {
            Self::All => true,
            Self::Public { trusting } => trusting == Some(address) || is_public(address.ip()),
        }
    }
}

/// Finds a name's addresses; the connection goes to the very addresses that were checked, so a name
/// that changes its mind reaches nothing else. One that has a private address beside public ones is
/// not trusted with any.
#[derive(Debug, Clone)]
struct Resolver {
    policy: Policy,
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let policy = self.policy;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            match found.iter().find(|a| !policy.allows(**a)) {
                Some(address) => Err(io::Error::other(NotPublic(address.ip()))),
                None => Ok(found.into_iter()),
            }
        })
    }
}

/// An address that may not be asked; found again among the causes of what a client says.
#[derive(Debug)]
struct NotPublic(IpAddr);

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not an address of the public net", self.0)
    }
}

impl StdError for NotPublic {}

fn tls() -> Result<ClientConfig, MediaError> {
    let failed = |fault: String| {
        MediaError::new("the certificates of this system", MediaErrorKind::Network(fault))
    };
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A system without certificates can still use plain HTTP.
    let (taken, _) = roots.add_parsable_certificates(found.certs);
    if taken == 0 {
        tracing::warn!(
            "the system trusts no certificates, so nothing can be fetched over https: install its package of certificates"
        );
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| failed(e.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// What went wrong, by the causes of what the client says.
pub(super) fn failed(error: &ClientError) -> MediaErrorKind {
    cause(error)
}

/// The same for the body of an answer.
pub(super) fn cause(error: &(dyn StdError + 'static)) -> MediaErrorKind {
    let mut causes = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        causes.push(error);
        // Errors of I/O hide what they were made from as their own cause.
        let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = within.map(|e| e as &(dyn StdError + 'static)).or_else(|| error.source());
    }
    for error in &causes {
        if let Some(NotPublic(ip)) = error.downcast_ref() {
            return MediaErrorKind::Private(*ip);
        }
        if let Some(rustls::Error::InvalidCertificate(fault)) = error.downcast_ref() {
            return MediaErrorKind::Address(format!("its certificate is not trusted: {fault}"));
        }
    }
    let said = causes.last().map_or_else(String::new, ToString::to_string);
    // The system's words; there is no code for it that the standard library shows.
    let lost = ["Name or service not known", "nodename nor servname", "No address associated"];
    if lost.iter().any(|words| said.contains(words)) {
        return MediaErrorKind::Address("there is no such host".to_owned());
    }
    MediaErrorKind::Network(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_user_names_is_trusted_and_what_lies_below_it() {
        let trusted =
            vec!["http://10.0.0.1:8000/pub/a/".into(), "s3://b".into(), "nonsense".into()];
        let options = MediaOptions { trusted, ..MediaOptions::default() };
        let transports = Transports::new(&options).unwrap();
        let may = |url: &str, listed: Option<&Url>| {
            let url = Url::parse(url).unwrap();
            transports.of(&url, listed).check(&url).is_ok()
        };
        for below in ["", "x.jpg", "b/c.jpg?d=e", "./x"] {
            assert!(may(&format!("http://10.0.0.1:8000/pub/a/{below}"), None), "{below}");
        }
        assert!(may("http://10.0.0.1:8000/pub/a", None));
        for other in [
            "http://10.0.0.1:8000/pub/",
            "http://10.0.0.1:8000/pub/abc",
            "http://10.0.0.1:8000/pub/a/../b",
            "http://10.0.0.1:8000/pub/a/%2e%2e/b",
            "http://10.0.0.1/pub/a/x",
            "https://10.0.0.1:8000/pub/a/x",
            "http://10.0.0.2:8000/pub/a/x",
        ] {
            assert!(!may(other, None), "{other}");
        }
        let listed = Url::parse("http://10.0.0.2/").unwrap();
        assert!(may("http://10.0.0.2/x", Some(&listed)) && !may("http://10.0.0.3/", Some(&listed)));
    }
}
