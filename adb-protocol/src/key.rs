//! `APERTUREDB_KEY`: a whole configuration in one word.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value as Json, json};

use crate::{Configuration, Credentials, Error};

const TLS: u64 = 1;
const REST: u64 = 2;
const SHORT_HOST: u64 = 4;
const VERIFY: u64 = 8;

const CLOUD: &str = ".cloud.aperturedata.io";
/// What API tokens begin with; a key leaves it out.
const TOKEN_PREFIX: &str = "adbp_";

/// A key: base64 of a JSON array, in the layouts of the official SDK (0.4 and 0.5 write the same).
///
/// An empty certificate is none: the SDK's own `adb config get-key` writes it so.
///
/// | version | elements |
/// |---|---|
/// | 2 | `2, flags, host, ca_cert or null, token` or `2, flags, host, ca_cert or null, user, password` |
/// | 1 | the same without `ca_cert`; the host's name is always verified |
///
/// ```
/// use adb_protocol::Key;
///
/// let key = Key::from("WzIsMSwibG9jYWxob3N0IixudWxsLCJhZG1pbiIsImFkbWluIl0=");
/// let configuration = key.read()?;
/// assert_eq!(configuration.to_string(), "localhost:55555 as admin over TCP with TLS, unverified");
/// assert_eq!(Key::write(&configuration)?.text(), key.text());
/// # Ok::<_, adb_protocol::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Key(SecretString);

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self(text.trim().into())
    }
}

impl Key {
    /// The key itself: a secret.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.expose_secret()
    }

    /// What it says.
    ///
    /// # Errors
    /// When it is no key, or one of a version that is not known.
    pub fn read(&self) -> Result<Configuration, Error> {
        let json = STANDARD
            .decode(self.text())
            .map_err(|_| Error::Key("it is not base64; was it cut off when it was copied?"))?;
        let Ok(Json::Array(parts)) = serde_json::from_slice(&json) else {
            return Err(Error::Key("there is no JSON array in it"));
        };
        let mut parts = parts.into_iter();
        let mut next = || parts.next();
        let Some(version @ 1..=2) = next().and_then(|v| v.as_u64()) else {
            return Err(Error::Key("it is of a version other than 1 and 2"));
        };
        let flags = next().and_then(|f| f.as_u64()).ok_or(Error::Key("its flags are no number"))?;
        let host = text(next()).ok_or(Error::Key("it names no host"))?;
        let ca_cert = if version == 1 {
            None
        } else {
            match next() {
                Some(Json::Null) => None,
                Some(Json::String(path)) if path.is_empty() => None,
                other => Some(
                    text(other).ok_or(Error::Key("its certificate is neither text nor null"))?,
                ),
            }
        };
        let credentials = match (text(next()), next(), next()) {
            (Some(token), None, None) => Credentials::Token {
                username: None,
                token: format!("{TOKEN_PREFIX}{token}").into(),
            },
            (Some(username), Some(Json::String(password)), None) => {
                Credentials::Password { username, password: password.into() }
            }
            _ => return Err(Error::Key("it ends in neither a token nor a user and a password")),
        };

        let (use_ssl, use_rest) = (flags & TLS != 0, flags & REST != 0);
        let (host, port) = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !port.is_empty() => {
                let port = port.parse().map_err(|_| Error::Key("its port is beyond 65535"))?;
                (name.to_owned(), port)
            }
            _ => (host, Configuration::default_port(use_rest, use_ssl)),
        };
        let host = if flags & SHORT_HOST == 0 { host } else { long_host(&host)? };

        let mut configuration = Configuration::new("default_key", host, credentials);
        configuration.port = port;
        configuration.use_ssl = use_ssl;
        configuration.use_rest = use_rest;
        configuration.ca_cert = ca_cert;
        configuration.verify_hostname = version == 1 || flags & VERIFY != 0;
        Ok(configuration)
    }

    /// A key of version 2 for a configuration.
    ///
    /// # Errors
    /// When the configuration has no credentials.
    pub fn write(configuration: &Configuration) -> Result<Self, Error> {
        let c = configuration;
        let default = Configuration::default_port(c.use_rest, c.use_ssl);
        let (host, short) = short_host(&c.host);
        // The end of a bare IPv6 address would be read as a port.
        let host = match c.port == default && !host.contains(':') {
            true => host,
            false => format!("{host}:{}", c.port),
        };
        let flags = [
            (c.use_ssl, TLS),
            (c.use_rest, REST),
            (short, SHORT_HOST),
            (c.verify_hostname, VERIFY),
        ]
        .iter()
        .fold(0, |flags, &(set, flag)| if set { flags | flag } else { flags });
        let ca_cert = c.ca_cert.as_deref().filter(|path| !path.is_empty());
        let parts = match c.credentials()? {
            Credentials::Token { token, .. } => {
                let token = token.expose_secret();
                let token = token.strip_prefix(TOKEN_PREFIX).unwrap_or(token);
                json!([2, flags, host, ca_cert, token])
            }
            Credentials::Password { username, password } => {
                json!([2, flags, host, ca_cert, username, password.expose_secret()])
            }
        };
        Ok(Self(STANDARD.encode(ascii(&parts.to_string())).into()))
    }
}

