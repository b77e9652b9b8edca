//! A model server in another process than the gateway's: what happens to its generations when the gateway is killed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{Path as Part, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::kit::buyer::{Buyer, Purchase, VIDEO, video};
use crate::kit::process::{Gateway, finish, satforge};
use crate::kit::rows::Rows;
use crate::kit::until;
use crate::scene::SOON;

/// A server of the `/v1/videos` shape that does what the test says.
#[derive(Default)]
struct Server {
    /// The prompt of every create that has arrived.
    creates: Mutex<Vec<String>>,
    /// Whether generations are done.
    done: AtomicBool,
    /// Whether creates are answered.
    mute: AtomicBool,
    /// Whether it can list what it has.
    lists: AtomicBool,
}

const FILM: &[u8] = b"\0\0\0\x18ftypisom\0\0\0\0isomavc1 and the rest of a film";

impl Server {
    fn count(&self) -> usize {
        self.creates.lock().unwrap().len()
    }

    fn describe(&self, at: usize, prompt: &str) -> Value {
        let done = self.done.load(Ordering::SeqCst);
        json!({
            "id": format!("video_{at}"), "object": "video", "model": "m", "prompt": prompt, "seconds": "5",
            "status": if done { "completed" } else { "in_progress" }, "progress": if done { 100 } else { 0 },
        })
    }
}

async fn create(State(server): State<Arc<Server>>, body: Bytes) -> Json<Value> {
    let text = String::from_utf8_lossy(&body).into_owned();
    let (_, prompt) = text.split_once("name=\"prompt\"\r\n\r\n").unwrap();
    let prompt = prompt.split("\r\n").next().unwrap().to_owned();
    let at = {
        let mut creates = server.creates.lock().unwrap();
        creates.push(prompt.clone());
        creates.len() - 1
    };
    if server.mute.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
    Json(server.describe(at, &prompt))
}

async fn show(State(server): State<Arc<Server>>, Part(id): Part<String>) -> Result<Json<Value>, StatusCode> {
    let at = id.strip_prefix("video_").and_then(|at| at.parse::<usize>().ok()).ok_or(StatusCode::NOT_FOUND)?;
    let prompt = server.creates.lock().unwrap().get(at).cloned().ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(server.describe(at, &prompt)))
}

async fn list(State(server): State<Arc<Server>>) -> Result<Json<Value>, StatusCode> {
    if !server.lists.load(Ordering::SeqCst) {
        return Err(StatusCode::NOT_FOUND);
    }
    let creates = server.creates.lock().unwrap().clone();
    let data: Vec<_> = creates.iter().enumerate().map(|(at, prompt)| server.describe(at, prompt)).rev().collect();
    Ok(Json(json!({ "object": "list", "data": data, "has_more": false })))
}

