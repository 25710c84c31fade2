//! Certificates: read, or made by the server itself.

use std::{
    fmt, fs,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
        crypto::ring,
        version,
    },
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
    is_authority: bool,
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
        let is_authority = chain.first().is_some_and(says_authority);
        let versions = [&version::TLS13, &version::TLS12];
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&versions)
            .map_err(|e| Error::Crypto(e.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, secret)
            .map_err(|e| content(certificate, e.to_string()))?;
        Ok(Self { config: Arc::new(config), is_authority })
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

    /// Whether the certificate says that it is an authority's (CA:TRUE), as plain `openssl req -x509`
    /// makes it. Clients such as ours do not take it for a server's.
    #[must_use]
    pub fn is_authority(&self) -> bool {
        self.is_authority
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

/// What a client would say that trusts just this certificate: it looks at that before names and dates.
fn says_authority(certificate: &CertificateDer<'static>) -> bool {
    let mut roots = RootCertStore::empty();
    let provider = Arc::new(ring::default_provider());
    let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
    let told = || {
        roots.add(certificate.clone()).ok()?;
        let verifier =
            WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build().ok()?;
        verifier.verify_server_cert(certificate, &[], &name, &[], UnixTime::now()).err()
    };
    // The kind of the error is hidden behind an `Arc` of another crate; its name is all there is.
    told().is_some_and(|e| format!("{e:?}").contains("CaUsedAsEndEntity"))
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
    fn an_authority_s_certificate_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let (own, _) = Identity::self_signed(dir.path(), &[]).unwrap();
        assert!(!own.is_authority());
        let mut wanted = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        wanted.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let secret = rcgen::KeyPair::generate().unwrap();
        let made = wanted.self_signed(&secret).unwrap();
        let (certificate, key) = (dir.path().join("ca.pem"), dir.path().join("ca-key.pem"));
        fs::write(&certificate, made.pem()).unwrap();
        fs::write(&key, secret.serialize_pem()).unwrap();
        assert!(Identity::from_files(&certificate, &key).unwrap().is_authority());
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
