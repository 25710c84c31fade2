//! Files of the server's own: their owner's alone, and replaced in one step.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use crate::Error;

/// Replaces a file in a directory, which is made if it is not there; `write` fills it. After a power
/// failure it is the old one or the new one, and whole. It has mode 0600.
pub(crate) fn replace(
    directory: &Path,
    name: &str,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    let path = directory.join(name);
    let failed = |source| Error::File { path: path.clone(), source };
    fs::create_dir_all(directory).map_err(failed)?;
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    write(&mut file).and_then(|()| file.flush()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&path).map_err(|e| failed(e.error))?;
    sync(directory).map_err(failed)
}

#[cfg(unix)]
fn sync(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}
