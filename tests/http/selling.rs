//! What is for sale at the moment, for how much, and what the pages say of it.

use reqwest::Method;
use satforge::config::{Ambiguous, CostRule, ImageBounds, RouteConfig};
use satforge::domain::{InputTemplate, ServiceId};
use satforge::providers::ProviderError;
use serde_json::{Value, json};

use crate::support::{MODEL, Setup, SubmitStep, TestApp, VIDEO, sized_image_body, video_body, within};

const PAGES: [&str; 2] = ["/", "/l402/video"];
const NOT_FOR_SALE: &str = "Not for sale at the moment";

fn route(service: ServiceId, name: &str) -> RouteConfig {
    RouteConfig {
        name: name.into(),
        service,
        provider: "fake".into(),
        model: name.into(),
        input: InputTemplate::default(),
        result: String::new(),
        image: ImageBounds::default(),
        deadline: None,
        price_factor: 1.0,
        concurrency: 9,
        ambiguous: Ambiguous::default(),
        cost: CostRule::default(),
    }
}

/// Videos along a route at the price that was configured and, where that is closed, along a dearer one.
fn two_prices() -> Setup {
    let (cheap, dear) = (route(ServiceId::Video, "cheap"), route(ServiceId::Video, "dear"));
    let model = route(ServiceId::Model3d, "model");
    Setup::new().routes(vec![cheap, RouteConfig { price_factor: 1.101, ..dear }, model])
}

async fn metadata(app: &TestApp, path: &str) -> Value {
    app.send(app.get(path)).await.json()
}

async fn page(app: &TestApp, path: &str) -> String {
    let page = app.send(app.get(path)).await;
    // Nobody may keep one: it may be another in the next second.
    assert_eq!((page.status, page.header("cache-control")), (200, "no-cache"), "{path}");
    page.text()
}

/// Everything says that a video of 5 s costs `sats`, and one of 10 s `twice`.
async fn assert_price(app: &TestApp, sats: u64, twice: u64, rule: &str) {
    let challenge = app.ask(VIDEO, &video_body("a cat")).await.json();
    assert_eq!((&challenge["price_sats"], &challenge["priceSats"]), (&json!(sats), &json!(sats)));
    let longer = r#"{"prompt":"a cat","model":"Video Generation","duration":10}"#;
    assert_eq!(app.ask(VIDEO, longer).await.json()["price_sats"], twice);
    let price = &metadata(app, VIDEO).await["price"];
    assert_eq!((&price["price_sats"], &price["rule"]), (&json!(sats), &json!(rule)));
    assert_eq!(price["examples"][1]["price_sats"], twice);
    for path in PAGES {
        let html = page(app, path).await;
        assert!(html.contains(&format!("from {sats} sats")) && html.contains(rule), "{path}");
    }
    assert!(page(app, "/l402").await.contains(&format!("from {sats} sats")));
}

#[tokio::test]
async fn the_price_is_that_of_the_first_route_that_is_open() {
    let app = two_prices().start().await;
    let body = video_body("a cat");
    assert_price(&app, 500, 1_000, "100 sats per second").await;
    let cheaply = app.buy(VIDEO, &body).await;
    let cheap = app.route(ServiceId::Video, "cheap");

    cheap.refused("no credit");
    assert_price(&app, 551, 1_101, "110.1 sats per second, in all rounded up to a whole sat").await;
    assert_eq!(metadata(&app, MODEL).await["price"]["price_sats"], 350, "another service's routes are open");
    let dearly = app.buy(VIDEO, &body).await;
    let job = |answer: &crate::support::Answer| format!("/api/l402/jobs/{}", answer.header("x-job-id"));

    let answer = app.redeem(&cheaply).await;
    assert_eq!(answer.status, 200, "what was paid is honoured at its price");
    assert_eq!(metadata(&app, &job(&answer)).await["amount_sats"], 500);
    cheap.took();
    assert_price(&app, 500, 1_000, "100 sats per second").await;
    let answer = app.redeem(&dearly).await;
    assert_eq!((answer.status, &metadata(&app, &job(&answer)).await["amount_sats"]), (200, &json!(551)));
    assert_eq!(app.provider.models(), ["dear", "cheap"]);
    app.stop().await;
}

