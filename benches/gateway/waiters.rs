//! Resident memory with ten thousand requests that wait for one result.

use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::child::Server;
use crate::load;

const WAITERS: usize = 10_000;
const BODY: &str = r#"{"prompt":"sandbox:slow=3600","model":"Video Generation"}"#;

pub fn run() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(async {
        let gateway = Server::start("gateway:sandbox");
        let credential = pay(&gateway).await;
        let headers = format!("authorization: {credential}\r\n");
        let request = load::request("/api/l402/video", &headers, BODY);
        let before = gateway.usage().resident;
        let mut waiting = Vec::with_capacity(WAITERS);
        for _ in 0..WAITERS {
            let mut stream = TcpStream::connect(gateway.address).await.expect("a connection; see ulimit -n");
            stream.write_all(&request).await.expect("the gateway reads");
            waiting.push(stream);
        }
        // The first space of each: from then on every one of them waits.
        for stream in &mut waiting {
            let mut head = [0; 16];
            tokio::time::timeout(Duration::from_mins(1), tokio::io::AsyncReadExt::read_exact(stream, &mut head))
                .await
                .expect("the keep-alive begins")
                .expect("the gateway answers");
        }
        let after = gateway.usage().resident;
        println!(
            "{WAITERS} waiters: {:.0} MB resident, {:.0} MB before; {:.1} kB a waiter",
            after as f64 / 1e6,
            before as f64 / 1e6,
            (after - before) as f64 / WAITERS as f64 / 1e3
        );
    });
}

async fn pay(gateway: &Server) -> String {
    let mut stream = TcpStream::connect(gateway.address).await.expect("the gateway accepts");
    let (_, _, body) = load::exchange(&mut stream, &load::request("/api/l402/video", "", BODY)).await;
    let challenge: Value = serde_json::from_slice(&body).expect("JSON");
    let pay = format!(r#"{{"invoice":{}}}"#, challenge["invoice"]);
    let (_, _, body) = load::exchange(&mut stream, &load::request("/sandbox/pay", "", &pay)).await;
    let payment: Value = serde_json::from_slice(&body).expect("JSON");
    format!(
        "L402 {}:{}",
        challenge["macaroon"].as_str().expect("a macaroon"),
        payment["preimage"].as_str().expect("a preimage")
    )
}
