//! A provider of films that speaks Replicate's API: predictions that are listed, polled, and told of by webhook.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, Uri};
use axum::routing::{get, post};
use satforge::domain::standard_webhooks::{self, WebhookSecret};
use serde_json::{Value, json};

use crate::plan::Fate;

use super::World;
use super::heralds::{Event, announce};
use super::weather::{Asked, Backend, json as answer, plain};
use super::works::{End, Stage, Work};

pub const MODEL: &str = "acme/film";
pub const WEBHOOK_SECRET: &str = "whsec_c0ffeec0ffeec0ffeec0ffeec0ffee00";
/// Looks after which a prediction is forgotten that is to be.
const FORGOTTEN_AFTER: u32 = 2;

pub fn api(world: Arc<World>) -> Router {
    Router::new()
        .route("/v1/models/acme/film/predictions", post(create))
        .route("/v1/models/acme/film", get(probe))
        .route("/v1/account", get(probe))
        .route("/v1/predictions", get(list))
        .route("/v1/predictions/{id}", get(poll))
        .route("/v1/predictions/{id}/cancel", post(cancel))
        .route("/files/{id}", get(file))
        .with_state(world)
}

async fn probe(State(world): State<Arc<World>>) -> Response<Body> {
    let said = json!({"type": "organization", "username": "acme", "name": "film"});
    world.weather.through((Backend::Films, Asked::Health, 1), async { answer(200, &said) }).await
}

/// The number of the purchase, from the prompt.
fn job_of(input: &Value) -> u64 {
    let mut words = input["prompt"].as_str().unwrap_or_default().split(' ');
    words.next_back().and_then(|number| number.parse().ok()).unwrap_or(u64::MAX)
}

fn prediction(world: &World, work: &Work) -> Value {
    let (status, output, error) = match work.stage() {
        Stage::Running(_) => ("processing", Value::Null, Value::Null),
        Stage::Cancelled => ("canceled", Value::Null, Value::Null),
        Stage::Over(End::Result | End::BadFile) => {
            ("succeeded", json!(format!("{}/files/{}", world.films_url(), work.id)), Value::Null)
        }
        Stage::Over(End::Failure) => ("failed", Value::Null, json!("The aspect ratio is not supported. (E006)")),
        Stage::Over(End::Rejection) => ("failed", Value::Null, json!("The input was flagged as sensitive. (E005)")),
        Stage::Over(End::Interruption) => {
            ("failed", Value::Null, json!("Prediction interrupted; please retry (code: PA)"))
        }
    };
    json!({
        "id": work.id, "model": MODEL, "version": "hidden", "input": work.input, "output": output, "error": error,
        "data_removed": false, "status": status, "created_at": time(work.begun_at), "metrics": {"predict_time": 1.5},
    })
}

fn time(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).unwrap().to_string()
}

async fn create(State(world): State<Arc<World>>, axum::Json(body): axum::Json<Value>) -> Response<Body> {
    let job = job_of(&body["input"]);
    let act = async {
        let webhook = body["webhook"].as_str().unwrap_or_default().to_owned();
        let work = world.films.begin(job, None, body["input"].clone(), webhook);
        announce(&world, &work, false, telling);
        answer(201, &prediction(&world, &work))
    };
    world.weather.through((Backend::Films, Asked::Create, job), act).await
}

/// What a webhook of a prediction holds, and how it is signed.
fn telling(world: &World, work: &Work, is_end: bool, nth: u64) -> Event {
    let mut told = prediction(world, work);
    if !is_end {
        told["status"] = "starting".into();
        told["output"] = Value::Null;
    }
    let (body, id, now) = (told.to_string(), format!("msg_{}_{nth}", work.id), world.now());
    let secret = WebhookSecret::parse(WEBHOOK_SECRET).unwrap();
    let signature = standard_webhooks::sign(&secret, &id, now, body.as_bytes());
    let headers = vec![("webhook-id", id), ("webhook-timestamp", now.to_string()), ("webhook-signature", signature)];
    Event { headers, body }
}

async fn poll(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response<Body> {
    let job = world.films.get(&id).map_or(0, |work| work.job);
    let act = async {
        let forgets = Fate::of(world.seed, job) == Fate::Forgotten;
        world.films.change(&id, |work| {
            work.looks += 1;
            work.lost |= forgets && work.nth == 0 && work.looks > FORGOTTEN_AFTER;
        });
        match world.films.get(&id).filter(|work| !work.lost) {
            Some(work) => answer(200, &prediction(&world, &work)),
            None => plain(404, "{\"title\":\"Not found\",\"status\":404}"),
        }
    };
    world.weather.through((Backend::Films, Asked::Poll, job), act).await
}

async fn cancel(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response<Body> {
    let is_running = world.films.get(&id).is_some_and(|work| matches!(work.stage(), Stage::Running(_)));
    if is_running {
        world.films.change(&id, |work| work.cancelled = true);
    }
    answer(200, &json!({"id": id, "status": "canceled"}))
}

/// Everything on one page: these predictions end in seconds, so that there are many at once.
async fn list(State(world): State<Arc<World>>, uri: Uri) -> Response<Body> {
    let mut query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let since = query.find(|(name, _)| name == "created_after").map(|(_, text)| text.into_owned());
    let since = since.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let act = async {
        let since = since.map_or(0, jiff::Timestamp::as_millisecond);
        let results: Vec<_> = world.films.newest_first(since).iter().map(|work| prediction(&world, work)).collect();
        answer(200, &json!({"next": null, "previous": null, "results": results}))
    };
    world.weather.through((Backend::Films, Asked::List, 0), act).await
}

/// Files of both providers.
pub async fn file(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response<Body> {
    let (backend, works, work) = match (world.films.get(&id), world.shapes.get(&id)) {
        (Some(work), _) => (Backend::Films, &world.films, work),
        (None, Some(work)) => (Backend::Shapes, &world.shapes, work),
        (None, None) => return plain(404, "no such file"),
    };
    let act = async { Response::new(Body::from(works.file(&work))) };
    world.weather.through((backend, Asked::File, work.job), act).await
}
