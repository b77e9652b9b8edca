//! A server that answers what a test says, for what a product does on its bad days, and writes down what it was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::Response;
use axum::http::request::Parts;
use serde_json::Value;
use url::Url;

use crate::products::json;

/// A running server. Where nothing was said about a request, the test fails.
pub struct Scripted {
    pub url: Url,
    script: Arc<Script>,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The method and the path.
    pub what: String,
    /// The same with the query.
    pub line: String,
    pub body: String,
}

impl Asked {
    /// Reads a request to its end.
    pub async fn read(parts: &Parts, body: Body) -> Self {
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Self {
            what: format!("{} {}", parts.method, parts.uri.path()),
            line: format!("{} {}", parts.method, parts.uri),
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// The body, which must be JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

#[derive(Default)]
struct Script {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// By method and path.
    answers: HashMap<String, Answer>,
    asked: Vec<Asked>,
    /// Requests that no test has thought of.
    unexpected: Vec<String>,
}

#[derive(Clone)]
enum Answer {
    Given { status: u16, header: Option<(&'static str, String)>, body: String },
    Never,
}

impl Scripted {
    /// A server that answers what it is told to with [`Scripted::give`], and nothing else.
    pub async fn silent() -> Self {
        Self::serve(|script, asked| async move {
            let known = script.lock().answers.get(&asked.what).cloned();
            match known {
                Some(Answer::Given { status, header, body }) => respond(status, header, body),
                Some(Answer::Never) => std::future::pending().await,
                None => {
                    script.lock().unexpected.push(asked.what);
                    json(500, &Value::Null)
                }
            }
        })
        .await
    }

    /// A server that answers everything with `answer`.
    pub async fn start(answer: impl Fn(&Asked) -> Response<Body> + Clone + Send + Sync + 'static) -> Self {
        Self::serve(move |_, asked| {
            let answer = answer.clone();
            async move { answer(&asked) }
        })
        .await
    }

    async fn serve<F>(answer: impl Fn(Arc<Script>, Asked) -> F + Clone + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let script = Arc::<Script>::default();
        let noted = script.clone();
        let api = Router::new().fallback(move |request: Request| {
            let (answer, script) = (answer.clone(), noted.clone());
            async move {
                let (parts, body) = request.into_parts();
                let asked = Asked::read(&parts, body).await;
                script.lock().asked.push(asked.clone());
                answer(script, asked).await
            }
        });
        #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
        tokio::spawn(async move { axum::serve(listener, api).await.unwrap() });
        Self { url, script }
    }

    /// From now on `what`, a method and a path, is answered so.
    #[expect(clippy::needless_pass_by_value, reason = "text and JSON alike")]
    pub fn give(&self, what: &str, status: u16, body: impl ToString) {
        self.put(what, Answer::Given { status, header: None, body: body.to_string() });
    }

    pub fn give_with_header(&self, what: &str, status: u16, header: (&'static str, String), body: &str) {
        self.put(what, Answer::Given { status, header: Some(header), body: body.to_owned() });
    }

    /// From now on `what` is not answered.
    pub fn silence(&self, what: &str) {
        self.put(what, Answer::Never);
    }

    fn put(&self, what: &str, answer: Answer) {
        self.script.lock().answers.insert(what.to_owned(), answer);
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.script.lock().asked.clone()
    }

    /// What it was asked since the last time: method, path with query, and body.
    pub fn news(&self) -> Vec<String> {
        let asked = std::mem::take(&mut self.script.lock().asked);
        asked.iter().map(|asked| format!("{} {}", asked.line, asked.body).trim().to_owned()).collect()
    }

    /// The bodies that came for `what`.
    pub fn bodies(&self, what: &str) -> Vec<String> {
        self.asked().into_iter().filter(|asked| asked.what == what).map(|asked| asked.body).collect()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        let unexpected = std::mem::take(&mut self.script.lock().unexpected);
        assert!(unexpected.is_empty() || std::thread::panicking(), "nobody expected {unexpected:?}");
    }
}

impl Script {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn respond(status: u16, header: Option<(&'static str, String)>, body: String) -> Response<Body> {
    let mut response = Response::builder().status(status).header("content-type", "application/json");
    if let Some((name, value)) = header {
        response = response.header(name, value);
    }
    response.body(Body::from(body)).unwrap()
}
