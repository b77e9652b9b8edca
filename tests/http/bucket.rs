//! Results in a bucket: what happens while it is away, who may use it, and what is left of uploads that failed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use satforge::app::App;
use satforge::artifacts::{ArtifactName, ArtifactStore, ByteStream};
use satforge::clock::SystemClock;
use satforge::domain::ServiceId;
use serde_json::Value;

use crate::support::{Bucket, MODEL, Setup, TestApp, VIDEO, image_body, video_body, within};

/// An upload in two parts.
const LARGE: usize = 6 * 1024 * 1024;
const STRAY: &str = "ffffffffffffffffffffffffffffffff.mp4";

async fn sells_again(app: &TestApp) {
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    let sold = async {
        while app.ask(VIDEO, &video_body("new")).await.status != 402 {
            looks.tick().await;
        }
    };
    within("it sells again", sold).await;
}

async fn expect_no_sale(app: &TestApp) {
    assert_eq!(app.ask(VIDEO, &video_body("new")).await.outcome(), (503, "UPSTREAM_UNAVAILABLE"));
    let ready = app.get("/readyz").send().await.unwrap();
    assert_eq!(ready.status(), 503);
    assert_eq!(ready.json::<Value>().await.unwrap()["checks"]["storage"], "failing");
}

fn name() -> ArtifactName {
    ArtifactName::new(ServiceId::Video, [7; 16])
}

/// The store of a gateway that is set up so, which has looked for its bucket and watches it.
async fn watched(setup: &Setup) -> ArtifactStore {
    let store = ArtifactStore::open(&setup.config().artifacts.storage).unwrap();
    store.look_first().await.unwrap();
    let watching = store.clone();
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move { watching.watch(std::future::pending()).await });
    store
}

fn film(length: usize) -> Bytes {
    let mut film = b"\0\0\0\x10ftypisom".to_vec();
    film.extend((film.len()..length).map(|at| u8::try_from(at % 251).unwrap()));
    film.into()
}

/// The beginning of a film, and then what `rest` yields.
fn begun(rest: impl futures_util::Stream<Item = Result<Bytes, &'static str>> + Send + 'static) -> ByteStream {
    let rest = rest.map(|chunk| chunk.map_err(Into::into));
    stream::once(async { Ok(film(LARGE)) }).chain(rest).boxed()
}

fn notes(setup: &Setup) -> usize {
    std::fs::read_dir(setup.data_dir().join("bucket/uploads")).unwrap().count()
}

#[tokio::test]
async fn a_gateway_whose_bucket_is_away_starts_and_sells_nothing() {
    let bucket = Bucket::start().await;
    bucket.leave();
    let app = bucket.setup("shop").start().await;
    expect_no_sale(&app).await;
    bucket.come_back();
    sells_again(&app).await;
    let purchase = app.buy(VIDEO, &video_body("kept there")).await;
    let url = app.redeem(&purchase).await.json()["videoUrl"].as_str().unwrap().to_owned();
    let key = format!("shop/results/{}", url.rsplit('/').next().unwrap());
    let served = app.send(app.get(&app.path_of(&url))).await;
    assert_eq!((served.status, served.body), (200, bucket.file(&key).unwrap()));
    app.stop().await;
}

