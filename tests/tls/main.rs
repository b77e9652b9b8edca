//! The TLS listener: HTTP/1.1 alone, and a certificate and key that must belong together.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../kit/mod.rs"]
#[allow(dead_code, reason = "each suite uses its part")]
mod kit;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::CertifiedKey;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use kit::buyer::{MODEL, model};
use kit::process::{Gateway, run};

/// A certificate of its own, and the files that a gateway reads.
struct Identity {
    certified: CertifiedKey<rcgen::KeyPair>,
    certificate: PathBuf,
    private_key: PathBuf,
}

impl Identity {
    fn new(folder: &Path, name: &str) -> Self {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, private_key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        std::fs::write(&certificate, certified.cert.pem()).unwrap();
        std::fs::write(&private_key, certified.signing_key.serialize_pem()).unwrap();
        Self { certified, certificate, private_key }
    }

    /// A gateway that shows this certificate.
    fn gateway(&self, folder: &Path) -> Gateway {
        Gateway::dev(
            &folder.join("data"),
            &[
                ("SATFORGE_SERVER__TLS_CERTIFICATE", self.certificate.to_str().unwrap()),
                ("SATFORGE_SERVER__TLS_PRIVATE_KEY", self.private_key.to_str().unwrap()),
                ("SATFORGE_SANDBOX__GENERATION_SECONDS", "0"),
                ("SATFORGE_SERVER__HEADER_TIMEOUT_SECONDS", "5"),
            ],
        )
    }

    /// A client that trusts this certificate and offers `protocols`.
    async fn connect(&self, gateway: &Gateway, protocols: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certified.cert.der().clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(address(gateway)).await?;
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
    }

    /// One request on a connection of its own.
    async fn post(&self, gateway: &Gateway, path: &str, headers: &str, body: &[u8]) -> (u16, Value) {
        let mut stream = self.connect(gateway, &["h2", "http/1.1"]).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut answer = Vec::new();
        // It errors when the other side cuts the connection off instead of closing it.
        stream.read_to_end(&mut answer).await.unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
        (status, serde_json::from_slice(&answer[end + 4..]).unwrap())
    }
}

fn address(gateway: &Gateway) -> &str {
    gateway.url.strip_prefix("https://").expect("the gateway says that it speaks TLS")
}

#[tokio::test]
async fn a_purchase_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::new(folder.path(), "own");
    let gateway = identity.gateway(folder.path());
    let body = model(8);
    let (status, challenge) = identity.post(&gateway, MODEL, "", &body).await;
    assert_eq!(status, 402, "{challenge}");
    let invoice = json!({"invoice": challenge["invoice"]}).to_string();
    let (_, paid) = identity.post(&gateway, "/sandbox/pay", "", invoice.as_bytes()).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let credential = format!("L402 {}:{}", text(&challenge["macaroon"]), text(&paid["preimage"]));
    let headers = format!("Prefer: wait=120\r\nAuthorization: {credential}\r\n");
    let (status, result) = identity.post(&gateway, MODEL, &headers, &body).await;
    assert_eq!(status, 200, "{result}");
    assert!(text(&result["modelUrl"]).starts_with(&gateway.url), "{result}");
}

#[tokio::test]
async fn nothing_but_http_1_1_is_spoken() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::new(folder.path(), "own");
    let gateway = identity.gateway(folder.path());
    for (offered, chosen) in [(&["h2", "http/1.1"][..], Some(&b"http/1.1"[..])), (&[], None)] {
        let stream = identity.connect(&gateway, offered).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen, "{offered:?}");
    }
    let refused = identity.connect(&gateway, &["h2"]).await.expect_err("h2 alone is no offer");
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
}

#[tokio::test]
async fn a_stranger_to_the_certificate_is_not_served_and_plain_http_is_not_answered() {
    let folder = tempfile::tempdir().unwrap();
    let (identity, other) = (Identity::new(folder.path(), "own"), Identity::new(folder.path(), "other"));
    let gateway = identity.gateway(folder.path());
    assert!(other.connect(&gateway, &["http/1.1"]).await.is_err(), "another certificate is not shown");

    let mut plain = TcpStream::connect(address(&gateway)).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // A reset is an answer too.
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.windows(5).any(|window| window == b"HTTP/"), "{answer:?}");

    // Somebody who connects and says nothing keeps nobody else from being served.
    let silent = TcpStream::connect(address(&gateway)).await.unwrap();
    assert!(identity.connect(&gateway, &["http/1.1"]).await.is_ok());
    drop(silent);
}

/// What `satforge check` says about a certificate and a key.
fn check(folder: &Path, certificate: &Path, private_key: &Path) -> (bool, String) {
    let file = folder.join("satforge.toml");
    let key = folder.join("gateway.key");
    std::fs::write(&key, "7".repeat(64)).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let text = format!(
        "data_dir = \"{}\"\n[server]\ntls_certificate = \"{}\"\ntls_private_key = \"{}\"\n\
         [keys]\nsecrets = [\"file:{}\"]\n",
        folder.join("data").display(),
        certificate.display(),
        private_key.display(),
        key.display()
    );
    std::fs::write(&file, text).unwrap();
    let output = run(&["check", "--config", file.to_str().unwrap()]);
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn check_refuses_what_the_listener_could_not_use() {
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (Identity::new(folder.path(), "own"), Identity::new(folder.path(), "other"));
    let (good, said) = check(folder.path(), &own.certificate, &own.private_key);
    assert!(good, "{said}");

    let (good, said) = check(folder.path(), &own.certificate, &other.private_key);
    assert!(!good, "a key of another certificate");
    assert!(said.contains("server.tls_certificate") && said.contains("server.tls_private_key"), "{said}");

    let (good, said) = check(folder.path(), &own.private_key, &own.private_key);
    assert!(!good && said.contains("server.tls_certificate"), "no certificate in the file: {said}");
    let (good, said) = check(folder.path(), &own.certificate, &own.certificate);
    assert!(!good && said.contains("server.tls_private_key"), "no key in the file: {said}");
    let (good, said) = check(folder.path(), &folder.path().join("none.pem"), &own.private_key);
    assert!(!good && said.contains("server.tls_certificate"), "no file: {said}");
    for line in said.lines() {
        assert!(!line.contains("PRIVATE KEY"), "a key is never quoted: {line}");
    }
}
