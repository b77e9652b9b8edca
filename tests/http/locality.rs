//! Play money is for this machine alone, also where a proxy or a tunnel makes the listener public.

use reqwest::RequestBuilder;

use crate::support::{MODEL, Setup, TestApp, VIDEO, image_body, video_body};

fn through_a_proxy(request: &RequestBuilder) -> [RequestBuilder; 3] {
    let copy = || request.try_clone().expect("a request with a body in memory");
    [
        copy().header("x-forwarded-for", "203.0.113.9"),
        copy().header("via", "1.1 tunnel"),
        copy().header("host", "shop.example"),
    ]
}

#[tokio::test]
async fn nothing_is_sold_to_other_machines_for_play_money() {
    let app = TestApp::start().await;
    let invoice = app.ask(VIDEO, &video_body("a cat")).await.json()["invoice"].to_string();
    let bodies = [
        (VIDEO, video_body("a cat")),
        (MODEL, image_body(b"")),
        ("/sandbox/pay", format!("{{\"invoice\":{invoice}}}")),
    ];
    for (path, body) in bodies {
        for request in through_a_proxy(&app.post(path, body)) {
            let refused = app.send(request).await;
            assert_eq!(refused.outcome(), (403, "LOCAL_ONLY"), "{path}");
            assert!(!refused.headers.contains_key("www-authenticate"));
        }
    }
    assert_eq!(app.lightning.calls(), 1);
    for request in through_a_proxy(&app.get("/l402/video")) {
        assert_eq!(app.send(request).await.status, 200, "what costs nothing can be read");
    }
    app.stop().await;
}

#[tokio::test]
async fn an_operator_can_allow_it() {
    let app = Setup::new().set("SANDBOX__PUBLIC", true).start().await;
    for request in through_a_proxy(&app.post(VIDEO, video_body("a cat"))) {
        assert_eq!(app.send(request).await.status, 402);
    }
    app.stop().await;
}
