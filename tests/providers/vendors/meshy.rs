//! Meshy's HTTP API: image to 3D.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{Method, Response, Uri};
use axum::routing::get;
use axum::{Json, Router};
use satforge::clock::Clock;
use satforge::config::{ProviderConfig, ProviderKind};
use satforge::domain::ServiceId;
use satforge::providers::{Provider, SetupError, meshy};
use serde_json::{Value, json};
use url::Url;

use super::deletion;
use crate::serve::{json as answer, query};
use crate::upstream::{End, Generation, Stage, Upstream};
use crate::vendor::{Can, Errand, Find, Vendor};

pub struct Meshy;

impl Vendor for Meshy {
    const SERVICE: ServiceId = ServiceId::Model3d;
    const MODEL: &'static str = "meshy-6";
    const RESULT: &'static str = "";
    const AUTHORIZATION: Option<&'static str> = Some("Bearer msy_c0ffee");
    const CAN: Can = Can {
        cancel: true,
        discard: true,
        tell_progress: true,
        tell_position: true,
        name_results: true,
        find: Find::Exactly(Duration::from_secs(45)),
    };

    fn kind(_url: &Url) -> ProviderKind {
        ProviderKind::Meshy { api_key: "msy_c0ffee".into() }
    }

    fn input() -> Value {
        json!({
            "image_url": "{image_data_uri}", "should_remesh": true, "target_polycount": 50_000,
            "target_formats": ["glb"],
        })
    }

    fn check_input(body: &Value) {
        assert!(body["image_url"].as_str().unwrap().starts_with("data:image/png;base64,"), "{body}");
        assert_eq!((&body["should_remesh"], &body["target_polycount"]), (&json!(true), &json!(50_000)), "{body}");
        assert_eq!((&body["target_formats"], &body["ai_model"]), (&json!(["glb"]), &json!(Self::MODEL)), "{body}");
        assert!(body["name"].as_str().unwrap().ends_with(".1"), "{body}");
    }

    fn build(account: &ProviderConfig, clock: Arc<dyn Clock>) -> Result<Arc<dyn Provider>, SetupError> {
        Ok(Arc::new(meshy::Meshy::new(account, clock)?))
    }

    fn api(upstream: Arc<Upstream>) -> Router {
        Router::new()
            .route("/openapi/v1/balance", get(async || Json(json!({"balance": 1000}))))
            .route("/openapi/v1/image-to-3d", get(list).post(create))
            .route("/openapi/v1/image-to-3d/{id}", get(poll).delete(delete))
            .with_state(upstream)
    }

    fn errand(method: &Method, path: &str) -> Errand {
        match (method.as_str(), path) {
            ("POST", _) => Errand::Create,
            ("DELETE", _) => Errand::Discard,
            (_, "/openapi/v1/image-to-3d") => Errand::List,
            (_, "/openapi/v1/balance") => Errand::Probe,
            _ => Errand::Poll,
        }
    }

    fn errand_of(request: &Request, upstream: &Upstream) -> Errand {
        let errand = Self::errand(request.method(), request.uri().path());
        if errand == Errand::Discard { deletion(upstream, request.uri().path()) } else { errand }
    }

    fn refusal(status: u16) -> Response<Body> {
        let message = match status {
            402 => "Insufficient funds",
            429 => "NoMoreConcurrentTasks",
            _ => "PROSE about what was asked.",
        };
        answer(status, &json!({"message": message}))
    }
}

fn task(upstream: &Upstream, generation: &Generation, stage: Stage) -> Value {
    let mut task = json!({
        "id": generation.id, "type": "image-to-3d", "name": generation.body["name"], "model_urls": {}, "progress": 0,
        "preceding_tasks": 0, "created_at": generation.created_at, "started_at": 0, "finished_at": 0,
        "task_error": {"message": ""}, "consumed_credits": 30,
    });
    let status = match stage {
        Stage::Queued(ahead) => {
            task["preceding_tasks"] = json!(ahead);
            "PENDING"
        }
        Stage::Running(progress) => {
            task["progress"] = json!(progress * 100.0);
            "IN_PROGRESS"
        }
        Stage::Succeeded => {
            task["progress"] = json!(100);
            task["model_urls"] = json!({"glb": upstream.result_of(generation), "fbx": "https://assets.meshy.ai/x"});
            "SUCCEEDED"
        }
        Stage::Cancelled => "CANCELED",
        Stage::Failed(end) => {
            task["consumed_credits"] = json!(0);
            task["task_error"]["message"] = json!(match end {
                End::Failed => "PROSE: no object was found in the image",
                End::Rejected => "PROSE: the image was refused by moderation",
                End::Transient => "PROSE: The server is busy. Please try again later.",
            });
            "FAILED"
        }
    };
    task["status"] = json!(status);
    task
}

async fn create(State(upstream): State<Arc<Upstream>>, Json(body): Json<Value>) -> Response<Body> {
    answer(202, &json!({"result": upstream.begin(body).id}))
}

async fn poll(State(upstream): State<Arc<Upstream>>, Path(id): Path<String>) -> Response<Body> {
    match upstream.poll(&id) {
        Some((generation, stage)) => answer(200, &task(&upstream, &generation, stage)),
        None => Meshy::refusal(404),
    }
}

async fn delete(State(upstream): State<Arc<Upstream>>, Path(id): Path<String>) -> Response<Body> {
    let stage = upstream.get(&id).map(|generation| generation.stage());
    if matches!(stage, Some(Stage::Queued(_) | Stage::Running(_))) {
        upstream.stop(&id);
    }
    if upstream.forget(&id) { Response::new(Body::empty()) } else { Meshy::refusal(404) }
}

async fn list(State(upstream): State<Arc<Upstream>>, uri: Uri) -> Response<Body> {
    assert_eq!(query(&uri, "sort_by").as_deref(), Some("-created_at"));
    let number = |name| query(&uri, name).unwrap().parse::<usize>().unwrap();
    let (page, size) = (number("page_num"), number("page_size"));
    let all = upstream.newest_first();
    let listed = all.iter().skip((page - 1) * size).take(size);
    answer(200, &listed.map(|generation| task(&upstream, generation, generation.stage())).collect())
}
