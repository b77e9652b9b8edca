//! What can be wrong with any backend, tried with LND.

use crate::node::Fault;
use crate::serve::refusals::{Case, case};

const URL: &str = "lightning.lnd.url";
const MACAROON: &str = "lightning.lnd.macaroon";

pub fn all() -> Vec<Case> {
    [settings(), invoices()].into_iter().flatten().collect()
}

fn settings() -> Vec<Case> {
    vec![
        case(
            "server.listen: 0.0.0.0:4020 can be reached from other machines, where anybody could pay with money of \
             regtest that is worth nothing; …",
        )
        .set("server.listen", "0.0.0.0:4020")
        .set("server.public_url", "https://api.example.com"),
        case(
            "lightning.network: invoices on bitcoin cost real money, and without [[services.video.routes]] or \
             [[services.3d-model.routes]] everything that is generated is simulated; to rehearse with your own wallet \
             on this machine, set sandbox.rehearsal = true",
        )
        .set("lightning.network", "bitcoin"),
        case(
            "server.listen: sandbox.rehearsal sells simulated work for real money, so nobody but this machine may \
             reach it: listen on 127.0.0.1",
        )
        .set("lightning.network", "bitcoin")
        .set("sandbox.rehearsal", true)
        .set("server.listen", "0.0.0.0:4020")
        .set("server.public_url", "https://api.example.com"),
        case("lightning.lnd.url: with http:// your key would cross the internet in the clear: use https://")
            .set(URL, "http://lnd.example.com:8080"),
        case(
            "lightning.lnd.macaroon: the file /etc/satforge/lnd.macaroon has mode 0644, so users other than its owner \
             can get at the key; run `chmod 600` on it",
        )
        .change(|shop| shop.put(MACAROON, b"c0ffee", 0o644)),
        case(
            "lightning.lnd.macaroon: the file /etc/satforge/lnd.macaroon cannot be read: No such file or directory (os \
             error 2)",
        )
        .change(|shop| std::fs::remove_file(shop.file_of(MACAROON)).unwrap()),
        case(
            "lightning.lnd.macaroon: a secret must not stand here itself: write `env:NAME` or `file:/path`, where it \
             is kept",
        )
        .set(MACAROON, "0201036c6e64"),
        case("lightning.lnd.macaroon: the environment variable LND_MACAROON is not set")
            .set(MACAROON, "env:LND_MACAROON"),
        case("lightning.lnd.url: this is missing: the URL of its API").without(URL),
    ]
}

fn invoices() -> Vec<Case> {
    vec![
        case("the Lightning backend lnd made an unusable invoice: it is for another network than lightning.network")
            .node(Fault::WrongNetwork),
        case("the Lightning backend lnd made an unusable invoice: it is not signed by the key in lightning.payee")
            .set("lightning.payee", "02eec7245d6b7d2ccb30380bfbe2a3648cd7a942653f5aa340edcea1f283686619"),
        case("the answer did not come: it took too long")
            .set("lightning.invoice_timeout_seconds", 0.5)
            .node(Fault::Silent),
    ]
}