#[tokio::test]
async fn a_result_is_served_by_a_signed_redirect() {
    let bucket = Bucket::start().await;
    let setup = bucket.setup("shop").set("ARTIFACTS__SERVE", "redirect").set("ARTIFACTS__REDIRECT_SECONDS", 90);
    let app = setup.start().await;
    let url = app.redeem(&app.buy(VIDEO, &video_body("elsewhere")).await).await.json()["videoUrl"].clone();
    let path = app.path_of(url.as_str().unwrap());
    let name = path.rsplit('/').next().unwrap().to_owned();
    assert!(path.starts_with("/artifacts/"), "callers get a URL of the gateway: {path}");

    let client = crate::support::client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let here = format!("{}{path}", app.public_url());
    let sent = client.get(&here).header("range", "bytes=0-1").send().await.unwrap();
    assert_eq!((sent.status().as_u16(), &sent.headers()["cache-control"]), (302, &"no-store".parse().unwrap()));
    let location: url::Url = sent.headers()["location"].to_str().unwrap().parse().unwrap();
    assert!(sent.bytes().await.unwrap().is_empty());
    assert_eq!(location.origin().ascii_serialization(), bucket.endpoint());
    assert!(location.path().ends_with(&format!("/shop/results/{name}")), "{}", location.path());
    let said: std::collections::BTreeMap<_, _> = location.query_pairs().into_owned().collect();
    assert_eq!(said["X-Amz-Expires"], "90");
    assert_eq!(said["X-Amz-Signature"].len(), 64);
    let served = client.get(location).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(served, bucket.file(&format!("shop/results/{name}")).unwrap());

    let head = client.head(&here).send().await.unwrap();
    let length = head.headers()["content-length"].to_str().unwrap().to_owned();
    assert_eq!((head.status().as_u16(), length), (200, served.len().to_string()), "nothing is sent, so nobody is");
    let etag = head.headers()["etag"].clone();
    assert_eq!(client.get(&here).header("if-none-match", etag).send().await.unwrap().status(), 304);
    let unknown = here.replace(&name, STRAY);
    assert_eq!(client.get(unknown).send().await.unwrap().status(), 404);
    bucket.leave();
    assert_eq!(client.get(&here).send().await.unwrap().status(), 503);
    bucket.come_back();
    bucket.remove(&format!("shop/results/{name}"));
    assert_eq!(client.get(&here).send().await.unwrap().status(), 410);
    app.stop().await;
}

#[tokio::test]
async fn a_result_waits_until_the_bucket_is_back() {
    let bucket = Bucket::start().await;
    let app = bucket.setup("shop").start().await;
    app.provider.hold(0.5);
    let purchase = app.buy(VIDEO, &video_body("later")).await;
    assert_eq!(app.redeem_async(&purchase).await.status, 202);
    app.provider.created(1).await;
    bucket.leave();
    app.provider.let_go();
    bucket.until("it was tried in vain", |bucket| bucket.refused() > 4).await;
    expect_no_sale(&app).await;
    bucket.come_back();
    assert_eq!(app.redeem(&purchase).await.status, 200);
    assert_eq!(app.provider.creates(), 1);
    app.stop().await;
}

#[tokio::test]
async fn an_input_that_cannot_be_kept_consumes_nothing() {
    let bucket = Bucket::start().await;
    let app = bucket.setup("shop").start().await;
    let purchase = app.buy(MODEL, &image_body(&[7; 1_000].repeat(100))).await;
    bucket.leave();
    let refused = app.redeem_async(&purchase).await;
    assert_eq!(refused.outcome(), (503, "UPSTREAM_UNAVAILABLE"));
    assert!(refused.has("retry-after"));
    assert!(refused.json()["suggestion"].as_str().unwrap().contains("Your payment stands"));
    expect_no_sale(&app).await;
    // Known to be in vain: it is not tried again, and not told otherwise.
    assert_eq!(app.redeem_async(&purchase).await.outcome(), (503, "UPSTREAM_UNAVAILABLE"));
    assert_eq!(app.provider.creates(), 0);
    bucket.come_back();
    sells_again(&app).await;
    assert_eq!(app.redeem(&purchase).await.status, 200);
    app.stop().await;
}

#[tokio::test]
async fn a_prefix_belongs_to_one_data_directory() {
    let bucket = Bucket::start().await;
    let app = bucket.setup("shop").start().await;
    let second = bucket.setup("shop");
    let refused = App::start(second.config(), Arc::new(SystemClock)).await.err().unwrap().to_string();
    assert!(refused.starts_with("artifacts.url: another satforge") && refused.contains("shop/owner"), "{refused}");
    let store = ArtifactStore::open(&second.config().artifacts.storage).unwrap();
    assert!(store.look_first().await.is_err() && store.put_input("x", Bytes::new()).await.is_err());
    let satforge::config::StorageConfig::S3(config) = second.config().artifacts.storage else { panic!("a bucket") };
    let refused = ArtifactStore::for_trial(&config).unwrap().try_out([1; 16]).await.unwrap_err().to_string();
    assert!(refused.starts_with("artifacts.url: another satforge"), "{refused}");
    let beside = bucket.setup("shop/two").start().await;
    beside.stop().await;
    app.restart().await.stop().await;
    assert_eq!(bucket.keys(), ["shop/owner", "shop/two/owner"]);
}

