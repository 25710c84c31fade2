//! What the project says of itself: which Rust it needs, under which licences it and what it is built
//! on stand, and what is published.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use serde_json::Value as Json;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// The text between quotes behind `key = `.
fn quoted(text: &str, key: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(&format!("{key} = ")));
    let line = line.unwrap_or_else(|| panic!("no `{key} = ` in: {text}"));
    line.split('"').nth(1).unwrap().to_owned()
}

/// `1.92` as numbers.
fn version(text: &str) -> Vec<u32> {
    text.split('.').map(|part| part.parse().unwrap()).collect()
}

/// All packages that our crates are built of, with all features, on all systems. Where those of other
/// systems were never fetched and can't be, on this system.
fn metadata() -> Json {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let here = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut said = String::new();
    for more in [&["--offline"][..], &[], &["--offline", "--filter-platform", &here]] {
        let output = Command::new(&cargo)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .args(["metadata", "--format-version", "1", "--all-features", "--locked"])
            .args(more)
            .output()
            .unwrap();
        if output.status.success() {
            return serde_json::from_slice(&output.stdout).unwrap();
        }
        said = String::from_utf8_lossy(&output.stderr).into_owned();
    }
    panic!("{said}");
}

fn packages(metadata: &Json) -> impl Iterator<Item = &Json> {
    metadata["packages"].as_array().unwrap().iter()
}

fn text<'j>(package: &'j Json, key: &str) -> &'j str {
    package[key].as_str().unwrap_or_default()
}

#[test]
fn the_rust_that_is_needed_is_the_same_everywhere() {
    let needed = quoted(&read("Cargo.toml"), "rust-version");
    let used = quoted(&read("rust-toolchain.toml"), "channel");
    assert!(version(&needed) <= version(&used), "{needed} is needed, {used} is used");
    for page in ["README.md", "CONTRIBUTING.md", "docs/getting-started.md"] {
        assert!(read(page).contains(&format!("Rust {needed}")), "{page}: Rust {needed}");
    }
    assert!(read("CONTRIBUTING.md").contains(&used), "CONTRIBUTING.md: {used}");
    // Every crate says the same, or it could be built by what the others can't.
    let metadata = metadata();
    for package in packages(&metadata).filter(|package| package["source"].is_null()) {
        assert_eq!(text(package, "rust_version"), needed, "{}", text(package, "name"));
    }
    // And nothing that is depended on needs a later one.
    for package in packages(&metadata) {
        let theirs = package["rust_version"].as_str().unwrap_or("1.0");
        let name = text(package, "name");
        assert!(version(theirs) <= version(&format!("{needed}.99")), "{name} needs {theirs}");
    }
}

/// What is published says what it is; all else says that it is not.
#[test]
fn what_is_published_says_what_it_is() {
    let metadata = metadata();
    let ours = || packages(&metadata).filter(|package| package["source"].is_null());
    let is_kept = |package: &Json| package["publish"].as_array().is_some_and(Vec::is_empty);
    let kept: BTreeSet<&str> =
        ours().filter(|package| is_kept(package)).map(|package| text(package, "name")).collect();
    let expected = [
        "adb-bench",
        "adb-faults",
        "adb-oracle",
        "adb-served",
        "adb-tests",
        "adb-ui",
        "celeba",
        "cookbook",
    ];
    assert_eq!(kept, BTreeSet::from(expected));
    for package in ours().filter(|package| !is_kept(package)) {
        let name = text(package, "name");
        for key in ["description", "license", "repository", "readme", "rust_version"] {
            assert!(!text(package, key).is_empty(), "{name}: {key}");
        }
        let list = |key: &str| package[key].as_array().unwrap().len();
        assert!((1..=5).contains(&list("keywords")), "{name}: keywords");
        assert!((1..=5).contains(&list("categories")), "{name}: categories");
        let folder = Path::new(text(package, "manifest_path")).parent().unwrap();
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            let file = fs::read_to_string(folder.join(licence)).unwrap_or_default();
            assert_eq!(file, read(licence), "{name}: {licence}");
        }
        for dependency in package["dependencies"].as_array().unwrap() {
            let other = text(dependency, "name");
            let (is_dev, req) = (dependency["kind"] == "dev", text(dependency, "req"));
            // Of what only tests need, what has no version is left out of the package.
            assert!(is_dev || req != "*", "{name} needs {other} in any version");
            assert!(
                req == "*" || !kept.contains(other),
                "{name} needs {other}, which is kept back"
            );
        }
    }
}

