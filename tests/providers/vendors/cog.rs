//! cog's HTTP server: predictions whose end it tells by webhook, and nobody else.

use std::path::Path as Folder;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{Method, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use satforge::clock::Clock;
use satforge::config::{ProviderConfig, ProviderKind};
use satforge::providers::{Provider, SetupError, cog};
use serde_json::{Value, json};
use url::Url;

use crate::kit::client;
use crate::serve::json as answer;
use crate::upstream::{End, Generation, Stage, Upstream};
use crate::vendor::{Can, Errand, Find, Vendor};
use crate::world::PROMPT;

const TOKEN: &str = "c0ffee-of-cog";

pub struct Cog;

impl Vendor for Cog {
    const MODEL: &'static str = "";
    const RESULT: &'static str = "/video";
    const AUTHORIZATION: Option<&'static str> = None;
    const CAN: Can = Can {
        cancel: true,
        discard: false,
        tell_progress: true,
        tell_position: false,
        name_results: true,
        find: Find::Exactly(Duration::from_secs(10)),
    };

    fn kind(_url: &Url) -> ProviderKind {
        ProviderKind::Cog { webhook_secret: TOKEN.into() }
    }

    fn input() -> Value {
        json!({"prompt": "{prompt}", "seconds": "{duration}", "seed": "{seed}"})
    }

    fn check_input(body: &Value) {
        let input = &body["input"];
        assert_eq!((&input["prompt"], &input["seconds"]), (&json!(PROMPT), &json!(5)), "{body}");
        assert_eq!(body["webhook_events_filter"], json!(["start", "completed"]), "{body}");
    }

    fn build(_: &ProviderConfig, _: Arc<dyn Clock>) -> Result<Arc<dyn Provider>, SetupError> {
        panic!("it keeps webhooks in a folder")
    }

    fn build_in(
        account: &ProviderConfig,
        clock: Arc<dyn Clock>,
        folder: &Folder,
    ) -> Result<Arc<dyn Provider>, SetupError> {
        Ok(Arc::new(cog::Cog::new(account, folder, clock)?))
    }

    fn api(upstream: Arc<Upstream>) -> Router {
        Router::new()
            .route("/health-check", get(health))
            .route("/predictions/{id}", put(predict))
            .route("/predictions/{id}/cancel", post(cancel))
            .with_state(upstream)
    }

    fn errand(method: &Method, path: &str) -> Errand {
        match method.as_str() {
            "PUT" => Errand::Poll,
            "POST" => Errand::Cancel,
            _ => {
                assert_eq!(path, "/health-check");
                Errand::Probe
            }
        }
    }

    /// A look has no header of its own, and one for what never came is a look for what was sent.
    fn errand_of(request: &Request, upstream: &Upstream) -> Errand {
        let path = request.uri().path();
        match Self::errand(request.method(), path) {
            Errand::Poll if request.headers().contains_key("prefer") => Errand::Create,
            Errand::Poll if find(upstream, &path["/predictions/".len()..]).is_none() => Errand::List,
            errand => errand,
        }
    }

    fn refusal(status: u16) -> Response<Body> {
        let detail = json!([{"loc": ["body", "input", "prompt"], "msg": "PROSE", "type": "value_error"}]);
        answer(status, &json!({"detail": if status == 422 { detail } else { json!("PROSE") }}))
    }
}

/// Its create's id in the path is all that it knows a prediction by.
fn find(upstream: &Upstream, id: &str) -> Option<Generation> {
    upstream.newest_first().into_iter().find(|generation| generation.body["id"] == id)
}

/// Whatever is lost, is lost with the process.
async fn health(State(upstream): State<Arc<Upstream>>) -> Response<Body> {
    let process = upstream.all().len() - upstream.newest_first().len();
    answer(200, &json!({"status": "READY", "setup": {"started_at": format!("process {process}"), "logs": "PROSE"}}))
}

async fn predict(
    State(upstream): State<Arc<Upstream>>,
    Path(id): Path<String>,
    Json(mut body): Json<Value>,
) -> Response<Body> {
    if body["input"] != 0 {
        body["id"] = json!(id);
        let generation = upstream.begin(body);
        tell(&generation, json!({"id": id, "logs": "", "metrics": {}, "status": "processing"}));
        return answer(202, &json!({"id": id, "status": "starting"}));
    }
    let known = find(&upstream, &id).and_then(|generation| upstream.poll(&generation.id));
    let Some((generation, stage)) = known else { return Cog::refusal(422) };
    let progress = match stage {
        Stage::Queued(_) => 0.0,
        Stage::Running(progress) => progress,
        Stage::Succeeded | Stage::Failed(_) | Stage::Cancelled => {
            tell(&generation, ended(&upstream, &generation, &id, stage));
            return Cog::refusal(422);
        }
    };
    let metrics = json!({"progress": progress});
    let input = &generation.body["input"];
    answer(202, &json!({"id": id, "input": input, "logs": "PROSE", "metrics": metrics, "status": "processing"}))
}

fn ended(upstream: &Upstream, generation: &Generation, id: &str, stage: Stage) -> Value {
    let mut event = json!({"id": id, "logs": "PROSE", "metrics": {"predict_time": 41.5}, "status": "failed"});
    match stage {
        Stage::Failed(End::Failed) => event["error"] = json!("Prediction failed: ValueError: PROSE"),
        Stage::Failed(End::Rejected) => event["error"] = json!("Prediction failed: ValueError: CONTENT_REJECTED PROSE"),
        Stage::Failed(End::Transient) => event["error"] = json!("Worker crashed"),
        Stage::Cancelled => event["status"] = json!("canceled"),
        _ => {
            event["status"] = json!("succeeded");
            event["output"] = json!({"video": upstream.result_of(generation), "seed": 7});
        }
    }
    event
}

/// Sends a webhook, on which nobody waits.
fn tell(generation: &Generation, event: Value) {
    let url = generation.body["webhook"].as_str().unwrap().to_owned();
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move {
        let post = client::builder().build().unwrap().post(url).header("authorization", format!("Bearer {TOKEN}"));
        // A gateway that has ended does not answer.
        if let Ok(answer) = post.json(&event).send().await {
            assert_eq!(answer.status(), 200, "{event}");
        }
    });
}

async fn cancel(State(upstream): State<Arc<Upstream>>, Path(id): Path<String>) -> Response<Body> {
    let stopped = find(&upstream, &id).is_some_and(|generation| upstream.stop(&generation.id));
    answer(if stopped { 200 } else { 404 }, &json!({}))
}
