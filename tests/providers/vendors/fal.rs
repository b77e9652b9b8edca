//! fal's queue, and the API that tells of models and requests.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Method, Response, Uri};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use satforge::clock::Clock;
use satforge::config::{ProviderConfig, ProviderKind};
use satforge::providers::{Provider, SetupError, fal};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::serve::{json as answer, query};
use crate::upstream::{End, Generation, Stage, Upstream};
use crate::vendor::{Can, Errand, Find, Vendor, Webhook};
use crate::world::PROMPT;

pub struct Fal;

impl Vendor for Fal {
    const MODEL: &'static str = "fal-ai/kling-video/v2.6/pro/text-to-video";
    const RESULT: &'static str = "/video/url";
    const AUTHORIZATION: Option<&'static str> = Some("Key 7b1c:c0ffee");
    const CAN: Can = Can {
        cancel: true,
        discard: true,
        tell_progress: false,
        tell_position: true,
        name_results: true,
        find: Find::Never(Duration::from_mins(1)),
    };

    fn kind(url: &Url) -> ProviderKind {
        ProviderKind::Fal {
            api_key: "7b1c:c0ffee".into(),
            jwks_url: url.join("jwks.json").unwrap(),
            platform_url: url.join("platform/v1").unwrap(),
        }
    }

    fn input() -> Value {
        json!({"prompt": "{prompt}", "duration": "{duration|string}", "aspect_ratio": "16:9"})
    }

    fn check_input(body: &Value) {
        let expected = json!({"prompt": PROMPT, "duration": "5", "aspect_ratio": "16:9"});
        assert_eq!(body["input"], expected);
        let start: u64 = body["start"].as_str().unwrap().parse().unwrap();
        assert!((500..=600).contains(&start), "it is told how long it has: {body}");
    }

    fn build(account: &ProviderConfig, clock: Arc<dyn Clock>) -> Result<Arc<dyn Provider>, SetupError> {
        Ok(Arc::new(fal::Fal::new(account, clock)?))
    }

    fn api(upstream: Arc<Upstream>) -> Router {
        Router::new()
            .route("/fal-ai/kling-video/v2.6/pro/text-to-video", post(create))
            .route("/fal-ai/kling-video/requests/{id}/status", get(poll))
            .route("/fal-ai/kling-video/requests/{id}", get(outcome))
            .route("/fal-ai/kling-video/requests/{id}/cancel", put(cancel))
            .route("/jwks.json", get(keys))
            .route("/platform/v1/models", get(models))
            .route(
                "/platform/v1/models/requests/by-endpoint",
                get(async || Json(json!({"items": [], "has_more": false}))),
            )
            .route("/platform/v1/models/requests/{id}/payloads", delete(forget))
            .with_state(upstream)
    }

    fn errand(method: &Method, path: &str) -> Errand {
        match (method.as_str(), path) {
            ("POST", _) => Errand::Create,
            ("PUT", _) => Errand::Cancel,
            ("DELETE", _) => Errand::Discard,
            (_, "/jwks.json") => Errand::Keys,
            (_, path) if path.contains("/requests/") && path.starts_with("/fal-ai") => Errand::Poll,
            _ => Errand::Probe,
        }
    }

    fn webhook(upstream: &Upstream, generation: &Generation) -> Option<Webhook> {
        let (status, payload, error) = match generation.stage() {
            Stage::Failed(_) => ("ERROR", json!({"detail": "PROSE"}), json!("Invalid status code: 422")),
            _ => ("OK", json!({"video": {"url": upstream.result_of(generation)}}), Value::Null),
        };
        let id = &generation.id;
        let body = json!({
            "request_id": id, "gateway_request_id": id, "status": status, "payload": payload, "error": error,
        });
        let (body, timestamp) = (body.to_string(), upstream.now().to_string());
        let message = format!("{id}\nusr_1\n{timestamp}\n{}", hex::encode(Sha256::digest(&body)));
        Some(Webhook {
            url: generation.body["webhook"].as_str()?.to_owned(),
            headers: vec![
                ("x-fal-webhook-request-id", id.clone()),
                ("x-fal-webhook-user-id", "usr_1".to_owned()),
                ("x-fal-webhook-timestamp", timestamp),
                ("x-fal-webhook-signature", hex::encode(key().sign(message.as_bytes()))),
            ],
            body,
        })
    }

