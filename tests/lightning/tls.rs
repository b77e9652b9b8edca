//! Certificates that nodes make for themselves, and servers that show them.

use std::sync::Arc;

use axum::Router;
use axum::serve::Listener;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

/// An authority and a server's certificate, made as `plugins/rest-plugin/src/certs.rs` of Core Lightning makes them.
pub struct Certificates {
    /// In PEM form.
    pub authority: String,
    pub server: rcgen::Certificate,
    pub key: KeyPair,
}

impl Certificates {
    pub fn new() -> Self {
        let names = |first: &str| vec![first.to_owned(), "cln".to_owned(), "localhost".to_owned()];
        let mut authority = CertificateParams::new(names("cln Root REST CA")).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages.push(KeyUsagePurpose::KeyCertSign);
        authority.use_authority_key_identifier_extension = true;
        let authority_key = KeyPair::generate().unwrap();
        let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
        let mut server = CertificateParams::new(names("cln rest server")).unwrap();
        server.is_ca = IsCa::NoCa;
        server.key_usages.extend([KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment]);
        server.use_authority_key_identifier_extension = true;
        server.distinguished_name.push(DnType::CommonName, "cln rest server");
        let key = KeyPair::generate().unwrap();
        let server = server.signed_by(&key, &Issuer::from_params(&authority, &authority_key)).unwrap();
        Self { authority: authority_pem, server, key }
    }
}

struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, peer) = self.listener.accept().await.unwrap();
            // Whoever does not like the certificate hangs up.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

impl TlsListener {
    async fn start(certificates: &Certificates) -> (Self, u16) {
        let key = PrivateKeyDer::try_from(certificates.key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificates.server.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (Self { listener, acceptor: TlsAcceptor::from(Arc::new(config)) }, port)
    }
}

/// Serves `api` on 127.0.0.1, a name that the certificate does not have, and returns the port.
pub async fn serve(api: Router, certificates: &Certificates) -> u16 {
    let (listener, port) = TlsListener::start(certificates).await;
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move { axum::serve(listener, api).await.unwrap() });
    port
}

/// A server that speaks nothing but HTTP/2 and begins with its settings, as gRPC servers do. Returns the port.
pub async fn serve_http2(certificates: &Certificates) -> u16 {
    let (mut listener, port) = TlsListener::start(certificates).await;
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await;
            // Whoever hangs up has seen enough.
            let _ = stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
            let _ = stream.flush().await;
            let _ = stream.read(&mut [0; 4096]).await;
        }
    });
    port
}
