//! The pages and their static files.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::routing::get;
use bytes::Bytes;

use super::error::ErrorCode;
use super::gateway::Gateway;
use super::problem::Problem;
use super::storefront::Display;

/// No script, style or image from anywhere else, none inline, and no frame around the pages.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; media-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file that is built in.
struct StaticFile {
    path: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

const FILES: [StaticFile; 4] = [
    StaticFile {
        path: "/static/style.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../../static/style.css"),
    },
    StaticFile {
        path: "/static/script.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../static/script.js"),
    },
    StaticFile {
        path: "/static/favicon.svg",
        media_type: "image/svg+xml",
        bytes: include_bytes!("../../static/favicon.svg"),
    },
    StaticFile {
        path: "/static/sample.png",
        media_type: "image/png",
        bytes: include_bytes!("../../static/sample.png"),
    },
];

/// The routes of all pages and files; errors where a template does.
pub fn routes(gateway: &Gateway) -> Result<Router<Arc<Gateway>>, askama::Error> {
    let mut router = Router::new();
    for route in gateway.storefront.show(gateway)?.pages.keys() {
        let path = route.clone();
        let show = move |State(gateway): State<Arc<Gateway>>| async move {
            answer(&gateway, StatusCode::OK, |shown| shown.pages.get(&path))
        };
        router = router.route(route, get(show));
    }
    for file in &FILES {
        router = router.route(file.path, get(move || async move { static_file(file) }));
    }
    // Browsers ask for it whatever the page says.
    Ok(router.route("/favicon.ico", get(|| async { static_file(&FILES[2]) })))
}

/// The page for a path that leads nowhere.
#[must_use]
pub fn not_found(gateway: &Gateway) -> Response<Body> {
    answer(gateway, StatusCode::NOT_FOUND, |shown| Some(&shown.not_found))
}

fn answer(gateway: &Gateway, status: StatusCode, pick: impl Fn(&Display) -> Option<&Bytes>) -> Response<Body> {
    match gateway.storefront.show(gateway) {
        Ok(shown) => match pick(&shown) {
            Some(html) => page(status, html.clone()),
            None => gateway.refuse(&Problem::new(ErrorCode::NotFound)),
        },
        Err(error) => gateway.refuse(&Problem::new(ErrorCode::Internal).cause(&error)),
    }
}

fn page(status: StatusCode, page: Bytes) -> Response<Body> {
    let mut response = html(status, page);
    // Prices and what is for sale change at any time.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// A page that is one caller's alone: nobody keeps it.
pub(super) fn html(status: StatusCode, page: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("referrer-policy", HeaderValue::from_static("no-referrer"));
    response
}

/// A page whose form this gateway reads itself.
pub(super) fn form(mut response: Response<Body>) -> Response<Body> {
    if let Ok(policy) = HeaderValue::from_str(&POLICY.replace("form-action 'none'", "form-action 'self'")) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn static_file(file: &'static StaticFile) -> Response<Body> {
    let mut response = Response::new(Body::from(file.bytes));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.media_type));
    // The pages name the version, so a new one is fetched at once.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=86400"));
    response
}
