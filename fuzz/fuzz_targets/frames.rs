//! Bytes on a connection of the framed protocol.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../adb-server/tests/common/wire.rs"]
mod wire;

fuzz_target!(|data: &[u8]| {
    wire::frames(data);
});
