//! The run time behind all sessions: found once, then the same for the whole process.

use std::{
    env, fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use ort::{environment::Environment, logging::LogLevel};

use super::{Cache, Error, ErrorKind};

/// The run time that is live.
pub struct Runtime {
    environment: Environment,
    backend: Backend,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("backend", &self.backend).finish_non_exhaustive()
    }
}

/// What runs the graphs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// ONNX Runtime's shared library.
    OnnxRuntime {
        /// The library.
        library: PathBuf,
        /// Why this one.
        found: Found,
    },
    /// Another implementation of its interface, such as tract.
    Other {
        /// What it calls itself.
        name: String,
    },
}

/// Where the shared library was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// `ORT_DYLIB_PATH` names it.
    Environment,
    /// It lies in adb's cache.
    Cache,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Backend::OnnxRuntime { library, found } => {
                let why = match found {
                    Found::Environment => "named by ORT_DYLIB_PATH",
                    Found::Cache => "found in the cache",
                };
                write!(f, "ONNX Runtime, {} ({why})", library.display())
            }
            Backend::Other { name } => write!(f, "{name}, in place of ONNX Runtime"),
        }
    }
}

static LIVE: OnceLock<Runtime> = OnceLock::new();
/// Held while the one run time of the process is being started.
static STARTING: Mutex<()> = Mutex::new(());
/// Why a library could not be loaded. After one failure `ort` 2.0.0-rc.14 takes its empty place for
/// a loaded library, so it must not be asked to load one again in this process.
static UNLOADABLE: OnceLock<Error> = OnceLock::new();

impl Runtime {
    /// The run time of this process, if one was started.
    #[must_use]
    pub fn live() -> Option<&'static Runtime> {
        LIVE.get()
    }

    /// Starts the run time, or gives the one that is live: ONNX Runtime's library from
    /// `ORT_DYLIB_PATH`, then from the cache; then tract, if this build has it (feature `tract`).
    ///
    /// # Errors
    /// When there is none, or the library that is there can't be used. If there was none, a later
    /// call looks again; a library that could not be loaded is not tried twice in one process.
    pub fn start(cache: &Cache) -> Result<&'static Runtime, Error> {
        once(|| match find(cache) {
            Some((library, found)) => load(&library, found),
            None => without_library(cache),
        })
    }

    /// Lets another implementation of ONNX Runtime's interface run all graphs of this process, as
    /// tests do that must not need a shared library. The interface is that of the `ort` release
    /// that this crate pins.
    ///
    /// # Errors
    /// When another run time is live already: a process has one.
    pub fn start_with(name: &str, api: ort::sys::OrtApi) -> Result<&'static Runtime, Error> {
        let runtime = once(|| alternative(name, api))?;
        match &runtime.backend {
            Backend::Other { name: live } if live == name => Ok(runtime),
            other => Err(fault(format!(
                "{name} can't run the graphs of this process: {other} does already, and there can be one only; choose before the first embedder is used"
            ))),
        }
    }

    /// What it is, and why.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Its release, as far as it says: what was measured with one need not hold for another.
    #[must_use]
    pub fn version(&self) -> String {
        match &self.backend {
            Backend::OnnxRuntime { .. } => release(ort::info()),
            Backend::Other { name } => name.clone(),
        }
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// Whether sessions take options; the pure Rust one has none.
    pub(super) fn is_native(&self) -> bool {
        matches!(self.backend, Backend::OnnxRuntime { .. })
    }
}

/// From the library's words about itself, such as `ORT Build Info: git-branch=rel-1.31.1,
/// git-commit-id=…, build type=Release, …`: the branch and the commit, else all of it.
fn release(info: &str) -> String {
    let value = |key: &str| {
        info.split_once(key).map(|(_, rest)| rest.split(',').next().unwrap_or(rest).trim())
    };
    match (value("git-branch="), value("git-commit-id=")) {
        (Some(branch), Some(commit)) => format!("{branch} {commit}"),
        _ => info.to_owned(),
    }
}

fn once(start: impl FnOnce() -> Result<Runtime, Error>) -> Result<&'static Runtime, Error> {
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = LIVE.get() {
        return Ok(runtime);
    }
    let runtime = start()?;
    Ok(LIVE.get_or_init(|| runtime))
}

fn fault(message: impl Into<String>) -> Error {
    ErrorKind::Runtime(message.into()).into()
}

const WAYS_OUT: &str = "run `./demo` or `python3 tools/models/onnxruntime.py`, which put it into the cache; or set ORT_DYLIB_PATH to the library (release 1.24 or newer); or build with the feature `tract`, which is slower and needs no library";

