//! Tripo's HTTP API, version 3.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use satforge::clock::Clock;
use satforge::config::{ProviderConfig, ProviderKind};
use satforge::domain::ServiceId;
use satforge::providers::{Provider, SetupError, tripo};
use serde_json::{Value, json};
use url::Url;

use super::form;
use crate::serve::json as answer;
use crate::upstream::{End, Generation, Stage, Upstream};
use crate::vendor::{Can, Errand, Find, Vendor};

/// The images that were uploaded, by all tests together.
static UPLOADS: AtomicUsize = AtomicUsize::new(0);

pub struct Tripo;

impl Vendor for Tripo {
    const SERVICE: ServiceId = ServiceId::Model3d;
    const MODEL: &'static str = "v3.1-20260211";
    const RESULT: &'static str = "";
    const AUTHORIZATION: Option<&'static str> = Some("Bearer tsk_c0ffee");
    const CAN: Can = Can {
        cancel: false,
        discard: false,
        tell_progress: true,
        tell_position: false,
        name_results: true,
        // By the process that has uploaded the image, and if the list has the task.
        find: Find::Exactly(Duration::from_mins(1)),
    };

    fn kind(_url: &Url) -> ProviderKind {
        ProviderKind::Tripo { api_key: "tsk_c0ffee".into() }
    }

    fn input() -> Value {
        json!({"texture": true, "pbr": true, "face_limit": 50_000})
    }

    fn check_input(body: &Value) {
        assert!(body["input"].as_str().unwrap().starts_with("file_"), "{body}");
        assert_eq!((&body["model"], &body["face_limit"]), (&json!(Self::MODEL), &json!(50_000)), "{body}");
        assert_eq!((&body["texture"], &body["pbr"]), (&json!(true), &json!(true)), "{body}");
    }

    fn build(account: &ProviderConfig, clock: Arc<dyn Clock>) -> Result<Arc<dyn Provider>, SetupError> {
        Ok(Arc::new(tripo::Tripo::new(account, clock)?))
    }

    fn api(upstream: Arc<Upstream>) -> Router {
        Router::new()
            .route("/v3/account/balance", get(async || good(&json!({"balance": "900.00", "frozen": 0.0}))))
            .route("/v3/account/usage", get(usage))
            .route("/v3/files", post(upload))
            .route("/v3/generation/image-to-model", post(create))
            .route("/v3/tasks/{id}", get(poll))
            .with_state(upstream)
    }

    fn errand(method: &Method, path: &str) -> Errand {
        match (method.as_str(), path) {
            (_, "/v3/files") => Errand::Prepare,
            ("POST", _) => Errand::Create,
            (_, "/v3/account/usage") => Errand::List,
            (_, "/v3/account/balance") => Errand::Probe,
            _ => Errand::Poll,
        }
    }

    fn refusal(status: u16) -> Response<Body> {
        let code = match status {
            400 => 1004,
            401 => 2,
            403 => 2010,
            404 => 4001,
            429 => 2000,
            500 => 1000,
            // It comes from something in between.
            _ => return answer(status, &json!("PROSE about what was asked.")),
        };
        refused(status, code)
    }
}

fn good(data: &Value) -> Response<Body> {
    answer(200, &json!({"code": 0, "status": "success", "data": data}))
}

fn refused(status: u16, code: u16) -> Response<Body> {
    let message = "PROSE about what was asked.";
    answer(status, &json!({"code": code, "status": "error", "message": message, "suggestion": "", "request_id": "r"}))
}

async fn upload(headers: HeaderMap, body: Bytes) -> Response<Body> {
    let form = form(&headers, &body);
    let file = &form["file"];
    if file.filename.as_deref() != Some("image.png") || !file.bytes.starts_with(b"\x89PNG\r\n") {
        return refused(400, 2004);
    }
    good(&json!({"file_token": format!("file_{}", UPLOADS.fetch_add(1, Ordering::SeqCst))}))
}

async fn create(State(upstream): State<Arc<Upstream>>, Json(body): Json<Value>) -> Response<Body> {
    let generation = upstream.begin(body);
    good(&json!({"task_id": generation.id, "type": "image_to_model", "status": "queued"}))
}

fn task(upstream: &Upstream, generation: &Generation, stage: Stage) -> Value {
    let mut task = row(generation, stage);
    task["input"] = generation.body.clone();
    match stage {
        Stage::Running(progress) => task["progress"] = json!(progress * 100.0),
        Stage::Succeeded => {
            let url = upstream.result_of(generation);
            task["output"] = json!({"model_url": url, "rendered_image_url": "https://x.data.tripo3d.com/y"});
            task["credits_consumed"] = json!("30.00");
        }
        Stage::Failed(end) => {
            let code = match end {
                End::Failed => 2018,
                End::Rejected => 2008,
                End::Transient => 1000,
            };
            task["error_code"] = json!(code);
            task["error_message"] = json!("PROSE about what happened");
        }
        Stage::Queued(_) | Stage::Cancelled => {}
    }
    task
}

fn row(generation: &Generation, stage: Stage) -> Value {
    let status = match stage {
        Stage::Queued(_) => "queued",
        Stage::Running(_) => "running",
        Stage::Succeeded => "success",
        Stage::Failed(_) => "failed",
        Stage::Cancelled => "cancelled",
    };
    let millis = i64::try_from(generation.created_at).unwrap();
    let created_at = jiff::Timestamp::from_millisecond(millis).unwrap().to_string();
    json!({"task_id": generation.id, "type": "image_to_model", "status": status, "created_at": created_at})
}

async fn poll(State(upstream): State<Arc<Upstream>>, Path(id): Path<String>) -> Response<Body> {
    match upstream.poll(&id) {
        Some((generation, stage)) => good(&task(&upstream, &generation, stage)),
        None => refused(404, 2001),
    }
}

async fn usage(State(upstream): State<Arc<Upstream>>) -> Response<Body> {
    let all = upstream.newest_first();
    let rows: Vec<_> = all.iter().map(|generation| row(generation, generation.stage())).collect();
    good(&json!({"total": rows.len(), "records": rows}))
}
