//! What the compiler says to mistakes, and what it lets pass.
//!
//! `ui/macro` holds errors in our own words, `ui/types` such as rustc words, which differ from
//! release to release: those are compared on the pinned toolchain only. After a deliberate change,
//! `TRYBUILD=overwrite cargo test -p adb-ui` writes them anew; read the difference as
//! a user would.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{path::Path, process::Command};

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/macro/*.rs");
    if on_pinned_toolchain() {
        cases.compile_fail("tests/ui/types/*.rs");
    } else {
        println!("ui/types is left out: this is not the toolchain of rust-toolchain.toml");
    }
}

/// `ui/README.md` says which test shows which mistake.
#[test]
fn every_mistake_in_the_table_has_its_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let table = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let tests: Vec<&str> = table.split('`').filter(|word| word.ends_with(".rs")).collect();
    assert!(tests.len() > 40, "{tests:?}");
    for test in tests {
        assert!(folder.join(test).is_file(), "the table names {test}, and it is not there");
        let is_pass = test.starts_with("pass/");
        let words = folder.join(test).with_extension("stderr");
        assert!(
            is_pass || words.is_file(),
            "nobody has looked at what the compiler says to {test}"
        );
    }
}

fn on_pinned_toolchain() -> bool {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rust-toolchain.toml");
    let text = std::fs::read_to_string(file).unwrap();
    let pinned = text.lines().find_map(|l| l.strip_prefix("channel = ")).unwrap().trim_matches('"');
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().unwrap().stdout;
    String::from_utf8(version).unwrap().split(' ').nth(1) == Some(pinned)
}
