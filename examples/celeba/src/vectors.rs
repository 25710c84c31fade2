//! Vectors made elsewhere: a `.npy` file with one row of 512 for each face.

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
};

use adb::Embedding;
use anyhow::{Context as _, bail};
use npyz::{NpyFile, NpyReader};

/// Read in order, one at a time.
pub(crate) struct Vectors {
    path: PathBuf,
    components: NpyReader<f32, BufReader<File>>,
}

impl Vectors {
    /// Nothing if there is no such file.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let open = || -> anyhow::Result<NpyReader<f32, BufReader<File>>> {
            let npy = NpyFile::new(BufReader::with_capacity(1 << 20, File::open(path)?))?;
            match npy.shape() {
                [_, 512] => Ok(npy.data()?),
                shape => bail!("its shape is {shape:?}, and must be faces × 512"),
            }
        };
        let components = open().with_context(|| path.display().to_string())?;
        Ok(Some(Self { path: path.to_owned(), components }))
    }

    /// The next face's.
    pub(crate) fn next(&mut self) -> Result<Embedding<512>, String> {
        let explain = |e: String| format!("{}: {e}", self.path.display());
        let mut vector = Vec::with_capacity(512);
        for component in self.components.by_ref().take(512) {
            vector.push(component.map_err(|e| explain(e.to_string()))?);
        }
        Embedding::new(&vector).map_err(|e| explain(e.to_string()))
    }
}
