//! The two files, read and written.

use std::{fs, io::Write as _, path::Path};

use adb::{
    protocol::{
        Configuration,
        config::{ConfigFile, Found, Place, Surroundings as _, find},
    },
    remote::Machine,
};
use anyhow::Context as _;

use super::told;
use crate::exit::{Usage, usage};

/// A file; an empty one if it is not there.
pub(super) fn read(place: Place) -> Result<ConfigFile, Usage> {
    let origin = shown(place);
    match Machine.config_file(place).map_err(told)? {
        Some(text) => ConfigFile::parse(&text, origin).map_err(told),
        None => Ok(ConfigFile::new(origin)),
    }
}

/// Replaces a file in one step; it is for its owner alone, since it holds secrets.
pub(super) fn write(place: Place, file: &ConfigFile) -> anyhow::Result<()> {
    let Some(path) = Machine.config_path(place) else {
        usage!(
            "there is no home directory to keep configurations in; --no-as-global keeps them here"
        );
    };
    let at = || path.display().to_string();
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(at)?;
    // Files of this crate are the owner's alone from the beginning.
    let mut new = tempfile::NamedTempFile::new_in(folder).with_context(at)?;
    new.write_all(file.to_text().as_bytes()).with_context(at)?;
    new.as_file().sync_all().with_context(at)?;
    new.persist(&path).with_context(at)?;
    Ok(())
}

/// Where a file lies, for messages.
pub(super) fn shown(place: Place) -> String {
    let path = Machine.config_path(place);
    path.map_or_else(|| "the user's adb.json".to_owned(), |path| path.display().to_string())
}

/// The names in a file, for messages.
pub(super) fn known(file: &ConfigFile) -> String {
    let names: Vec<&str> = file.names().collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The configuration that would be used here, if there is one.
pub(crate) fn active() -> Result<Option<Found>, Usage> {
    find(None, &Machine).map_err(told)
}

/// The configuration of that name, from either file; nothing if neither has it.
pub(crate) fn named(name: &str) -> Result<Option<Configuration>, Usage> {
    for place in [Place::Global, Place::Local] {
        if let Some(found) = read(place)?.get(name).map_err(told)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Refuses a name that neither file has.
pub(super) fn must_exist(name: &str) -> Result<(), Usage> {
    match find(Some(name), &Machine) {
        Ok(_) => Ok(()),
        Err(e) => Err(told(e)),
    }
}