/// When a route closes, its buyers are told another price at once: that invoice must be ready too.
#[tokio::test]
async fn invoices_are_kept_ready_for_each_price() {
    let app = two_prices().set("LIGHTNING__POOL__SIZE", 1).start().await;
    // Two lengths at two prices, and the model.
    within("five invoices are made", async {
        while app.lightning.calls() < 5 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    app.stop().await;
}

/// From a fault of the operator's over the page to what is paid already, and to the sale of the next.
#[tokio::test]
async fn what_nobody_can_make_is_not_for_sale_until_somebody_can() {
    let app = Setup::new().start().await;
    let body = video_body("a cat");
    let [first, second] = [app.buy(VIDEO, &body).await, app.buy(VIDEO, &body).await];
    for path in PAGES {
        assert!(!page(&app, path).await.contains(NOT_FOR_SALE), "{path}");
    }
    app.provider.script([SubmitStep::Refuse(ProviderError::OperatorFault("no credit".into()))]);
    assert_eq!(app.redeem(&first).await.outcome(), (502, "GENERATION_FAILED"));

    let invoices = app.lightning.calls();
    for path in PAGES {
        let html = page(&app, path).await;
        assert!(html.contains(NOT_FOR_SALE) && html.contains("500 sats"), "{path} hides no price");
    }
    for path in ["/l402", "/l402/3d-model"] {
        assert!(page(&app, path).await.contains("not for sale"), "{path}");
    }
    let missing = app.send(app.get("/nothing").header("accept", "text/html")).await;
    assert!(missing.text().contains("not for sale at the moment"));
    assert_eq!(metadata(&app, VIDEO).await["available"], false);
    let head = app.send(app.request(Method::HEAD, "/l402/video")).await;
    assert_eq!(head.header("content-length"), page(&app, "/l402/video").await.len().to_string());
    for request in [
        app.post(VIDEO, body.clone()),
        app.post(VIDEO, body.clone()).header("authorization", "L402 x"),
        app.post(VIDEO, video_body("a dog")).header("authorization", second.credential()),
    ] {
        let answer = app.send(request).await;
        assert_eq!((answer.outcome(), answer.header("retry-after")), ((503, "UPSTREAM_UNAVAILABLE"), "30"));
    }
    assert_eq!(app.lightning.calls(), invoices, "no invoice was made");

    // What is paid is tried all the same, and the provider has been mended.
    assert_eq!(app.redeem(&second).await.status, 200);
    assert_eq!(metadata(&app, VIDEO).await["available"], true);
    for path in PAGES {
        assert!(!page(&app, path).await.contains(NOT_FOR_SALE), "{path}");
    }
    assert_eq!(app.ask(VIDEO, &body).await.status, 402);
    app.stop().await;
}

/// The home page buys what can be bought.
#[tokio::test]
async fn the_home_page_shows_what_is_for_sale() {
    let app = two_prices().start().await;
    let bought = async || {
        page(&app, "/").await.contains("data-flow=\"home\"")
            && page(&app, "/").await.contains("POST /api/l402/video</code></span>")
    };
    assert!(bought().await);
    for name in ["cheap", "dear"] {
        app.route(ServiceId::Video, name).refused("no credit");
    }
    assert!(!bought().await);
    assert_eq!(page(&app, "/").await.matches(NOT_FOR_SALE).count(), 1, "on the card of the videos alone");
    assert!(!page(&app, "/l402/3d-model").await.contains(NOT_FOR_SALE));
    app.stop().await;
}

/// An operator who sells videos alone does not have to explain that there are no models.
#[tokio::test]
async fn what_is_never_sold_is_not_mentioned() {
    let app = two_prices().start().await;
    let paid = app.buy(MODEL, &sized_image_body(8, 8, b"")).await;
    let videos = || route(ServiceId::Video, "cheap");
    let setup = app.shut_down().await.unsold(ServiceId::Model3d).routes(vec![videos()]);
    let app = setup.start().await;
    for path in ["/", "/l402", "/l402/video", "/errors"] {
        let html = page(&app, path).await;
        assert!(!html.contains("3d-model") && !html.contains("not for sale"), "{path}");
    }
    for path in [MODEL, "/l402/3d-model"] {
        assert_eq!(app.send(app.get(path)).await.outcome(), (404, "NOT_FOUND"), "{path}");
    }
    assert_eq!(app.ask(MODEL, &paid.body).await.outcome(), (404, "NOT_FOUND"));
    assert_eq!(app.send(app.get("/readyz")).await.status, 200);
    assert_eq!(app.redeem(&paid).await.outcome(), (502, "GENERATION_FAILED"), "what is paid is owed back");
    app.stop().await;
}

/// A route for large pictures, and one for smaller ones and small files.
fn two_sizes() -> Setup {
    let large = ImageBounds { min_side: Some(64), max_side: Some(512), ..ImageBounds::default() };
    let small = ImageBounds { max_bytes: Some(1_000), min_side: Some(16), max_pixels: Some(4_096), ..large };
    let route = |name, image| RouteConfig { image, ..route(ServiceId::Model3d, name) };
    Setup::new().routes(vec![route("large", large), route("small", ImageBounds { max_side: None, ..small })])
}

#[tokio::test]
async fn an_image_that_nobody_takes_is_refused_before_the_invoice() {
    let app = two_sizes().start().await;
    let words = "64 to 512 pixels a side, at most 40 megapixels; or 16 to 8192 pixels a side, at most 4096 pixels in all, \
                 at most 1000 bytes";
    for (width, height, tail) in [(8, 8, 0), (513, 64, 0), (63, 63, 1_000), (63, 66, 0)] {
        let answer = app.ask(MODEL, &sized_image_body(width, height, &vec![0; tail])).await;
        assert_eq!(answer.outcome(), (422, "INVALID_PARAMS"), "{width} × {height}");
        let error = answer.json()["errors"][0].clone();
        assert_eq!(error["pointer"], "/image");
        let detail = error["detail"].as_str().unwrap();
        assert!(detail.contains(words) && detail.contains(&format!("{width} × {height} pixels")), "{detail}");
    }
    assert_eq!(app.lightning.calls(), 0);
    let document = metadata(&app, MODEL).await;
    assert!(document["request_schema"]["properties"]["image"]["description"].as_str().unwrap().contains(words));
    let bounds = json!([
        {"min_side": 64, "max_side": 512, "max_pixels": 40_000_000},
        {"max_bytes": 1_000, "min_side": 16, "max_side": 8_192, "max_pixels": 4_096},
    ]);
    assert_eq!(document["image_bounds"], bounds);
    assert!(page(&app, "/l402/3d-model").await.contains(words));
    // The example is one of those that are taken.
    assert_eq!(app.ask(MODEL, &document["example_request"].to_string()).await.status, 402);
    app.stop().await;
}

#[tokio::test]
async fn an_image_goes_where_it_is_taken_and_is_sold_only_while_that_is_open() {
    let app = two_sizes().start().await;
    let (large, small) = (sized_image_body(200, 64, b""), sized_image_body(16, 16, b""));
    for (body, model) in [(&small, "small"), (&large, "large")] {
        let purchase = app.buy(MODEL, body).await;
        assert_eq!(app.redeem(&purchase).await.status, 200);
        assert_eq!(app.provider.models().last().unwrap(), model);
    }
    let paid = app.buy(MODEL, &small).await;
    app.route(ServiceId::Model3d, "small").refused("no credit");
    let refused = app.ask(MODEL, &small).await;
    assert_eq!((refused.outcome(), refused.header("retry-after")), ((503, "UPSTREAM_UNAVAILABLE"), "30"));
    assert!(refused.json()["detail"].as_str().unwrap().contains("this image"));
    assert_eq!(app.ask(MODEL, &large).await.status, 402);
    assert_eq!(metadata(&app, MODEL).await["available"], true);
    assert_eq!(app.redeem(&paid).await.status, 200, "what is paid is tried where it is taken");
    assert_eq!(app.provider.models(), ["small", "large", "small"]);
    assert_eq!(app.ask(MODEL, &small).await.status, 402);
    app.stop().await;
}
