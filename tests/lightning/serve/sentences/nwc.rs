use std::sync::Arc;

use axum::Router;
use lightning_invoice::Currency;
use url::Url;

use crate::node::{Fault, Node};
use crate::products::nwc::{Manners, SECRET, Temper, Wallet, uri};
use crate::serve::refusals::{Case, case};
use crate::stub::serve;
use crate::tls::{self, Certificates};

const URI: &str = "lightning.nwc.uri";
const TIMEOUT: &str = "lightning.invoice_timeout_seconds";

pub async fn all() -> Vec<Case> {
    [strings(), relays().await, wallets().await].into_iter().flatten().collect()
}

/// The connection string for one relay.
fn over(relay: &str) -> String {
    uri(&[relay.parse().unwrap()], SECRET)
}

fn strings() -> Vec<Case> {
    let whole = over("wss://relay.example.com");
    let (key, _) = whole.split_once('?').unwrap();
    vec![
        case("lightning.nwc.uri: this is no connection string: it begins with nostr+walletconnect://")
            .holds(URI, SECRET),
        case("lightning.nwc.uri: what follows nostr+walletconnect:// is no public key: copy the whole string again")
            .holds(URI, format!("nostr+walletconnect://relay.example.com?secret={SECRET}")),
        case("lightning.nwc.uri: it has no secret that is a key: copy the whole string again")
            .holds(URI, format!("{key}?relay=wss://relay.example.com")),
        case("lightning.nwc.uri: it names no relay: copy the whole string again")
            .holds(URI, format!("{key}?secret={SECRET}")),
        case("lightning.nwc.uri: its relay 2 is no wss:// URL")
            .holds(URI, format!("{whole}&relay=https://relay.example.com")),
        case("lightning.nwc.uri: its relay 1 has no TLS (ws://) and is not in a private network")
            .holds(URI, over("ws://1.1.1.1")),
    ]
}

async fn relays() -> Vec<Case> {
    let stranger = tls::serve(Router::new(), &Certificates::new()).await;
    let web = serve(Router::new()).await;
    let hanging = serve(Router::new().fallback(async || std::future::pending::<()>().await)).await;
    let there = |url: &Url| over(&format!("ws://{}", url.authority()));
    vec![
        case("lightning.nwc.uri: relay 1 of 1: no connection: Connection refused (os error 111)")
            .holds(URI, over("ws://127.0.0.1:1")),
        case("lightning.nwc.uri: relay 1 of 1: the server's certificate is not trusted: …")
            .holds(URI, over(&format!("wss://localhost:{stranger}"))),
        case(
            "lightning.nwc.uri: relay 1 of 1: no connection: the server answers with HTTP 404 Not Found and opens no \
             WebSocket",
        )
        .holds(URI, there(&web)),
        case("lightning.nwc.uri: no relay answered in time").holds(URI, there(&hanging)).set(TIMEOUT, 0.5),
        behind(
            "lightning.nwc.uri: relay 1 of 1 refuses the request: rate-limited: …",
            Manners { relay: Temper::Lying, ..Manners::default() },
        )
        .await,
    ]
}

/// A wallet with these manners behind a relay.
async fn behind(said: &'static str, manners: Manners) -> Case {
    let (_, relay) = Wallet::start(Arc::new(Node::new(Currency::Regtest)), manners).await;
    case(said).holds(URI, over(relay.as_str()))
}

async fn wallets() -> Vec<Case> {
    let allows = |methods| Manners { methods, ..Manners::default() };
    let refuses = |code| Manners { error: Some(code), ..Manners::default() };
    let older = Manners { encryption: Some("nip99"), ..Manners::default() };
    vec![
        behind(
            "lightning.nwc.uri: relay 1 of 1 does not know the wallet: it is not running, or has deleted the connection",
            allows(None),
        )
        .await,
        case(
            "lightning.nwc.uri: no answer from the wallet within … over relay 1 of 1: it is not running, or has deleted \
             the connection",
        )
        .set(TIMEOUT, 1)
        .change(|shop| {
            let file = shop.file_of(URI);
            let whole = std::fs::read_to_string(file).unwrap();
            shop.put(URI, whole.replace(SECRET, &"22".repeat(32)).as_bytes(), 0o600);
        }),
        case("lightning.nwc.uri: the wallet refuses this connection: …").node(Fault::Unauthorised),
        behind("lightning.nwc.uri: this connection has expired: …", refuses("EXPIRED")).await,
        behind(
            "lightning.nwc.uri: the wallet does not allow this connection make_invoice",
            allows(Some("get_info lookup_invoice")),
        )
        .await,
        behind("lightning.nwc.uri: the wallet has no make_invoice: …", Manners {
            error: Some("NOT_IMPLEMENTED"),
            methods: Some("make_invoice"),
            ..Manners::default()
        })
        .await,
        behind("lightning.nwc.uri: the wallet offers neither of the encryptions nip44_v2 and nip04", older).await,
        case("the wallet fails with INTERNAL: …").node(Fault::Failing),
    ]
}
