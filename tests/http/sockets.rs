//! Attacks on the connection itself, through real sockets.

use crate::support::{RawConnection, Setup, TestApp, VIDEO, video_body, within};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
const HEALTHY: &str = "{\"status\":\"ok\"}";

/// The gateway answers others as ever, and stops when it is told to.
async fn well(app: TestApp) {
    assert_eq!(app.send(app.get("/healthz")).await.status, 200);
    app.stop().await;
}

#[tokio::test]
async fn too_many_headers_are_refused() {
    let app = TestApp::start().await;
    let head = |count: usize| {
        let headers = "x: 1\r\n".repeat(count);
        format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n")
    };
    assert_eq!(app.raw(head(98)).await.outcome().0, 200);
    assert_eq!(app.raw(head(99)).await.outcome().0, 431);
    well(app).await;
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let app = TestApp::start().await;
    let mut connection = RawConnection::open(&app).await;
    connection.write("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-long: ").await;
    connection.write_on("x".repeat(4_096)).await;
    let mut connection = RawConnection::open(&app).await;
    connection.write("GET /").await;
    connection.write_on("x".repeat(4_096)).await;
    well(app).await;
}

/// What follows the last byte that somebody reads would fill the memory.
#[tokio::test]
async fn chunks_cannot_smuggle_what_is_no_body() {
    let app = TestApp::start().await;
    let head = format!(
        "POST {VIDEO} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    for bomb in ["1;", "1\r\n \r\n0\r\nx-long: "] {
        let mut connection = RawConnection::open(&app).await;
        connection.write(format!("{head}{bomb}")).await;
        connection.write_on("x".repeat(4_096)).await;
    }
    for bomb in ["1;x=y\r\n \r\n", "0\r\nx: y\r\nx: y\r\n"] {
        let mut connection = RawConnection::open(&app).await;
        connection.write(head.as_str()).await;
        connection.write_on(bomb.repeat(500)).await;
    }
    assert_eq!(app.lightning.calls(), 0);
    well(app).await;
}

/// Whoever asks first whether it may send is told no before a byte of it was sent.
#[tokio::test]
async fn a_body_bomb_is_refused_by_its_announcement() {
    let app = TestApp::start().await;
    let answer = app.raw(format!(
        "POST {VIDEO} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n\
         content-length: 1000000000000\r\n\r\n"
    ));
    assert_eq!(answer.await.outcome(), (413, "BODY_TOO_LARGE"));
    well(app).await;
}

/// Requests are answered one after the other, and no more are read than can be answered.
#[tokio::test]
async fn whoever_asks_on_and_on_and_reads_nothing_is_cut_off() {
    let app = Setup::new().set("SERVER__WRITE_TIMEOUT_SECONDS", 0.3).start().await;
    let mut greedy = RawConnection::open(&app).await;
    greedy.write_on("GET /errors HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(100)).await;
    well(app).await;
}

/// The pause between two signs of life is none of the reader's.
#[tokio::test]
async fn a_response_that_waits_for_its_result_is_not_cut_off() {
    let setup = Setup::new().set("SERVER__WRITE_TIMEOUT_SECONDS", 0.1).set("WAITING__KEEPALIVE_AFTER_SECONDS", 0.15);
    let app = setup.set("WAITING__KEEPALIVE_EVERY_SECONDS", 0.15).start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    app.provider.hold(0.25);
    let mut connection = RawConnection::open(&app).await;
    connection
        .write(format!(
            "POST {VIDEO} HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\ncontent-length: {}\r\n\r\n{}",
            purchase.credential(),
            purchase.body.len(),
            purchase.body
        ))
        .await;
    connection.read_until(&"\r\n1\r\n ".repeat(4)).await;
    app.provider.let_go();
    connection.read_until("videoUrl").await;
    drop(connection);
    well(app).await;
}

#[tokio::test]
async fn an_idle_connection_ends() {
    let app = Setup::new().set("SERVER__HEADER_TIMEOUT_SECONDS", 0.2).start().await;
    RawConnection::open(&app).await.closed().await;
    let mut kept = RawConnection::open(&app).await;
    for _ in 0..3 {
        kept.write(HEALTH).await;
        kept.read_until(HEALTHY).await;
    }
    kept.closed().await;
    well(app).await;
}

/// Whether a new connection from `address` is served; it is handed back if so.
async fn served(app: &TestApp, address: [u8; 4]) -> Option<RawConnection> {
    let mut connection = RawConnection::open_from(app, address).await;
    connection.try_ask(HEALTH, HEALTHY).await.then_some(connection)
}

#[tokio::test]
async fn one_host_cannot_take_all_places() {
    let setup = Setup::new().set("SERVER__MAX_CONNECTIONS_PER_ADDRESS", 2);
    let app = setup.set("SERVER__MAX_CONNECTIONS_PER_NETWORK", 3).start().await;
    let mut held = Vec::new();
    for (address, is_served) in [
        ([127, 1, 1, 1], true),
        ([127, 1, 1, 1], true),
        ([127, 1, 1, 1], false),
        ([127, 1, 1, 2], true),
        ([127, 1, 1, 3], false),
        ([127, 1, 2, 1], true),
    ] {
        let connection = served(&app, address).await;
        assert_eq!(connection.is_some(), is_served, "{address:?}");
        held.extend(connection);
    }
    drop(held);
    within("places that are free again", async { while served(&app, [127, 1, 1, 1]).await.is_none() {} }).await;
    app.stop().await;
}

/// Never more than half of all, whatever is allowed; and behind a proxy of ours are many.
#[tokio::test]
async fn half_of_the_places_are_for_others_and_proxies_have_no_limit() {
    let setup = Setup::new().set("SERVER__MAX_CONNECTIONS", 5).set("SERVER__MAX_CONNECTIONS_PER_ADDRESS", 100);
    let setup = setup.set("SANDBOX__PUBLIC", true).set("SERVER__TRUSTED_PROXIES", "[\"127.9.9.9\"]");
    let app = setup.start().await;
    let mut held = Vec::new();
    for is_served in [true, true, true, false] {
        let connection = served(&app, [127, 1, 1, 1]).await;
        assert_eq!(connection.is_some(), is_served);
        held.extend(connection);
    }
    drop(held);
    within("places that are free again", async { while served(&app, [127, 1, 1, 1]).await.is_none() {} }).await;
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(served(&app, [127, 9, 9, 9]).await.expect("a place for the proxy"));
    }
    drop(held);
    app.stop().await;
}