/// The lists of deny.toml hold, also where `cargo deny` is not at hand.
#[test]
fn what_is_depended_on_may_be() {
    let rules = read("deny.toml");
    let listed = |key: &str| -> BTreeSet<String> {
        let from = rules.find(&format!("\n{key} = [")).unwrap();
        let list = &rules[from..from + rules[from..].find(']').unwrap()];
        list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let (allowed, denied) = (listed("allow"), listed("deny"));
    assert!(allowed.contains("MIT") && denied.contains("openssl-sys"), "{allowed:?} {denied:?}");
    let metadata = metadata();
    let mut used = BTreeSet::new();
    for package in packages(&metadata) {
        let (name, licence) = (text(package, "name"), text(package, "license"));
        assert!(!denied.contains(name), "{name} is on the list of what is not to be used");
        let source = package["source"].as_str();
        let is_public = source.is_none_or(|source| source.starts_with("registry+"));
        assert!(is_public, "{name} comes from {source:?}");
        let passes = Licences { words: words(licence), at: 0 }.any(&allowed, &mut used);
        assert!(passes, "{name} is under `{licence}`, which deny.toml does not allow");
    }
    let unused: Vec<_> = allowed.difference(&used).collect();
    assert!(unused.is_empty(), "deny.toml allows what nothing is under: {unused:?}");
}

/// An SPDX expression in its words; older ones have `/` for `OR`.
fn words(expression: &str) -> Vec<String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

struct Licences {
    words: Vec<String>,
    at: usize,
}

impl Licences {
    fn next_is(&mut self, word: &str) -> bool {
        let is = self.words.get(self.at).is_some_and(|next| next == word);
        self.at += usize::from(is);
        is
    }

    /// Parts with `OR` between: whether one of them is allowed. Those that are named are noted.
    fn any(&mut self, allowed: &BTreeSet<String>, used: &mut BTreeSet<String>) -> bool {
        let mut passes = self.all(allowed, used);
        while self.next_is("OR") {
            passes |= self.all(allowed, used);
        }
        passes
    }

    fn all(&mut self, allowed: &BTreeSet<String>, used: &mut BTreeSet<String>) -> bool {
        let mut passes = self.one(allowed, used);
        while self.next_is("AND") {
            passes &= self.one(allowed, used);
        }
        passes
    }

    fn one(&mut self, allowed: &BTreeSet<String>, used: &mut BTreeSet<String>) -> bool {
        if self.next_is("(") {
            let passes = self.any(allowed, used);
            return self.next_is(")") && passes;
        }
        let Some(mut name) = self.words.get(self.at).cloned() else { return false };
        self.at += 1;
        if self.next_is("WITH") {
            let exception = self.words.get(self.at).cloned().unwrap_or_default();
            self.at += 1;
            name = format!("{name} WITH {exception}");
        }
        let is_allowed = allowed.contains(&name);
        used.insert(name);
        is_allowed
    }
}

#[test]
fn expressions_of_licences_are_read() {
    let allowed = BTreeSet::from(["MIT", "Zlib", "A WITH B"].map(str::to_owned));
    for (expression, passes) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("GPL-3.0 AND MIT", false),
        ("(MIT OR GPL-3.0) AND Zlib", true),
        ("(MIT OR GPL-3.0) AND BSD", false),
        ("A WITH B", true),
        ("A", false),
        ("", false),
    ] {
        let mut read = Licences { words: words(expression), at: 0 };
        assert_eq!(read.any(&allowed, &mut BTreeSet::new()), passes, "{expression}");
    }
}
