//! This machine, as far as configurations are concerned.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use adb_protocol::{
    Error,
    config::{Place, Surroundings},
};

/// The environment and the files of this machine, where the Python SDK looks for them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Machine;

impl Surroundings for Machine {
    fn var(&self, name: &str) -> Option<String> {
        env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn config_file(&self, place: Place) -> Result<Option<String>, Error> {
        self.config_path(place).map_or(Ok(None), |path| read(&path))
    }

    fn config_path(&self, place: Place) -> Option<PathBuf> {
        match place {
            Place::Local => Some(PathBuf::from(".aperturedb/adb.json")),
            Place::Global => Some(applications()?.join("aperturedb/adb.json")),
        }
    }

    fn dotenv(&self) -> Result<Option<String>, Error> {
        read(Path::new(".env"))
    }
}

/// Where programs keep what they are told: the folder that the SDK's command line (`click`) takes.
fn applications() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if cfg!(windows) {
        return set("APPDATA");
    }
    let home = env::home_dir()?;
    if cfg!(target_os = "macos") {
        return Some(home.join("Library/Application Support"));
    }
    Some(set("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")))
}

fn read(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::Configuration {
            origin: path.display().to_string(),
            fault: format!("can't be read: {e}"),
        }),
    }
}
