//! A provider of 3D models that speaks cog's API: it tells how a prediction ended once it is taken, by webhook, and
//! forgets it; and it is started again now and then, with which it loses all that it had.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response};
use axum::routing::{get, post, put};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::dice::Dice;

use super::World;
use super::films::file;
use super::heralds::{Event, announce};
use super::weather::{Asked, Backend, json as answer};
use super::works::{End, Stage, Work};

pub const TOKEN: &str = "a-token-of-cog";

pub fn api(world: Arc<World>) -> Router {
    Router::new()
        .route("/health-check", get(health))
        .route("/predictions/{id}", put(predict))
        .route("/predictions/{id}/cancel", post(cancel))
        .route("/files/{id}", get(file))
        .with_state(world)
}

async fn health(State(world): State<Arc<World>>) -> Response<Body> {
    let (number, is_starting) = world.cog_process();
    let (process, status) = (format!("process {number}"), if is_starting { "STARTING" } else { "READY" });
    let said = json!({"status": status, "setup": {"started_at": process, "logs": ""}});
    world.weather.through((Backend::Shapes, Asked::Health, 2), async { answer(200, &said) }).await
}

fn invalid() -> Response<Body> {
    answer(422, &json!({"detail": [{"loc": ["body", "input", "image"], "msg": "no", "type": "value_error"}]}))
}

async fn predict(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    axum::Json(body): axum::Json<Value>,
) -> Response<Body> {
    if headers.contains_key("prefer") {
        let job = crate::buyer::picture::read(body["input"]["image"].as_str().unwrap_or_default());
        let act = async {
            if world.cog_process().1 {
                return answer(503, &json!({"error": "Setup has not finished yet.", "status": "failed"}));
            }
            let webhook = body["webhook"].as_str().unwrap_or_default().to_owned();
            let is_new = world.shapes.get(&id).is_none();
            let work = world.shapes.begin(job, Some(id.clone()), body["input"]["seed"].clone(), webhook);
            if is_new {
                announce(&world, &work, true, telling);
            }
            answer(202, &json!({"id": id, "status": "starting"}))
        };
        return world.weather.through((Backend::Shapes, Asked::Create, job), act).await;
    }
    let known = world.shapes.get(&id);
    let job = known.as_ref().map_or(0, |work| work.job);
    let act = async {
        let Some(work) = known.filter(|work| !work.lost) else { return invalid() };
        match work.stage() {
            Stage::Running(progress) => {
                answer(202, &json!({"id": id, "metrics": {"progress": progress}, "status": "processing"}))
            }
            Stage::Cancelled | Stage::Over(_) => invalid(),
        }
    };
    world.weather.through((Backend::Shapes, Asked::Poll, job), act).await
}

fn telling(world: &World, work: &Work, is_end: bool, _: u64) -> Event {
    let mut event = json!({"id": work.id, "logs": "", "metrics": {"predict_time": 1.5}, "status": "failed"});
    match work.stage() {
        _ if !is_end => event["status"] = "processing".into(),
        Stage::Over(End::Failure) => event["error"] = "Prediction failed: ValueError: no".into(),
        Stage::Over(End::Rejection) => event["error"] = "Prediction failed: ValueError: CONTENT_REJECTED".into(),
        Stage::Over(End::Interruption) => event["error"] = "Worker crashed".into(),
        Stage::Cancelled => event["status"] = "canceled".into(),
        Stage::Over(End::Result | End::BadFile) | Stage::Running(_) => {
            event["status"] = "succeeded".into();
            event["output"] = json!({"model": output(world, work)});
        }
    }
    Event { headers: vec![("authorization", format!("Bearer {TOKEN}"))], body: event.to_string() }
}

/// A file in the webhook itself, or where it can be fetched.
fn output(world: &World, work: &Work) -> String {
    if Dice::of(world.seed, "output", work.job, work.nth).thousandths(300) {
        return format!("{}/files/{}", world.shapes_url(), work.id);
    }
    format!("data:model/gltf-binary;base64,{}", STANDARD.encode(world.shapes.file(work)))
}

async fn cancel(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response<Body> {
    let is_running = world.shapes.get(&id).is_some_and(|work| matches!(work.stage(), Stage::Running(_)));
    if is_running {
        world.shapes.change(&id, |work| work.cancelled = true);
    }
    answer(if is_running { 200 } else { 404 }, &json!({}))
}
