//! Whose certificates are believed.
//!
//! Lightning nodes sign their own certificates, often for names that nobody calls them by. So a pinned certificate is
//! compared byte by byte, and then its name and its dates do not matter; what a pinned authority has signed is believed
//! as usual.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Whose certificates a client believes.
#[derive(Clone, Debug)]
pub enum Trust {
    /// The authorities that this machine trusts.
    System,
    /// These certificates and what they have signed, and nothing else.
    Only(Vec<CertificateDer<'static>>),
}

/// Certificates that cannot be used. The texts name files and never show what is in them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read, or has no certificate in it.
    #[error("{} holds no certificate in PEM form: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// TLS cannot be set up with them.
    #[error("{0}")]
    Unusable(String),
}

/// Believes pinned certificates, or what they have signed.
#[derive(Debug)]
struct Pinned {
    certificates: Vec<CertificateDer<'static>>,
    signed: Arc<WebPkiServerVerifier>,
}

impl Trust {
    /// Nothing but the certificates in the PEM file at `path`.
    pub fn only(path: &Path) -> Result<Self, TrustError> {
        let unreadable = |reason: String| TrustError::Unreadable { path: path.to_owned(), reason };
        let certificates = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unreadable(error.to_string()))?;
        if certificates.is_empty() {
            return Err(unreadable("no section says CERTIFICATE".into()));
        }
        Ok(Self::Only(certificates))
    }
}

/// The TLS settings of a client that believes `trust`.
pub fn client_config(trust: Trust) -> Result<ClientConfig, TrustError> {
    let unusable = |error: &dyn std::fmt::Display| TrustError::Unusable(error.to_string());
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error))?;
    let mut roots = RootCertStore::empty();
    match trust {
        Trust::System => {
            // A machine without authorities can still talk to servers whose certificate is pinned, and to those
            // without TLS: the others fail when they are called.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            Ok(builder.with_root_certificates(roots).with_no_client_auth())
        }
        Trust::Only(certificates) => {
            roots.add_parsable_certificates(certificates.iter().cloned());
            let signed = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
            let pinned = Pinned { certificates, signed: signed.map_err(|error| unusable(&error))? };
            Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(pinned)).with_no_client_auth())
        }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.certificates.iter().any(|pinned| pinned == end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        self.signed.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signed.supported_verify_schemes()
    }
}
