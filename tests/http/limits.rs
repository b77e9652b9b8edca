//! The challenge limit: for whoever asks for prices, never for whoever has paid.

use crate::support::{RawConnection, Setup, TestApp, VIDEO, video_body};

async fn with_burst(burst: u32) -> TestApp {
    Setup::new().set("LIMITS__CHALLENGES_PER_MINUTE", 1).set("LIMITS__CHALLENGE_BURST", burst).start().await
}

#[tokio::test]
async fn a_burst_is_allowed_and_then_refused_with_a_time_to_wait() {
    let app = with_burst(2).await;
    let body = video_body("a cat");
    assert_eq!(app.ask(VIDEO, &body).await.status, 402);
    assert_eq!(app.ask(VIDEO, &body).await.status, 402);
    let refused = app.ask(VIDEO, &body).await;
    assert_eq!(refused.outcome(), (429, "RATE_LIMITED"));
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(refused.json()["retry_after_seconds"], seconds);
    assert_eq!(app.lightning.calls(), 2, "before any invoice");
    app.stop().await;
}

/// The answer comes though the body was announced and not sent. The gateway reads on for a while before it answers, for
/// clients that send first and read afterwards; time is paused here, so that it passes at once.
#[tokio::test]
async fn the_limit_is_charged_before_the_body_is_read() {
    let app = with_burst(1).await;
    app.ask(VIDEO, &video_body("a cat")).await;
    let mut connection = RawConnection::open(&app).await;
    connection.write(format!("POST {VIDEO} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 60000\r\n\r\n")).await;
    tokio::time::pause();
    let head = connection.read_until("\r\n\r\n").await;
    tokio::time::resume();
    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
    app.stop().await;
}

#[tokio::test]
async fn a_good_credential_is_never_limited_and_a_refused_one_is() {
    let app = with_burst(1).await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    for _ in 0..5 {
        assert_eq!(app.redeem(&purchase).await.status, 200);
    }
    assert_eq!(app.redeem_as(&purchase, "L402 x").await.outcome(), (429, "RATE_LIMITED"));
    let elsewhere = crate::support::Purchase { body: video_body("a dog"), ..purchase };
    assert_eq!(app.redeem(&elsewhere).await.outcome(), (429, "RATE_LIMITED"));
    app.stop().await;
}

/// What else is free stays free.
#[tokio::test]
async fn nothing_but_challenges_is_limited() {
    let app = with_burst(1).await;
    app.ask(VIDEO, &video_body("a cat")).await;
    for path in [VIDEO, "/", "/healthz", "/api/error-codes"] {
        assert_eq!(app.send(app.get(path)).await.status, 200, "{path}");
    }
    app.stop().await;
}

#[tokio::test]
async fn a_strangers_forwarded_address_is_not_believed() {
    let setup = Setup::new().set("LIMITS__CHALLENGES_PER_MINUTE", 1).set("LIMITS__CHALLENGE_BURST", 1);
    let app = setup.set("SANDBOX__PUBLIC", true).start().await;
    let ask = async |from: &str| {
        let request =
            app.post(VIDEO, video_body("a cat")).header("x-forwarded-for", from).header("forwarded", "for=9.9.9.9");
        app.send(request).await.status
    };
    assert_eq!(ask("203.0.113.1").await, 402);
    assert_eq!(ask("203.0.113.2").await, 429);
    app.stop().await;
}

/// Behind a proxy of ours, what it saw counts, and not what its client wrote before that.
#[tokio::test]
async fn a_trusted_proxys_clients_have_budgets_of_their_own() {
    let setup = Setup::new().set("LIMITS__CHALLENGES_PER_MINUTE", 1).set("LIMITS__CHALLENGE_BURST", 1);
    let setup = setup.set("SERVER__TRUSTED_PROXIES", r#"["127.0.0.0/8"]"#);
    let app = setup.set("SANDBOX__PUBLIC", true).start().await;
    let ask =
        async |from: &str| app.send(app.post(VIDEO, video_body("a cat")).header("x-forwarded-for", from)).await.status;
    assert_eq!(ask("203.0.113.1").await, 402);
    assert_eq!(ask("203.0.113.2").await, 402);
    assert_eq!(ask("203.0.113.1").await, 429);
    assert_eq!(ask("198.51.100.7, 203.0.113.2").await, 429, "the client's own claim");
    assert_eq!(ask("2001:db8:0:1::1").await, 402);
    assert_eq!(ask("2001:db8:0:1:ffff::2").await, 429, "one network of 64 bits");
    app.stop().await;
}

/// `satforge dev` has no limit.
#[tokio::test]
async fn without_a_limit_nothing_is_counted() {
    let app = TestApp::start().await;
    for _ in 0..100 {
        assert_eq!(app.ask(VIDEO, &video_body("a cat")).await.status, 402);
    }
    app.stop().await;
}

/// Connections beyond the limit wait for one that ends.
#[tokio::test]
async fn connections_are_limited() {
    let app = Setup::new().set("SERVER__MAX_CONNECTIONS", 1).start().await;
    let mut first = RawConnection::open(&app).await;
    first.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    first.read_until("{\"status\":\"ok\"}").await;
    let mut second = RawConnection::open(&app).await;
    second.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    first.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    let answered = second.read_until("{\"status\":\"ok\"}");
    let (answer, _) = futures_util::future::join(answered, first.read_answer()).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"));
    drop(second);
    app.stop().await;
}

/// A sender that never finishes its head does not keep its place.
#[tokio::test]
async fn a_slow_head_is_cut_off() {
    let app = Setup::new().set("SERVER__HEADER_TIMEOUT_SECONDS", 0.1).start().await;
    let mut slow = RawConnection::open(&app).await;
    slow.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: ").await;
    slow.closed().await;
    app.stop().await;
}
