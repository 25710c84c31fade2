//! A fetcher over HTTP for requests that come from people one does not trust.

use std::{
    fmt,
    io::Read as _,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use adb_model::net::is_public;
use bytes::Bytes;
use ureq::{
    Agent,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};
use url::{Host, Url};

use super::fetch::{FetchError, Fetcher};

/// How long one address may take, redirections included.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// Bytes that one address may give.
const MAX_BYTES: usize = 256 << 20;
/// Redirections that are followed.
const HOPS: usize = 5;

/// Fetches over `http` and `https` from public addresses.
///
/// Each name is resolved once, and the connection goes to the very address that was checked, so a
/// name that changes its mind reaches nothing else. Addresses of this machine, of private networks,
/// link-local ones (where clouds keep their secrets) and others that are not of the public net are
/// refused unless allowed, redirections followed by hand and each checked like the first address.
/// Proxies that the environment names are not used: they would resolve names themselves.
///
/// ```
/// use adb_engine::{Engine, HttpFetcher};
/// use std::sync::Arc;
///
/// # let dir = tempfile::tempdir().unwrap();
/// let fetcher = HttpFetcher::new().schemes(["https"]).hosts(["example.com", ".example.org"]);
/// let engine = Engine::options().fetcher(Arc::new(fetcher)).open(dir.path())?;
/// # Ok::<(), adb_engine::Error>(())
/// ```
#[derive(Clone)]
pub struct HttpFetcher {
    schemes: Vec<String>,
    hosts: Option<Vec<String>>,
    private: bool,
    /// Hosts for which that is no matter.
    private_hosts: Vec<String>,
    /// Asked although it is private.
    trusted: Option<SocketAddr>,
    max_bytes: usize,
    time_limit: Duration,
}

impl Default for HttpFetcher {
    fn default() -> Self {
        Self {
            schemes: vec!["http".to_owned(), "https".to_owned()],
            hosts: None,
            private: false,
            private_hosts: Vec::new(),
            trusted: None,
            max_bytes: MAX_BYTES,
            time_limit: TIME_LIMIT,
        }
    }
}

impl fmt::Debug for HttpFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpFetcher")
            .field("schemes", &self.schemes)
            .field("hosts", &self.hosts)
            .field("private", &self.private)
            .field("private_hosts", &self.private_hosts)
            .finish_non_exhaustive()
    }
}

impl HttpFetcher {
    /// With the limits that the setters name.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Which schemes are followed, of `http` and `https`; both unless told.
    #[must_use]
    pub fn schemes<S: Into<String>>(mut self, schemes: impl IntoIterator<Item = S>) -> Self {
        self.schemes = schemes.into_iter().map(Into::into).collect();
        self
    }

    /// Which hosts may be asked; all unless told. `.example.org` means all hosts below that name.
    #[must_use]
    pub fn hosts<S: Into<String>>(mut self, hosts: impl IntoIterator<Item = S>) -> Self {
        self.hosts = Some(lower(hosts));
        self
    }

    /// Whether addresses may be asked that are not of the public net; no unless told.
    #[must_use]
    pub fn allow_private(mut self, allow: bool) -> Self {
        self.private = allow;
        self
    }

    /// Hosts that may be asked although their addresses are not of the public net; none unless told.
    /// `.example.org` means all hosts below that name. Whoever may send requests reaches every port of
    /// them.
    #[must_use]
    pub fn private_hosts<S: Into<String>>(mut self, hosts: impl IntoIterator<Item = S>) -> Self {
        self.private_hosts = lower(hosts);
        self
    }

    /// For tests: one private address that may be asked, and no other.
    #[doc(hidden)]
    #[must_use]
    pub fn trusting(mut self, address: SocketAddr) -> Self {
        self.trusted = Some(address);
        self
    }

