//! A server as an address: `adb://user:password@host:55555`, or `https://user:password@host/api` for REST.

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::Url;

use super::{Configuration, Credentials};
use crate::Error;

const FORM: &str = "adb://USER:PASSWORD@HOST[:PORT] or adb://TOKEN@HOST[:PORT], for REST \
                    https://USER:PASSWORD@HOST[:PORT]/api, and after a `?` `tls=off`, \
                    `tls=unverified` or `ca_cert=FILE`";

impl Configuration {
    /// Reads an address such as `adb://anna:secret@db.example.com`. A user that begins with `adbp_`
    /// is an API token. TLS is on and checked, unless the query says `tls=off` or `tls=unverified`;
    /// `ca_cert=FILE` names certificates to trust.
    ///
    /// `https://anna:secret@db.example.com/api` is REST, and `http://` is REST without TLS; the path
    /// may be left out.
    ///
    /// ```
    /// use adb_protocol::Configuration;
    ///
    /// let c = Configuration::from_address("adb://anna:p%40ss@[::1]:55556?tls=off")?;
    /// assert_eq!(c.to_string(), "[::1]:55556 as anna over TCP without TLS");
    /// let c = Configuration::from_address("https://adbp_x@db.example.com/api")?;
    /// assert_eq!(c.to_string(), "db.example.com:443 by token over REST with TLS");
    /// # Ok::<_, adb_protocol::Error>(())
    /// ```
    ///
    /// # Errors
    /// When it is no such address. It is not quoted, since it holds a secret.
    pub fn from_address(address: &str) -> Result<Self, Error> {
        let fault = |fault: String| Error::Configuration { origin: "address".to_owned(), fault };
        let url = Url::parse(address).map_err(|e| fault(format!("{e}; it is {FORM}")))?;
        let (use_rest, use_ssl) = match url.scheme() {
            "adb" => (false, true),
            "https" => (true, true),
            "http" => (true, false),
            _ => {
                let told = "it begins with none of adb://, https:// and http://";
                return Err(fault(format!("{told}; it is {FORM}")));
            }
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| fault(format!("it names no host; it is {FORM}")))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let known = match url.path() {
            "" | "/" => true,
            "/api" | "/api/" => use_rest,
            _ => false,
        };
        if !known || url.fragment().is_some() {
            return Err(fault(format!("nothing follows the port but a query; it is {FORM}")));
        }
        let text = |coded: &str| {
            percent_decode_str(coded)
                .decode_utf8()
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| fault("the user or the password is not UTF-8".to_owned()))
        };
        let user = text(url.username())?;
        let password: Option<SecretString> =
            url.password().map(text).transpose()?.map(SecretString::from);
        let credentials = match (user, password) {
            (token, None) if token.starts_with("adbp_") => {
                Credentials::Token { username: None, token: token.into() }
            }
            (username, Some(password)) if !username.is_empty() => {
                Credentials::Password { username, password }
            }
            _ => {
                return Err(fault(format!(
                    "it lacks a user with a password, or a token; it is {FORM}"
                )));
            }
        };

        let mut configuration = Self::new("address", host, credentials);
        configuration.use_rest = use_rest;
        configuration.use_ssl = use_ssl;
        configuration.port = url.port().unwrap_or(Self::default_port(use_rest, use_ssl));
        for (key, value) in url.query_pairs() {
            let told = match (&*key, &*value) {
                ("tls", "on" | "off") if use_rest => {
                    "https:// and http:// say whether there is TLS".to_owned()
                }
                ("tls", "on") => continue,
                ("tls", "off") => {
                    configuration.use_ssl = false;
                    continue;
                }
                ("tls", "unverified") if use_ssl => {
                    configuration.verify_hostname = false;
                    continue;
                }
                ("ca_cert", path) if use_ssl => {
                    configuration.ca_cert = Some(path.to_owned());
                    continue;
                }
                // The value is not quoted: a secret may have come there.
                ("tls", _) if use_rest => {
                    "the value of `tls` is `unverified` there, and after https:// alone".to_owned()
                }
                ("tls", _) => {
                    "the value of `tls` is none of `on`, `off` and `unverified`".to_owned()
                }
                ("ca_cert", _) => "`ca_cert` is of no use without TLS".to_owned(),
                _ => format!("`{key}` is not known there"),
            };
            return Err(fault(format!("{told}; it is {FORM}")));
        }
        configuration.checked("address")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tls;

