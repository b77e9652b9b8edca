//! Around every request: its id, its one log line, its metrics, and the headers that every response bears.
//!
//! In this order, from the outside:
//!
//! 1. the request id is drawn;
//! 2. `OPTIONS` on a known path is answered for a browser's preflight; everything else goes to its handler;
//! 3. common headers are added;
//! 4. the line is written and the time recorded.
//!
//! The path does not reach the log: it may hold a job id or the name of a result. The matched route does. There is no
//! span around every request, because it would cost as much as making a macaroon: a handler that fails hands the cause
//! to the line, and a redemption opens a span of its own.

use std::sync::OnceLock;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use axum::middleware::Next;
use metrics::Histogram;

use super::problem::Sent;

/// Every header of the protocol that a script in a browser must be able to read.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "WWW-Authenticate, X-Request-Id, X-Error-Code, X-Job-Id, Location, Retry-After, Preference-Applied, \
     Content-Disposition, Content-Range, Accept-Ranges, ETag",
);
const ALLOWED_HEADERS: HeaderValue =
    HeaderValue::from_static("Authorization, Content-Type, Prefer, Range, If-Range, If-None-Match, Last-Event-ID");
const READABLE: &str = "GET, HEAD, OPTIONS";
const PAYABLE: &str = "GET, HEAD, POST, OPTIONS";
const POSTABLE: &str = "POST, OPTIONS";

/// The id of a request: the caller sees it in a header, the operator in the log.
#[derive(Clone, Debug)]
pub struct RequestId(HeaderValue);

/// What is known of a route beforehand.
struct Route {
    /// As it was given to the router; the last one stands for everything else.
    path: &'static str,
    /// The methods that `OPTIONS` tells.
    allow: &'static str,
    /// Times by status class.
    seconds: [OnceLock<Histogram>; CLASSES.len()],
}

const CLASSES: [&str; 5] = ["2xx", "3xx", "402", "4xx", "5xx"];

static ROUTES: [Route; 26] = [
    route("/api/l402/video", PAYABLE),
    route("/api/l402/3d-model", PAYABLE),
    route("/api/l402/jobs/{id}", READABLE),
    route("/api/l402/jobs/{id}/events", READABLE),
    route("/api/l402/refunds/{id}", PAYABLE),
    route("/api/l402/recover", PAYABLE),
    route("/recover", PAYABLE),
    route("/refunds/{name}", READABLE),
    route("/lnurl/{name}", READABLE),
    route("/lnurl/{name}/pay", READABLE),
    route("/api/error-codes", READABLE),
    route("/artifacts/{name}", READABLE),
    route("/inputs/{name}", READABLE),
    route("/webhooks/{name}", POSTABLE),
    route("/sandbox/pay", POSTABLE),
    route("/sandbox/invoice", POSTABLE),
    route("/healthz", READABLE),
    route("/readyz", READABLE),
    route("/", READABLE),
    route("/l402", READABLE),
    route("/l402/video", READABLE),
    route("/l402/3d-model", READABLE),
    route("/errors", READABLE),
    route("/metrics", READABLE),
    route("static", READABLE),
    route("unmatched", READABLE),
];

impl RequestId {
    /// 16 hexadecimal characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// Runs the handler and does everything that is the same for all of them.
pub async fn observe(mut request: Request, next: Next) -> Response<Body> {
    let began = Instant::now();
    let id = RequestId(request_id());
    let method = request.method().clone();
    let is_api = request.uri().path().starts_with("/api/l402");
    let route = Route::of(request.extensions().get::<MatchedPath>());
    request.extensions_mut().insert(id.clone());

    let mut response =
        if method == Method::OPTIONS && route.is_known() { preflight(route.allow) } else { next.run(request).await };
    add_common_headers(response.headers_mut(), &id, is_api);

    let (status, elapsed) = (response.status(), began.elapsed());
    write_line(&id, &method, route, status, elapsed.as_secs_f64() * 1_000.0, response.extensions().get::<Sent>());
    route.seconds(status).record(elapsed.as_secs_f64());
    response
}

impl Route {
    fn of(matched: Option<&MatchedPath>) -> &'static Self {
        let path = match matched.map_or("unmatched", MatchedPath::as_str) {
            path if path.starts_with("/static/") || path == "/favicon.ico" => "static",
            path => path,
        };
        let [.., unmatched] = &ROUTES;
        ROUTES.iter().find(|route| route.path == path).unwrap_or(unmatched)
    }

    fn is_known(&self) -> bool {
        self.path != "unmatched"
    }

    /// Looking a metric up by its labels costs more than all else here, so each is looked up once.
    fn seconds(&self, status: StatusCode) -> &Histogram {
        let class = match status.as_u16() {
            200..=299 => 0,
            300..=399 => 1,
            402 => 2,
            400..=499 => 3,
            _ => 4,
        };
        let name = CLASSES[class];
        self.seconds[class]
            .get_or_init(|| metrics::histogram!("satforge_http_seconds", "route" => self.path, "status" => name))
    }
}

const fn route(path: &'static str, allow: &'static str) -> Route {
    Route { path, allow, seconds: [const { OnceLock::new() }; CLASSES.len()] }
}

fn request_id() -> HeaderValue {
    let mut text = [0; 16];
    // The lengths agree.
    let _ = hex::encode_to_slice(rand::random::<u64>().to_be_bytes(), &mut text);
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("unknown"))
}

fn write_line(
    id: &RequestId,
    method: &Method,
    route: &Route,
    status: StatusCode,
    elapsed_ms: f64,
    sent: Option<&Sent>,
) {
    let (method, route, status) = (method.as_str(), route.path, status.as_u16());
    let elapsed_ms = (elapsed_ms * 1_000.0).round() / 1_000.0;
    let code = sent.map_or("", |sent| sent.code.entry().name);
    if let Some(cause) = sent.and_then(|sent| sent.cause.as_deref()) {
        tracing::error!(
            request.id = id.as_str(),
            http.method = method,
            http.route = route,
            http.status = status,
            error.code = code,
            error.cause = cause,
            elapsed_ms,
            "request"
        );
    } else {
        tracing::info!(
            request.id = id.as_str(),
            http.method = method,
            http.route = route,
            http.status = status,
            error.code = code,
            elapsed_ms,
            "request"
        );
    }
}

fn preflight(allow: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(allow));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(allow));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

fn add_common_headers(headers: &mut HeaderMap, id: &RequestId, is_api: bool) {
    headers.insert("x-request-id", id.0.clone());
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_api {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