    /// Whether a name may be asked: one that has a private address beside public ones is not trusted
    /// with any.
    fn allowed(&self, host: &str, addresses: &[SocketAddr]) -> Result<(), String> {
        match addresses.iter().find(|a| !self.allows(host, **a)) {
            Some(address) => Err(not_public(address.ip())),
            None => Ok(()),
        }
    }

    /// Whether an address may be asked for a host.
    fn allows(&self, host: &str, address: SocketAddr) -> bool {
        self.private
            || self.trusted == Some(address)
            || is_public(address.ip())
            || is_among(host, &self.private_hosts)
    }

    /// How many bytes one address may give; 256 MB unless told. The engine has a limit of its own.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How long one address may take, redirections included; 30 seconds unless told.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Whether an address may be asked, as far as its text tells.
    fn check(&self, url: &Url) -> Result<(), FetchError> {
        let scheme = url.scheme();
        if !matches!(scheme, "http" | "https") || !self.schemes.iter().any(|s| s == scheme) {
            return Err(FetchError::new(format!(
                "`{scheme}:` is not followed, only {}",
                self.schemes.join(", ")
            )));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::new("it holds a name or a password, which would be stored"));
        }
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        if self.hosts.as_ref().is_some_and(|hosts| !is_among(&host, hosts)) {
            return Err(FetchError::new(format!(
                "the host `{host}` is none of those that may be asked"
            )));
        }
        let literal = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            _ => None,
        };
        let port = url.port_or_known_default().unwrap_or_default();
        match literal {
            Some(ip) if !self.allows(&host, SocketAddr::new(ip, port)) => {
                Err(FetchError::new(not_public(ip)))
            }
            _ => Ok(()),
        }
    }

    fn agent(&self) -> Agent {
        let config = Agent::config_builder()
            .user_agent(concat!("adb/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .build();
        let resolver = Checked { inner: DefaultResolver::default(), fetcher: self.clone() };
        Agent::with_parts(config, DefaultConnector::default(), resolver)
    }
}

impl Fetcher for HttpFetcher {
    fn fetch(&self, url: &str, limit: usize) -> Result<Bytes, FetchError> {
        let limit = limit.min(self.max_bytes);
        let until = Instant::now() + self.time_limit;
        let mut url =
            Url::parse(url).map_err(|e| FetchError::new(format!("it is no address: {e}")))?;
        let agent = self.agent();
        for _ in 0..=HOPS {
            self.check(&url)?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.late());
            }
            let response = agent
                .get(url.as_str())
                .config()
                .timeout_global(Some(left))
                .build()
                .call()
                .map_err(|e| self.failed(&e))?;
            let status = response.status();
            if status.is_redirection() {
                let place = response.headers().get("location").and_then(|l| l.to_str().ok());
                let place = place
                    .ok_or_else(|| FetchError::new("it leads elsewhere and does not say where"))?;
                url = url
                    .join(place)
                    .map_err(|e| FetchError::new(format!("it leads to no address: {e}")))?;
                continue;
            }
            if !status.is_success() {
                return Err(FetchError::new(format!("the server answers {status}")));
            }
            let too_large = || FetchError::new(format!("it gives more than {limit} bytes"));
            let announced = response.headers().get("content-length");
            let announced = announced.and_then(|n| n.to_str().ok()?.parse::<u64>().ok());
            if announced.is_some_and(|n| n > limit as u64) {
                return Err(too_large());
            }
            let mut bytes = Vec::new();
            let mut body = response.into_body().into_reader().take(limit as u64 + 1);
            body.read_to_end(&mut bytes).map_err(|e| self.failed(&ureq::Error::from(e)))?;
            if bytes.len() > limit {
                return Err(too_large());
            }
            return Ok(bytes.into());
        }
        Err(FetchError::new(format!("it leads on more than {HOPS} times")))
    }
}

impl HttpFetcher {
    fn failed(&self, error: &ureq::Error) -> FetchError {
        match error {
            ureq::Error::Timeout(_) => self.late(),
            ureq::Error::HostNotFound => FetchError::new("there is no such host"),
            other => FetchError::new(other.to_string()),
        }
    }

