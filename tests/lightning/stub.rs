//! A product's API on a free port of this machine.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use axum::middleware::{Next, from_fn};
use satforge::clock::Clock;
use satforge::lightning::{LightningBackend, Network};
use url::Url;

use crate::node::{Fault, Node};

/// Long enough for a stub on this machine, short enough to wait for in a test.
pub const TIMEOUT: Duration = Duration::from_millis(700);

/// How a product answers.
#[async_trait]
pub trait Product: Sized + Send + Sync + 'static {
    /// The network of the stub's invoices.
    const NETWORK: Network = Network::Regtest;

    /// How long after its start the adapter cannot rule out that an earlier process has ordered a payment.
    const SETTLED_AFTER: Duration = Duration::ZERO;

    /// What it says of a payment that has failed.
    const FAILURE: Failure = Failure::Final;

    /// Its API over `node`, as it is when all is well; none where the product is no HTTP server.
    fn api(_node: Arc<Node>) -> Router {
        Router::new()
    }

    /// Starts the product over `node` on a free port. One that is no HTTP server brings its own, and sees to the node's
    /// faults itself.
    async fn serve(node: Arc<Node>) -> Url {
        serve(misbehaving::<Self>(node)).await
    }

    /// What the example's section has to hold for the product at `url`, by its keys, credentials and certificates
    /// included.
    fn settings(url: &Url) -> Vec<(&'static str, Setting)>;

    /// How it says that credentials are not accepted ([`Fault::Unauthorised`]), that it was asked too often
    /// ([`Fault::Limited`]) or that it cannot at the moment ([`Fault::Failing`]); `None` where the product has no such
    /// answer.
    fn refusal(_fault: Fault) -> Option<Response<Body>> {
        None
    }

    /// Whether it says so at all.
    fn refuses(fault: Fault) -> bool {
        Self::refusal(fault).is_some()
    }

    /// The adapter, for the API at `url`, with the clock of the stub's node. Its secrets contain the text `c0ffee`.
    async fn adapter(url: Url, clock: Arc<dyn Clock>) -> Arc<dyn LightningBackend>;
}

/// What a product's word that a payment has failed is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It is final, in the answer and in the books.
    Final,
    /// It is final in the answer, and not in the books.
    Told,
    /// It is never final.
    Open,
}

/// What a key of the configuration is set to.
pub enum Setting {
    Value(toml::Value),
    /// In the file that the example names, of mode 0600.
    Credential(Vec<u8>),
    /// The product serves TLS, with a certificate of its own; in the file that the example names.
    Certificate,
    /// This key is left out.
    Absent,
}

impl Setting {
    pub fn value(value: impl Into<toml::Value>) -> Self {
        Self::Value(value.into())
    }

    pub fn credential(value: &str) -> Self {
        // With a line's end, as an editor leaves it.
        Self::Credential(format!("{value}\n").into_bytes())
    }
}

/// A running stub and the adapter that talks to it.
pub struct Stub {
    pub node: Arc<Node>,
    pub backend: Arc<dyn LightningBackend>,
    url: Url,
}

impl Stub {
    /// The gateway was started again: what the adapter had in its memory is lost.
    pub async fn restart<P: Product>(&mut self) {
        self.backend = P::adapter(self.url.clone(), self.node.clone()).await;
    }

    pub async fn start<P: Product>() -> Self {
        let node = Arc::new(Node::of::<P>());
        let url = P::serve(node.clone()).await;
        let backend = P::adapter(url.clone(), node.clone()).await;
        node.advance(P::SETTLED_AFTER);
        Self { node, backend, url }
    }
}

/// The product's API, with the faults of its node.
pub fn misbehaving<P: Product>(node: Arc<Node>) -> Router {
    P::api(node.clone()).layer(from_fn(move |request: Request, next: Next| {
        let node = node.clone();
        async move { misbehave::<P>(&node, request, next).await }
    }))
}

pub async fn serve(api: Router) -> Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move { axum::serve(listener, api).await.unwrap() });
    url
}

async fn misbehave<P: Product>(node: &Node, request: Request, next: Next) -> Response<Body> {
    match node.fault() {
        Some(fault @ (Fault::Unauthorised | Fault::Limited | Fault::Failing)) => P::refusal(fault).unwrap(),
        Some(Fault::Garbage) => Response::new(Body::from("<html>Welcome to nginx!</html>")),
        Some(Fault::Cut) => cut(next.run(request).await).await,
        Some(Fault::Silent) => {
            next.run(request).await;
            std::future::pending().await
        }
        _ => next.run(request).await,
    }
}

/// The first half of a response.
async fn cut(response: Response<Body>) -> Response<Body> {
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let half = body.slice(..body.len() / 2);
    let broken = std::io::Error::other("the line was cut");
    let body = Body::from_stream(futures_util::stream::iter([Ok(half), Err(broken)]));
    let mut response = Response::from_parts(parts, body);
    response.headers_mut().remove("content-length");
    response
}
