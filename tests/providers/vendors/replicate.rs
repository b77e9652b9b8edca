//! Replicate's HTTP API: predictions.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Method, Response, Uri};
use axum::routing::{get, post};
use axum::{Json, Router};
use satforge::clock::Clock;
use satforge::config::{ProviderConfig, ProviderKind};
use satforge::domain::ServiceId;
use satforge::domain::standard_webhooks::{self, WebhookSecret};
use satforge::providers::{Provider, SetupError, replicate};
use serde_json::{Value, json};
use url::Url;

use crate::serve::{json as answer, query};
use crate::upstream::{End, Generation, Stage, Upstream};
use crate::vendor::{Can, Errand, Find, Vendor, Webhook};
use crate::world::PROMPT;

pub struct Replicate;

pub const WEBHOOK_SECRET: &str = "whsec_c0ffeec0ffeec0ffeec0ffeec0ffee00";

impl Vendor for Replicate {
    const MODEL: &'static str = "bytedance/seedance-1-pro";
    const RESULT: &'static str = "";
    const AUTHORIZATION: Option<&'static str> = Some("Bearer r8_c0ffee");
    const CAN: Can = Can {
        cancel: true,
        discard: false,
        tell_progress: true,
        tell_position: false,
        name_results: true,
        find: Find::Exactly(std::time::Duration::from_secs(45)),
    };

    fn kind(_url: &Url) -> ProviderKind {
        ProviderKind::Replicate { api_key: "r8_c0ffee".into(), webhook_secret: Some(WEBHOOK_SECRET.into()) }
    }

    fn base(url: &Url) -> Url {
        url.join("v1").unwrap()
    }

    fn input() -> Value {
        json!({"prompt": "{prompt}", "duration": "{duration}", "resolution": "720p", "seed": "{seed}"})
    }

    fn check_input(body: &Value) {
        let input = &body["input"];
        assert_eq!((&input["prompt"], &input["duration"]), (&json!(PROMPT), &json!(5)), "{body}");
        assert_eq!(input["resolution"], "720p", "{body}");
        assert!(input["seed"].is_u64(), "{body}");
        assert_eq!(body["webhook_events_filter"], json!(["start", "completed"]), "{body}");
        assert_eq!(body.as_object().unwrap().len(), 3, "it refuses what it does not know: {body}");
    }

    fn build(account: &ProviderConfig, clock: Arc<dyn Clock>) -> Result<Arc<dyn Provider>, SetupError> {
        Ok(Arc::new(replicate::Replicate::new(account, clock)?))
    }

    fn api(upstream: Arc<Upstream>) -> Router {
        Router::new()
            .route("/v1/models/bytedance/seedance-1-pro/predictions", post(create))
            .route("/v1/models/bytedance/seedance-1-pro", get(model))
            .route("/v1/models/firtoz/trellis/versions/{version}", get(model))
            .route("/v1/account", get(async || Json(json!({"type": "organization", "username": "acme"}))))
            .route("/v1/predictions", get(list).post(create))
            .route("/v1/predictions/{id}", get(poll))
            .route("/v1/predictions/{id}/cancel", post(cancel))
            .with_state(upstream)
    }

    fn errand(method: &Method, path: &str) -> Errand {
        match (method.as_str(), path) {
            ("POST", path) if path.ends_with("/cancel") => Errand::Cancel,
            ("POST", _) => Errand::Create,
            (_, "/v1/predictions") => Errand::List,
            (_, path) if path.starts_with("/v1/predictions/") => Errand::Poll,
            _ => Errand::Probe,
        }
    }

    fn webhook(upstream: &Upstream, generation: &Generation) -> Option<Webhook> {
        let body = prediction(upstream, generation, generation.stage()).to_string();
        let (secret, now) = (WebhookSecret::parse(WEBHOOK_SECRET).unwrap(), upstream.now());
        Some(Webhook {
            url: generation.body["webhook"].as_str()?.to_owned(),
            headers: vec![
                ("webhook-id", "msg_1".to_owned()),
                ("webhook-timestamp", now.to_string()),
                ("webhook-signature", standard_webhooks::sign(&secret, "msg_1", now, body.as_bytes())),
            ],
            body,
        })
    }

    fn refusal(status: u16) -> Response<Body> {
        let title = match status {
            401 => "Unauthenticated",
            402 => "Insufficient credit",
            422 => "Input validation failed",
            _ => "Error",
        };
        answer(status, &json!({"title": title, "detail": "PROSE about what was asked.", "status": status}))
    }
}