    fn late(&self) -> FetchError {
        FetchError::new(format!("it takes longer than {} seconds", self.time_limit.as_secs_f64()))
    }
}

fn lower<S: Into<String>>(hosts: impl IntoIterator<Item = S>) -> Vec<String> {
    hosts.into_iter().map(|host| host.into().to_ascii_lowercase()).collect()
}

/// Whether a host, in lower case, is one of the patterns: a name, or `.` and what stands above it.
fn is_among(host: &str, patterns: &[String]) -> bool {
    let fits = |pattern: &String| match pattern.strip_prefix('.') {
        Some(_) => host.ends_with(pattern.as_str()),
        None => host == pattern,
    };
    patterns.iter().any(fits)
}

fn not_public(ip: IpAddr) -> String {
    format!("it leads to {ip}, which is not an address of the public net")
}

/// Gives no addresses but such as may be asked.
#[derive(Debug)]
struct Checked {
    inner: DefaultResolver,
    fetcher: HttpFetcher,
}

impl Resolver for Checked {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        self.fetcher.allowed(&host, &found).map_err(|why| ureq::Error::Other(why.into()))?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_one_private_address_is_refused_whole() {
        let addresses = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|t| t.parse().unwrap()).collect()
        };
        let (strict, lax) = (HttpFetcher::new(), HttpFetcher::new().allow_private(true));
        let mixed = addresses(&["1.1.1.1:80", "127.0.0.1:80"]);
        assert!(strict.allowed("a.example", &mixed).unwrap_err().contains("127.0.0.1"));
        assert!(lax.allowed("a.example", &mixed).is_ok());
        assert!(strict.allowed("a.example", &addresses(&["1.1.1.1:80"])).is_ok());
    }

    #[test]
    fn private_hosts_are_those_that_were_named() {
        let fetcher = HttpFetcher::new().private_hosts(["localhost", ".Inner.example", "10.0.0.7"]);
        let private = ["127.0.0.1:80".parse().unwrap()];
        for host in ["localhost", "a.inner.example", "10.0.0.7"] {
            assert!(fetcher.allowed(host, &private).is_ok(), "{host}");
        }
        for host in ["inner.example", "xlocalhost", "a.localhost", "10.0.0.8", ""] {
            assert!(fetcher.allowed(host, &private).is_err(), "{host}");
        }
        let check = |url| fetcher.check(&Url::parse(url).unwrap());
        assert!(check("http://10.0.0.7:8000/x").is_ok() && check("http://10.0.0.8/x").is_err());
        assert!(check("https://a.example/").is_ok(), "public ones are asked as before");
    }

    #[test]
    fn addresses_are_judged_by_their_text_first() {
        let fetcher = HttpFetcher::new().schemes(["https"]).hosts(["a.example", ".b.example"]);
        for (url, says) in [
            ("http://a.example/x", Some("only https")),
            ("ftp://a.example/x", Some("only https")),
            ("file:///etc/passwd", Some("only https")),
            ("https://me:secret@a.example/", Some("a name or a password")),
            ("https://c.example/", Some("none of those")),
            ("https://b.example/", Some("none of those")),
            ("https://xb.example/", Some("none of those")),
            ("https://A.example/", None),
            ("https://x.b.example/", None),
        ] {
            let checked = fetcher.check(&Url::parse(url).unwrap());
            match says {
                None => assert!(checked.is_ok(), "{url}"),
                Some(says) => assert!(checked.unwrap_err().to_string().contains(says), "{url}"),
            }
        }
        for url in ["http://127.0.0.1/", "http://[::1]/", "http://0x7f.1/", "http://2130706433/"] {
            let checked = HttpFetcher::new().check(&Url::parse(url).unwrap());
            assert!(checked.unwrap_err().to_string().contains("public net"), "{url}");
        }
    }
}
