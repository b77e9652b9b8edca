//! The listener: HTTP/1.1 over TCP or TLS, with limits on connections, on heads, on slow senders and on those who do not read.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::config::ServerConfig;
use crate::shutdown::Shutdown;

use super::client::Peer;
use super::crowd::Crowd;
use super::unread::Unread;

/// What is buffered of a request's head: eight macaroons of the largest size fit. A head of about twice as much is
/// answered with 431.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;
/// The pause after a failed `accept`, which is mostly a lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound listener and its limits.
pub struct Server {
    /// Where connections arrive.
    pub listener: TcpListener,
    /// What answers them.
    pub router: Router,
    /// The TLS set-up, if any.
    pub tls: Option<TlsAcceptor>,
    /// Connections served at once; more wait to be accepted.
    pub max_connections: usize,
    /// The time for a request's head, and for a TLS handshake.
    pub header_timeout: Duration,
    /// How long a peer may take nothing of what there is to send.
    pub write_timeout: Duration,
    /// Who may hold how many connections; `None`: the operator's own listener.
    pub crowd: Option<Arc<Crowd>>,
}

impl Server {
    /// The callers' listener, with the limits of `config`.
    #[must_use]
    pub fn for_callers(listener: TcpListener, router: Router, tls: Option<TlsAcceptor>, config: &ServerConfig) -> Self {
        Self {
            listener,
            router,
            tls,
            max_connections: config.max_connections,
            header_timeout: config.header_timeout,
            write_timeout: config.write_timeout,
            crowd: Some(Arc::new(Crowd::new(config))),
        }
    }

    /// Serves until shutdown; then no new connections are taken, and those that exist end with their current request.
    pub async fn run(self, shutdown: Shutdown) {
        let places = Arc::new(Semaphore::new(self.max_connections));
        let connection = Arc::new(Connection {
            router: self.router,
            tls: self.tls,
            header_timeout: self.header_timeout,
            write_timeout: self.write_timeout,
            shutdown: shutdown.clone(),
        });
        loop {
            let accepted = tokio::select! {
                () = shutdown.soft() => return,
                accepted = async {
                    // The semaphore is never closed.
                    let place = places.clone().acquire_owned().await.ok()?;
                    Some((self.listener.accept().await, place))
                } => accepted,
            };
            let Some((accepted, place)) = accepted else { return };
            match accepted {
                Ok((stream, peer)) => {
                    // Too many of this peer: closed without a word, which costs the least.
                    let Some(member) = self.crowd.as_ref().map_or(Some(None), |crowd| crowd.enter(peer.ip()).map(Some))
                    else {
                        continue;
                    };
                    let connection = connection.clone();
                    shutdown.spawn(async move {
                        connection.serve(stream, peer).await;
                        drop((place, member));
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

struct Connection {
    router: Router,
    tls: Option<TlsAcceptor>,
    header_timeout: Duration,
    write_timeout: Duration,
    shutdown: Shutdown,
}

impl Connection {
    async fn serve(&self, stream: TcpStream, peer: SocketAddr) {
        // Small answers must not wait for the next packet. A socket that refuses the option still works.
        let _ = stream.set_nodelay(true);
        let stream = Unread::new(stream, self.write_timeout);
        let Some(tls) = &self.tls else { return self.serve_http(stream, peer).await };
        match tokio::time::timeout(self.header_timeout, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.serve_http(stream, peer).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn serve_http<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(&self, stream: S, peer: SocketAddr) {
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            self.router.clone().oneshot(request.map(Body::new))
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS)
            .half_close(false)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.shutdown.soft() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}

/// Binds `address`; the error names it.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))
}