async fn model() -> Json<Value> {
    Json(json!({"name": "seedance-1-pro"}))
}

fn prediction(upstream: &Upstream, generation: &Generation, stage: Stage) -> Value {
    let (status, output, error) = match stage {
        Stage::Queued(_) => ("starting", Value::Null, Value::Null),
        Stage::Running(_) => ("processing", Value::Null, Value::Null),
        Stage::Succeeded => ("succeeded", output(upstream, generation), Value::Null),
        Stage::Cancelled => ("canceled", Value::Null, Value::Null),
        Stage::Failed(end) => ("failed", Value::Null, json!(error_of(end))),
    };
    let logs = match stage {
        Stage::Running(progress) => format!("PROSE\n  0%|          | 0/30\r {:3.0}%|██▌       |", progress * 100.0),
        _ => String::new(),
    };
    let url = format!("{}v1/predictions/{}", upstream.url, generation.id);
    let version = generation.body.get("version");
    let model = version.map_or(Replicate::MODEL, |_| "firtoz/trellis");
    json!({
        "id": generation.id, "model": model, "version": version.unwrap_or(&json!("hidden")), "input": generation.body["input"],
        "logs": logs, "output": output, "data_removed": false, "error": error, "status": status,
        "created_at": time(generation), "metrics": {"predict_time": 41.5}, "source": "api",
        "urls": {"get": url, "cancel": format!("{url}/cancel"), "web": "https://replicate.com/p/x"},
    })
}

/// A video's model puts out a URL, and the other one an object.
fn output(upstream: &Upstream, generation: &Generation) -> Value {
    let url = upstream.result_of(generation);
    match upstream.service {
        ServiceId::Video => json!(url),
        ServiceId::Model3d => json!({"model_file": url, "combined_video": null}),
    }
}

const fn error_of(end: End) -> &'static str {
    match end {
        End::Failed => "PROSE: The aspect ratio is not supported. (E006)",
        End::Rejected => "The input or output was flagged as sensitive. Please try again with different inputs. (E005)",
        End::Transient => "Prediction interrupted; please retry (code: PA)",
    }
}

fn time(generation: &Generation) -> String {
    let millis = i64::try_from(generation.created_at).unwrap();
    jiff::Timestamp::from_millisecond(millis).unwrap().to_string()
}

async fn create(State(upstream): State<Arc<Upstream>>, Json(body): Json<Value>) -> Response<Body> {
    let generation = upstream.begin(body);
    answer(201, &prediction(&upstream, &generation, Stage::Queued(0)))
}

async fn poll(State(upstream): State<Arc<Upstream>>, Path(id): Path<String>) -> Response<Body> {
    match upstream.poll(&id) {
        Some((generation, stage)) => answer(200, &prediction(&upstream, &generation, stage)),
        None => Replicate::refusal(404),
    }
}

async fn cancel(State(upstream): State<Arc<Upstream>>, Path(id): Path<String>) -> Response<Body> {
    if !upstream.stop(&id) {
        return Replicate::refusal(404);
    }
    let generation = upstream.get(&id).unwrap();
    answer(200, &prediction(&upstream, &generation, generation.stage()))
}

/// Two a page, so that pages have to be turned.
async fn list(State(upstream): State<Arc<Upstream>>, uri: Uri) -> Response<Body> {
    let since = query(&uri, "created_after").unwrap();
    let since: jiff::Timestamp = since.parse().unwrap();
    let from: usize = query(&uri, "cursor").map_or(0, |cursor| cursor.parse().unwrap());
    let all = upstream.newest_first();
    let fresh = all.iter().filter(|generation| time(generation).parse::<jiff::Timestamp>().unwrap() >= since);
    let listed = |generation: &Generation| {
        let mut listed = prediction(&upstream, generation, generation.stage());
        listed.as_object_mut().unwrap().remove("logs");
        listed["input"]["camera_fixed"] = json!(false);
        listed
    };
    let fresh: Vec<_> = fresh.collect();
    let page: Vec<_> = fresh.iter().skip(from).take(2).map(|generation| listed(generation)).collect();
    let next = (fresh.len() > from + 2)
        .then(|| format!("{}v1/predictions?created_after={since}&cursor={}", upstream.url, from + 2));
    answer(200, &json!({"next": next, "previous": null, "results": page}))
}
