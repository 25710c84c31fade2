//! Which configuration is used: the order of the SDK's `create_connector`.

use std::{fmt, path::PathBuf};

use super::{ConfigFile, Configuration, dotenv};
use crate::{Error, Key};

const KEY: &str = "APERTUREDB_KEY";
const JSON: &str = "APERTUREDB_JSON";
const NAME: &str = "APERTUREDB_CONFIG";

/// The two places of configuration files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The user's: goes first where both have a name.
    Global,
    /// The working directory's: decides which one is active.
    Local,
}

/// What is around the program; the caller reads it, this crate only asks.
pub trait Surroundings {
    /// An environment variable that is set and not empty.
    fn var(&self, name: &str) -> Option<String>;

    /// The text of a configuration file, none if there is no such file.
    ///
    /// # Errors
    /// When it is there and can't be read.
    fn config_file(&self, place: Place) -> Result<Option<String>, Error>;

    /// Where that file lies, for messages.
    fn config_path(&self, place: Place) -> Option<PathBuf>;

    /// The text of `.env` in the working directory, none if there is none.
    ///
    /// # Errors
    /// When it is there and can't be read.
    fn dotenv(&self) -> Result<Option<String>, Error>;
}

/// Where a configuration came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An environment variable.
    Variable(&'static str),
    /// `APERTUREDB_JSON` in `.env`.
    Dotenv,
    /// A configuration file.
    File(Place, Option<PathBuf>),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Variable(name) => write!(f, "the variable {name}"),
            Origin::Dotenv => write!(f, "{JSON} in .env"),
            Origin::File(_, Some(path)) => write!(f, "{}", path.display()),
            Origin::File(Place::Global, None) => f.write_str("the user's adb.json"),
            Origin::File(Place::Local, None) => f.write_str(".aperturedb/adb.json"),
        }
    }
}

/// A configuration and where it came from.
#[derive(Debug, Clone)]
pub struct Found {
    /// What it says.
    pub configuration: Configuration,
    /// Where it stood.
    pub origin: Origin,
}

/// Finds the configuration to use, in the SDK's order: the one of that name; `APERTUREDB_KEY`;
/// `APERTUREDB_JSON`; `APERTUREDB_JSON` in `.env`; the one that `APERTUREDB_CONFIG` names; the active
/// one, where the local file has the word before the global one. None if there is nothing of all that.
/// (The SDK also asks the secrets of a notebook, which exist in Python alone.)
///
/// # Errors
/// When a name is nowhere, or what stands at the first place that has something can't be understood.
pub fn find(name: Option<&str>, around: &dyn Surroundings) -> Result<Option<Found>, Error> {
    if let Some(name) = name {
        return named(name, around, "there is no configuration of that name").map(Some);
    }
    if let Some(key) = around.var(KEY) {
        let configuration = Key::from(key.as_str()).read()?;
        return Ok(Some(Found { configuration, origin: Origin::Variable(KEY) }));
    }
    if let Some(text) = around.var(JSON) {
        let configuration = Configuration::from_json(&text, JSON)?;
        return Ok(Some(Found { configuration, origin: Origin::Variable(JSON) }));
    }
    let dotenv = around.dotenv()?.and_then(|text| dotenv::value(&text, JSON));
    if let Some(text) = dotenv.filter(|text| !text.is_empty()) {
        let origin = Origin::Dotenv;
        let configuration = Configuration::from_json(&text, &origin.to_string())?;
        return Ok(Some(Found { configuration, origin }));
    }
    if let Some(name) = around.var(NAME) {
        return named(&name, around, "APERTUREDB_CONFIG names it, and it is nowhere").map(Some);
    }
    for place in [Place::Local, Place::Global] {
        let Some(file) = file(place, around)? else { continue };
        if let Some(active) = file.active() {
            let fault = format!(
                "{} has it as active, and it is nowhere",
                Origin::File(place, around.config_path(place))
            );
            // An active name is looked up in the local file first, unlike a name that is asked for.
            return in_order(active, [Place::Local, Place::Global], around)?
                .ok_or_else(|| missing(active, &fault, around))
                .map(Some);
        }
    }
    Ok(None)
}

fn named(name: &str, around: &dyn Surroundings, fault: &str) -> Result<Found, Error> {
    in_order(name, [Place::Global, Place::Local], around)?
        .ok_or_else(|| missing(name, fault, around))
}

fn in_order(
    name: &str,
    places: [Place; 2],
    around: &dyn Surroundings,
) -> Result<Option<Found>, Error> {
    for place in places {
        let Some(file) = file(place, around)? else { continue };
        if let Some(configuration) = file.get(name)? {
            let origin = Origin::File(place, around.config_path(place));
            return Ok(Some(Found { configuration, origin }));
        }
    }
    Ok(None)
}

