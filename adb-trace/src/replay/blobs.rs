//! Blobs that a trace holds, and those that are made up where it holds hashes alone.

use std::collections::{HashMap, HashSet};

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::{body_of, name_of, picture::picture};
use crate::format::{Blob, hash};

/// What is made up is not longer than that.
const MOST: usize = 1 << 20;

/// Which content was sent for which hash.
#[derive(Debug, Default)]
pub(super) struct Contents {
    sent: HashMap<String, String>,
    known: HashSet<String>,
    /// Whether pictures of another size than those of the trace may be there.
    made_up_pictures: bool,
}

impl Contents {
    /// The blobs of a request, and whether any of them is made up. The same hash always has the same
    /// content.
    pub(super) fn materialise(&mut self, commands: &[Json], blobs: &[Blob]) -> (Vec<Bytes>, bool) {
        let mut kinds = commands.iter().filter_map(kind_of);
        self.made_up_pictures |= commands.iter().any(super::names_an_address);
        let mut made_up = false;
        let contents = blobs.iter().map(|blob| {
            let kind = kinds.next().unwrap_or(Kind::Bytes);
            let content = blob.content().unwrap_or_else(|| {
                made_up = true;
                self.made_up_pictures |= kind == Kind::Picture;
                kind.make_up(blob)
            });
            if !self.sent.contains_key(&blob.sha256) {
                let sent = hash(&content);
                self.known.insert(sent.clone());
                self.sent.insert(blob.sha256.clone(), sent);
            }
            content
        });
        let contents = contents.collect();
        (contents, made_up)
    }

    /// The hash that a recorded blob has in the replay; none if it was never sent: the server made it.
    pub(super) fn replayed(&self, recorded: &Blob) -> Option<&str> {
        self.sent.get(&recorded.sha256).map(String::as_str)
    }

    /// Whether a picture was made up, be it sent or fetched.
    pub(super) fn made_up_pictures(&self) -> bool {
        self.made_up_pictures
    }

    /// Whether the replay sent that content.
    pub(super) fn was_sent(&self, hash: &str) -> bool {
        self.known.contains(hash)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Picture,
    Vectors,
    Bytes,
}

/// What kind of blob a command takes, if any.
fn kind_of(command: &Json) -> Option<Kind> {
    let body = body_of(command);
    let given = |key: &str| body.get(key).is_some_and(|value| !value.is_null());
    match name_of(command) {
        "AddImage" if !given("url") => Some(Kind::Picture),
        "AddVideo" | "AddBlob" if !given("url") => Some(Kind::Bytes),
        "AddDescriptor" | "ClassifyDescriptor" | "FindDescriptorBatch" => Some(Kind::Vectors),
        "FindDescriptor" if given("k_neighbors") || given("k_closest") => Some(Kind::Vectors),
        _ => None,
    }
}

impl Kind {
    /// Content that a database takes for one of this kind, and that follows from the hash.
    fn make_up(self, blob: &Blob) -> Bytes {
        let length = usize::try_from(blob.bytes).unwrap_or(MOST).min(MOST);
        match self {
            Kind::Picture => picture(&blob.sha256),
            Kind::Bytes => noise(&blob.sha256, length).into(),
            Kind::Vectors => {
                let noise = noise(&blob.sha256, length / 4 * 2);
                let mut vector = BytesMut::with_capacity(length);
                for pair in noise.chunks_exact(2) {
                    let [low, high] = [pair[0], pair[1]];
                    // Between −1 and 1, and never all zero.
                    vector.put_f32_le(f32::from(i16::from_le_bytes([low | 1, high])) / 32_768.0);
                }
                vector.freeze()
            }
        }
    }
}

/// Bytes that follow from a hash and look like nothing.
pub(super) fn noise(seed: &str, length: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(length + 32);
    let mut block = 0_u64;
    while out.len() < length {
        let next = Sha256::new().chain_update(seed).chain_update(block.to_le_bytes()).finalize();
        out.extend_from_slice(&next);
        block += 1;
    }
    out.truncate(length);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Blobs;

    #[test]
    fn what_is_made_up_follows_from_the_hash() {
        let commands = [
            json!({"AddEntity": {}}),
            json!({"AddDescriptor": {"set": "s"}}),
            json!({"AddImage": {}}),
            json!({"AddBlob": {}}),
        ];
        let blobs = [vec![7_u8; 16], vec![8; 999], vec![9; 5]];
        let hashed: Vec<_> = blobs.iter().map(|b| Blob::of(b, Blobs::Hashed)).collect();
        let mut contents = Contents::default();
        let (first, made_up) = contents.materialise(&commands, &hashed);
        assert!(made_up && contents.materialise(&commands, &hashed).0 == first);
        assert_eq!((first[0].len(), &first[1][..2], first[2].len()), (16, &b"\x89P"[..], 5));
        assert_eq!(contents.replayed(&hashed[2]), Some(hash(&first[2]).as_str()));

        let whole: Vec<_> = blobs.iter().map(|b| Blob::of(b, Blobs::Whole)).collect();
        let (same, made_up) = contents.materialise(&commands, &whole);
        assert!(!made_up && same == blobs);
    }
}
