use serde_json::json;

use crate::products::phoenixd::{PASSWORD, UNAUTHORISED};
use crate::serve::refusals::{Case, case};

const URL: &str = "lightning.phoenixd.url";
const FULL: &str = "lightning.phoenixd.password";
const LIMITED: &str = "lightning.phoenixd.limited_password";

pub async fn all() -> Vec<Case> {
    [passwords(), networks(), connections(), failures()].into_iter().flatten().collect()
}

fn passwords() -> Vec<Case> {
    vec![
        case("lightning.phoenixd.password: phoenixd refuses this password").answers(401, UNAUTHORISED),
        case("lightning.phoenixd.limited_password: phoenixd refuses this password").answers(401, UNAUTHORISED).change(
            |shop| {
                let file = shop.text(FULL);
                shop.set(LIMITED, file);
                shop.remove(FULL);
                shop.set("refunds", "manual");
            },
        ),
        case(
            "refunds: with these credentials the backend cannot pay anybody back: give it some that may, or set refunds \
             = \"manual\" and pay by hand",
        )
        .change(|shop| {
            let file = shop.text(FULL);
            shop.set(LIMITED, file);
            shop.remove(FULL);
        }),
        case("lightning.phoenixd.password: give either this or lightning.phoenixd.limited_password, not both").change(
            |shop| {
                let file = shop.text(FULL);
                shop.set(LIMITED, file);
            },
        ),
        case("lightning.phoenixd.password: give what stands after the `=` in phoenix.conf, without the name before it")
            .holds(FULL, format!("http-password={PASSWORD}\n")),
    ]
}

fn networks() -> Vec<Case> {
    let info = json!({"nodeId": "02".repeat(33), "channels": [], "chain": "testnet3", "version": "0.8.0"});
    vec![
        case("lightning.network: phoenixd is on bitcoin, or on testnet (version 3), and on no other network")
            .set("lightning.network", "regtest"),
        case("lightning.network: this is testnet, but phoenixd is on mainnet").set("lightning.network", "testnet"),
        case("lightning.network: this is bitcoin, but phoenixd is on testnet3").answers_to("GET /getinfo", 200, info),
    ]
}

fn connections() -> Vec<Case> {
    vec![
        case("lightning.phoenixd.url: no connection: Connection refused (os error 111)").set(URL, "http://127.0.0.1:1"),
        case("lightning.phoenixd.url: no connection: received corrupt message of type InvalidContentType")
            .scheme(URL, "https"),
        case(
            "lightning.phoenixd.url: the server does not know a path of phoenixd's: give the address of `http-bind-ip` \
             and `http-bind-port`; and phoenixd must be of version 0.5.1 or later",
        )
        .answers(404, "Unknown endpoint (check api doc)"),
        case(
            "lightning.phoenixd.url: the server answers with a redirect (HTTP 308 Permanent Redirect); give the URL \
             that it leads to",
        )
        .answers(308, ""),
    ]
}

fn failures() -> Vec<Case> {
    vec![
        case("HTTP 500 Internal Server Error: …").answers_to("POST /createinvoice", 500, "database is locked"),
        case("HTTP 502 Bad Gateway: no explanation").answers(502, ""),
    ]
}
