//! A Lightning address with everything that is optional: LUD-06 and LUD-16, LUD-12 comments, LUD-21 `verify`. The
//! answers of the first two are as `LNbits` 1.6.2 gives them; those of LUD-21 are from its document, for `LNbits`
//! itself offers none.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response, Uri};
use axum::routing::get;
use satforge::clock::Clock;
use satforge::config::LightningAddressConfig;
use satforge::lightning::lightning_address::LightningAddress;
use satforge::lightning::{LightningBackend, Network};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::json as answer;
use crate::node::{Fault, Node};
use crate::stub::{Product, Setting, TIMEOUT};

pub struct LightningAddressProduct;

pub const METADATA: &str = r#"[["text/plain", "Payment to seller"], ["text/identifier", "seller@127.0.0.1"]]"#;
/// Seconds: what wallets usually choose, whatever satforge would like.
const EXPIRY: u64 = 3_600;

#[async_trait]
impl Product for LightningAddressProduct {
    fn api(node: Arc<Node>) -> Router {
        Router::new()
            .route("/.well-known/lnurlp/seller", get(address))
            .route("/api/v1/lnurl/wallet/seller/cb", get(callback))
            .route("/verify/{secret}/{hash}", get(verify))
            .with_state(node)
    }

    fn refusal(fault: Fault) -> Option<Response<Body>> {
        match fault {
            Fault::Unauthorised => {
                Some(answer(200, &json!({"status": "ERROR", "reason": "Lightning address not found."})))
            }
            Fault::Limited => {
                Some(Response::builder().status(429).header("retry-after", "7").body(Body::from("slow down")).unwrap())
            }
            _ => Some(answer(503, &json!({"status": "ERROR", "reason": "the node is down"}))),
        }
    }

    fn settings(url: &Url) -> Vec<(&'static str, Setting)> {
        let address = format!("seller@{}", url.authority());
        vec![("address", Setting::value(address)), ("allow_private_hosts", Setting::value(true))]
    }

    async fn adapter(url: Url, _clock: Arc<dyn Clock>) -> Arc<dyn LightningBackend> {
        Arc::new(adapter(url.authority()))
    }
}

/// The wallet `seller` on a host of this machine.
pub fn adapter(host: &str) -> LightningAddress {
    let config = LightningAddressConfig { address: format!("seller@{host}"), allow_private_hosts: true };
    LightningAddress::new(&config, Network::Regtest, TIMEOUT).unwrap()
}

async fn address(headers: HeaderMap) -> Response<Body> {
    let host = headers["host"].to_str().unwrap();
    answer(
        200,
        &json!({
            "tag": "payRequest", "callback": format!("http://{host}/api/v1/lnurl/wallet/seller/cb?session=c0ffee"),
            "minSendable": 1_000, "maxSendable": 2_100_000_000_000_000_000_u64, "metadata": METADATA,
            "commentAllowed": 799,
        }),
    )
}

async fn callback(State(node): State<Arc<Node>>, headers: HeaderMap, uri: Uri) -> Response<Body> {
    let wanted: Vec<_> = form_urlencoded::parse(uri.query().unwrap().as_bytes()).collect();
    let [session, (amount, msat), (comment, memo)] = &wanted[..] else { panic!("{wanted:?}") };
    assert_eq!(*session, ("session".into(), "c0ffee".into()), "the callback's own query stays");
    assert_eq!((amount.as_ref(), comment.as_ref()), ("amount", "comment"));
    let host = headers["host"].to_str().unwrap();
    // Whole sats, as LNbits does.
    let msat = msat.parse::<u64>().unwrap() / 1_000 * 1_000;
    let made = node.add_hashed_invoice(msat, memo, METADATA, EXPIRY);
    let verify = format!("http://{host}/verify/c0ffee/{}", hex::encode(made.hash));
    answer(200, &json!({"pr": made.bolt11, "routes": [], "disposable": false, "verify": verify}))
}

async fn verify(State(node): State<Arc<Node>>, Path((secret, hash)): Path<(String, String)>) -> Response<Body> {
    assert_eq!(secret, "c0ffee");
    let hash: [u8; 32] = hex::decode(hash).unwrap().try_into().unwrap();
    let Some(known) = node.incoming(&hash) else {
        return answer(200, &json!({"status": "ERROR", "reason": "Not found"}));
    };
    let settled = known.paid_at.is_some();
    let preimage = if settled { json!(hex::encode(known.preimage)) } else { Value::Null };
    answer(200, &json!({"status": "OK", "settled": settled, "preimage": preimage, "pr": known.bolt11}))
}
