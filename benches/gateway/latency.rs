//! From a redemption to the provider, and from the end of a job to its waiter: upper bounds, because the times that the
//! gateway notes are taken before its flushes to disk.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_trait::async_trait;
use axum::body::Bytes;
use futures_util::{StreamExt as _, stream};
use satforge::app::{App, Backends};
use satforge::artifacts::ByteStream;
use satforge::clock::{Clock, SystemClock};
use satforge::domain::ServiceId;
use satforge::providers::{Found, Order, Poll, Provider, ProviderError, Providers, Task};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::load;
use crate::setup;

const PURCHASES: usize = 100;

/// A provider that is done at once and notes when it was asked.
#[derive(Default)]
struct Instantly {
    submitted: Mutex<Option<Instant>>,
    fetched: Mutex<Option<Instant>>,
}

#[async_trait]
impl Provider for Instantly {
    fn name(&self) -> &'static str {
        "instantly"
    }

    async fn submit(&self, order: &Order<'_>) -> Result<String, ProviderError> {
        *self.submitted.lock().expect("no panic") = Some(Instant::now());
        Ok(order.key.to_owned())
    }

    async fn find(&self, _: &Order<'_>) -> Result<Found, ProviderError> {
        Ok(Found::Nothing)
    }

    async fn poll(&self, _: &Task<'_>) -> Result<Poll, ProviderError> {
        Ok(Poll::Ready { charged: None })
    }

    async fn fetch(&self, _: &Task<'_>) -> Result<ByteStream, ProviderError> {
        *self.fetched.lock().expect("no panic") = Some(Instant::now());
        Ok(stream::iter([Ok(Bytes::from_static(b"\0\0\0\x10ftypisom\0\0\0\0"))]).boxed())
    }

    async fn discard(&self, _: &Task<'_>) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn probe(&self, _model: &str) -> Result<(), ProviderError> {
        Ok(())
    }
}

pub fn run() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(async {
        let dir = tempfile::tempdir().expect("a folder");
        let config = setup::config(dir.path(), &[]);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let chosen = Backends::choose(&config, &clock).expect("the backends start");
        let provider = Arc::new(Instantly::default());
        let routes = ServiceId::ALL.map(|service| (service, provider.clone() as Arc<dyn Provider>)).to_vec();
        let backends = Backends { providers: Providers::new(routes), ..chosen };
        let app = App::start_with(config, clock, backends).await.expect("the gateway starts");
        let (mut pick_up, mut reach) = (Vec::new(), Vec::new());
        for _ in 0..PURCHASES {
            let began = purchase(&app).await;
            let answered = Instant::now();
            let submitted = provider.submitted.lock().expect("no panic").expect("it was asked");
            let fetched = provider.fetched.lock().expect("no panic").expect("it was asked");
            pick_up.push((submitted - began).as_secs_f64() * 1e3);
            reach.push((answered - fetched).as_secs_f64() * 1e3);
        }
        report("credential sent → create at the provider (three flushes)", pick_up);
        report("result at the provider → answer at the waiter (file and row flushed)", reach);
    });
}

/// Buys; returns when the credential was sent.
async fn purchase(app: &App) -> Instant {
    let mut stream = TcpStream::connect(app.address).await.expect("the gateway accepts");
    let (_, _, body) = load::exchange(&mut stream, &load::video("")).await;
    let challenge: Value = serde_json::from_slice(&body).expect("JSON");
    let wallet = app.gateway.sandbox.as_ref().expect("the sandbox has a wallet");
    let payment = wallet.pay(challenge["invoice"].as_str().expect("an invoice")).expect("it pays");
    let macaroon = challenge["macaroon"].as_str().expect("a macaroon");
    let header = format!("authorization: L402 {macaroon}:{}\r\n", payment.preimage.reveal_hex());
    let began = Instant::now();
    let (status, _, _) = load::exchange(&mut stream, &load::video(&header)).await;
    assert_eq!(status, 200);
    began
}

fn report(what: &str, mut millis: Vec<f64>) {
    millis.sort_by(f64::total_cmp);
    let at = |percent: usize| millis[(millis.len() - 1) * percent / 100];
    println!("{what}: median {:.1} ms, 99 % {:.1} ms", at(50), at(99));
}
