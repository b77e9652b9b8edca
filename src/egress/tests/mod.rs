//! Real connections to small servers on this machine.

use std::io::Write as _;
use std::net::SocketAddr;

use rcgen::{CertificateParams, CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

mod sent;
pub(crate) mod stub;

const SECOND: Duration = Duration::from_secs(1);

/// A server that answers every connection with `answer`, over TLS if it has a certificate.
async fn server(answer: &'static str, tls: Option<&CertifiedKey<rcgen::KeyPair>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = tls.map(stub::acceptor);
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            match &acceptor {
                None => serve(&mut stream, answer).await,
                Some(acceptor) => {
                    if let Ok(mut stream) = acceptor.accept(stream).await {
                        serve(&mut stream, answer).await;
                    }
                }
            }
        }
    });
    address
}

async fn serve<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(stream: &mut S, answer: &str) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await;
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn own_certificate() -> CertifiedKey<rcgen::KeyPair> {
    // A name that nobody calls it by, as nodes' certificates often have.
    generate_simple_self_signed(vec!["some-other-name".into()]).unwrap()
}

fn pem(certified: &CertifiedKey<rcgen::KeyPair>) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(certified.cert.pem().as_bytes()).unwrap();
    file
}

async fn get(client: &Client, url: &str) -> Result<Answer, EgressError> {
    client.send(client.request(Method::GET, url.parse().unwrap())?).await
}

#[tokio::test]
async fn a_pinned_certificate_is_believed_and_no_other() {
    let (own, other) = (own_certificate(), own_certificate());
    let address = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", Some(&own)).await;
    let url = format!("https://{address}/");
    let pinned = Client::to_own(Some(pem(&own).path()), SECOND).unwrap();
    assert_eq!(get(&pinned, &url).await.unwrap().body, "hi");
    for client in [Client::to_own(Some(pem(&other).path()), SECOND).unwrap(), Client::to_own(None, SECOND).unwrap()] {
        let refused = get(&client, &url).await.unwrap_err();
        assert!(matches!(refused, EgressError::Untrusted(_)), "{refused:?}");
    }
}

#[tokio::test]
async fn a_certificate_of_a_pinned_authority_is_believed_for_its_name_alone() {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_cert = ca.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    for (name, believed) in [("127.0.0.1", true), ("node.example", false)] {
        let signing_key = rcgen::KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec![name.into()]).unwrap().signed_by(&signing_key, &issuer).unwrap();
        let certified = CertifiedKey { cert, signing_key };
        let address = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Some(&certified)).await;
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(ca_cert.pem().as_bytes()).unwrap();
        let client = Client::to_own(Some(file.path()), SECOND).unwrap();
        assert_eq!(get(&client, &format!("https://{address}/")).await.is_ok(), believed, "{name}");
    }
}

#[test]
fn a_file_without_certificates_is_refused() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"-----BEGIN NOTHING-----\n-----END NOTHING-----\n").unwrap();
    for path in [file.path(), Path::new("/no/such/tls.cert")] {
        assert!(matches!(Client::to_own(Some(path), SECOND), Err(TrustError::Unreadable { .. })), "{path:?}");
    }
}

#[tokio::test]
async fn what_did_not_arrive_is_told_from_what_may_have() {
    let client = Client::to_own(None, SECOND).unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = get(&client, &format!("http://{nobody}/")).await.unwrap_err();
    assert!(matches!(refused, EgressError::Unreachable(_)) && refused.is_unsent(), "{refused:?}");
    for cut in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"] {
        let address = server(cut, None).await;
        let interrupted = get(&client, &format!("http://{address}/secret?key=c0ffee")).await.unwrap_err();
        assert!(matches!(interrupted, EgressError::Interrupted(_)) && !interrupted.is_unsent(), "{interrupted:?}");
        assert!(!interrupted.to_string().contains("c0ffee"), "{interrupted}");
    }
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let impatient = Client::to_own(None, Duration::from_millis(50)).unwrap();
    let late = get(&impatient, &url).await.unwrap_err();
    assert_eq!(late, EgressError::Interrupted("it took too long".into()));
}

#[tokio::test]
async fn redirects_are_not_followed_and_large_answers_are_not_read() {
    let client = Client::to_own(None, SECOND).unwrap();
    let elsewhere =
        server("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", None).await;
    assert_eq!(get(&client, &format!("http://{elsewhere}/")).await.unwrap().status, 302);
    let large: &'static str = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(ANSWER_LIMIT + 1)).leak();
    let address = server(large, None).await;
    let refused = get(&client, &format!("http://{address}/")).await.unwrap_err();
    assert_eq!(refused, EgressError::TooLarge(ANSWER_LIMIT));
}

#[tokio::test]
async fn a_stranger_cannot_send_us_home() {
    let client = Client::to_stranger(SECOND).unwrap();
    for url in [
        "http://example.com/",
        "https://127.0.0.1/",
        "https://[::1]:1/",
        "https://[::ffff:10.0.0.1]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://user:pass@example.com/",
        "https://localhost/",
    ] {
        let refused = get(&client, url).await.unwrap_err();
        assert!(matches!(refused, EgressError::Forbidden(_)), "{url}: {refused:?}");
    }
}

#[tokio::test]
async fn nothing_crosses_the_internet_in_the_clear() {
    let client = Client::to_near(SECOND).unwrap();
    let address = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", None).await;
    for host in ["127.0.0.1", "localhost"] {
        assert_eq!(get(&client, &format!("http://{host}:{}/", address.port())).await.unwrap().body, "hi");
    }
    let refused = get(&client, "http://1.1.1.1/").await.unwrap_err();
    assert!(matches!(refused, EgressError::Forbidden(_)), "{refused:?}");
}
