//! The backend of a configuration file, and another wallet behind commands.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bitcoin::hashes::{Hash as _, sha256};
use bitcoin::secp256k1::{Secp256k1, SecretKey};
use lightning_invoice::{Currency, InvoiceBuilder, PaymentSecret, SignedRawBolt11Invoice};
use satforge::app::Backends;
use satforge::clock::{Clock, SystemClock};
use satforge::config::Config;
use satforge::domain::{Invoice, Preimage};
use satforge::lightning::{ExpiryRule, LightningBackend, Network};

use crate::working::World;

/// More sats than a wallet of a test holds, and as many as `LNbits` makes an invoice for.
const DEAR: u64 = 10_000_000;
/// Time enough to pay an invoice before it expires.
const SHORT: Duration = Duration::from_secs(10);
/// An invoice that lives longer is not waited for.
const PATIENCE: u64 = 120;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Some adapters pay nothing in their first minutes, because an earlier process may have ordered the same. Here it has
/// not: every invoice that is paid is a new one.
const STARTED_AGO: Duration = Duration::from_mins(10);

pub struct Peer {
    backend: Arc<dyn LightningBackend>,
}

/// The system's clock, which can be behind for a while.
#[derive(Default)]
struct Late {
    by_millis: AtomicU64,
}

impl Clock for Late {
    fn unix_millis(&self) -> u64 {
        SystemClock.unix_millis() - self.by_millis.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        // Later than nothing, so that it can be behind.
        let behind = Duration::from_millis(self.by_millis.load(Ordering::SeqCst));
        (STARTED_AGO + SystemClock.monotonic()).saturating_sub(behind)
    }
}

/// The backend, as `satforge serve` builds it and asks it first, in a process that started so long `ago`.
async fn configured(ago: Duration) -> Arc<dyn LightningBackend> {
    let late = Arc::new(Late::default());
    late.by_millis.store(u64::try_from(ago.as_millis()).unwrap(), Ordering::SeqCst);
    let clock: Arc<dyn Clock> = late.clone();
    let config = Config::load(Path::new(&variable("PEERS_CONFIG"))).unwrap();
    let backend = Backends::choose(&config, &clock).unwrap().lightning;
    late.by_millis.store(0, Ordering::SeqCst);
    backend.health().await.unwrap();
    backend
}

pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} must be set; tests/peers/main.rs says to what"))
}

/// Runs the command in a variable with more arguments, and returns the line that it prints. The backend may have
/// connections of its own, which are served meanwhile.
async fn run(name: &'static str, arguments: Vec<String>) -> String {
    let command = format!("exec {} \"$@\"", variable(name));
    let run = move || Command::new("sh").arg("-c").arg(command).arg("sh").args(arguments).output().unwrap();
    let run = tokio::task::spawn_blocking(run).await.unwrap();
    assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap().trim().to_owned()
}

/// An invoice of somebody to whom there is no way, because there is no such node.
fn of_nobody(network: Network, now: u64) -> String {
    let currency = match network {
        Network::Bitcoin => Currency::Bitcoin,
        Network::Testnet => Currency::BitcoinTestnet,
        Network::Signet => Currency::Signet,
        Network::Simnet => Currency::Simnet,
        Network::Regtest => Currency::Regtest,
    };
    let (key, preimage): ([u8; 32], [u8; 32]) = (rand::random(), rand::random());
    let key = SecretKey::from_slice(&key).unwrap();
    InvoiceBuilder::new(currency)
        .description("to nobody".into())
        .amount_milli_satoshis(21_000)
        .payment_hash(sha256::Hash::hash(&preimage))
        .payment_secret(PaymentSecret(rand::random()))
        .duration_since_epoch(Duration::from_secs(now))
        .expiry_time(Duration::from_mins(10))
        .min_final_cltv_expiry_delta(18)
        .basic_mpp()
        .build_signed(|hash| Secp256k1::new().sign_ecdsa_recoverable(hash, &key))
        .unwrap()
        .to_string()
}

impl Peer {
    /// Looks until `is_so`, and returns how long that took.
    pub async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
        let began = Instant::now();
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        while !is_so().await {
            assert!(began.elapsed().as_secs() < PATIENCE, "{what}: not within {:?}", began.elapsed());
            ticks.tick().await;
        }
        began.elapsed()
    }
}

#[async_trait]
impl World for Peer {
    async fn start() -> Self {
        Self { backend: configured(STARTED_AGO).await }
    }

    async fn restart(&mut self) {
        self.backend = configured(Duration::ZERO).await;
    }

    fn backend(&self) -> &dyn LightningBackend {
        &*self.backend
    }

    fn now(&self) -> u64 {
        SystemClock.unix_seconds()
    }

    fn short_expiry(&self) -> Duration {
        match self.backend.capabilities().expiry {
            ExpiryRule::WholeMinutes => Duration::from_mins(1),
            ExpiryRule::AsAsked | ExpiryRule::Own => SHORT,
        }
    }

    async fn outlive(&self, expires_at: u64) -> bool {
        let left = expires_at.saturating_sub(self.now());
        if left > PATIENCE {
            println!("NOTE {}: an invoice lives for {left} s, too long to see it expire", self.backend.name());
            return false;
        }
        // The peer's clock may be a little behind.
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        while self.now() <= expires_at + 1 {
            ticks.tick().await;
        }
        true
    }

    fn tells_of_expiry(&self) -> bool {
        true
    }

    fn memo(&self, invoice: &Invoice) -> Option<String> {
        // LNbits' own node makes invoices without feature bits, which a strict reader refuses.
        let parsed: SignedRawBolt11Invoice = invoice.bolt11.parse().unwrap();
        let description = parsed.raw_invoice().description().map(ToString::to_string);
        if description.is_none() {
            println!("NOTE {}: the invoice has the hash of the wallet's own description", self.backend.name());
        }
        description
    }

    async fn receive(&self, bolt11: &str) -> Preimage {
        let preimage = run("PEER_PAY", vec![bolt11.to_owned()]).await;
        Preimage::from_hex(preimage.as_bytes()).expect("PEER_PAY prints a preimage in hexadecimal")
    }

    async fn foreign_invoice(&self, sat: u64, expiry: Duration) -> String {
        run("PEER_INVOICE", vec![sat.to_string(), expiry.as_secs().to_string()]).await
    }

    async fn unpayable(&self) -> Vec<String> {
        let dear = self.foreign_invoice(DEAR, Duration::from_mins(10)).await;
        vec![dear, of_nobody(self.backend.network(), self.now())]
    }

    async fn arrived(&self, bolt11: &str) -> u64 {
        run("PEER_RECEIVED", vec![bolt11.to_owned()]).await.parse().expect("PEER_RECEIVED prints a number of msat")
    }
}
