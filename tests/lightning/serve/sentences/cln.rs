use axum::Router;
use serde_json::{Value, json};

use crate::products::cln::{MAY_ALL, rune};
use crate::serve::refusals::{Case, case};
use crate::stub::serve;
use crate::tls::Certificates;

const URL: &str = "lightning.cln.url";
const RUNE: &str = "lightning.cln.rune";
const CERTIFICATE: &str = "lightning.cln.tls_certificate";

fn error(code: i64, message: &str) -> Value {
    json!({"code": code, "message": message, "data": null})
}

pub async fn all() -> Vec<Case> {
    let plain = serve(Router::new()).await;
    let without_tls = format!("https://{}", plain.authority());
    [runes(), connections(without_tls), certificates(), failures()].into_iter().flatten().collect()
}

fn runes() -> Vec<Case> {
    vec![
        case("lightning.cln.rune: this is no rune: give the value of `rune` that `lightning-cli createrune` prints")
            .holds(RUNE, format!("{{\n   \"rune\": \"{}\"\n}}\n", rune(MAY_ALL))),
        case("lightning.cln.rune: this rune does not allow to make invoices: it needs method=invoice")
            .holds(RUNE, rune("=5&method=listinvoices|method=xpay")),
        case("lightning.cln.rune: Core Lightning refuses this rune: Not authorized: Not derived from master")
            .answers(401, error(1501, "Not authorized: Not derived from master")),
        case("lightning.cln.rune: Core Lightning refuses this rune: Not authorized: Blacklisted rune")
            .answers(401, error(1503, "Not authorized: Blacklisted rune")),
        case("lightning.cln.rune: Core Lightning refuses this rune: Not authorized: Missing rune")
            .answers(403, error(1501, "Not authorized: Missing rune")),
        case("lightning.cln.rune: Core Lightning refuses this rune: Not permitted: …").answers_to(
            "POST /v1/invoice",
            401,
            error(1502, "Not permitted: method is not equal to invoice"),
        ),
        case("lightning.cln.rune: this rune may not be used so often: Not permitted: too soon")
            .answers(401, error(1502, "Not permitted: too soon")),
        case("lightning.cln.rune: the server refuses this rune (HTTP 401 Unauthorized), and it is not clnrest")
            .answers(401, "<html>Log in</html>"),
    ]
}

fn connections(without_tls: String) -> Vec<Case> {
    vec![
        case("lightning.cln.url: no connection: Connection refused (os error 111)").set(URL, "https://127.0.0.1:1"),
        case("lightning.cln.url: no connection: received corrupt message of type InvalidContentType")
            .set(URL, without_tls),
        case("the answer did not come: invalid HTTP version parsed").scheme(URL, "http"),
        case(
            "lightning.cln.url: the server does not know clnrest's paths; give the address of `clnrest-host` and \
             `clnrest-port`",
        )
        .answers(404, "<html>Not here</html>"),
    ]
}

fn certificates() -> Vec<Case> {
    vec![
        case(
            "lightning.cln.tls_certificate: the server's certificate is not trusted: invalid peer certificate: \
             UnknownIssuer",
        )
        .change(|shop| shop.put(CERTIFICATE, Certificates::new().server.pem().as_bytes(), 0o644)),
        case(
            "lightning.cln.tls_certificate: the server's certificate is not trusted: invalid peer certificate: \
             BadSignature",
        )
        .change(|shop| {
            let url = shop.text(URL).replace("127.0.0.1", "localhost");
            shop.set(URL, url);
            shop.put(CERTIFICATE, Certificates::new().authority.as_bytes(), 0o644);
        }),
        case(
            "lightning.cln.tls_certificate: the server's certificate is not trusted: invalid peer certificate: \
             certificate not valid for name \"127.0.0.1\"; …",
        )
        .change(|shop| {
            let authority = shop.certificates.as_ref().unwrap().authority.clone();
            shop.put(CERTIFICATE, authority.as_bytes(), 0o644);
        }),
        case(
            "lightning.cln.tls_certificate: /etc/satforge/cln.pem holds no certificate in PEM form: no section says \
             CERTIFICATE",
        )
        .change(|shop| {
            let key = shop.certificates.as_ref().unwrap().key.serialize_pem();
            shop.put(CERTIFICATE, key.as_bytes(), 0o644);
        }),
    ]
}

fn failures() -> Vec<Case> {
    vec![
        case("clnrest cannot reach lightningd: Connection refused (os error 111)")
            .answers(401, json!({"code": null, "message": "Connection refused (os error 111)", "data": null})),
        case("HTTP 500 Internal Server Error: Plugin terminated before replying to RPC call.")
            .answers(500, error(-4, "Plugin terminated before replying to RPC call.")),
    ]
}