fn file(place: Place, around: &dyn Surroundings) -> Result<Option<ConfigFile>, Error> {
    let Some(text) = around.config_file(place)? else { return Ok(None) };
    let origin = Origin::File(place, around.config_path(place)).to_string();
    ConfigFile::parse(&text, origin).map(Some)
}

fn missing(name: &str, fault: &str, around: &dyn Surroundings) -> Error {
    let files = [Place::Global, Place::Local].map(|place| file(place, around).ok().flatten());
    let mut known: Vec<String> = Vec::new();
    for name in files.iter().flatten().flat_map(ConfigFile::names) {
        if !known.iter().any(|k| k == name) {
            known.push(name.to_owned());
        }
    }
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Error::Configuration { origin: format!("`{name}`"), fault: format!("{fault}; known: {known}") }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[derive(Default)]
    struct Fake {
        vars: HashMap<&'static str, String>,
        global: Option<String>,
        local: Option<String>,
        dotenv: Option<String>,
    }

    impl Surroundings for Fake {
        fn var(&self, name: &str) -> Option<String> {
            self.vars.get(name).cloned()
        }
        fn config_file(&self, place: Place) -> Result<Option<String>, Error> {
            Ok(match place {
                Place::Global => self.global.clone(),
                Place::Local => self.local.clone(),
            })
        }
        fn config_path(&self, _: Place) -> Option<PathBuf> {
            None
        }
        fn dotenv(&self) -> Result<Option<String>, Error> {
            Ok(self.dotenv.clone())
        }
    }

    fn entry(host: &str) -> String {
        format!(
            r#"{{"host":"{host}","port":1,"username":"u","password":"p","use_rest":false,"use_ssl":false}}"#
        )
    }

    /// Everything at once; taking the first away shows the next.
    #[test]
    fn the_sdks_order() {
        let mut around = Fake {
            vars: [
                // [2,1,"key",null,"u","p"]
                (KEY, "WzIsMSwia2V5IixudWxsLCJ1IiwicCJd".to_owned()),
                (JSON, entry("json")),
                (NAME, "b".to_owned()),
            ]
            .into(),
            global: Some(format!(
                r#"{{"a":{},"b":{},"active":"a"}}"#,
                entry("global-a"),
                entry("global-b")
            )),
            local: Some(format!(
                r#"{{"a":{},"b":{},"active":"b"}}"#,
                entry("local-a"),
                entry("local-b")
            )),
            dotenv: Some(format!("{JSON}={}", entry("dotenv"))),
        };
        let host = |around: &Fake, name| {
            let found = find(name, around).unwrap().unwrap();
            (found.configuration.host, found.origin)
        };
        assert_eq!(host(&around, Some("a")).0, "global-a");
        assert_eq!(host(&around, None), ("key".to_owned(), Origin::Variable(KEY)));
        around.vars.remove(KEY);
        assert_eq!(host(&around, None), ("json".to_owned(), Origin::Variable(JSON)));
        around.vars.remove(JSON);
        assert_eq!(host(&around, None), ("dotenv".to_owned(), Origin::Dotenv));
        around.dotenv = None;
        assert_eq!(host(&around, None).0, "global-b");
        around.vars.remove(NAME);
        assert_eq!(host(&around, None).0, "local-b");
        around.local = None;
        assert_eq!(host(&around, None).0, "global-a");
        around.global = None;
        assert!(find(None, &around).unwrap().is_none());
    }

    #[test]
    fn what_is_nowhere_says_what_there_is() {
        let mut around = Fake {
            global: Some(format!(r#"{{"a":{},"active":"gone"}}"#, entry("h"))),
            ..Fake::default()
        };
        let told = |around: &Fake, name| find(name, around).unwrap_err().to_string();
        assert!(told(&around, Some("x")).contains("known: a"));
        assert!(told(&around, None).contains("`gone`"));
        around.vars.insert(NAME, "y".to_owned());
        assert!(told(&around, None).contains("APERTUREDB_CONFIG"));
        around.global = Some("{".to_owned());
        assert!(told(&around, Some("a")).contains("adb.json"));
    }

    /// The first place that has something decides: a bad key is not passed over in silence.
    #[test]
    fn a_bad_key_is_an_error() {
        let mut around =
            Fake { global: Some(format!(r#"{{"a":{}}}"#, entry("h"))), ..Fake::default() };
        around.vars.insert(KEY, "hunter2".to_owned());
        let error = find(None, &around).unwrap_err().to_string();
        assert!(error.contains(KEY) && !error.contains("hunter2"), "{error}");
    }
}
