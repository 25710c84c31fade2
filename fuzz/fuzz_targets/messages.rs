//! Bytes for a message, an answer over REST, a hello, a key.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../adb-server/tests/common/wire.rs"]
mod wire;

fuzz_target!(|data: &[u8]| {
    wire::message(data);
});
