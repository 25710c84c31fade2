//! Where bundles and the run time are kept on this machine.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use super::{Bundle, Error, ErrorKind};

/// adb's cache: `embedders/<name>/` and `onnxruntime/<version>/`.
///
/// The order of the places is a contract with the scripts in `tools/models`, which fill it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// A cache at a place of your own.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// `ADB_CACHE_DIR`, or `adb` in `XDG_CACHE_HOME`, or `adb` in the platform's own place for
    /// caches.
    ///
    /// # Errors
    /// When the environment names no home directory either.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_vars(|key| env::var_os(key), env::home_dir())
    }

    fn from_vars(
        get: impl Fn(&str) -> Option<OsString>,
        home: Option<PathBuf>,
    ) -> Result<Self, Error> {
        let set = |key| get(key).filter(|v| !v.is_empty()).map(PathBuf::from);
        if let Some(root) = set("ADB_CACHE_DIR") {
            return Ok(Self { root });
        }
        if let Some(root) = set("XDG_CACHE_HOME") {
            return Ok(Self { root: root.join("adb") });
        }
        let home = home.filter(|h| !h.as_os_str().is_empty()).ok_or_else(|| {
            Error::from(ErrorKind::NoneFound(
                "there is no home directory to keep a cache in; set ADB_CACHE_DIR to a directory"
                    .into(),
            ))
        })?;
        let caches = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
        Ok(Self { root: home.join(caches).join("adb") })
    }

    /// Its directory, which need not exist yet.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the bundle `name` lies, or would lie.
    #[must_use]
    pub fn bundle_dir(&self, name: &str) -> PathBuf {
        self.root.join("embedders").join(name)
    }

    /// The bundle `name`, if there is one.
    ///
    /// # Errors
    /// When it is there and can't be used.
    pub fn bundle(&self, name: &str) -> Result<Option<Bundle>, Error> {
        // A name that is a path would leave the cache.
        if name.is_empty() || name.contains(['/', '\\']) || name == "." || name == ".." {
            return Ok(None);
        }
        let dir = self.bundle_dir(name);
        if dir.join("bundle.json").is_file() { Bundle::open(dir).map(Some) } else { Ok(None) }
    }

    /// All bundles that are there and can be opened, by name.
    #[must_use]
    pub fn bundles(&self) -> Vec<Bundle> {
        let entries =
            std::fs::read_dir(self.root.join("embedders")).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        names.iter().filter_map(|name| self.bundle(name).ok().flatten()).collect()
    }

    /// ONNX Runtime's shared library, the newest release that is there.
    #[must_use]
    pub fn onnx_runtime(&self) -> Option<PathBuf> {
        let version = |path: &Path| -> Vec<u64> {
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            name.split('.').map_while(|part| part.parse().ok()).collect()
        };
        let file = format!("{}onnxruntime{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
        std::fs::read_dir(self.root.join("onnxruntime"))
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|dir| version(dir).len() == 3 && dir.join(&file).is_file())
            .max_by_key(|dir| version(dir))
            .map(|dir| dir.join(&file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_the_place() {
        let place = |vars: &[(&str, &str)], home: Option<&str>| {
            let get = |key: &str| {
                vars.iter().find(|(name, _)| *name == key).map(|(_, value)| OsString::from(value))
            };
            Cache::from_vars(get, home.map(PathBuf::from)).map(|cache| cache.root)
        };
        let all = [("ADB_CACHE_DIR", "/own"), ("XDG_CACHE_HOME", "/xdg")];
        assert_eq!(place(&all, Some("/me")).unwrap(), Path::new("/own"));
        assert_eq!(place(&all[1..], Some("/me")).unwrap(), Path::new("/xdg/adb"));
        let own = place(&[("ADB_CACHE_DIR", "")], Some("/me")).unwrap();
        assert!(own.starts_with("/me") && own.ends_with("adb"), "{}", own.display());
        let message = place(&[], None).unwrap_err().to_string();
        assert!(message.contains("set ADB_CACHE_DIR"), "{message}");
    }

    #[test]
    fn the_newest_run_time_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        assert_eq!(cache.onnx_runtime(), None);
        let file = format!("{}onnxruntime{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX);
        for version in ["1.9.0", "1.24.4", "1.31.1", ".1.32.0.partial-x"] {
            let place = dir.path().join("onnxruntime").join(version);
            std::fs::create_dir_all(&place).unwrap();
            std::fs::write(place.join(&file), b"").unwrap();
        }
        let found = cache.onnx_runtime().unwrap();
        assert_eq!(found, dir.path().join("onnxruntime/1.31.1").join(file));
    }

    #[test]
    fn a_name_that_is_a_path_is_not_in_the_cache() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("bundle.json"), b"{}").unwrap();
        let cache = Cache::at(dir.path());
        for name in ["../..", "..", "", "/etc", "a/b"] {
            assert!(cache.bundle(name).unwrap().is_none(), "{name}");
        }
    }
}
