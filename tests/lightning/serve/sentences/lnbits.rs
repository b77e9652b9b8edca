use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};

use crate::node::Fault;
use crate::products::lnbits::INVOICE_KEY;
use crate::serve::refusals::{Case, case};

const URL: &str = "lightning.lnbits.url";
const ADMIN: &str = "lightning.lnbits.admin_key";
const ORDER: &str = "POST /api/v1/payments";

fn said(detail: &str) -> Value {
    json!({"detail": detail})
}

fn failed(detail: &str, status: &str) -> Value {
    json!({"detail": detail, "status": status})
}

pub async fn all() -> Vec<Case> {
    [connections(), keys(), payers(), invoices()].into_iter().flatten().collect()
}

fn connections() -> Vec<Case> {
    let installing =
        |_: &_| Some(Response::builder().status(307).header("location", "/first_install").body(Body::empty()).unwrap());
    vec![
        case("lightning.lnbits.url: no connection: Connection refused (os error 111)").set(URL, "http://127.0.0.1:1"),
        case(
            "lightning.lnbits.url: the server does not know LNbits's paths; give the address at which LNbits's start \
             page opens",
        )
        .answers(404, said("Not Found")),
        case("lightning.lnbits.url: what answers there is not LNbits").answers(200, "<html>"),
        case(
            "lightning.lnbits.url: the server answers with a redirect (HTTP 301 Moved Permanently); give the URL that \
             it leads to",
        )
        .answers(301, ""),
        case("LNbits has no account yet: open it in a browser and make the first one").when(installing),
    ]
}

fn keys() -> Vec<Case> {
    vec![
        case("lightning.lnbits.invoice_key: LNbits knows no wallet with this key")
            .answers(404, said("Wallet not found.")),
        case("lightning.lnbits.invoice_key: LNbits refuses this key: No Api Key provided.")
            .answers(401, said("No Api Key provided.")),
        case(
            "lightning.lnbits.invoice_key: LNbits does not let this wallet do that: Wallet does not have permission to \
             create invoices.",
        )
        .answers_to(ORDER, 520, failed("Wallet does not have permission to create invoices.", "failed")),
    ]
}

/// What the keys that pay could be instead.
fn payers() -> Vec<Case> {
    vec![
        case("lightning.lnbits.admin_key: this key may not pay; give the wallet's admin key").holds(ADMIN, INVOICE_KEY),
        case("lightning.lnbits.admin_key: LNbits knows no wallet with this key")
            .holds(ADMIN, "c0ffee00000000000000000000000003"),
    ]
}

fn invoices() -> Vec<Case> {
    vec![
        case("LNbits's own Lightning node fails: …").answers_to(
            ORDER,
            520,
            failed("Unable to connect to https://node.lan:8080.", "pending"),
        ),
        case("LNbits refuses: Invoice amount 500 sats is too high. Max allowed: 100 sats.").answers_to(
            ORDER,
            520,
            failed("Invoice amount 500 sats is too high. Max allowed: 100 sats.", "failed"),
        ),
        case("LNbits lets this wallet hold no more: Wallet balance cannot exceed 1000 sats.").answers_to(
            ORDER,
            520,
            failed("Wallet balance cannot exceed 1000 sats.", "failed"),
        ),
        case(
            "LNbits takes no more requests for now: Rate limit exceeded: 200 per 1 minute; raise its \
             LNBITS_RATE_LIMIT_NO",
        )
        .answers(429, json!({"error": "Rate limit exceeded: 200 per 1 minute"})),
        case("the Lightning backend lnbits made an unusable invoice: it is for another network than lightning.network")
            .node(Fault::WrongNetwork),
    ]
}
