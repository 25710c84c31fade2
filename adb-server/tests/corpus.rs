//! Replays the seeds of the fuzz targets of the wire (`fuzz/wire-seeds`), among them every case that a
//! run of theirs has found, and changes of theirs, without what fuzzing itself needs.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
#![expect(clippy::print_stdout, reason = "they say which seed they are at")]

#[path = "common/wire.rs"]
mod wire;

use std::{fs, path::PathBuf};

use proptest::prelude::*;

fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let dir = format!("{}/../fuzz/wire-seeds/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> =
        fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 5, "the seeds are there");
    files.into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

/// A case as it is, and cut at every length.
fn all_cuts(target: &str, mut play: impl FnMut(&[u8])) {
    for (file, data) in seeds(target) {
        // Should one fail, the last that was named is the one.
        println!("{}", file.display());
        for end in 0..=data.len() {
            play(&data[..end]);
        }
    }
}

#[test]
fn frames() {
    all_cuts("frames", wire::frames);
}

#[test]
fn messages() {
    all_cuts("messages", wire::message);
}

#[test]
fn forms() {
    all_cuts("forms", wire::form);
}

/// Changes to a case: bytes that are others, parts that are taken out, doubled or exchanged.
fn changed(target: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let seeds: Vec<Vec<u8>> = seeds(target).into_iter().map(|(_, data)| data).collect();
    let change = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0..5_u8);
    (prop::sample::select(seeds), prop::collection::vec(change, 1..6)).prop_map(
        |(mut data, changes)| {
            for (from, to, byte, kind) in changes {
                if data.is_empty() {
                    break;
                }
                let (from, to) = (from.index(data.len()), to.index(data.len()));
                let (from, to) = (from.min(to), from.max(to));
                match kind {
                    0 => data[from] = byte,
                    1 => data[from] ^= 1 << (byte % 8),
                    2 => drop(data.drain(from..to)),
                    3 => {
                        let part = data[from..to].to_vec();
                        data.splice(from..from, part);
                    }
                    _ => data.swap(from, to),
                }
                data.truncate(1 << 14);
            }
            data
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn changed_frames(data in changed("frames")) {
        wire::frames(&data);
    }

    #[test]
    fn changed_messages(data in changed("messages")) {
        wire::message(&data);
    }

    #[test]
    fn changed_forms(data in changed("forms")) {
        wire::form(&data);
    }
}
