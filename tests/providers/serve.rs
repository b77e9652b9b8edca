//! A vendor's API on a free port of this machine, with everything that can go wrong on the way to it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::routing::get;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use satforge::clock::Clock;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::Instant;
use url::Url;

use crate::upstream::{Call, Fault, File, Upstream};
use crate::vendor::{Errand, Vendor};

/// An address that refuses connections until it is opened, and that nobody else gets meanwhile.
pub struct Closed {
    socket: TcpSocket,
    router: Router,
}

impl Closed {
    /// Starts to answer.
    pub fn open(self) {
        serve(self.socket.listen(64).unwrap(), self.router);
    }
}

/// The vendor's API.
pub async fn vendor<V: Vendor>(clock: Arc<dyn Clock>) -> (Arc<Upstream>, Closed) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let (delivery, elsewhere) = (listener().await, listener().await);
    let of = |listener: &TcpListener| url(listener.local_addr().unwrap());
    let urls = [url(socket.local_addr().unwrap()), of(&delivery), of(&elsewhere)];
    let upstream = Arc::new(Upstream::new(V::SERVICE, urls, clock));

    let strayed = upstream.clone();
    let stray = move || {
        strayed.note_stray();
        std::future::ready(strayed.result())
    };
    serve(elsewhere, Router::new().fallback(stray));
    let files = Router::new().route("/files/{id}", get(file)).with_state(upstream.clone());
    serve(delivery, misbehaving::<V>(&upstream, files));
    let router = misbehaving::<V>(&upstream, V::api(upstream.clone()));
    (upstream, Closed { socket, router })
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn misbehaving<V: Vendor>(upstream: &Arc<Upstream>, router: Router) -> Router {
    let upstream = upstream.clone();
    router.layer(from_fn(move |request: Request, next: Next| {
        let upstream = upstream.clone();
        async move { misbehave::<V>(&upstream, request, next).await }
    }))
}

fn url(address: SocketAddr) -> Url {
    format!("http://{address}/").parse().unwrap()
}

fn serve(listener: TcpListener, router: Router) {
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
}

async fn misbehave<V: Vendor>(upstream: &Upstream, request: Request, next: Next) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let errand = if path.starts_with("/files/") { Errand::File } else { V::errand_of(&request, upstream) };
    let authorization = request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    upstream.note(Call { errand, at: Instant::now(), path, authorization });
    match upstream.fault(errand) {
        None => next.run(request).await,
        Some(Fault::Refused(status, retry_after)) => {
            let mut response = V::refusal(status);
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
        Some(Fault::Dropped) => cut(Response::new(Body::from("{\"id\":\"never\"}"))).await,
        Some(Fault::Cut) => cut(next.run(request).await).await,
        Some(Fault::Garbage(text)) => {
            let status = next.run(request).await.status();
            let mut response = Response::new(Body::from(text));
            *response.status_mut() = status;
            response
        }
        Some(Fault::Silent) => {
            next.run(request).await;
            std::future::pending().await
        }
        Some(Fault::Late(gate)) => {
            let response = next.run(request).await;
            gate.notified().await;
            response
        }
    }
}

/// The first half of a response.
async fn cut(response: Response<Body>) -> Response<Body> {
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let mut response = Response::from_parts(parts, broken(body.slice(..body.len() / 2)));
    response.headers_mut().remove("content-length");
    response
}

/// A body that breaks off.
fn broken(bytes: Bytes) -> Body {
    Body::from_stream(stream::iter([Ok(bytes), Err(std::io::Error::other("the line was cut"))]))
}

async fn file(State(upstream): State<Arc<Upstream>>) -> Response<Body> {
    result(&upstream)
}

/// A result, as the script says.
pub fn result(upstream: &Upstream) -> Response<Body> {
    let whole = upstream.result();
    let say = |status: StatusCode, body: Body| {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        response
    };
    match upstream.next_file() {
        None => Response::new(Body::from(whole)),
        Some(File::TooLarge) => {
            let filler = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[0; 1024]))).take(64);
            Response::new(Body::from_stream(stream::iter([Ok(Bytes::from_static(whole))]).chain(filler)))
        }
        Some(File::WrongKind) => Response::new(Body::from("<html><body>Please log in.</body></html>")),
        Some(File::Gone) => say(StatusCode::NOT_FOUND, Body::from("gone")),
        Some(File::Broken) => Response::new(broken(Bytes::from_static(&whole[..20]))),
        Some(File::Elsewhere) => {
            let mut response = say(StatusCode::FOUND, Body::empty());
            let to = HeaderValue::from_str(upstream.elsewhere.as_str()).unwrap();
            response.headers_mut().insert(LOCATION, to);
            response
        }
    }
}

/// An answer in JSON.
pub fn json(status: u16, body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}

/// A parameter of the query.
pub fn query(uri: &Uri, name: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
