//! Texts that are held against files.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::path::Path;

/// Holds a text against a file of `tests/golden`; with `UPDATE_GOLDEN=1`, writes the file anew.
///
/// # Panics
/// When the two differ.
#[track_caller]
pub fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, stored, "{name} differs from what is stored");
}
