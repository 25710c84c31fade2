//! Configurations: where a server is and how to log in, as the official SDK keeps them.

mod dotenv;
mod file;
mod find;

use std::{collections::BTreeMap, fmt};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value as Json};

pub use file::{ConfigFile, valid_name};
pub use find::{Found, Origin, Place, Surroundings, find};

use crate::{DEFAULT_PORT, Error};

/// One configuration, with the keys of the SDK's own files: each side reads what the other wrote.
///
/// Keys that this release does not know are kept as they are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Configuration {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// The server's name or address.
    pub host: String,
    /// Its port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Who logs in; a token needs no name.
    #[serde(default)]
    pub username: Option<String>,
    /// The password, if no token is used.
    #[serde(default, serialize_with = "expose")]
    pub password: Option<SecretString>,
    /// Whether the connection is encrypted.
    #[serde(default = "yes")]
    pub use_ssl: bool,
    /// HTTP instead of the framed protocol.
    #[serde(default)]
    pub use_rest: bool,
    /// TCP keep-alive.
    #[serde(default = "yes")]
    pub use_keepalive: bool,
    /// Seconds between attempts to connect.
    #[serde(default = "one", serialize_with = "seconds")]
    pub retry_interval_seconds: f64,
    /// Attempts to connect; 0 is without end.
    #[serde(default = "three")]
    pub retry_max_attempts: u32,
    /// An API token (`adbp_…`): stands before the password.
    #[serde(default, serialize_with = "expose")]
    pub token: Option<SecretString>,
    /// Keys by user that the SDK's command line has made.
    #[serde(default, serialize_with = "expose_keys")]
    pub user_keys: Option<BTreeMap<String, Vec<SecretString>>>,
    /// A file with the certificates to trust, instead of the system's.
    #[serde(default)]
    pub ca_cert: Option<String>,
    /// Whether the certificate and the host's name in it are checked.
    #[serde(default = "yes")]
    pub verify_hostname: bool,
    /// Keys of other releases, kept.
    #[serde(flatten)]
    pub other: Map<String, Json>,
}

fn default_port() -> u16 {
    DEFAULT_PORT
}

fn yes() -> bool {
    true
}

fn one() -> f64 {
    1.0
}

fn three() -> u32 {
    3
}

fn expose<S: Serializer>(secret: &Option<SecretString>, s: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(ExposeSecret::expose_secret).serialize(s)
}

fn expose_keys<S: Serializer>(
    keys: &Option<BTreeMap<String, Vec<SecretString>>>,
    s: S,
) -> Result<S::Ok, S::Error> {
    let exposed = keys.as_ref().map(|users| {
        let exposed = |keys: &Vec<SecretString>| -> Vec<String> {
            keys.iter().map(|key| key.expose_secret().to_owned()).collect()
        };
        users.iter().map(|(user, keys)| (user, exposed(keys))).collect::<BTreeMap<_, _>>()
    });
    exposed.serialize(s)
}

/// How to log in.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// By name and password.
    Password {
        /// Who.
        username: String,
        /// The password.
        password: SecretString,
    },
    /// By an API token.
    Token {
        /// Who, if it is said: servers do not need it.
        username: Option<String>,
        /// The token, `adbp_…`.
        token: SecretString,
    },
}

/// How a connection is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Not at all.
    Off,
    /// Encrypted and checked against the certificates that the system trusts.
    System,
    /// Encrypted and checked against the certificates of this file (PEM).
    CaFile(String),
    /// Encrypted, with nothing checked: whoever sits between can read and change everything.
    Unverified,
}

impl Configuration {
    /// A configuration of what must be said; the rest as the SDK has it: TLS, checked, port 55555.
    #[must_use]
    pub fn new(name: impl Into<String>, host: impl Into<String>, credentials: Credentials) -> Self {
        let (username, password, token) = match credentials {
            Credentials::Password { username, password } => (Some(username), Some(password), None),
            Credentials::Token { username, token } => (username, None, Some(token)),
        };
        Self {
            name: name.into(),
            host: host.into(),
            port: DEFAULT_PORT,
            username,
            password,
            use_ssl: true,
            use_rest: false,
            use_keepalive: true,
            retry_interval_seconds: one(),
            retry_max_attempts: three(),
            token,
            user_keys: None,
            ca_cert: None,
            verify_hostname: true,
            other: Map::new(),
        }
    }

