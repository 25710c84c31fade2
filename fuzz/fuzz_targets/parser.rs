//! Bytes for a request, and how many blobs come with it: parsed or refused, never more.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../adb-engine/tests/common/case.rs"]
mod case;

fuzz_target!(|data: &[u8]| {
    for line in case::lines(data) {
        case::parse(line);
    }
});
