//! `vLLM-Omni`'s HTTP API, with ids as awkward as `LiteLLM`'s.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, Response, Uri};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use satforge::clock::Clock;
use satforge::config::{ProviderConfig, ProviderKind};
use satforge::providers::{Provider, SetupError, videos};
use serde_json::{Value, json};
use url::Url;

use super::{deletion, form};
use crate::serve::{json as answer, query, result};
use crate::upstream::{End, Generation, Stage, Upstream};
use crate::vendor::{Can, Errand, Find, Vendor};
use crate::world::PROMPT;

/// What every id begins with.
const PREFIX: &str = "video_bGl0ZWxsbQ/+==.";

pub struct Videos;

impl Vendor for Videos {
    const MODEL: &'static str = "Wan-AI/Wan2.2-T2V-A14B-Diffusers";
    const RESULT: &'static str = "";
    const AUTHORIZATION: Option<&'static str> = Some("Bearer sk-c0ffee");
    const CAN: Can = Can {
        cancel: true,
        discard: true,
        tell_progress: true,
        tell_position: false,
        name_results: false,
        find: Find::Alike(Duration::from_secs(10)),
    };

    fn kind(_url: &Url) -> ProviderKind {
        ProviderKind::Videos { api_key: Some("sk-c0ffee".into()) }
    }

    fn input() -> Value {
        json!({
            "prompt": "{prompt}{camera_note}", "seconds": "{duration}", "size": "1280x720", "seed": "{seed}",
            "extra_params": {"sampler": ["a", 1]}, "user": null,
        })
    }

    fn check_input(body: &Value) {
        let mut body = body.clone();
        let seed = body.as_object_mut().unwrap().remove("seed").unwrap();
        assert!(seed.as_str().unwrap().parse::<u32>().is_ok(), "{seed}");
        let expected = json!({
            "prompt": PROMPT, "seconds": "5", "size": "1280x720", "extra_params": r#"{"sampler":["a",1]}"#,
            "model": Self::MODEL,
        });
        assert_eq!(body, expected, "everything is a text, and null is nothing");
    }

    fn build(account: &ProviderConfig, clock: Arc<dyn Clock>) -> Result<Arc<dyn Provider>, SetupError> {
        Ok(Arc::new(videos::Videos::new(account, clock)?))
    }

    fn api(upstream: Arc<Upstream>) -> Router {
        Router::new()
            .route("/v1/models", get(async || Json(json!({"object": "list", "data": [{"id": Self::MODEL}]}))))
            .route("/v1/videos", get(list).post(create))
            .route("/v1/videos/{id}", get(poll).delete(delete))
            .route("/v1/videos/{id}/content", get(content))
            .with_state(upstream)
    }

    fn errand(method: &Method, path: &str) -> Errand {
        match (method.as_str(), path) {
            ("POST", _) => Errand::Create,
            ("DELETE", _) => Errand::Discard,
            (_, "/v1/videos") => Errand::List,
            (_, path) if path.ends_with("/content") => Errand::File,
            (_, path) if path.starts_with("/v1/videos/") => Errand::Poll,
            _ => Errand::Probe,
        }
    }

    fn errand_of(request: &Request, upstream: &Upstream) -> Errand {
        let errand = Self::errand(request.method(), request.uri().path());
        if errand == Errand::Discard { deletion(upstream, request.uri().path()) } else { errand }
    }

    fn refusal(status: u16) -> Response<Body> {
        let error = json!({"message": "PROSE about what was asked.", "type": "Error", "param": null, "code": status});
        answer(status, &json!({"error": error}))
    }
}

fn generation_of(id: &str) -> &str {
    id.strip_prefix(PREFIX).unwrap()
}

fn job(generation: &Generation, stage: Stage) -> Value {
    let (status, progress, error) = match stage {
        Stage::Queued(_) => ("queued", 0.0, Value::Null),
        Stage::Running(progress) => ("in_progress", progress * 100.0, Value::Null),
        Stage::Succeeded => ("completed", 100.0, Value::Null),
        Stage::Cancelled => ("cancelled", 0.0, Value::Null),
        Stage::Failed(end) => ("failed", 0.0, error_of(end)),
    };
    json!({
        "id": format!("{PREFIX}{}", generation.id), "object": "video", "model": Videos::MODEL, "status": status,
        "prompt": generation.body["prompt"], "size": generation.body["size"], "seconds": generation.body["seconds"],
        "progress": progress, "created_at": generation.created_at / 1000, "error": error, "media_type": "video/mp4",
    })
}

fn error_of(end: End) -> Value {
    match end {
        End::Failed => json!({"code": 400, "message": "PROSE: height must be divisible by 16"}),
        End::Rejected => json!({"code": 400, "message": "PROSE: refused by the safety checker"}),
        End::Transient => json!({"code": 500, "message": "PROSE: CUDA out of memory"}),
    }
}

async fn create(State(upstream): State<Arc<Upstream>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let fields = form(&headers, &body).into_iter().map(|(name, part)| (name, part.text().into()));
    let generation = upstream.begin(Value::Object(fields.collect()));
    answer(200, &job(&generation, Stage::Queued(0)))
}

/// A generation that has failed is told with the status of its failure.
async fn poll(State(upstream): State<Arc<Upstream>>, Path(id): Path<String>) -> Response<Body> {
    let Some((generation, stage)) = upstream.poll(generation_of(&id)) else { return not_found() };
    let job = job(&generation, stage);
    let status = job["error"]["code"].as_u64().unwrap_or(200);
    answer(status.try_into().unwrap(), &job)
}

async fn content(State(upstream): State<Arc<Upstream>>, Path(id): Path<String>) -> Response<Body> {
    match upstream.get(generation_of(&id)).map(|generation| generation.stage()) {
        Some(Stage::Succeeded) => result(&upstream),
        _ => not_found(),
    }
}

async fn delete(State(upstream): State<Arc<Upstream>>, Path(id): Path<String>) -> Response<Body> {
    let stage = upstream.get(generation_of(&id)).map(|generation| generation.stage());
    if matches!(stage, Some(Stage::Queued(_) | Stage::Running(_))) {
        upstream.stop(generation_of(&id));
    }
    if !upstream.forget(generation_of(&id)) {
        return not_found();
    }
    answer(200, &json!({"id": id, "deleted": true, "object": "video.deleted"}))
}

fn not_found() -> Response<Body> {
    answer(404, &json!({"detail": "Video not found"}))
}

async fn list(State(upstream): State<Arc<Upstream>>, uri: Uri) -> Response<Body> {
    assert_eq!(query(&uri, "order").as_deref(), Some("desc"));
    let limit: usize = query(&uri, "limit").unwrap().parse().unwrap();
    let all = upstream.newest_first();
    let data: Vec<_> = all.iter().take(limit).map(|generation| job(generation, generation.stage())).collect();
    answer(200, &json!({"object": "list", "data": data, "has_more": all.len() > limit}))
}
