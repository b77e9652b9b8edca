//! Challenges and paid re-reads a second, against a bare handler that reads the same body and answers with as many
//! bytes.

use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpStream;

use crate::child::Server;
use crate::load::{self, Measured};

const TIME: Duration = Duration::from_secs(3);
const ROUNDS: usize = 3;

/// Unpaid requests. The invoices' signatures were made beforehand in one run and not in the other.
pub fn challenges() {
    let presigned = Server::start("gateway:presigned");
    let signing = Server::start("gateway:sandbox");
    let bytes = answer_bytes(&signing, &load::video(""));
    let bare = Server::start(&format!("bare:{bytes}"));
    compare("challenge, signing taken out", (&presigned, 402), (&bare, 200), &load::video(""));
    compare("challenge, signed by the sandbox", (&signing, 402), (&bare, 200), &load::video(""));
}

/// The credential of a finished purchase, again and again.
pub fn paid_rereads() {
    let gateway = Server::start("gateway:sandbox");
    let credential = buy(&gateway);
    let request = load::video(&format!("authorization: {credential}\r\n"));
    let bare = Server::start(&format!("bare:{}", answer_bytes(&gateway, &request)));
    compare("paid re-read", (&gateway, 200), (&bare, 200), &request);
}

/// Buys a video, waits for it and returns the credential.
pub fn buy(gateway: &Server) -> String {
    in_runtime(async {
        let mut stream = TcpStream::connect(gateway.address).await.expect("the gateway accepts");
        let (status, _, body) = load::exchange(&mut stream, &load::video("")).await;
        assert_eq!(status, 402);
        let challenge: Value = serde_json::from_slice(&body).expect("JSON");
        let pay = format!(r#"{{"invoice":{}}}"#, challenge["invoice"]);
        let (_, _, body) = load::exchange(&mut stream, &load::request("/sandbox/pay", "", &pay)).await;
        let payment: Value = serde_json::from_slice(&body).expect("JSON");
        let credential = format!(
            "L402 {}:{}",
            challenge["macaroon"].as_str().expect("a macaroon"),
            payment["preimage"].as_str().expect("a preimage")
        );
        let headers = format!("authorization: {credential}\r\nprefer: wait=60\r\n");
        let (status, _, _) = load::exchange(&mut stream, &load::video(&headers)).await;
        assert_eq!(status, 200, "the video is delivered");
        credential
    })
}

fn answer_bytes(server: &Server, request: &[u8]) -> usize {
    in_runtime(async {
        let mut stream = TcpStream::connect(server.address).await.expect("the server accepts");
        load::exchange(&mut stream, request).await.2.len()
    })
}

/// Rounds alternate, so that what else runs on the machine hits both alike; the medians are compared.
fn compare(what: &str, (ours, status): (&Server, u16), (bare, bare_status): (&Server, u16), request: &[u8]) {
    let mut rounds: Vec<(Measured, Measured)> = (0..ROUNDS)
        .map(|_| (load::run(ours, request, status, TIME), load::run(bare, request, bare_status, TIME)))
        .collect();
    rounds.sort_by(|a, b| (a.0.rate / a.1.rate).total_cmp(&(b.0.rate / b.1.rate)));
    let (ours, bare) = rounds[ROUNDS / 2];
    println!(
        "{what}: {:.0}/s against {:.0}/s bare, ratio {:.2}; CPU {:.1} µs against {:.1} µs, ratio {:.2}",
        ours.rate,
        bare.rate,
        ours.rate / bare.rate,
        ours.cpu_micros,
        bare.cpu_micros,
        bare.cpu_micros / ours.cpu_micros,
    );
}

fn in_runtime<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts").block_on(future)
}
