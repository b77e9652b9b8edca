//! Connections to `WebSocket` servers that the operator has named.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_tungstenite::tungstenite::Error as SocketError;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::{Host, Url};

pub use tokio_tungstenite::tungstenite::Message;

use super::{CONNECT_TIMEOUT, EgressError, Trust, TrustError, client_config, is_public};

/// The most bytes of a message, and of what waits to be sent.
const MESSAGE_LIMIT: usize = 256 * 1024;
const BUFFER: usize = 8 * 1024;

/// An open connection, over TLS or without.
pub type WebSocket = WebSocketStream<Box<dyn Wire>>;

/// What a connection runs over.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Opens connections.
#[derive(Clone)]
pub struct Connector {
    /// `None`: it connects to no `wss` URL.
    tls: Option<TlsConnector>,
}

impl Connector {
    /// The time that a connection may take.
    pub const LIMIT: Duration = CONNECT_TIMEOUT;

    /// A connector for `urls`, which believes the authorities that this machine trusts.
    pub fn to(urls: &[Url]) -> Result<Self, TrustError> {
        let encrypted = urls.iter().any(|url| url.scheme() == "wss");
        let tls = encrypted.then(|| client_config(Trust::System)).transpose()?;
        Ok(Self { tls: tls.map(|tls| TlsConnector::from(Arc::new(tls))) })
    }

    /// Connects to a `wss` URL, or to a `ws` URL of this machine or a private network. It takes [`Self::LIMIT`] at the
    /// most.
    pub async fn connect(&self, url: &Url) -> Result<WebSocket, EgressError> {
        let late = |_| EgressError::Unreachable("it took too long".into());
        tokio::time::timeout(Self::LIMIT, self.dial(url)).await.map_err(late)?
    }

    async fn dial(&self, url: &Url) -> Result<WebSocket, EgressError> {
        let tls = match url.scheme() {
            "wss" => Some(self.tls.as_ref().ok_or(EgressError::Forbidden("it was not to be connected to"))?),
            "ws" => None,
            _ => return Err(EgressError::Forbidden("it is neither wss nor ws")),
        };
        let host = url.host().ok_or(EgressError::Forbidden("it has no host"))?;
        let addresses = resolve(&host, url.port_or_known_default().unwrap_or(443)).await?;
        if tls.is_none() && addresses.iter().any(|address| is_public(address.ip())) {
            return Err(EgressError::Forbidden(
                "without TLS (ws://) it must be on this machine or in a private network",
            ));
        }
        let tcp = TcpStream::connect(&addresses[..]).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        let wire: Box<dyn Wire> = match tls {
            Some(tls) => Box::new(tls.connect(server_name(&host)?, tcp).await.map_err(untrusted)?),
            None => Box::new(tcp),
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(MESSAGE_LIMIT)
            .max_message_size(Some(MESSAGE_LIMIT))
            .max_frame_size(Some(MESSAGE_LIMIT));
        let (socket, _) = client_async_with_config(url.as_str(), wire, Some(config)).await.map_err(refused)?;
        Ok(socket)
    }
}

async fn resolve(host: &Host<&str>, port: u16) -> Result<Vec<SocketAddr>, EgressError> {
    match host {
        Host::Domain(name) => Ok(tokio::net::lookup_host((*name, port)).await.map_err(unreachable)?.collect()),
        Host::Ipv4(address) => Ok(vec![SocketAddr::from((*address, port))]),
        Host::Ipv6(address) => Ok(vec![SocketAddr::from((*address, port))]),
    }
}

fn server_name(host: &Host<&str>) -> Result<ServerName<'static>, EgressError> {
    match host {
        Host::Domain(name) => ServerName::try_from((*name).to_owned())
            .map_err(|_| EgressError::Forbidden("its host is no name of a server")),
        Host::Ipv4(address) => Ok(ServerName::IpAddress((*address).into())),
        Host::Ipv6(address) => Ok(ServerName::IpAddress((*address).into())),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is called by `map_err`")]
fn unreachable(error: std::io::Error) -> EgressError {
    EgressError::Unreachable(error.to_string())
}

fn untrusted(error: std::io::Error) -> EgressError {
    let reason = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match reason {
        Some(reason @ rustls::Error::InvalidCertificate(_)) => EgressError::Untrusted(reason.to_string()),
        _ => unreachable(error),
    }
}

fn refused(error: SocketError) -> EgressError {
    match error {
        SocketError::Http(answer) => {
            EgressError::Unreachable(format!("the server answers with HTTP {} and opens no WebSocket", answer.status()))
        }
        SocketError::Io(error) => unreachable(error),
        _ => EgressError::Unreachable("the server speaks no WebSocket".into()),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt as _, StreamExt as _};
    use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;

    use super::*;

    fn certificate() -> CertifiedKey<KeyPair> {
        generate_simple_self_signed(vec!["localhost".into()]).unwrap()
    }

    /// A server over TLS that says to everybody what it was told, and then more than anybody wants to hear.
    async fn echo(certified: &CertifiedKey<KeyPair>) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
            let message = socket.next().await.unwrap().unwrap();
            socket.send(message).await.unwrap();
            let _ = socket.send("x".repeat(MESSAGE_LIMIT + 1).into()).await;
        });
        format!("wss://localhost:{port}/path").parse().unwrap()
    }

    async fn refusal(url: &Url) -> EgressError {
        Connector::to(std::slice::from_ref(url)).unwrap().connect(url).await.err().unwrap()
    }

    #[tokio::test]
    async fn a_message_goes_there_and_comes_back_up_to_a_size() {
        let certified = certificate();
        let url = echo(&certified).await;
        let trust = Trust::Only(vec![certified.cert.der().clone()]);
        let connector = Connector { tls: Some(TlsConnector::from(Arc::new(client_config(trust).unwrap()))) };
        let mut socket = connector.connect(&url).await.unwrap();
        socket.send("hello".into()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap().to_text().unwrap(), "hello");
        assert!(socket.next().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_server_that_nobody_vouches_for_is_not_talked_to() {
        let url = echo(&certificate()).await;
        let refusal = refusal(&url).await;
        assert!(matches!(refusal, EgressError::Untrusted(_)), "{refusal}");
    }

    #[tokio::test]
    async fn without_tls_nobody_in_the_open_internet_is_talked_to() {
        let said = "the URL is refused: without TLS (ws://) it must be on this machine or in a private network";
        assert_eq!(refusal(&"ws://1.1.1.1/".parse().unwrap()).await.to_string(), said);
        let other = refusal(&"https://127.0.0.1/".parse().unwrap()).await;
        assert_eq!(other.to_string(), "the URL is refused: it is neither wss nor ws");
    }

    #[tokio::test]
    async fn a_server_that_opens_no_websocket_is_said_to_be_one() {
        for (answer, said) in [
            (
                "HTTP/1.1 404 Not Found\r\n\r\n",
                "no connection: the server answers with HTTP 404 Not Found and opens no WebSocket",
            ),
            ("SSH-2.0-OpenSSH_9.2\r\n", "no connection: the server speaks no WebSocket"),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("ws://{}/", listener.local_addr().unwrap()).parse().unwrap();
            let server = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 1024]).await;
                stream.write_all(answer.as_bytes()).await.unwrap();
            };
            let (refusal, ()) = tokio::join!(refusal(&url), server);
            assert_eq!(refusal.to_string(), said);
        }
    }
}