    /// The port that a transport has unless one is named.
    #[must_use]
    pub fn default_port(use_rest: bool, use_ssl: bool) -> u16 {
        match (use_rest, use_ssl) {
            (false, _) => DEFAULT_PORT,
            (true, true) => 443,
            (true, false) => 80,
        }
    }

    /// Reads what `APERTUREDB_JSON` holds: `host`, `username` and `password` must be there (or a
    /// `token` in place of the last two).
    ///
    /// # Errors
    /// When it is no such object. The text is not quoted, since it holds a password.
    pub fn from_json(text: &str, origin: &str) -> Result<Self, Error> {
        let mut configuration: Self = parse(text, origin)?;
        if configuration.name.is_empty() {
            "from_json".clone_into(&mut configuration.name);
        }
        configuration.checked(origin)
    }

    /// How to log in: the token, or name and password.
    ///
    /// # Errors
    /// When there is neither.
    pub fn credentials(&self) -> Result<Credentials, Error> {
        let named = |text: &Option<String>| text.clone().filter(|t| !t.is_empty());
        let given = |s: &Option<SecretString>| s.clone().filter(|s| !s.expose_secret().is_empty());
        if let Some(token) = given(&self.token) {
            return Ok(Credentials::Token { username: named(&self.username), token });
        }
        match (named(&self.username), given(&self.password)) {
            (Some(username), Some(password)) => Ok(Credentials::Password { username, password }),
            _ => Err(Error::Configuration {
                origin: format!("`{}`", self.name),
                fault: "there is neither a token nor a user name with a password".to_owned(),
            }),
        }
    }

    /// How the connection is protected, as the SDK understands its three settings.
    #[must_use]
    pub fn tls(&self) -> Tls {
        match self.ca_cert.as_deref() {
            _ if !self.use_ssl => Tls::Off,
            _ if !self.verify_hostname => Tls::Unverified,
            Some(path) if !path.is_empty() => Tls::CaFile(path.to_owned()),
            _ => Tls::System,
        }
    }

    /// Refuses what serde can't.
    fn checked(self, origin: &str) -> Result<Self, Error> {
        let fault = |fault: &str| {
            Err(Error::Configuration { origin: origin.to_owned(), fault: fault.to_owned() })
        };
        if self.host.trim().is_empty() {
            return fault("`host` is empty");
        }
        if self.port == 0 {
            return fault("`port` is 0");
        }
        let interval = self.retry_interval_seconds;
        if !(0.0..=86_400.0).contains(&interval) {
            return fault("`retry_interval_seconds` is not between 0 and a day");
        }
        match self.credentials() {
            Ok(_) => Ok(self),
            Err(_) => fault("it lacks `token`, or `username` and `password`"),
        }
    }
}

/// Where it leads and how, without a secret.
impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare_ipv6 = self.host.contains(':') && !self.host.starts_with('[');
        if bare_ipv6 {
            write!(f, "[{}]:{}", self.host, self.port)?;
        } else {
            write!(f, "{}:{}", self.host, self.port)?;
        }
        match self.credentials() {
            Ok(Credentials::Password { username, .. }) => write!(f, " as {username}")?,
            Ok(Credentials::Token { .. }) => f.write_str(" by token")?,
            Err(_) => f.write_str(" without credentials")?,
        }
        f.write_str(if self.use_rest { " over REST" } else { " over TCP" })?;
        match self.tls() {
            Tls::Off => f.write_str(" without TLS"),
            Tls::System => f.write_str(" with TLS"),
            Tls::CaFile(path) => write!(f, " with TLS, certificates of {path}"),
            Tls::Unverified => f.write_str(" with TLS, unverified"),
        }
    }
}

