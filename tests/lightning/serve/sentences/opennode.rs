use serde_json::json;

use crate::serve::refusals::{Case, case};

const URL: &str = "lightning.opennode.url";
const NETWORK: &str = "lightning.network";

pub async fn all() -> Vec<Case> {
    let refusal = json!({"success": false, "message": "Failed to authenticate token"});
    let without = json!({"data": {
        "id": "da418953-225b-4cba-99f9-1c5f826704b0", "status": "unpaid", "amount": 1, "lightning_invoice": null,
    }});
    vec![
        case("lightning.opennode.url: this server's invoices are for testnet, and lightning.network is bitcoin")
            .set(URL, "https://dev-api.opennode.com")
            .set(NETWORK, "bitcoin")
            .set("sandbox.rehearsal", true),
        case("lightning.opennode.url: this server's invoices are for bitcoin, and lightning.network is testnet")
            .set(URL, "https://api.opennode.com")
            .set(NETWORK, "testnet"),
        case("lightning.opennode.url: the server does not know OpenNode's paths; give its address without a path")
            .answers(404, "Cannot GET /v1/v1/charge"),
        case(
            "lightning.opennode.url: the server answers with a redirect (HTTP 301 Moved Permanently); give the URL that \
             it leads to",
        )
        .answers(301, "{}"),
        case(
            "lightning.opennode.api_key: OpenNode does not accept this key (HTTP 401); a key of its development \
             dashboard is good for its development server only: Failed to authenticate token",
        )
        .answers(401, refusal),
        case("OpenNode has made a charge without a Lightning invoice").answers_to("POST /v1/charges", 201, without),
    ]
}
