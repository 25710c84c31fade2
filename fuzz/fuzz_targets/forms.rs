//! Bytes on a connection of REST, or the form of one request.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../adb-server/tests/common/wire.rs"]
mod wire;

fuzz_target!(|data: &[u8]| {
    wire::form(data);
});