/// JSON text with everything beyond ASCII escaped, as Python writes it: keys are then the same.
fn ascii(json: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String can't fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

fn text(value: Option<Json>) -> Option<String> {
    match value {
        Some(Json::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    }
}

/// `name.12` is `name.farm0012.cloud.aperturedata.io`.
fn long_host(short: &str) -> Result<String, Error> {
    let (name, farm) =
        short.split_once('.').ok_or(Error::Key("its host is shortened in an unknown way"))?;
    let farm: u32 = farm.parse().map_err(|_| Error::Key("its host has no number of a farm"))?;
    Ok(format!("{name}.farm{farm:04}{CLOUD}"))
}

/// The reverse, where reading it gives the same host again. (The SDK cuts the ending off other hosts
/// of the cloud as well, and does not put it back.)
fn short_host(host: &str) -> (String, bool) {
    let short = host.strip_suffix(CLOUD).and_then(|front| {
        let (name, farm) = front.rsplit_once(".farm")?;
        let short = format!("{name}.{}", farm.parse::<u32>().ok()?);
        (long_host(&short).as_deref() == Ok(host)).then_some(short)
    });
    match short {
        Some(short) => (short, true),
        None => (host.to_owned(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(json: &str) -> Key {
        Key(STANDARD.encode(json).into())
    }

    fn secret(configuration: &Configuration) -> String {
        match configuration.credentials().unwrap() {
            Credentials::Token { token: secret, .. }
            | Credentials::Password { password: secret, .. } => secret.expose_secret().to_owned(),
        }
    }

    /// Made with the SDK (0.5.3), `Configuration.create_aperturedb_key`.
    #[test]
    fn as_the_sdk_writes_them() {
        let cases = [
            (r#"[2,13,"x.1",null,"abcd"]"#, "x.farm0001.cloud.aperturedata.io:55555", "adbp_abcd"),
            (r#"[2,2,"localhost:8087",null,"u","p"]"#, "localhost:8087", "p"),
            (r#"[2,11,"h:444","/etc/ca.pem","u","p"]"#, "h:444", "p"),
            (r#"[2,11,"h",null,"u","p\u00e9"]"#, "h:443", "pé"),
            (r#"[2,10,"h",null,"t"]"#, "h:80", "adbp_t"),
            (r#"[2,9,"h",null,"u","p:\"\\"]"#, "h:55555", "p:\"\\"),
        ];
        for (json, place, wanted) in cases {
            let read = key(json).read().unwrap();
            assert_eq!(format!("{}:{}", read.host, read.port), place, "{json}");
            assert_eq!(secret(&read), wanted, "{json}");
            let written = Key::write(&read).unwrap();
            assert_eq!(STANDARD.decode(written.text()).unwrap(), json.as_bytes());
        }
    }

    /// As `adb config create … --no-use-ssl` and `adb config get-key` of the SDK (0.5.3) make it.
    #[test]
    fn an_empty_certificate_is_none() {
        let read = key(r#"[2,8,"localhost:56001","","t"]"#).read().unwrap();
        assert_eq!((read.ca_cert.as_deref(), read.port), (None, 56001));
        assert_eq!(secret(&read), "adbp_t");
        let read = key(r#"[2,9,"h","","u","p"]"#).read().unwrap();
        assert_eq!(read.tls(), crate::Tls::System);
    }

    #[test]
    fn version_1_always_verifies() {
        let read = key(r#"[1,1,"h","u","p"]"#).read().unwrap();
        assert!(read.verify_hostname && read.use_ssl && read.ca_cert.is_none());
        assert_eq!(secret(&key(r#"[1,0,"h:1","t"]"#).read().unwrap()), "adbp_t");
    }

    #[test]
    fn hosts_and_ports_come_back() {
        let credentials = || Credentials::Password { username: "u".into(), password: "p".into() };
        for host in [
            "db-7.farm0012.cloud.aperturedata.io",
            "db-7.farm12345.cloud.aperturedata.io",
            // Those that the short form can't hold stay as they are.
            "db-7.farm12.cloud.aperturedata.io",
            "a.b.farm0012.cloud.aperturedata.io",
            "other.cloud.aperturedata.io",
            "example.com",
            "::1",
        ] {
            let mut c = Configuration::new("n", host.to_owned(), credentials());
            for port in [1234, crate::DEFAULT_PORT] {
                c.port = port;
                let read = Key::write(&c).unwrap().read().unwrap();
                assert_eq!((read.host.as_str(), read.port), (host, port));
            }
        }
    }

    #[test]
    fn what_is_no_key_says_why_and_shows_nothing() {
        let wrong = [
            key(r#"[3,1,"h",null,"u","hunter2"]"#),
            key(r#"["2",1,"h",null,"u","hunter2"]"#),
            key(r#"[2,1,null,null,"u","hunter2"]"#),
            key(r#"[2,1,"h",null,"u","hunter2","x"]"#),
            key(r#"[2,1,"h",7,"u","hunter2"]"#),
            key(r#"[2,1,"h:99999",null,"u","hunter2"]"#),
            key(r#"[2,5,"h",null,"u","hunter2"]"#),
            key(r#"[2,5,"h.x",null,"u","hunter2"]"#),
            key(r#"[2,1,"h",null]"#),
            key(r#"{"hunter2":1}"#),
            Key::from("hunter2"),
            Key::from(""),
        ];
        for key in wrong {
            let error = key.read().unwrap_err();
            assert!(matches!(error, Error::Key(_)), "{error}");
            assert!(!format!("{error} {error:?} {key:?}").contains("hunter2"));
        }
    }
}
