//! What a hub says a file's hash is.

use std::{fs::File, io, path::Path};

use sha1_smol::Sha1;

use crate::embedders::bundle::sha256;

/// The hash of a file, in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Hash {
    /// SHA-256 of its bytes: large files.
    Sha256(String),
    /// What git calls it: SHA-1 over `blob`, its length and its bytes. Small files.
    Git(String),
}

impl Hash {
    /// From the value of an `ETag`.
    pub(super) fn parse(tag: &str) -> Option<Self> {
        let tag = tag.trim_start_matches("W/").trim_matches('"').to_ascii_lowercase();
        let hexadecimal = tag.bytes().all(|byte| byte.is_ascii_hexdigit());
        match tag.len() {
            64 if hexadecimal => Some(Hash::Sha256(tag)),
            40 if hexadecimal => Some(Hash::Git(tag)),
            _ => None,
        }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Hash::Sha256(hash) | Hash::Git(hash) => hash,
        }
    }

    /// Whether a file has it.
    pub(super) fn is_of(&self, path: &Path) -> io::Result<bool> {
        match self {
            Hash::Sha256(hash) => Ok(sha256(path)? == *hash),
            Hash::Git(hash) => Ok(git(path)? == *hash),
        }
    }
}

fn git(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut sha1 = Sha1::new();
    sha1.update(format!("blob {}\0", file.metadata()?.len()).as_bytes());
    let mut block = vec![0; 1 << 16];
    loop {
        match io::Read::read(&mut file, &mut block)? {
            0 => return Ok(sha1.digest().to_string()),
            n => sha1.update(&block[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_told_apart_and_files_compared() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hello");
        std::fs::write(&path, "hello\n").unwrap();
        // By `git hash-object` and `sha256sum`.
        let git = Hash::parse("\"ce013625030ba8dba906f756967f9e9ca394464a\"").unwrap();
        let sha =
            Hash::parse("W/\"5891B5B522D5DF086D0FF0B110FBD9D21BB4FC7163AF34D08286A2E846F6BE03\"")
                .unwrap();
        assert!(matches!((&git, &sha), (Hash::Git(_), Hash::Sha256(_))));
        assert!(git.is_of(&path).unwrap() && sha.is_of(&path).unwrap());
        std::fs::write(&path, "hellO\n").unwrap();
        assert!(!git.is_of(&path).unwrap() && !sha.is_of(&path).unwrap());
        for other in ["", "\"0123\"", "\"d41d8cd98f00b204e9800998ecf8427e\"", "\"zz\""] {
            assert_eq!(Hash::parse(other), None, "{other}");
        }
    }
}
