//! The pages and their static files: rendered once, at the start.

use axum::Router;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::routing::get;
use bytes::Bytes;

use super::gateway::Gateway;
use super::pages;

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

/// The page for what is not there.
#[derive(Clone)]
pub struct NotFoundPage(Bytes);

/// The routes of all pages and files; errors where a template does.
pub fn routes<S: Clone + Send + Sync + 'static>(gateway: &Gateway) -> Result<Router<S>, askama::Error> {
    let site = &gateway.site;
    let mut rendered = vec![
        ("/".to_owned(), pages::render_home(site)?),
        ("/l402".to_owned(), pages::render_guide(site)?),
        ("/errors".to_owned(), pages::render_errors(site, &Gateway::error_docs())?),
    ];
    for service in &site.services {
        rendered.push((format!("/l402/{}", service.id), pages::render_service(site, service)?));
    }
    let mut router = Router::new();
    for (path, html) in rendered {
        let html = Bytes::from(html);
        router = router.route(&path, get(move || async move { page(StatusCode::OK, html.clone()) }));
    }
    for file in &FILES {
        router = router.route(file.path, get(move || async move { static_file(file) }));
    }
    // Browsers ask for it whatever the page says.
    Ok(router.route("/favicon.ico", get(|| async { static_file(&FILES[2]) })))
}

impl NotFoundPage {
    /// Renders it.
    pub fn render(gateway: &Gateway) -> Result<Self, askama::Error> {
        pages::render_not_found(&gateway.site).map(|html| Self(Bytes::from(html)))
    }

    /// The response.
    #[must_use]
    pub fn response(&self) -> Response<Body> {
        page(StatusCode::NOT_FOUND, self.0.clone())
    }
}

fn page(status: StatusCode, html: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("referrer-policy", HeaderValue::from_static("no-referrer"));
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