#[tokio::test]
async fn a_prefix_that_turns_out_to_be_taken_is_left_alone() {
    let bucket = Bucket::start().await;
    bucket.leave();
    let app = bucket.setup("shop").start().await;
    bucket.put("shop/owner", b"0123456789abcdef0123456789abcdef");
    bucket.put("shop/results/ffffffffffffffffffffffffffffffff.mp4", b"sold by another gateway");
    bucket.come_back();
    bucket.until("it is looked at", |bucket| bucket.looks() > 1).await;
    expect_no_sale(&app).await;
    assert!(bucket.has("shop/results/ffffffffffffffffffffffffffffffff.mp4"));
    bucket.remove("shop/owner");
    sells_again(&app).await;
    app.stop().await;
}

#[tokio::test]
async fn only_leftovers_of_this_gateway_are_swept() {
    let bucket = Bucket::start().await;
    for key in [
        &format!("results/{STRAY}"),
        "inputs/018f0000-0000-7000-8000-000000000000",
        "results/notes.txt",
        &format!("results/old/{STRAY}"),
        "inputs/letter",
        "else",
    ] {
        bucket.put(key, b"x");
    }
    let app = bucket.setup("").start().await;
    bucket.until("leftovers are deleted", |bucket| bucket.keys().len() == 5).await;
    assert_eq!(bucket.keys(), ["else", "inputs/letter", "owner", "results/notes.txt", &format!("results/old/{STRAY}")]);
    app.stop().await;
}

#[tokio::test]
async fn a_large_result_goes_in_parts_and_is_whole() {
    let bucket = Bucket::start().await;
    let setup = bucket.setup("shop");
    let store = watched(&setup).await;
    let chunks: Vec<_> = film(LARGE).chunks(70_001).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    let size = store.put_result(&name(), stream::iter(chunks).boxed(), u64::MAX).await.unwrap();
    assert_eq!(size, LARGE as u64);
    assert_eq!(bucket.file(&format!("shop/results/{}", name().as_str())), Some(film(LARGE)));
    assert_eq!((bucket.unfinished(), notes(&setup)), (0, 0));
}

#[tokio::test]
async fn uploads_that_fail_or_are_dropped_are_given_up() {
    let bucket = Bucket::start().await;
    let setup = bucket.setup("shop");
    let store = watched(&setup).await;
    let broken = store.put_result(&name(), begun(stream::iter([Err("cut")])), u64::MAX).await;
    assert!(broken.is_err());
    bucket.until("a failed upload is given up", |bucket| bucket.unfinished() == 0).await;

    let (name, endless) = (name(), begun(stream::pending()));
    let dropped = tokio::select! {
        _ = store.put_result(&name, endless, u64::MAX) => false,
        () = bucket.until("an upload is under way", |bucket| bucket.unfinished() == 1) => true,
    };
    assert!(dropped);
    bucket.until("a dropped upload is given up", |bucket| bucket.unfinished() == 0 && notes(&setup) == 0).await;
    assert_eq!(bucket.keys(), ["shop/owner"]);
}

#[tokio::test]
async fn a_file_that_nobody_was_told_of_is_deleted() {
    let bucket = Bucket::start().await;
    let setup = bucket.setup("shop");
    let store = watched(&setup).await;
    bucket.lose_answers();
    for length in [LARGE, 1_000] {
        let film = stream::once(async move { Ok(film(length)) }).boxed();
        assert!(store.put_result(&name(), film, u64::MAX).await.is_err());
        bucket.until("it is deleted", |bucket| bucket.keys() == ["shop/owner"]).await;
    }
}

#[tokio::test]
async fn an_upload_that_a_crash_cut_short_is_given_up_and_a_sold_file_is_not() {
    let bucket = Bucket::start().await;
    let setup = bucket.setup("shop");
    let folder = setup.data_dir().join("bucket/uploads");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(STRAY), bucket.begin_upload()).unwrap();
    // Whole, and perhaps named by a row: the process was killed before it forgot the upload.
    std::fs::write(folder.join(name().as_str()), "upload-of-long-ago").unwrap();
    bucket.put("shop/results/07070707070707070707070707070707.mp4", b"sold");
    let _store = watched(&setup).await;
    bucket.until("it is given up", |bucket| bucket.unfinished() == 0 && notes(&setup) == 0).await;
    assert!(bucket.has("shop/results/07070707070707070707070707070707.mp4"));
}