/// Reads JSON of which nothing may appear in an error but the place and the kind of a fault: the
/// messages of serde can quote a value, which can be a secret.
fn parse<'de, T: Deserialize<'de>>(text: &'de str, origin: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|e| {
        let told = e.to_string();
        let place = format!("line {}, column {}", e.line(), e.column());
        let fault = match told.strip_prefix("missing field ") {
            Some(field) => {
                format!("it lacks {}", field.split(" at line").next().unwrap_or("a key"))
            }
            None if e.is_data() => format!("a value of a wrong kind at {place}"),
            None => format!("no JSON at {place}"),
        };
        Error::Configuration { origin: origin.to_owned(), fault }
    })
}

/// Whole numbers of seconds are written as such: the SDK's files have integers.
fn seconds<S: Serializer>(seconds: &f64, s: S) -> Result<S::Ok, S::Error> {
    if seconds.fract() == 0.0 && (0.0..1e9).contains(seconds) {
        s.serialize_u64(*seconds as u64)
    } else {
        s.serialize_f64(*seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_as_the_sdk_takes_it() {
        let text = r#"{"host":"h","username":"u","password":"hunter2"}"#;
        let c = Configuration::from_json(text, "APERTUREDB_JSON").unwrap();
        assert_eq!(
            (c.port, c.use_ssl, c.use_rest, c.name.as_str()),
            (55555, true, false, "from_json")
        );
        assert_eq!(c.tls(), Tls::System);
        assert_eq!(c.to_string(), "h:55555 as u over TCP with TLS");
        assert!(!format!("{c:?}").contains("hunter2"));
    }

    #[test]
    fn protection_as_the_sdk_understands_it() {
        let of = |more: &str| {
            let text = format!(r#"{{"host":"h","username":"u","password":"p"{more}}}"#);
            Configuration::from_json(&text, "x").unwrap().tls()
        };
        assert_eq!(of(""), Tls::System);
        assert_eq!(of(r#","ca_cert":"""#), Tls::System);
        assert_eq!(of(r#","ca_cert":"/ca.pem""#), Tls::CaFile("/ca.pem".into()));
        assert_eq!(of(r#","ca_cert":"/ca.pem","verify_hostname":false"#), Tls::Unverified);
        assert_eq!(of(r#","use_ssl":false"#), Tls::Off);
    }

    #[test]
    fn faults_name_the_key_and_show_no_secret() {
        let of = |text: &str| Configuration::from_json(text, "APERTUREDB_JSON").unwrap_err();
        let cases = [
            (r#"{"username":"u","password":"hunter2"}"#, "`host`"),
            (r#"{"host":"h","password":"hunter2"}"#, "`username` and"),
            (r#"{"host":"h","username":"u","password":""}"#, "`password`"),
            (r#"{"host":"","username":"u","password":"hunter2"}"#, "`host` is empty"),
            (r#"{"host":"h","username":"u","password":"hunter2","port":0}"#, "`port`"),
            (
                r#"{"host":"h","username":"u","password":"p","port":"hunter2"}"#,
                "wrong kind at line 1",
            ),
            (r#"{"host":"h","username":"u","password":"p","retry_interval_seconds":-1}"#, "retry"),
            (r#""hunter2""#, "wrong kind"),
            (r#"{"hunter2"#, "no JSON"),
        ];
        for (text, wanted) in cases {
            let error = of(text).to_string();
            assert!(error.contains(wanted), "{text}: {error}");
            assert!(error.contains("APERTUREDB_JSON") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_token_stands_before_the_password() {
        let text = r#"{"host":"h","username":"u","password":"p","token":"adbp_t"}"#;
        let c = Configuration::from_json(text, "x").unwrap();
        assert!(matches!(c.credentials().unwrap(), Credentials::Token { .. }));
        let alone = r#"{"host":"::1","username":null,"token":"adbp_t"}"#;
        let c = Configuration::from_json(alone, "x").unwrap();
        assert_eq!(c.to_string(), "[::1]:55555 by token over TCP with TLS");
    }
}
