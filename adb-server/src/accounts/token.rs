//! Tokens that carry what they say, signed: sessions survive a restart without being stored.

use adb_protocol::secrecy::{ExposeSecret, SecretString};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::random;
use crate::Error;

/// The key of signatures; whoever has it can log in as anybody.
pub(super) type SigningKey = [u8; 32];

/// What a signed token is for; each begins with its own letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Goes with requests.
    Session,
    /// Renews a session.
    Refresh,
}

impl Purpose {
    fn prefix(self) -> &'static str {
        match self {
            Purpose::Session => "adbs_",
            Purpose::Refresh => "adbr_",
        }
    }
}

/// What a signed token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    /// Who.
    pub user: String,
    /// Which of the user's generations: each change of a password begins a new one.
    pub generation: u64,
    /// Seconds since 1970 at which it is over.
    pub expires: u64,
    /// The fingerprint of the API token that the session began with, if it was one.
    pub by: Option<String>,
}

/// Signs claims. Two tokens of the same claims differ.
pub(super) fn sign(
    key: &SigningKey,
    purpose: Purpose,
    claims: &Claims,
) -> Result<SecretString, Error> {
    let nonce = u64::from_le_bytes(random()?);
    // A fingerprint has no dots; a name may.
    let by = claims.by.as_deref().unwrap_or_default();
    let text = format!("{}.{}.{nonce:x}.{by}.{}", claims.expires, claims.generation, claims.user);
    let tag: [u8; 32] = mac(key, purpose, &text).finalize().into_bytes().into();
    let signed = [&tag[..], text.as_bytes()].concat();
    Ok(format!("{}{}", purpose.prefix(), BASE64.encode(signed)).into())
}

/// The claims of a token that was signed with this key for this purpose; the caller looks at the
/// time.
pub(super) fn verify(key: &SigningKey, purpose: Purpose, token: &SecretString) -> Option<Claims> {
    let coded = token.expose_secret().strip_prefix(purpose.prefix())?;
    let signed = BASE64.decode(coded).ok()?;
    let (tag, text) = signed.split_at_checked(32)?;
    let text = std::str::from_utf8(text).ok()?;
    // Compares in constant time.
    mac(key, purpose, text).verify_slice(tag).ok()?;
    let mut parts = text.splitn(5, '.');
    let expires = parts.next()?.parse().ok()?;
    let generation = parts.next()?.parse().ok()?;
    let by = parts.nth(1).filter(|by| !by.is_empty()).map(str::to_owned);
    let user = parts.next()?.to_owned();
    Some(Claims { user, generation, expires, by })
}

fn mac(key: &SigningKey, purpose: Purpose, text: &str) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "stated by what it says")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(purpose.prefix().as_bytes());
    mac.update(text.as_bytes());
    mac
}

/// A new API token.
pub(super) fn new_api_token() -> Result<SecretString, Error> {
    Ok(format!("adbp_{}", BASE64.encode(random::<24>()?)).into())
}

/// What is kept of an API token. It is random, so that a plain hash gives nothing away.
pub(super) fn fingerprint(token: &SecretString) -> String {
    let digest: [u8; 32] = Sha256::digest(token.expose_secret().as_bytes()).into();
    BASE64.encode(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_signed_is_believed() {
        let key = [7; 32];
        let by = Some(fingerprint(&"adbp_x".into()));
        let claims = Claims { user: "ann.lee".into(), generation: 3, expires: 1_800_000_000, by };
        let token = sign(&key, Purpose::Session, &claims).unwrap();
        assert!(token.expose_secret().starts_with("adbs_"));
        assert_eq!(verify(&key, Purpose::Session, &token), Some(claims.clone()));
        assert_eq!(verify(&[8; 32], Purpose::Session, &token), None);
        assert_eq!(verify(&key, Purpose::Refresh, &token), None);
        let swapped = token.expose_secret().replace("adbs_", "adbr_");
        assert_eq!(verify(&key, Purpose::Refresh, &swapped.into()), None);
        assert_ne!(
            sign(&key, Purpose::Session, &claims).unwrap().expose_secret(),
            token.expose_secret()
        );

        let coded = token.expose_secret().strip_prefix("adbs_").unwrap();
        let signed = BASE64.decode(coded).unwrap();
        for at in 0..signed.len() {
            let mut changed = signed.clone();
            changed[at] ^= 1;
            let changed = format!("adbs_{}", BASE64.encode(changed));
            assert_eq!(verify(&key, Purpose::Session, &changed.into()), None, "byte {at}");
        }
        for garbage in ["", "adbs_", "adbs_AAAA", "x", "adbs_*"] {
            assert_eq!(verify(&key, Purpose::Session, &garbage.into()), None);
        }
    }
}
