//! `OpenRouter`'s HTTP API: videos.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Method, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hmac::{Hmac, KeyInit as _, Mac as _};
use satforge::clock::Clock;
use satforge::config::{ProviderConfig, ProviderKind};
use satforge::providers::{Provider, SetupError, openrouter};
use serde_json::{Value, json};
use sha2::Sha256;
use url::Url;

use crate::serve::{json as answer, result};
use crate::upstream::{End, Generation, Stage, Upstream};
use crate::vendor::{Can, Errand, Find, Vendor, Webhook};
use crate::world::PROMPT;

pub struct OpenRouter;

const WEBHOOK_SECRET: &str = "whk_c0ffee";

impl Vendor for OpenRouter {
    const MODEL: &'static str = "kwaivgi/kling-v3.0-std";
    const RESULT: &'static str = "";
    const AUTHORIZATION: Option<&'static str> = Some("Bearer sk-or-v1-c0ffee");
    const CAN: Can = Can {
        cancel: false,
        discard: false,
        tell_progress: false,
        tell_position: false,
        name_results: false,
        find: Find::Never(Duration::from_secs(30)),
    };

    fn kind(_url: &Url) -> ProviderKind {
        ProviderKind::OpenRouter { api_key: "sk-or-v1-c0ffee".into(), webhook_secret: Some(WEBHOOK_SECRET.into()) }
    }

    fn base(url: &Url) -> Url {
        url.join("api/v1").unwrap()
    }

    fn input() -> Value {
        json!({
            "prompt": "{prompt}", "duration": "{duration}", "resolution": "720p", "generate_audio": false,
            "seed": "{seed}", "model": "another",
        })
    }

    fn check_input(body: &Value) {
        assert_eq!((&body["prompt"], &body["duration"]), (&json!(PROMPT), &json!(5)), "{body}");
        assert_eq!((&body["model"], &body["generate_audio"]), (&json!(Self::MODEL), &json!(false)), "{body}");
        assert!(body["seed"].is_u64(), "{body}");
        assert!(body["callback_url"].is_string(), "{body}");
    }

    fn build(account: &ProviderConfig, clock: Arc<dyn Clock>) -> Result<Arc<dyn Provider>, SetupError> {
        Ok(Arc::new(openrouter::OpenRouter::new(account, clock)?))
    }

    fn api(upstream: Arc<Upstream>) -> Router {
        Router::new()
            .route("/api/v1/key", get(async || Json(json!({"data": {"limit": null, "limit_remaining": null}}))))
            .route("/api/v1/videos/models", get(models))
            .route("/api/v1/videos", post(create))
            .route("/api/v1/videos/{id}", get(poll))
            .route("/api/v1/videos/{id}/content", get(content))
            .with_state(upstream)
    }

    fn errand(method: &Method, path: &str) -> Errand {
        match (method.as_str(), path) {
            ("POST", "/api/v1/videos") => Errand::Create,
            (_, "/api/v1/key" | "/api/v1/videos/models") => Errand::Probe,
            (_, path) if path.ends_with("/content") => Errand::File,
            _ => Errand::Poll,
        }
    }

    /// There is none but at the end.
    fn webhook(upstream: &Upstream, generation: &Generation) -> Option<Webhook> {
        let data = job(upstream, generation, Stage::Succeeded);
        let body = json!({"type": "video.generation.completed", "created_at": 1, "data": data}).to_string();
        let now = upstream.now();
        let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
        mac.update(format!("{now},{body}").as_bytes());
        let signature = format!("t={now},v1={}", hex::encode(mac.finalize().into_bytes()));
        Some(Webhook {
            url: generation.body["callback_url"].as_str()?.to_owned(),
            headers: vec![("x-openrouter-signature", signature)],
            body,
        })
    }

    fn refusal(status: u16) -> Response<Body> {
        answer(status, &json!({"error": {"code": status, "message": "PROSE about what was asked."}}))
    }
}

async fn models() -> Json<Value> {
    Json(json!({"data": [
        {"id": "google/veo-3.1", "canonical_slug": "google/veo-3.1"},
        {"id": OpenRouter::MODEL, "canonical_slug": "kwaivgi/kling-v3.0-std-20260101", "supported_durations": [5, 10]},
    ]}))
}

async fn create(State(upstream): State<Arc<Upstream>>, Json(body): Json<Value>) -> Response<Body> {
    let id = upstream.begin(body).id;
    let path = format!("/api/v1/videos/{id}");
    answer(202, &json!({"id": id, "polling_url": path, "status": "pending", "generation_id": "gen-xyz789"}))
}

fn job(upstream: &Upstream, generation: &Generation, stage: Stage) -> Value {
    let id = &generation.id;
    let mut job = json!({"id": id, "polling_url": format!("/api/v1/videos/{id}"), "model": OpenRouter::MODEL});
    let status = match stage {
        Stage::Queued(_) => "pending",
        Stage::Running(_) => "in_progress",
        Stage::Cancelled => "cancelled",
        Stage::Succeeded => {
            job["unsigned_urls"] = json!([upstream.result_of(generation)]);
            job["usage"] = json!({"cost": 0.42, "is_byok": false});
            "completed"
        }
        Stage::Failed(end) => {
            job["error"] = json!(match end {
                End::Failed => "PROSE: the aspect ratio is not supported",
                End::Rejected => "PROSE: Content policy violation",
                End::Transient => "PROSE: the provider is overloaded",
            });
            "failed"
        }
    };
    job["status"] = json!(status);
    job
}

async fn poll(State(upstream): State<Arc<Upstream>>, Path(id): Path<String>) -> Response<Body> {
    match upstream.poll(&id) {
        Some((generation, stage)) => answer(200, &job(&upstream, &generation, stage)),
        None => OpenRouter::refusal(404),
    }
}

async fn content(State(upstream): State<Arc<Upstream>>, Path(id): Path<String>) -> Response<Body> {
    match upstream.get(&id).map(|generation| generation.stage()) {
        Some(Stage::Succeeded) => result(&upstream),
        Some(_) => OpenRouter::refusal(400),
        None => OpenRouter::refusal(404),
    }
}