fn find(cache: &Cache) -> Option<(PathBuf, Found)> {
    match env::var_os("ORT_DYLIB_PATH").filter(|v| !v.is_empty()) {
        Some(path) => Some((PathBuf::from(path), Found::Environment)),
        None => cache.onnx_runtime().map(|path| (path, Found::Cache)),
    }
}

fn load(library: &Path, found: Found) -> Result<Runtime, Error> {
    if let Some(fault) = UNLOADABLE.get() {
        return Err(fault.clone());
    }
    open(library, found).inspect_err(|fault| {
        // The lock on starting is held, so nobody was here in the meantime.
        let _ = UNLOADABLE.set(fault.clone());
    })
}

fn open(library: &Path, found: Found) -> Result<Runtime, Error> {
    // `ort` looks for a relative path beside the program first; people mean the working directory.
    let path = match library.exists() {
        true => std::path::absolute(library).unwrap_or_else(|_| library.to_owned()),
        false => library.to_owned(),
    };
    let builder = ort::init_from(&path).map_err(|e| {
        let how = match found {
            Found::Environment => "ORT_DYLIB_PATH names it; set it to another, or unset it",
            Found::Cache => "remove it from the cache",
        };
        fault(format!("ONNX Runtime can't be loaded: {e}; {how}. Ways to get it: {WAYS_OUT}"))
    })?;
    let environment = builder
        .with_name("adb")
        .with_telemetry(false)
        .with_logger(Arc::new(log))
        .build()
        .map_err(|e| fault(format!("ONNX Runtime can't be started: {e}")))?;
    environment.set_log_level(LogLevel::Warning);
    Ok(Runtime { environment, backend: Backend::OnnxRuntime { library: path, found } })
}

/// Passes on what the library has to say; it would write to standard error otherwise.
fn log(level: LogLevel, category: &str, _id: &str, place: &str, message: &str) {
    match level {
        LogLevel::Error | LogLevel::Fatal => tracing::warn!(category, place, "{message}"),
        _ => tracing::debug!(category, place, "{message}"),
    }
}

fn alternative(name: &str, api: ort::sys::OrtApi) -> Result<Runtime, Error> {
    if !ort::set_api(api) {
        return Err(fault(format!(
            "{name} can't run the graphs of this process: ONNX Runtime was loaded already"
        )));
    }
    let environment = ort::init()
        .with_name("adb")
        .with_telemetry(false)
        .build()
        .map_err(|e| fault(format!("{name} can't be started: {e}")))?;
    Ok(Runtime { environment, backend: Backend::Other { name: name.to_owned() } })
}

#[cfg(feature = "tract")]
fn without_library(_cache: &Cache) -> Result<Runtime, Error> {
    alternative("tract", ort_tract::api())
}

#[cfg(not(feature = "tract"))]
fn without_library(cache: &Cache) -> Result<Runtime, Error> {
    Err(fault(format!(
        "ONNX Runtime, which runs the embedders, is neither named by ORT_DYLIB_PATH nor in the cache {}; {WAYS_OUT}",
        cache.root().display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_can_t_be_loaded_is_named_with_the_ways_out() {
        let message =
            load(Path::new("/no/such/library"), Found::Environment).unwrap_err().to_string();
        for words in ["/no/such/library", "ORT_DYLIB_PATH names it", "onnxruntime.py", "`tract`"] {
            assert!(message.contains(words), "wanted `{words}` in: {message}");
        }
        // `ort` must not be asked again: it would take the failure for a library.
        let again = load(Path::new("/another"), Found::Cache).unwrap_err().to_string();
        assert_eq!(again, message);
    }

    #[test]
    fn the_release_is_what_the_library_says_of_itself() {
        let info = "ORT Build Info: git-branch=rel-1.31.1, git-commit-id=26250ae, build type=Release, cmake cxx flags: /DWIN32";
        assert_eq!(release(info), "rel-1.31.1 26250ae");
        assert_eq!(release("something else"), "something else");
    }

    #[cfg(not(feature = "tract"))]
    #[test]
    fn without_a_library_the_ways_out_are_named() {
        let message = without_library(&Cache::at("/a/cache")).unwrap_err().to_string();
        for words in ["/a/cache", "./demo", "set ORT_DYLIB_PATH", "`tract`"] {
            assert!(message.contains(words), "wanted `{words}` in: {message}");
        }
    }

    #[cfg(feature = "tract")]
    #[test]
    fn without_a_library_tract_computes() {
        let runtime = without_library(&Cache::at("/a/cache")).unwrap();
        assert_eq!(runtime.backend(), &Backend::Other { name: "tract".into() });
    }
}
