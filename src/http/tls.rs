//! The TLS listener's set-up: rustls, and no protocol but HTTP/1.1.

use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::config::TlsConfig;

/// A certificate or key that cannot be used. The texts name files and never show what is in them.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The chain cannot be read.
    #[error("server.tls_certificate: cannot read a certificate chain: {0}")]
    Certificate(rustls::pki_types::pem::Error),
    /// The key cannot be read.
    #[error("server.tls_private_key: cannot read a private key: {0}")]
    PrivateKey(rustls::pki_types::pem::Error),
    /// They do not belong together, or are of an unknown kind.
    #[error("server.tls_certificate and server.tls_private_key: {0}")]
    Pair(rustls::Error),
}

/// Reads the files and builds the acceptor.
pub fn acceptor(config: &TlsConfig) -> Result<TlsAcceptor, TlsError> {
    let chain = CertificateDer::pem_file_iter(&config.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(TlsError::Certificate)?;
    let key = PrivateKeyDer::from_pem_file(&config.private_key).map_err(TlsError::PrivateKey)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Pair)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Pair)?;
    // One client family cannot replay bodies on HTTP/2, and nothing here would gain by it.
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(server)))
}
