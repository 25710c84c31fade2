//! Passwords: rules, hashes, and new ones.

use adb_protocol::secrecy::{ExposeSecret, SecretString};
use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};

use super::random;
use crate::Error;

/// Refuses what ApertureDB refuses: ten characters or more, with letters, digits and symbols.
pub(super) fn check_strength(password: &SecretString) -> Result<(), Error> {
    let text = password.expose_secret();
    let has = |kind: fn(char) -> bool| text.chars().any(kind);
    let good = text.chars().count() >= 10
        && has(char::is_alphabetic)
        && has(|c| c.is_ascii_digit())
        && has(|c| !c.is_alphanumeric());
    if good {
        return Ok(());
    }
    Err(Error::Account(
        "a password has ten characters or more, with letters, digits and symbols".to_owned(),
    ))
}

/// Argon2id with a salt of its own, as a PHC string. Takes tens of milliseconds and 19 MiB.
pub(super) fn hash(password: &SecretString) -> Result<String, Error> {
    Argon2::default()
        .hash_password(password.expose_secret().as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|e| Error::Crypto(format!("the password can't be hashed: {e}")))
}

/// Whether a password is the one that was hashed; as slow as hashing.
pub(super) fn verify(password: &SecretString, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash).is_ok()
    })
}

/// A new password that the rules accept, of 120 random bits.
pub(super) fn generate() -> Result<SecretString, Error> {
    // Without the letters and digits that are easily taken for others: 32 signs, five bits each.
    const SIGNS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789+";
    let signs = random::<24>()?.map(|byte| char::from(SIGNS[usize::from(byte % 32)]));
    let groups: Vec<String> = signs.chunks(6).map(|group| group.iter().collect()).collect();
    // What the rules want is there whatever was drawn.
    Ok(format!("{}-a7", groups.join("-")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_generated_is_accepted_and_differs() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        check_strength(&one).unwrap();
        assert_ne!(one.expose_secret(), other.expose_secret());
        let hashed = hash(&one).unwrap();
        assert!(hashed.starts_with("$argon2id$") && !hashed.contains(one.expose_secret()));
        assert!(verify(&one, &hashed) && !verify(&other, &hashed) && !verify(&one, "nonsense"));
    }

    #[test]
    fn weak_ones_are_refused() {
        for weak in ["admin", "abcdefghij", "abcdefgh12", "1234567!90", "ab1!"] {
            assert!(check_strength(&weak.into()).is_err(), "{weak}");
        }
        check_strength(&"äbcdefgh1!".into()).unwrap();
    }
}
