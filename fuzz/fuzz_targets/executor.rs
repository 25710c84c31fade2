//! Requests, one a line, on a small database that is the same for every case.
#![no_main]

use std::cell::OnceCell;

use libfuzzer_sys::fuzz_target;

#[path = "../../adb-engine/tests/common/case.rs"]
mod case;

thread_local! {
    static STAGE: OnceCell<case::Stage> = const { OnceCell::new() };
}

fuzz_target!(|data: &[u8]| {
    STAGE.with(|stage| stage.get_or_init(case::Stage::new).play(data));
});