    #[test]
    fn what_stands_in_an_address() {
        let c = Configuration::from_address("adb://anna:p%40ss%3A1@db.example.com").unwrap();
        assert_eq!(c.to_string(), "db.example.com:55555 as anna over TCP with TLS");
        let c = Configuration::from_address("adb://adbp_x@h:7?ca_cert=%2Fa%20b.pem").unwrap();
        assert_eq!((c.port, c.tls()), (7, Tls::CaFile("/a b.pem".into())));
        assert!(matches!(c.credentials().unwrap(), Credentials::Token { .. }));
        let c = Configuration::from_address("adb://u:p@h?tls=unverified").unwrap();
        assert_eq!(c.tls(), Tls::Unverified);
    }

    #[test]
    fn rest_by_its_scheme() {
        let shown = |address: &str| Configuration::from_address(address).unwrap().to_string();
        assert_eq!(shown("https://u:p@h/api"), "h:443 as u over REST with TLS");
        assert_eq!(shown("https://u:p@h:8443/api/"), "h:8443 as u over REST with TLS");
        assert_eq!(shown("http://u:p@[::1]:8080"), "[::1]:8080 as u over REST without TLS");
        assert_eq!(shown("http://u:p@h/"), "h:80 as u over REST without TLS");
        let c = Configuration::from_address("https://u:p@h?tls=unverified").unwrap();
        assert_eq!((c.use_rest, c.tls()), (true, Tls::Unverified));
        let c = Configuration::from_address("https://u:p@h/api?ca_cert=x.pem").unwrap();
        assert_eq!(c.tls(), Tls::CaFile("x.pem".into()));
    }

    #[test]
    fn values_of_tls_are_named() {
        for address in ["adb://u:p@h?tls=false", "adb://u:p@h?tls=", "adb://u:p@h?tls=OFF"] {
            let told = Configuration::from_address(address).unwrap_err().to_string();
            assert!(told.contains("none of `on`, `off` and `unverified`"), "{address}: {told}");
        }
        let told = Configuration::from_address("http://u:p@h?tls=unverified").unwrap_err();
        assert!(told.to_string().contains("after https:// alone"), "{told}");
        let told = Configuration::from_address("http://u:p@h?ca_cert=x").unwrap_err();
        assert!(told.to_string().contains("without TLS"), "{told}");
        let told = Configuration::from_address("adb://u:p@h?tsl=off").unwrap_err();
        assert!(told.to_string().contains("`tsl` is not known"), "{told}");
    }

    #[test]
    fn faults_show_the_form_and_no_secret() {
        for address in [
            "adb://hunter2@h",
            "adb://:hunter2@h",
            "adb://u:hunter2@",
            "adb://u:hunter2@h:99999",
            "adb://u:hunter2@h:0",
            "adb://u:hunter2@h/api",
            "adb://u:hunter2@h?hunter=hunter2",
            "adb://u:hunter2@h?tls=hunter2",
            "adb://u:%ffhunter2@h",
            "ftp://u:hunter2@h",
            "https://u:hunter2@h/hunter2",
            "https://u:hunter2@h?tls=off",
            "http://u:hunter2@h?tls=unverified",
            "http://u:hunter2@h?ca_cert=hunter2",
            "https://hunter2@h/api",
            "hunter2",
        ] {
            let error = Configuration::from_address(address).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{address}: {error}");
        }
    }
}
