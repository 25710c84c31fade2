//! Certificates: read, or made by the server itself.

use std::{
    fmt, fs,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, version},
};

use crate::{Error, files};

const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
/// For whom the certificate is.
const NAMES: &str = "certificate-names.txt";

/// A certificate with its key.
#[derive(Clone)]
pub struct Identity {
    config: Arc<ServerConfig>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

impl Identity {
    /// Reads a certificate (with those that vouch for it after it) and its key, both PEM.
    ///
    /// # Errors
    /// When a file can't be read, holds none, or the two do not belong together.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, Error> {
        let read = |path: &Path| {
            fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })
        };
        let content = |path: &Path, fault: String| Error::Content { path: path.to_owned(), fault };
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&read(certificate)?)
                .collect::<Result<_, _>>()
                .map_err(|e| content(certificate, format!("not PEM: {e}")))?;
        if chain.is_empty() {
            return Err(content(certificate, "there is no certificate in it".to_owned()));
        }
        let secret = PrivateKeyDer::from_pem_slice(&read(key)?)
            .map_err(|e| content(key, format!("there is no private key in it: {e}")))?;
        let versions = [&version::TLS13, &version::TLS12];
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&versions)
            .map_err(|e| Error::Crypto(e.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, secret)
            .map_err(|e| content(certificate, e.to_string()))?;
        Ok(Self { config: Arc::new(config) })
    }

    /// Whether [`Identity::self_signed`] can make a certificate for these names and addresses.
    ///
    /// # Errors
    /// When one is no name.
    pub fn check_names(names: &[String]) -> Result<(), Error> {
        rcgen::CertificateParams::new(names).map(drop).map_err(|e| no_certificate(&e))
    }

    /// Where [`Identity::self_signed`] keeps the certificate that clients are given.
    #[must_use]
    pub fn certificate_in(directory: &Path) -> PathBuf {
        directory.join(CERTIFICATE)
    }

    /// A certificate that vouches for itself, for `localhost`, 127.0.0.1, ::1 and the given names and
    /// addresses. It is kept in the directory (`certificate.pem`, `key.pem`) and used again as long as
    /// it has all names; clients trust it by being given `certificate.pem`. Where it lacks one, another
    /// takes its place, for the earlier names as well, and a line in the log says so: clients that have
    /// the earlier one trust it no longer.
    ///
    /// # Errors
    /// When a name is none, or the files can't be read or written.
    pub fn self_signed(directory: &Path, names: &[String]) -> Result<(Self, PathBuf), Error> {
        let [certificate, key, listed] = [CERTIFICATE, KEY, NAMES].map(|name| directory.join(name));
        let had = fs::read_to_string(&listed).ok();
        let earlier: Vec<String> =
            had.as_deref().unwrap_or_default().lines().map(str::to_owned).collect();
        let mut all = earlier.clone();
        let own = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        for name in own.iter().chain(names) {
            // Somebody else's address or "any" is no name to connect to.
            let unspecified = name.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified());
            if !unspecified && !all.contains(name) {
                all.push(name.clone());
            }
        }
        if all != earlier {
            let wanted = all.join("\n");
            let new = all[earlier.len()..].join(", ");
            let made = rcgen::generate_simple_self_signed(all).map_err(|e| no_certificate(&e))?;
            let write = |name, text: &str| {
                files::replace(directory, name, |file| file.write_all(text.as_bytes()))
            };
            write(KEY, &made.signing_key.serialize_pem())?;
            write(CERTIFICATE, &made.cert.pem())?;
            // Last: without it the others are made anew.
            write(NAMES, &wanted)?;
            if had.is_some() {
                tracing::warn!(
                    new,
                    certificate = %certificate.display(),
                    "the server's certificate was replaced by one that has new names as well: give \
                     its file to the clients again"
                );
            }
        }
        Ok((Self::from_files(&certificate, &key)?, certificate))
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

fn no_certificate(e: &rcgen::Error) -> Error {
    Error::Crypto(format!("no certificate can be made: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_and_for_all_names() {
        let dir = tempfile::tempdir().unwrap();
        let make = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            let (_, path) = Identity::self_signed(dir.path(), &names).unwrap();
            fs::read_to_string(path).unwrap()
        };
        let first = make(&["0.0.0.0"]);
        assert_eq!(make(&[]), first);
        let second = make(&["example.com", "10.0.0.7"]);
        assert_ne!(second, first);
        // Names that are left out stay, in whichever order the others come.
        assert_eq!(make(&[]), second);
        assert_eq!(make(&["10.0.0.7", "example.com"]), second);
        let third = make(&["example.org"]);
        assert_ne!(third, second);
        assert_eq!(make(&["example.com", "example.org"]), third);
        let names = fs::read_to_string(dir.path().join(NAMES)).unwrap();
        assert_eq!(
            names.lines().collect::<Vec<_>>(),
            ["localhost", "127.0.0.1", "::1", "example.com", "10.0.0.7", "example.org"]
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let key = fs::metadata(dir.path().join("key.pem")).unwrap();
            assert_eq!(key.permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn files_that_do_not_fit() {
        let dir = tempfile::tempdir().unwrap();
        let (_, certificate) = Identity::self_signed(dir.path(), &[]).unwrap();
        let other = dir.path().join("other");
        Identity::self_signed(&other, &[]).unwrap();
        let told = |certificate: &Path, key: &Path| {
            Identity::from_files(certificate, key).unwrap_err().to_string()
        };
        assert!(told(&certificate, &other.join("key.pem")).contains("certificate.pem"));
        assert!(told(&certificate, &certificate).contains("no private key"));
        let key = dir.path().join("key.pem");
        assert!(told(&key, &key).contains("no certificate"));
        assert!(told(&dir.path().join("none.pem"), &key).contains("none.pem"));
    }
}