async fn serve() -> (Arc<Server>, SocketAddr) {
    let server = Arc::new(Server { lists: AtomicBool::new(true), ..Server::default() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/v1/videos", post(create).get(list))
        .route("/v1/videos/{id}", get(show).delete(async || Json(json!({ "deleted": true }))))
        .route("/v1/videos/{id}/content", get(async || FILM))
        .route("/v1/models", get(async || Json(json!({ "object": "list", "data": [{ "id": "m" }] }))))
        .with_state(server.clone());
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move { axum::serve(listener, router).await });
    (server, address)
}

/// A configuration that sells what the server makes, for play money.
fn write(folder: &Path, upstream: SocketAddr) -> PathBuf {
    let file = folder.join("satforge.toml");
    let data = folder.join("data");
    let text = format!(
        "data_dir = '{}'\n[server]\nlisten = '127.0.0.1:0'\n[metrics]\nlisten = '127.0.0.1:0'\n\
         [keys]\nsecrets = ['env:SATFORGE_TEST_KEY']\n[limits]\nchallenges_per_minute = 0\n\
         [jobs]\nbackoff_base_seconds = 0.1\nbackoff_max_seconds = 1.0\n\
         [providers.gpu]\nkind = 'videos'\nurl = 'http://{upstream}'\npoll_interval_seconds = 0.1\n\
         requests_per_second = 1000\n\
         [[services.video.routes]]\nprovider = 'gpu'\nmodel = 'm'\nconcurrency = 64\n\
         input = {{ prompt = '{{prompt}}', seconds = '{{duration|string}}' }}\n",
        data.display()
    );
    std::fs::write(&file, text).unwrap();
    file
}

/// A gateway on `folder`.
fn start(folder: &Path, upstream: SocketAddr) -> Gateway {
    let file = write(folder, upstream);
    Gateway::start(satforge(&["serve", "--config", file.to_str().unwrap()]).env("SATFORGE_TEST_KEY", "7f".repeat(32)))
}

async fn order(buyer: &Buyer, gateway: &Gateway, prompt: &str) -> Purchase {
    let purchase = buyer.pay(&gateway.url, VIDEO, video(prompt)).await;
    let answer = buyer.present(&gateway.url, &purchase, "respond-async").await;
    assert_eq!(answer.status, 202, "{}", answer.json);
    purchase
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_running_jobs_are_neither_lost_nor_doubled_by_a_restart() {
    let (server, upstream) = serve().await;
    let (folder, buyer) = (tempfile::tempdir().unwrap(), Buyer::new());
    let gateway = start(folder.path(), upstream);
    let mut purchases = Vec::new();
    for n in 0..50 {
        purchases.push(order(&buyer, &gateway, &format!("scene {n}")).await);
    }
    until("all are under way", async || (server.count() == 50).then_some(())).await;
    gateway.kill();

    server.done.store(true, Ordering::SeqCst);
    let gateway = start(folder.path(), upstream);
    for purchase in &purchases {
        let path = buyer.present(&gateway.url, purchase, SOON).await.result_path();
        assert_eq!(buyer.get(&format!("{}{path}", gateway.url)).await.bytes().await.unwrap(), FILM);
    }
    let mut prompts = server.creates.lock().unwrap().clone();
    prompts.sort_unstable();
    prompts.dedup();
    assert_eq!((prompts.len(), server.count()), (50, 50), "one create a job, ever");
}

/// One job whose create has arrived and whose answer never comes, and then the gateway is killed.
async fn killed_between_submit_and_persist(lists: bool) -> (Arc<Server>, usize) {
    let (server, upstream) = serve().await;
    server.lists.store(lists, Ordering::SeqCst);
    server.mute.store(true, Ordering::SeqCst);
    let (folder, buyer) = (tempfile::tempdir().unwrap(), Buyer::new());
    let gateway = start(folder.path(), upstream);
    let purchase = order(&buyer, &gateway, "a lighthouse").await;
    until("the create has arrived", async || (server.count() == 1).then_some(())).await;
    gateway.kill();

    server.mute.store(false, Ordering::SeqCst);
    server.done.store(true, Ordering::SeqCst);
    let gateway = start(folder.path(), upstream);
    let first = buyer.present(&gateway.url, &purchase, "wait=90").await;
    first.result_path();
    let again = buyer.present(&gateway.url, &purchase, "").await;
    assert_eq!(again.json, first.json, "one payment, one result");
    let count = server.count();
    (server, count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_that_the_provider_lists_is_not_sent_again() {
    let (_, creates) = killed_between_submit_and_persist(true).await;
    assert_eq!(creates, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_that_nobody_can_look_up_is_sent_once_more_and_no_more() {
    let (_, creates) = killed_between_submit_and_persist(false).await;
    assert_eq!(creates, 2);
}

/// The look-alikes that a list shows must not be mixed up: each caller gets one generation, and none is made for nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_creates_of_the_same_words_that_were_cut_off_together_each_get_their_own() {
    let (server, upstream) = serve().await;
    server.mute.store(true, Ordering::SeqCst);
    let (folder, buyer) = (tempfile::tempdir().unwrap(), Buyer::new());
    let gateway = start(folder.path(), upstream);
    let twins = [order(&buyer, &gateway, "a lighthouse").await, order(&buyer, &gateway, "a lighthouse").await];
    until("both creates have arrived", async || (server.count() == 2).then_some(())).await;
    gateway.kill();

    server.mute.store(false, Ordering::SeqCst);
    server.done.store(true, Ordering::SeqCst);
    let gateway = start(folder.path(), upstream);
    for purchase in &twins {
        buyer.present(&gateway.url, purchase, "wait=90").await.result_path();
    }
    assert_eq!(server.count(), 2, "nothing was sent again");
    let jobs = Rows::open(&folder.path().join("data")).await.jobs().await;
    let mut ids: Vec<_> = jobs.into_iter().map(|job| job.upstream_id.unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["video_0", "video_1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_intent_whose_create_never_left_is_sent_once() {
    let (server, upstream) = serve().await;
    let (folder, buyer) = (tempfile::tempdir().unwrap(), Buyer::new());
    let gateway = start(folder.path(), upstream);
    let purchase = order(&buyer, &gateway, "a lighthouse").await;
    until("the job runs", async || (server.count() == 1).then_some(())).await;
    let data = folder.path().join("data");
    Rows::open(&data).await.wait_for("running").await;
    gateway.kill();

    // As a crash between the intent and the request would have left it.
    Rows::open(&data).await.rewind("dispatching", Some("gpu"), None, 1).await;
    server.creates.lock().unwrap().clear();
    server.done.store(true, Ordering::SeqCst);
    let gateway = start(folder.path(), upstream);
    buyer.present(&gateway.url, &purchase, "wait=90").await.result_path();
    assert_eq!(server.count(), 1);
}

/// What `satforge check --live` says of a route to `model`.
async fn checked(upstream: SocketAddr, model: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), upstream);
    let text = std::fs::read_to_string(&file).unwrap().replace("model = 'm'", &format!("model = '{model}'"));
    std::fs::write(&file, text).unwrap();
    let mut check = satforge(&["check", "--live", "--config", file.to_str().unwrap()]);
    check.env("SATFORGE_TEST_KEY", "7f".repeat(32));
    let output = tokio::task::spawn_blocking(move || finish(&mut check)).await.unwrap();
    assert!(!folder.path().join("data/satforge.db").exists(), "it writes nothing");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_check_tries_every_route() {
    let (server, upstream) = serve().await;
    let (good, said) = checked(upstream, "m").await;
    assert!(good && said.contains("video route gpu (providers.gpu): would take a request"), "{said}");
    let (good, said) = checked(upstream, "no-such-model").await;
    assert!(!good && said.contains("providers.gpu") && said.contains("model"), "{said}");
    assert_eq!(server.count(), 0, "it costs nothing");
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (good, said) = checked(nobody, "m").await;
    assert!(!good && said.contains("providers.gpu): takes no requests now"), "{said}");
}
