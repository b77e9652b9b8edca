use std::sync::Arc;

use axum::body::Body;
use axum::http::Response;
use lightning_invoice::Currency;
use serde_json::{Value, json};

use crate::node::Node;
use crate::products::json as answer;
use crate::products::lightning_address::METADATA;
use crate::scripted::Asked;
use crate::serve::refusals::{Case, case};

const ADDRESS: &str = "lightning.lightning_address.address";
const CALLBACK: &str = "GET /api/v1/lnurl/wallet/seller/cb";

pub async fn all() -> Vec<Case> {
    [addresses(), servers(), hosts(), invoices()].into_iter().flatten().collect()
}

fn addresses() -> Vec<Case> {
    vec![
        case("lightning.lightning_address.address: this must be a Lightning address, such as you@example.com")
            .set(ADDRESS, "you.example.com"),
        case(
            "lightning.lightning_address.address: the wallet's server does not serve this address: Lightning address \
             not found.",
        )
        .answers(200, json!({"status": "ERROR", "reason": "Lightning address not found."})),
        case(
            "lightning.lightning_address.address: the wallet's server does not serve this address: HTTP 404 Not Found",
        )
        .answers(404, "<html>"),
        case("lightning.lightning_address.address: what is served there is no Lightning address")
            .answers(200, "<html>"),
    ]
}

fn servers() -> Vec<Case> {
    let params = |callback: &str, max: u64| {
        json!({
            "tag": "payRequest", "callback": callback, "minSendable": 10_000, "maxSendable": max, "metadata": METADATA,
        })
    };
    let clear = "http://example.com/cb";
    vec![
        case(
            "lightning.lightning_address.address: the server answers with a redirect, which is not followed; give the \
             address at the host that it leads to",
        )
        .answers(302, ""),
        case("lightning.lightning_address.address: the wallet's server refuses: HTTP 403 Forbidden: …").answers_to(
            CALLBACK,
            403,
            "forbidden",
        ),
        case(
            "lightning.lightning_address.address: this wallet takes payments of 10 to 300 sat, and a price is 350 sat",
        )
        .answers(200, params("https://example.com/cb", 300_000)),
        case(
            "lightning.lightning_address.address: the wallet's server names a callback that is not to be trusted: it \
             is not https",
        )
        .answers(200, params(clear, 1_000_000)),
        case("lightning.lightning_address.address: the wallet's server names a callback that is no URL")
            .answers(200, params("no url", 1_000_000)),
    ]
}

fn hosts() -> Vec<Case> {
    let strict = |said, address: &'static str| {
        case(said).set(ADDRESS, address).set("lightning.lightning_address.allow_private_hosts", false)
    };
    vec![
        strict(
            "lightning.lightning_address.address: the URL is refused: its host is a private address",
            "seller@127.0.0.1:5000",
        ),
        strict(
            "lightning.lightning_address.address: the URL is refused: its host leads to a private address",
            "seller@localhost:5000",
        ),
    ]
}

/// The wallet's invoice, over one sat.
fn with(answers: impl Fn(&Node) -> Value + Send + Sync + 'static) -> impl Fn(&Asked) -> Option<Response<Body>> {
    let node = Arc::new(Node::new(Currency::Regtest));
    move |asked| (asked.what == CALLBACK).then(|| answer(200, &answers(&node)))
}

fn invoices() -> Vec<Case> {
    let short = |node: &Node| json!({"pr": node.add_hashed_invoice(1_000, "", METADATA, 30).bolt11});
    let of_another = |node: &Node| json!({"pr": node.add_hashed_invoice(1_000, "", "[]", 3_600).bolt11});
    vec![
        case("the wallet's server makes no invoice: …")
            .when(with(|_| json!({"status": "ERROR", "reason": "no liquidity"}))),
        case("the wallet's invoice is not for this address: it bears another description's hash")
            .when(with(of_another)),
        case("the wallet's invoice cannot be read").when(with(|_| json!({"pr": "lnbcrt1nonsense"}))),
        case("the Lightning backend lightning_address made an unusable invoice: it can be paid for less than a minute")
            .when(with(short)),
    ]
}
