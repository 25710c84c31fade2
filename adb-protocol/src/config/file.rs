//! `adb.json`: named configurations, one of them active.

use std::fmt;

use serde_json::{Map, Value as Json};

use super::{Configuration, parse};
use crate::Error;

const ACTIVE: &str = "active";

/// A file of configurations, in the order in which they stand there.
///
/// A configuration that can't be understood does not hinder the others: it is an error when it is
/// asked for, and is written back as it was.
#[derive(Clone, Default)]
pub struct ConfigFile {
    entries: Map<String, Json>,
    origin: String,
}

/// The names alone.
impl fmt::Debug for ConfigFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigFile")
            .field("origin", &self.origin)
            .field("names", &self.names().collect::<Vec<_>>())
            .field("active", &self.active())
            .finish()
    }
}

/// Whether a name is one that the SDK's command line takes: a letter or digit, then up to 63 of
/// letters, digits, `-` and `_`. `active` is not, since the file has it for something else.
#[must_use]
pub fn valid_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && name.len() <= 64
        && name != ACTIVE
}

impl ConfigFile {
    /// An empty file; `origin` says in errors where it lies.
    #[must_use]
    pub fn new(origin: impl Into<String>) -> Self {
        Self { entries: Map::new(), origin: origin.into() }
    }

    /// Reads a file's text.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub fn parse(text: &str, origin: impl Into<String>) -> Result<Self, Error> {
        let origin = origin.into();
        Ok(Self { entries: parse(text, &origin)?, origin })
    }

    /// The file's text: indented by two, as the SDK writes it. It holds secrets: keep the file to
    /// its owner.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{:#}\n", Json::Object(self.entries.clone()))
    }

    /// The names of the configurations.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str).filter(|&name| name != ACTIVE)
    }

    /// The name of the active one, which need not exist here.
    #[must_use]
    pub fn active(&self) -> Option<&str> {
        self.entries.get(ACTIVE).and_then(Json::as_str)
    }

    /// Makes one active, here or in another file.
    pub fn activate(&mut self, name: impl Into<String>) {
        self.entries.insert(ACTIVE.to_owned(), Json::String(name.into()));
    }

    /// The configuration of that name.
    ///
    /// # Errors
    /// When it lacks something, or has something of a wrong kind.
    pub fn get(&self, name: &str) -> Result<Option<Configuration>, Error> {
        let Some(entry) = self.entries.get(name).filter(|_| name != ACTIVE) else {
            return Ok(None);
        };
        let origin = format!("`{name}` in {}", self.origin);
        let mut configuration: Configuration = parse(&entry.to_string(), &origin)?;
        name.clone_into(&mut configuration.name);
        configuration.checked(&origin).map(Some)
    }

    /// Puts a configuration in, by its name; answers whether there was one already.
    ///
    /// # Errors
    /// When the name is not [valid](valid_name).
    pub fn set(&mut self, configuration: &Configuration) -> Result<bool, Error> {
        let fault = |fault: String| Error::Configuration { origin: self.origin.clone(), fault };
        let name = &configuration.name;
        if !valid_name(name) {
            return Err(fault(format!(
                "`{name}` is not a name: letters, digits, `-` and `_`, 64 at most, the first a letter \
                 or digit, and not `{ACTIVE}`"
            )));
        }
        let entry = serde_json::to_value(configuration).map_err(|e| fault(e.to_string()))?;
        Ok(self.entries.insert(name.clone(), entry).is_some())
    }

    /// Takes a configuration out; answers whether it was there. If it was the active one, none is.
    pub fn remove(&mut self, name: &str) -> bool {
        let was_there = name != ACTIVE && self.entries.shift_remove(name).is_some();
        if was_there && self.active() == Some(name) {
            self.entries.shift_remove(ACTIVE);
        }
        was_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Credentials, Tls};

    /// As `adb config create dev --no-interactive` of the SDK leaves it, with a key that no release
    /// knows.
    const SDK: &str = r#"{
  "dev": {
    "host": "localhost", "port": 55555, "username": "admin", "password": "hunter2",
    "name": "dev", "use_ssl": true, "use_rest": false, "use_keepalive": true,
    "retry_interval_seconds": 1, "retry_max_attempts": 3, "token": null,
    "user_keys": {"admin": ["KEY"]}, "ca_cert": "", "verify_hostname": true, "later": [1]
  },
  "odd": {"host": 7},
  "active": "dev"
}"#;

    #[test]
    fn what_the_sdk_wrote_survives() {
        let mut file = ConfigFile::parse(SDK, "adb.json").unwrap();
        assert_eq!(file.names().collect::<Vec<_>>(), ["dev", "odd"]);
        assert_eq!(file.active(), Some("dev"));
        let dev = file.get("dev").unwrap().unwrap();
        assert_eq!(dev.tls(), Tls::System);
        assert!(file.set(&dev).unwrap());
        let (before, after): (Json, Json) =
            (serde_json::from_str(SDK).unwrap(), serde_json::from_str(&file.to_text()).unwrap());
        assert_eq!(before, after);
        assert!(!format!("{file:?} {dev:?}").contains("hunter2"));
    }

    #[test]
    fn one_bad_entry_hinders_no_other() {
        let file = ConfigFile::parse(SDK, "adb.json").unwrap();
        let error = file.get("odd").unwrap_err().to_string();
        assert!(error.contains("`odd` in adb.json"), "{error}");
        assert!(file.get("active").unwrap().is_none() && file.get("none").unwrap().is_none());
    }

    #[test]
    fn made_activated_and_removed() {
        let mut file = ConfigFile::new("adb.json");
        let credentials = Credentials::Token { username: None, token: "adbp_t".into() };
        let mut c = Configuration::new("a", "h", credentials);
        assert!(!file.set(&c).unwrap());
        file.activate("a");
        assert!(!file.remove("active") && file.remove("a") && !file.remove("a"));
        assert_eq!((file.active(), file.to_text().as_str()), (None, "{}\n"));
        for bad in ["", "-a", "a b", "active", "é", &"x".repeat(65)] {
            bad.clone_into(&mut c.name);
            assert!(file.set(&c).is_err(), "{bad}");
        }
    }

    #[test]
    fn files_that_are_none() {
        for text in ["", "[]", "{\"a\":", "hunter2"] {
            let error = ConfigFile::parse(text, "adb.json").unwrap_err().to_string();
            assert!(error.contains("adb.json") && !error.contains("hunter2"), "{error}");
        }
    }
}
