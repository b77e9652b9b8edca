//! The Lightning backend: only the section of the one that was chosen is looked at.

mod sections;

use std::time::Duration;

use super::allowed::{DAY, MINUTE};
use crate::config::environment::Environment;
use crate::config::error::Problems;
use crate::config::raw::{RawLightning, RawLightningBackend, RawNetwork};
use crate::config::{LightningConfig, PoolConfig};
use crate::domain::Network;

pub(super) use sections::check_url;
pub(crate) use sections::is_near;
pub(super) use sections::url;

pub(super) fn lightning(raw: &RawLightning, environment: &Environment, p: &mut Problems) -> LightningConfig {
    // Shorter, and a wallet that asks its owner cannot pay in time; longer, and the price is a promise for days.
    let invoice_expiry = p.seconds("lightning.invoice_expiry_seconds", raw.invoice_expiry_seconds, MINUTE..=DAY);
    LightningConfig {
        backend: sections::Sections { raw, environment }.chosen(p),
        network: network(raw, p),
        payee: payee(raw.payee.as_deref(), p),
        invoice_expiry,
        invoice_timeout: p.seconds("lightning.invoice_timeout_seconds", raw.invoice_timeout_seconds, 0.1..=MINUTE),
        concurrency: p.number("lightning.concurrency", raw.concurrency, 1..=1_000, ""),
        require_settled: require_settled(raw, p),
        settlement_lookups_per_second: p.number(
            "lightning.settlement_lookups_per_second",
            raw.settlement_lookups_per_second,
            0.0..=1_000.0,
            "",
        ),
        pool: pool(raw, invoice_expiry, p),
    }
}

fn network(raw: &RawLightning, p: &mut Problems) -> Network {
    let network = raw.network.map(|network| match network {
        RawNetwork::Bitcoin => Network::Bitcoin,
        RawNetwork::Testnet => Network::Testnet,
        RawNetwork::Signet => Network::Signet,
        RawNetwork::Regtest => Network::Regtest,
        RawNetwork::Simnet => Network::Simnet,
    });
    match (raw.backend, network) {
        (RawLightningBackend::Sandbox, None | Some(Network::Regtest)) => Network::Regtest,
        (RawLightningBackend::Sandbox, Some(other)) => {
            p.add("lightning.network", format!("the sandbox's invoices are for regtest, not for {other}"));
            Network::Regtest
        }
        (_, network) => network.unwrap_or(Network::Bitcoin),
    }
}

fn payee(typed: Option<&str>, p: &mut Problems) -> Option<bitcoin::secp256k1::PublicKey> {
    let key = typed?.parse();
    let message = "this must be the public key of your node: 66 hexadecimal characters that begin with 02 or 03";
    key.map_err(|_| p.add("lightning.payee", message)).ok().filter(|_| typed.is_some_and(|typed| typed.len() == 66))
}

/// `LNbits` tells strangers preimages of invoices that nobody has paid (an expired one, looked up without a key and then
/// "paid" from another wallet of the same server), so there a preimage alone proves nothing.
///
/// A Lightning address and `OpenNode` can say what was paid only of invoices of this process: nobody who pays before a
/// restart may depend on it.
fn require_settled(raw: &RawLightning, p: &mut Problems) -> bool {
    const PATH: &str = "lightning.require_settled";
    match (raw.backend, raw.require_settled) {
        (RawLightningBackend::Lnbits, None) => true,
        (RawLightningBackend::LightningAddress | RawLightningBackend::OpenNode, Some(true)) => {
            p.add(
                PATH,
                "after a restart this backend cannot say whether an invoice was paid, and whoever paid would wait in \
                 vain; the preimage has to prove it",
            );
            false
        }
        (_, typed) => typed.unwrap_or(false),
    }
}

fn pool(raw: &RawLightning, invoice_expiry: Duration, p: &mut Problems) -> PoolConfig {
    if let Some(size) = raw.pool.size {
        p.number("lightning.pool.size", size, 0..=1_000, "");
    }
    let max_age = match raw.pool.max_age_seconds {
        None => invoice_expiry * 2 / 5,
        Some(typed) => max_age(typed, invoice_expiry, p),
    };
    let rate = raw.pool.refill_per_second;
    PoolConfig {
        size: raw.pool.size,
        max_age,
        refill_per_second: p.number("lightning.pool.refill_per_second", rate, 0.1..=1_000.0, ""),
    }
}

fn max_age(typed: f64, invoice_expiry: Duration, p: &mut Problems) -> Duration {
    const PATH: &str = "lightning.pool.max_age_seconds";
    let max_age = p.seconds(PATH, typed, 1.0..=DAY);
    if max_age > invoice_expiry {
        p.add(
            PATH,
            "this must not be more than lightning.invoice_expiry_seconds: no invoice is handed out after half its life",
        );
    }
    max_age
}
