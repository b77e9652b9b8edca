//! The routes, as one table.
//!
//! | method | path | handler |
//! |---|---|---|
//! | POST | `/api/l402/{service}` | [`generate::purchase`] |
//! | GET | `/api/l402/{service}` | [`discovery::service`] |
//! | GET | `/api/l402/jobs/{id}` | [`job::show`] |
//! | GET | `/api/l402/jobs/{id}/events` | [`job::events`] |
//! | GET, POST | `/api/l402/refunds/{id}` | [`refund::claim`] |
//! | GET | `/lnurl/{name}`, `/lnurl/{name}/pay` | [`refund::withdraw`] |
//! | GET | `/refunds/{name}` | [`refund::page`] |
//! | GET, POST | `/recover`, `/api/l402/recover` | [`recover`] |
//! | GET | `/api/error-codes` | [`discovery::error_codes`] |
//! | GET | `/artifacts/{name}` | [`artifact::serve`] |
//! | GET | `/inputs/{name}` | [`webhook::input`] |
//! | POST | `/webhooks/{name}` | [`webhook::receive`] |
//! | POST | `/sandbox/pay`, `/sandbox/invoice` | [`sandbox`] |
//! | GET | `/healthz`, `/readyz` | [`discovery`] |
//! | GET | `/`, `/l402`, `/l402/{service}`, `/errors`, `/static/…` | [`page`] |

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::ACCEPT;
use axum::middleware::from_fn;
use axum::routing::{get, post};

use crate::domain::ServiceId;

use super::answer::rendered_json;
use super::error::ErrorCode;
use super::gateway::Gateway;
use super::problem::Problem;
use super::{artifact, discovery, generate, job, observe, page, recover, refund, sandbox, webhook};

/// The whole edge; errors where a page's template does.
pub fn router(gateway: Arc<Gateway>) -> Result<Router, askama::Error> {
    let mut router: Router<Arc<Gateway>> = page::routes(&gateway)?;
    for service in ServiceId::ALL {
        let methods = post(move |state, request| generate::purchase(service, state, request))
            .get(move |state| discovery::service(service, state));
        router = router.route(service.path(), methods);
    }
    if gateway.sandbox.is_some() {
        router =
            router.route("/sandbox/pay", post(sandbox::pay)).route("/sandbox/invoice", post(sandbox::make_invoice));
    }
    let error_codes = discovery::error_codes(&gateway);
    let router = router
        .route("/api/l402/jobs/{id}", get(job::show))
        .route("/api/l402/jobs/{id}/events", get(job::events))
        .route("/api/l402/refunds/{id}", get(refund::claim::show).post(refund::claim::claim))
        .route("/api/l402/recover", get(recover::show).post(recover::find_by_post))
        .route("/recover", get(recover::show).post(recover::find_by_post))
        .route("/refunds/{name}", get(refund::page::show))
        .route("/lnurl/{name}", get(refund::withdraw::request))
        .route("/lnurl/{name}/pay", get(refund::withdraw::pay))
        .route("/api/error-codes", get(move || async move { rendered_json(StatusCode::OK, error_codes.clone()) }))
        .route("/artifacts/{name}", get(artifact::serve))
        .route("/inputs/{name}", get(webhook::input))
        .route("/webhooks/{name}", post(webhook::receive))
        .route("/healthz", get(discovery::healthz))
        .route("/readyz", get(discovery::readyz))
        .method_not_allowed_fallback(|State(gateway): State<Arc<Gateway>>| async move {
            gateway.refuse(&Problem::new(ErrorCode::MethodNotAllowed))
        })
        .fallback(|State(gateway): State<Arc<Gateway>>, request: Request| async move {
            if wants_html(&request) {
                page::not_found(&gateway)
            } else {
                gateway.refuse(&Problem::new(ErrorCode::NotFound))
            }
        })
        .layer(from_fn(observe::observe))
        .with_state(gateway);
    Ok(router)
}

/// A person with a browser gets a page, everybody else the problem document.
fn wants_html(request: &Request) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    accept.contains("text/html") && !request.uri().path().starts_with("/api/")
}
