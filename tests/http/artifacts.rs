//! Results as files: whole, in parts, for players and for browsers.

use reqwest::Method;
use satforge::domain::ServiceId;

use crate::support::{Answer, FakeProvider, MODEL, TestApp, VIDEO, image_body, video_body};

async fn bought(app: &TestApp) -> String {
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    app.path_of(app.redeem(&purchase).await.json()["videoUrl"].as_str().unwrap())
}

#[tokio::test]
async fn a_whole_file_with_its_headers() {
    let app = TestApp::start().await;
    let path = bought(&app).await;
    let name = path.strip_prefix("/artifacts/").unwrap();
    let (stem, ending) = name.split_once('.').unwrap();
    assert!(stem.len() == 32 && stem.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
    assert_eq!(ending, "mp4");
    let file = app.send(app.get(&path)).await;
    assert_eq!((file.status, &file.body), (200, &FakeProvider::file(ServiceId::Video)));
    for (header, value) in [
        ("content-type", "video/mp4"),
        ("content-length", "1000"),
        ("accept-ranges", "bytes"),
        ("etag", &format!("\"{stem}\"")),
        ("content-disposition", &format!("inline; filename=\"satforge-video-{}.mp4\"", &stem[..8])),
        ("cache-control", "private, max-age=86400, immutable"),
    ] {
        assert_eq!(file.header(header), value, "{header}");
    }
    let model = app.buy(MODEL, &image_body(b"")).await;
    let path = app.path_of(app.redeem(&model).await.json()["modelUrl"].as_str().unwrap());
    let file = app.send(app.get(&path)).await;
    assert_eq!(
        (file.header("content-type"), &file.body),
        ("model/gltf-binary", &FakeProvider::file(ServiceId::Model3d))
    );
    app.stop().await;
}

#[tokio::test]
async fn ranges() {
    let app = TestApp::start().await;
    let path = bought(&app).await;
    let whole = FakeProvider::file(ServiceId::Video);
    let part = async |range: &str| -> Answer { app.send(app.get(&path).header("range", range)).await };
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=999-", 999, 1_000),
        ("bytes=-10", 990, 1_000),
        ("bytes=990-5000", 990, 1_000),
    ] {
        let answer = part(range).await;
        assert_eq!((answer.status, &answer.body[..]), (206, &whole[from..to]), "{range}");
        assert_eq!(answer.header("content-range"), format!("bytes {from}-{}/1000", to - 1));
        assert_eq!(answer.header("content-length"), (to - from).to_string());
    }
    for range in ["bytes=1000-", "bytes=5000-6000"] {
        let answer = part(range).await;
        assert_eq!((answer.status, answer.header("content-range")), (416, "bytes */1000"), "{range}");
    }
    for range in ["bytes=x", "lines=1-2", "bytes=0-1,5-6"] {
        let answer = part(range).await;
        assert_eq!((answer.status, &answer.body), (200, &whole), "{range} is answered with the whole");
    }
    app.stop().await;
}

#[tokio::test]
async fn head_and_conditions() {
    let app = TestApp::start().await;
    let path = bought(&app).await;
    let etag = app.send(app.get(&path)).await.header("etag").to_owned();
    let head = app.send(app.request(Method::HEAD, &path)).await;
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, "1000", 0));
    let head = app.send(app.request(Method::HEAD, &path).header("range", "bytes=0-9")).await;
    assert_eq!((head.status, head.header("content-length")), (206, "10"));

    let known = app.send(app.get(&path).header("if-none-match", &etag)).await;
    assert_eq!((known.status, known.body.len(), known.header("etag")), (304, 0, etag.as_str()));
    let other = app.send(app.get(&path).header("if-none-match", "\"other\"")).await;
    assert_eq!(other.status, 200);
    let any = app.send(app.get(&path).header("if-none-match", "*")).await;
    assert_eq!(any.status, 304, "a star is every tag");

    let same = app.send(app.get(&path).header("range", "bytes=0-9").header("if-range", &etag)).await;
    assert_eq!(same.status, 206);
    let changed = app.send(app.get(&path).header("range", "bytes=0-9").header("if-range", "\"other\"")).await;
    assert_eq!((changed.status, changed.body.len()), (200, 1_000));
    app.stop().await;
}

#[tokio::test]
async fn what_is_no_result_is_not_found() {
    let app = TestApp::start().await;
    let path = bought(&app).await;
    let stranger = format!("{}.mp4", "0".repeat(32));
    for name in [stranger.as_str(), "x", "..%2f..%2fkey", "%2e%2e%2finputs", &path[11..40], "%ff"] {
        let answer = app.send(app.get(&format!("/artifacts/{name}"))).await;
        assert_eq!(answer.outcome(), (404, "NOT_FOUND"), "{name}");
    }
    let as_model = app.send(app.get(&path.replace(".mp4", ".glb"))).await;
    assert_eq!(as_model.outcome(), (404, "NOT_FOUND"));
    let refused = app.send(app.request(Method::DELETE, &path)).await;
    assert_eq!((refused.outcome(), refused.header("allow")), ((405, "METHOD_NOT_ALLOWED"), "GET,HEAD"));
    app.stop().await;
}
