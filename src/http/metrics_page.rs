//! `GET /metrics` on a listener of its own, which is not for callers.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response, StatusCode};
use axum::routing::get;
use metrics::gauge;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::clock::{Clock, signed_millis};
use crate::store::{Stats, Store};

const OPEN_STATES: [&str; 4] = ["queued", "dispatching", "running", "storing"];

struct Metrics {
    handle: PrometheusHandle,
    store: Store,
    clock: Arc<dyn Clock>,
    providers: Vec<String>,
}

/// The routes; `providers` are those that gauges are shown for even when they have no jobs.
pub fn router(handle: PrometheusHandle, store: Store, clock: Arc<dyn Clock>, providers: Vec<String>) -> Router {
    let metrics = Arc::new(Metrics { handle, store, clock, providers });
    Router::new().route("/metrics", get(render)).with_state(metrics)
}

async fn render(State(metrics): State<Arc<Metrics>>) -> Response<Body> {
    match metrics.store.stats().await {
        Ok(stats) => metrics.set_gauges(&stats),
        Err(error) => {
            tracing::error!(%error, "reading the figures for the metrics failed");
            let mut response = Response::new(Body::from("the database does not answer\n"));
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            return response;
        }
    }
    let mut response = Response::new(Body::from(metrics.handle.render()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    response
}

impl Metrics {
    #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "a gauge needs no more precision")]
    fn set_gauges(&self, stats: &Stats) {
        for state in OPEN_STATES {
            for provider in self.providers.iter().map(String::as_str).chain(["none"]) {
                gauge!("satforge_jobs_open", "state" => state, "provider" => provider.to_owned()).set(0.0);
            }
        }
        for (state, provider, jobs) in &stats.open {
            let provider = provider.clone().unwrap_or_else(|| "none".to_owned());
            gauge!("satforge_jobs_open", "state" => state.clone(), "provider" => provider).set(*jobs as f64);
        }
        let now = signed_millis(self.clock.unix_millis());
        let age = stats.oldest_queued.map_or(0, |oldest| now.saturating_sub(oldest).max(0));
        gauge!("satforge_queue_age_seconds").set(age as f64 / 1_000.0);
        let (refunds, msat) = stats.refunds_due;
        gauge!("satforge_refunds_due").set(refunds as f64);
        gauge!("satforge_refunds_due_sats").set(msat as f64 / 1_000.0);
    }
}
