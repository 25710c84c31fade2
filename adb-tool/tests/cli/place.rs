//! A directory in which the program runs, with a home of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

use serde_json::Value as Json;
use tempfile::TempDir;

pub(crate) const ADB: &str = env!("CARGO_BIN_EXE_adb");

pub(crate) struct Place {
    dir: TempDir,
}

impl Place {
    /// Nothing but a home.
    pub(crate) fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("home")).unwrap();
        Self { dir }
    }

    /// The Cookbook's sample beside `my.adb`, into which it was ingested with the tests' own tiny
    /// embedder.
    pub(crate) fn with_dishes() -> Self {
        static FILLED: OnceLock<TempDir> = OnceLock::new();
        let filled = FILLED.get_or_init(|| {
            let place = Self::with_sample();
            let output = place.adb(&[
                "ingest",
                "from-json",
                "examples/data/cookbook/dishes.json",
                "--model",
                "examples/data/cookbook/dish.model.json",
                "--db",
                "my.adb",
            ]);
            assert!(output.status.success(), "{}", said(&output));
            place.dir
        });
        let place = Self::empty();
        copy(filled.path(), place.path());
        place
    }

    /// The Cookbook's sample, whose set is the tests' tiny embedder's, which is in the cache.
    pub(crate) fn with_sample() -> Self {
        let place = Self::empty();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        copy(
            &root.join("adb-loaders/tests/fixtures/tiny-clip"),
            &place.path().join("cache/embedders/tiny-clip"),
        );
        let sample = place.path().join("examples/data/cookbook");
        copy(&root.join("examples/data/cookbook"), &sample);
        let model = sample.join("dish.model.json");
        let text = fs::read_to_string(&model).unwrap();
        let tiny = text
            .replace("\"dimensions\": 512", "\"dimensions\": 24")
            .replace("clip-vit-b-16", "tiny-clip");
        assert_ne!(text, tiny);
        fs::write(model, tiny).unwrap();
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    /// Any program, with nothing of this machine's user around it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.file("home"))
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("ADB_CACHE_DIR", self.file("cache"))
            .env("ADB_OFFLINE", "1")
            .stdin(Stdio::null());
        // For whoever has the shared library and wants to see the tests run on it.
        if let Some(library) = std::env::var_os("ADB_TEST_ORT") {
            command.env("ORT_DYLIB_PATH", library);
        }
        command
    }

    pub(crate) fn adb(&self, arguments: &[&str]) -> Output {
        self.command(ADB).args(arguments).output().unwrap()
    }

    /// What it printed, of a run that must go well.
    pub(crate) fn prints(&self, arguments: &[&str]) -> String {
        let output = self.adb(arguments);
        assert!(output.status.success(), "adb {}: {}", arguments.join(" "), said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Json {
        serde_json::from_str(&self.prints(arguments)).unwrap()
    }

    /// What it said, of a run that must end with this code.
    pub(crate) fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.adb(arguments);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "adb {}: {said}", arguments.join(" "));
        said
    }
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
