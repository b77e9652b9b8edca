use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};

use crate::products::blink::{USD_WALLET, account};
use crate::products::json as answer;
use crate::scripted::Asked;
use crate::serve::refusals::{Case, case};

const URL: &str = "lightning.blink.url";
const WALLET: &str = "lightning.blink.wallet_id";

pub async fn all() -> Vec<Case> {
    [urls(), keys(), wallets(), invoices()].into_iter().flatten().collect()
}

/// Blink answers queries that contain `part` with `reply`.
fn to(part: &'static str, reply: Value) -> impl Fn(&Asked) -> Option<Response<Body>> + Send + Sync + 'static {
    move |asked| asked.body.contains(part).then(|| answer(200, &reply))
}

fn network(mut account: Value, network: &str) -> Value {
    account["data"]["globals"]["network"] = network.into();
    account
}

fn urls() -> Vec<Case> {
    let real = |said, url: &'static str| {
        case(said).set(URL, url).set("lightning.network", "bitcoin").set("sandbox.rehearsal", true)
    };
    vec![
        real(
            "lightning.blink.url: this must be the whole GraphQL endpoint: Blink's path is /graphql",
            "https://api.blink.sv",
        ),
        real(
            "lightning.blink.url: this server's invoices are for signet, and lightning.network is bitcoin",
            "https://api.staging.blink.sv/graphql",
        ),
        case("lightning.blink.url: this server's invoices are for signet, and lightning.network is regtest")
            .answers(200, network(account(&["READ", "RECEIVE"]), "signet")),
        case("lightning.blink.url: there is no GraphQL endpoint (HTTP 404): Blink's path is /graphql")
            .answers(404, "{}"),
        case(
            "lightning.blink.url: the server answers with a redirect (HTTP 301 Moved Permanently); give the URL that \
             it leads to",
        )
        .answers(301, "{}"),
    ]
}

fn keys() -> Vec<Case> {
    let unknown =
        json!({"error": {"code": 401, "status": "Unauthorized", "message": "Access credentials are invalid"}});
    let not_authorized = json!([{"message": "Not authorized", "path": ["me"], "extensions": {}}]);
    vec![
        case("lightning.blink.api_key: Blink does not accept this key (HTTP 401): Access credentials are invalid")
            .answers(401, unknown),
        case(
            "lightning.blink.api_key: Blink does not allow this key to read (\"Not authorized\"): it needs the scopes \
             Read and Receive",
        )
        .answers(200, json!({"errors": not_authorized, "data": null})),
        case("lightning.blink.api_key: this key cannot make invoices: it needs the scope Receive")
            .answers(200, account(&["READ"])),
    ]
}

fn wallets() -> Vec<Case> {
    let mut dollars = account(&["READ", "RECEIVE"]);
    dollars["data"]["me"]["defaultAccount"]["wallets"] = json!([{"id": USD_WALLET, "walletCurrency": "USD"}]);
    vec![
        case("lightning.blink.api_key: the account of this key has no BTC wallet")
            .answers(200, dollars)
            .without(WALLET),
        case("lightning.blink.wallet_id: the account of lightning.blink.api_key has no such wallet")
            .set(WALLET, "another"),
        case("lightning.blink.wallet_id: this wallet keeps dollars: give the account's BTC wallet, or leave this out")
            .set(WALLET, USD_WALLET),
    ]
}

fn invoices() -> Vec<Case> {
    let refused = |said, code: &str, message: &str| {
        let errors = json!([{"code": code, "message": message}]);
        let reply = json!({"data": {"lnInvoiceCreate": {"invoice": null, "errors": errors}}});
        case(said).when(to("lnInvoiceCreate", reply))
    };
    vec![
        refused(
            "lightning.blink.api_key: Blink does not allow this key to make invoices (\"Not authorized\"): it needs the \
             scope Receive, and an open account",
            "NOT_AUTHORIZED",
            "Not authorized",
        ),
        refused(
            "lightning.blink.api_key: Blink no longer lets this account receive, use another backend: Receiving is \
             disabled (RECEIVE_DISABLED)",
            "RECEIVE_DISABLED",
            "Receiving is disabled",
        ),
        refused(
            "Blink: Too many invoices creation, please wait for a while and try again. (TOO_MANY_REQUEST)",
            "TOO_MANY_REQUEST",
            "Too many invoices creation, please wait for a while and try again.",
        ),
        refused("Blink: LND is offline (LND_OFFLINE)", "LND_OFFLINE", "LND is offline"),
    ]
}
