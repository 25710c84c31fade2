//! What the compiler says to mistakes, and what it lets pass.
//!
//! `ui/macro` holds errors in our own words, `ui/types` such as rustc words: they hold for the
//! pinned toolchain. After a deliberate change, `TRYBUILD=overwrite cargo test -p adb-tests ui`
//! writes them anew; read the difference as a user would.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/macro/*.rs");
    cases.compile_fail("tests/ui/types/*.rs");
}