    fn refusal(status: u16) -> Response<Body> {
        let detail = match status {
            402 | 403 => json!("User is locked. Reason: Exhausted balance. PROSE"),
            422 => json!([{"loc": ["body", "prompt"], "msg": "PROSE", "type": "value_error"}]),
            _ => json!("PROSE"),
        };
        answer(status, &json!({"detail": detail}))
    }
}

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&std::array::from_fn::<u8, 32, _>(|n| u8::try_from(n).unwrap())).unwrap()
}

async fn keys() -> Json<Value> {
    let x = URL_SAFE_NO_PAD.encode(key().public_key().as_ref());
    Json(json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "x": x}]}))
}

async fn models(uri: Uri) -> Json<Value> {
    let models = if query(&uri, "endpoint_id").as_deref() == Some(Fal::MODEL) {
        json!([{"endpoint_id": Fal::MODEL, "metadata": {"status": "active"}}])
    } else {
        json!([])
    };
    Json(json!({"models": models, "has_more": false}))
}

async fn create(
    State(upstream): State<Arc<Upstream>>,
    uri: Uri,
    headers: axum::http::HeaderMap,
    Json(input): Json<Value>,
) -> Response<Body> {
    let start = headers["x-fal-request-timeout"].to_str().unwrap();
    let body = json!({"input": input, "webhook": query(&uri, "fal_webhook"), "start": start});
    let generation = upstream.begin(body);
    let url = format!("{}fal-ai/kling-video/requests/{}", upstream.url, generation.id);
    let body = json!({
        "status": "IN_QUEUE", "request_id": generation.id, "response_url": url, "status_url": format!("{url}/status"),
        "cancel_url": format!("{url}/cancel"), "queue_position": 0,
    });
    answer(200, &body)
}

async fn poll(State(upstream): State<Arc<Upstream>>, Path(id): Path<String>) -> Response<Body> {
    let Some((_, stage)) = upstream.poll(&id) else {
        return answer(404, &json!({"detail": "Request not found"}));
    };
    match stage {
        Stage::Queued(ahead) => answer(202, &json!({"status": "IN_QUEUE", "request_id": id, "queue_position": ahead})),
        Stage::Running(_) => answer(202, &json!({"status": "IN_PROGRESS", "request_id": id, "logs": null})),
        _ => answer(
            200,
            &json!({"status": "COMPLETED", "request_id": id, "logs": null, "metrics": {"inference_time": 41.5}}),
        ),
    }
}

async fn outcome(State(upstream): State<Arc<Upstream>>, Path(id): Path<String>) -> Response<Body> {
    let Some(generation) = upstream.get(&id) else {
        return answer(404, &json!({"detail": "Request not found"}));
    };
    match generation.stage() {
        Stage::Queued(_) | Stage::Running(_) => answer(400, &json!({"detail": "Request is still in progress"})),
        Stage::Succeeded => {
            let file = json!({"url": upstream.result_of(&generation), "content_type": "video/mp4", "file_size": 59});
            let mut response = answer(200, &json!({"video": file}));
            response.headers_mut().insert("x-fal-billable-units", "5.0".parse().unwrap());
            response
        }
        Stage::Failed(End::Failed) => Fal::refusal(422),
        Stage::Failed(End::Rejected) => {
            let detail = json!([{"loc": ["body", "prompt"], "msg": "PROSE", "type": "content_policy_violation"}]);
            answer(422, &json!({"detail": detail}))
        }
        Stage::Failed(End::Transient) => answer(503, &json!({"detail": "PROSE", "error_type": "runner_disconnected"})),
        Stage::Cancelled => answer(499, &json!({"detail": "PROSE", "error_type": "client_cancelled"})),
    }
}

async fn cancel(State(upstream): State<Arc<Upstream>>, Path(id): Path<String>) -> Response<Body> {
    if upstream.stop(&id) {
        answer(202, &json!({"status": "CANCELLATION_REQUESTED"}))
    } else {
        answer(404, &json!({"status": "NOT_FOUND"}))
    }
}

async fn forget(State(upstream): State<Arc<Upstream>>, Path(id): Path<String>) -> Response<Body> {
    if upstream.forget(&id) { answer(200, &json!({"cdn_delete_results": []})) } else { Fal::refusal(404) }
}
