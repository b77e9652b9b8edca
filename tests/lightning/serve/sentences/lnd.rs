use serde_json::{Value, json};

use crate::products::lnd::MACAROON;
use crate::serve::refusals::{Case, case};
use crate::tls::{self, Certificates};

const URL: &str = "lightning.lnd.url";
const KEY: &str = "lightning.lnd.macaroon";
const CERTIFICATE: &str = "lightning.lnd.tls_certificate";

fn error(message: &str) -> Value {
    json!({"code": 2, "message": message, "details": []})
}

/// The macaroon of the product with another action in place of `write`.
fn only_reading() -> Vec<u8> {
    hex::decode(MACAROON.replacen(&hex::encode("write"), &hex::encode("wrote"), 1)).unwrap()
}

pub async fn all() -> Vec<Case> {
    let grpc = Certificates::new();
    let port = tls::serve_http2(&grpc).await;
    let grpc_port =
        case("the answer did not come: …").set(URL, format!("https://127.0.0.1:{port}")).change(move |shop| {
            shop.put(CERTIFICATE, grpc.server.pem().as_bytes(), 0o644);
        });
    [connections(), refusals(), vec![grpc_port]].into_iter().flatten().collect()
}

fn connections() -> Vec<Case> {
    vec![
        case("lightning.lnd.url: no connection: Connection refused (os error 111)").set(URL, "https://127.0.0.1:1"),
        case("HTTP 400 Bad Request: Client sent an HTTP request to an HTTPS server.")
            .answers(400, "Client sent an HTTP request to an HTTPS server.\n"),
        case("lightning.lnd.tls_certificate: the server's certificate is not trusted: …")
            .change(|shop| shop.put(CERTIFICATE, Certificates::new().server.pem().as_bytes(), 0o644)),
        case(
            "lightning.lnd.tls_certificate: /etc/satforge/lnd-tls.cert holds no certificate in PEM form: no section \
             says CERTIFICATE",
        )
        .holds(CERTIFICATE, "c0ffee"),
        case("lightning.lnd.url: the server does not know LND's REST paths; give the address of `restlisten`")
            .answers(404, "404 page not found"),
    ]
}

fn refusals() -> Vec<Case> {
    vec![
        case(
            "lightning.lnd.macaroon: this is no LND macaroon: give the file that LND or `lncli bakemacaroon` has \
             written, or its bytes in hexadecimal",
        )
        .holds(KEY, "c0ffee"),
        case(
            "lightning.lnd.macaroon: this macaroon does not allow to make invoices: it needs invoices:write or the \
             call /lnrpc.Lightning/AddInvoice",
        )
        .holds(KEY, only_reading()),
        case("lightning.lnd.macaroon: LND refuses this macaroon: permission denied")
            .answers(500, error("permission denied")),
        case("lightning.lnd.macaroon: LND refuses this macaroon: verification failed: …")
            .answers(500, error("verification failed: signature mismatch after caveat verification")),
        case("LND's wallet is locked: unlock it with `lncli unlock`")
            .answers(500, error("wallet locked, unlock it to enable full RPC access")),
        case("LND has no wallet yet: make one with `lncli create`")
            .answers(500, error("wallet not created, create one to enable full RPC access")),
        case("LND is starting")
            .answers(500, error("the RPC server is in the process of starting up, but not yet ready to accept calls")),
    ]
}
