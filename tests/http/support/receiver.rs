//! A caller's own server, which is called back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use satforge::domain::WebhookSecret;
use satforge::domain::standard_webhooks::{WebhookHeaders, verify};
use serde_json::Value;
use tokio::sync::watch;

use super::within;

/// A server that answers as it is told to, and with 204 afterwards. It ends with the test's runtime.
pub struct Receiver {
    address: std::net::SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    answers: Mutex<VecDeque<u16>>,
    received: watch::Sender<Vec<Received>>,
}

/// One callback as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Receiver {
    pub async fn start(answers: impl IntoIterator<Item = u16>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let answers = Mutex::new(answers.into_iter().collect());
        let shared = Arc::new(Shared { answers, received: watch::Sender::new(Vec::new()) });
        let router = Router::new().fallback(receive).with_state(shared.clone());
        #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, shared }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What has come so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.borrow().clone()
    }

    /// Everything that came, once that is `count` callbacks.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        let mut received = self.shared.received.subscribe();
        let enough = received.wait_for(|received| received.len() >= count);
        within("a callback", enough).await.expect("a receiver").clone()
    }
}

async fn receive(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    shared.received.send_modify(|received| received.push(Received { path, headers, body: body.to_vec() }));
    let status = shared.answers.lock().unwrap().pop_front().unwrap_or(204);
    let status = StatusCode::from_u16(status).expect("a status");
    if status.is_redirection() {
        return (status, [(header::LOCATION, "/elsewhere")]).into_response();
    }
    status.into_response()
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().expect("text")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// Fails unless this was signed with `secret` within five minutes of `now`, in Unix seconds.
    pub fn assert_signed(&self, secret: &str, now: u64) {
        let secret = WebhookSecret::parse(secret).expect("a secret");
        let headers = WebhookHeaders {
            id: self.header("webhook-id"),
            timestamp: self.header("webhook-timestamp"),
            signature: self.header("webhook-signature"),
        };
        let tolerance = std::time::Duration::from_mins(5);
        assert_eq!(verify(&secret, headers, &self.body, now, tolerance), Ok(()));
    }
}
