//! Small servers that do as they are told, over TLS or without.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use url::Url;

use crate::egress::Trust;

pub fn acceptor(certified: &CertifiedKey<KeyPair>) -> TlsAcceptor {
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key);
    TlsAcceptor::from(Arc::new(config.unwrap()))
}

/// What a server does after it has read the head of a request.
#[derive(Clone, Debug)]
pub struct Reply {
    pub bytes: Vec<u8>,
    pub then: Then,
}

/// What it does after its answer.
#[derive(Clone, Copy, Debug)]
pub enum Then {
    Close,
    /// It keeps the connection and says nothing.
    Stall,
    /// It waits for the next request on the same connection.
    Listen,
}

impl Reply {
    pub fn new(head: &str, body: &[u8], then: Then) -> Self {
        let mut bytes = head.trim_end().replace('\n', "\r\n").into_bytes();
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(body);
        Self { bytes, then }
    }

    /// A JSON answer.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::whole(&format!("HTTP/1.1 {status} said\ncontent-type: application/json"), body.to_string().as_bytes())
    }

    /// These bytes and no more.
    pub fn raw(text: &str, then: Then) -> Self {
        Self { bytes: text.replace('\n', "\r\n").into_bytes(), then }
    }

    /// A whole answer.
    pub fn whole(head: &str, body: &[u8]) -> Self {
        Self::new(&format!("{head}\ncontent-length: {}", body.len()), body, Then::Close)
    }
}

/// A server, and what it was asked.
#[derive(Clone)]
pub struct Stub {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    /// Who vouches for it; nobody does if it speaks no TLS.
    pub trust: Vec<Trust>,
}

type Script = dyn Fn(usize, &Request) -> Reply + Send + Sync;

/// What came.
pub struct Request {
    /// Its first line and its headers, in lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Stub {
    /// A server without TLS. `script` answers the n-th request, from 0, by its head.
    pub async fn clear(script: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(None, Arc::new(move |number, request: &Request| script(number, &request.head))).await
    }

    /// A server without TLS. `script` answers a request by the whole of it.
    pub async fn answering(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(None, Arc::new(move |_, request: &Request| script(request))).await
    }

    /// A server over TLS whose certificate is nobody's but its own.
    pub async fn tls(script: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> Self {
        let certified = generate_simple_self_signed(vec!["stub".into()]).unwrap();
        Self::start(Some(&certified), Arc::new(move |number, request: &Request| script(number, &request.head))).await
    }

    async fn start(tls: Option<&CertifiedKey<KeyPair>>, script: Arc<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = tls.map(acceptor);
        let trust = tls.map(|certified| Trust::Only(vec![certified.cert.der().clone()])).into_iter().collect();
        let stub = Self { address, requests: Arc::default(), trust };
        let requests = stub.requests.clone();
        #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, script, requests) = (acceptor.clone(), script.clone(), requests.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(stream, &requests, &*script).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, &requests, &*script).await;
                            }
                        }
                    }
                });
            }
        });
        stub
    }

    /// The URL of `path` there, which begins with a slash.
    pub fn url(&self, path: &str) -> Url {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The heads of the requests so far, in lower case.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, requests: &Mutex<Vec<String>>, script: &Script) {
    while let Some(request) = read_request(&mut stream).await {
        let number = {
            let mut requests = requests.lock().unwrap();
            requests.push(request.head.clone());
            requests.len() - 1
        };
        let reply = script(number, &request);
        let _ = stream.write_all(&reply.bytes).await;
        let _ = stream.flush().await;
        match reply.then {
            Then::Close => {
                let _ = stream.shutdown().await;
                return;
            }
            Then::Stall => std::future::pending().await,
            Then::Listen => {}
        }
    }
}

/// A whole request; `None`: the connection has ended.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request { head, body })
}

/// The value of a header in the head of a request.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
