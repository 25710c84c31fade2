//! Whom a client believes.

use std::{path::Path, sync::Arc};

use adb_protocol::Tls;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    },
};

use crate::Error;

/// What makes TLS connections; none when there are to be none.
pub(crate) fn connector(tls: &Tls, place: &str) -> Result<Option<TlsConnector>, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::Certificates { path: "".into(), fault: e.to_string() })?;
    let config = match tls {
        Tls::Off => return Ok(None),
        Tls::System => builder.with_root_certificates(system()?).with_no_client_auth(),
        Tls::CaFile(path) => {
            builder.with_root_certificates(file(Path::new(path))?).with_no_client_auth()
        }
        Tls::Unverified => {
            tracing::warn!(
                server = place,
                "the server's certificate is NOT checked (verify_hostname is false): whoever sits \
                 between can read and change everything, the password included"
            );
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
                .with_no_client_auth()
        }
    };
    Ok(Some(TlsConnector::from(Arc::new(config))))
}

fn system() -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (taken, _) = roots.add_parsable_certificates(found.certs);
    if taken == 0 {
        let told = found.errors.first().map_or(String::new(), |e| format!(" ({e})"));
        let fault = format!(
            "the system trusts none{told}: install its package of certificates, or name a file by \
             `ca_cert`"
        );
        return Err(Error::Certificates { path: "".into(), fault });
    }
    Ok(roots)
}

fn file(path: &Path) -> Result<RootCertStore, Error> {
    let failed = |fault: String| Error::Certificates { path: path.to_owned(), fault };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| failed(e.to_string()))? {
        let certificate = certificate.map_err(|e| failed(e.to_string()))?;
        roots.add(certificate).map_err(|e| failed(e.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(failed("there is none in it".to_owned())),
        false => Ok(roots),
    }
}

/// Believes whoever answers, because the user said so; signatures of the handshake are checked all
/// the same.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
