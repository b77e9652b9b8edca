//! A Lightning address: LUD-16, which leads to LUD-06, with LUD-12 for the description and LUD-21 for look-ups where
//! they are offered. It can only receive.
//!
//! The address names a server, and what that server answers names URLs on perhaps other servers. All of them are
//! strangers: `https` and public addresses only ([`Client::to_stranger`]), unless the configuration says that they may
//! be private, and even then `http` only to hosts that are near. No redirect is followed.
//!
//! The description of its invoices is the wallet's own, or a hash of it: since 2023 LUD-06 demands no hash, but one that
//! is there must be the right one.

mod fault;
mod wire;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use quick_cache::sync::Cache;
use tokio::time::Instant;
use url::Url;

use crate::config::{LightningAddressConfig, is_near};
use crate::domain::{Invoice, Msat, PaymentHash, Preimage};
use crate::egress::Client;

use super::rest::{Keys, Rest, SetupError};
use super::{
    BackendError, Capabilities, ExpiryRule, FaultKind, FeeLimit, InvoiceRequest, InvoiceState, LightningBackend,
    Network, OutgoingState, Payment, PaymentOrder, decode_invoice,
};
use wire::{Made, Params, Verified};

const NAME: &str = "lightning_address";
const ADDRESS: &str = "lightning.lightning_address.address";
const KEYS: Keys = Keys { url: ADDRESS, certificate: None };
/// How long the address's limits and callback are believed, so that an invoice costs one request and not two.
const PARAMS_AGE: Duration = Duration::from_mins(1);
/// Invoices that can be looked up: at this many URLs of this length, 6 MB at the most.
const VERIFIABLE: usize = 10_000;
const VERIFY_URL_LEN: usize = 512;

/// A wallet that is known by its Lightning address.
pub struct LightningAddress {
    web: Rest,
    /// Where the address leads, below its host.
    path: String,
    network: Network,
    allow_private_hosts: bool,
    params: Mutex<Option<(Instant, Arc<Params>)>>,
    verifiable: Cache<PaymentHash, Arc<Verifiable>>,
    /// Whether an invoice came with a URL to look it up at.
    can_look_up: AtomicBool,
}

/// Where it is told whether an invoice was paid.
struct Verifiable {
    url: Url,
    amount: Msat,
}

impl LightningAddress {
    /// The wallet of `config`, whose answers may take `timeout`. Errors where the address is none.
    pub fn new(config: &LightningAddressConfig, network: Network, timeout: Duration) -> Result<Self, SetupError> {
        let setup = |message: String| SetupError { key: ADDRESS, message };
        let no_address = || setup("this must be a Lightning address, such as you@example.com".into());
        let (user, host) = config.address.split_once('@').ok_or_else(no_address)?;
        let mut base: Url = format!("https://{host}/").parse().map_err(|_| no_address())?;
        let client =
            if config.allow_private_hosts { Client::to_own(None, timeout) } else { Client::to_stranger(timeout) };
        let client = client.map_err(|error| setup(error.to_string()))?;
        if config.allow_private_hosts && base.host().is_some_and(|host| is_near(&host)) {
            // A host without a public name has no certificate that others trust.
            base = format!("http://{host}/").parse().map_err(|_| no_address())?;
        }
        Ok(Self {
            web: Rest::over(NAME, client, &base, KEYS),
            path: format!(".well-known/lnurlp/{user}"),
            network,
            allow_private_hosts: config.allow_private_hosts,
            params: Mutex::default(),
            verifiable: Cache::new(VERIFIABLE),
            can_look_up: AtomicBool::new(false),
        })
    }

    fn cached(&self) -> MutexGuard<'_, Option<(Instant, Arc<Params>)>> {
        self.params.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the address takes, as it was told lately.
    async fn params(&self) -> Result<Arc<Params>, BackendError> {
        let fresh =
            self.cached().as_ref().filter(|(at, _)| at.elapsed() < PARAMS_AGE).map(|(_, params)| params.clone());
        if let Some(params) = fresh {
            return Ok(params);
        }
        let answer = self.web.get(&self.path).await?;
        if let Some(fault) = fault::of_address(&self.web, &answer) {
            return Err(fault);
        }
        let params = Arc::new(Params::read(&answer, &self.web)?);
        *self.cached() = Some((Instant::now(), params.clone()));
        Ok(params)
    }

    async fn make(&self, request: &InvoiceRequest) -> Result<Invoice, BackendError> {
        if request.amount.whole_sat().is_none() {
            // Many wallets drop the rest in silence.
            let message = format!("a Lightning address takes whole sats only, and {} is not", request.amount);
            return Err(self.web.fault(FaultKind::Refused, message));
        }
        let params = self.params().await?;
        params.require_within(request.amount, &self.web)?;
        let callback = params.callback(request.amount, &request.description);
        let callback = self.permitted(callback).map_err(|why| {
            self.garbled(&format!("{ADDRESS}: the wallet's server names a callback that is not to be trusted: {why}"))
        })?;
        let answer = self.web.get_elsewhere(callback).await?;
        if let Some(fault) = fault::of_callback(&self.web, &answer) {
            return Err(fault);
        }
        let made: Made = self.web.read(&answer)?;
        let bolt11 = made.pr.to_ascii_lowercase();
        let decoded = decode_invoice(&bolt11).map_err(|_| self.garbled("the wallet's invoice cannot be read"))?;
        if decoded.description_hash.is_some_and(|hash| hash != params.metadata_hash) {
            return Err(
                self.garbled("the wallet's invoice is not for this address: it bears another description's hash")
            );
        }
        self.remember(decoded.payment_hash, request.amount, made.verify.as_deref());
        Ok(Invoice { bolt11, payment_hash: decoded.payment_hash, amount: request.amount, expires_at: 0 })
    }

    /// A URL that a stranger has named, if it may be asked; else why not. The client refuses private addresses.
    fn permitted(&self, url: Url) -> Result<Url, &'static str> {
        let near = self.allow_private_hosts && url.host().is_some_and(|host| is_near(&host));
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it holds a user name or a password");
        }
        match url.scheme() {
            "https" => Ok(url),
            "http" if near => Ok(url),
            _ => Err("it is not https"),
        }
    }

    fn remember(&self, hash: PaymentHash, amount: Msat, verify: Option<&str>) {
        let url = verify.filter(|url| url.len() <= VERIFY_URL_LEN).and_then(|url| url.parse().ok());
        if let Some(url) = url.and_then(|url| self.permitted(url).ok()) {
            self.verifiable.insert(hash, Arc::new(Verifiable { url, amount }));
            self.can_look_up.store(true, Ordering::Relaxed);
        }
    }

    fn garbled(&self, message: &str) -> BackendError {
        self.web.fault(FaultKind::Garbled, message)
    }
}

#[async_trait]
impl LightningBackend for LightningAddress {
    fn name(&self) -> &'static str {
        NAME
    }

    fn network(&self) -> Network {
        self.network
    }

    /// Whether it can be asked about its invoices shows with the first one.
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            lookup: self.can_look_up.load(Ordering::Relaxed),
            pay: false,
            fee_limit: FeeLimit::Own,
            msat: false,
            expiry: ExpiryRule::Own,
            // How long one can be paid, and how many there may be, is the wallet's secret.
            free_invoices: false,
        }
    }

    async fn create_invoice(&self, request: InvoiceRequest) -> Result<Invoice, BackendError> {
        let made = self.make(&request).await;
        if made.is_err() {
            // What was believed of the address may be out of date.
            *self.cached() = None;
        }
        made
    }

    /// Known are the last invoices of this process that came with a URL for it.
    async fn lookup(&self, hash: &PaymentHash) -> Result<InvoiceState, BackendError> {
        if !self.can_look_up.load(Ordering::Relaxed) {
            return Err(BackendError::unsupported(NAME, "look up invoices: the wallet does not offer it"));
        }
        let Some(known) = self.verifiable.get(hash) else { return Ok(InvoiceState::NotFound) };
        let answer = self.web.get_elsewhere(known.url.clone()).await?;
        if fault::is_unknown_invoice(&answer) {
            return Ok(InvoiceState::NotFound);
        }
        if let Some(fault) = fault::of_lookup(&self.web, &answer) {
            return Err(fault);
        }
        let verified: Verified = self.web.read(&answer)?;
        if !verified.settled {
            return Ok(InvoiceState::Open);
        }
        // The preimage may be left out; a wrong one belies the rest.
        let preimage = verified.preimage.as_deref().map(|hex| Preimage::from_hex(hex.as_bytes()));
        if preimage.is_some_and(|preimage| !preimage.is_ok_and(|preimage| preimage.opens(hash))) {
            return Err(self.garbled("the wallet's server shows a wrong preimage for a payment"));
        }
        Ok(InvoiceState::Settled { amount: known.amount, at: None })
    }

    /// Crash rule: nothing is ever sent.
    async fn pay(&self, _order: &PaymentOrder) -> Payment {
        Payment::failed("a Lightning address can only receive")
    }

    async fn lookup_outgoing(&self, _hash: &PaymentHash) -> Result<OutgoingState, BackendError> {
        Err(BackendError::unsupported(NAME, "pay"))
    }

    async fn health(&self) -> Result<(), BackendError> {
        self.params().await.map(drop)
    }
}

/// For the fuzz targets: whatever the wallet's server answers, only `https` is asked next, for exactly the amount.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(input: &[u8]) {
    use std::sync::LazyLock;
    static WALLET: LazyLock<Option<LightningAddress>> = LazyLock::new(|| {
        let config = LightningAddressConfig { address: "a@example.com".into(), allow_private_hosts: false };
        LightningAddress::new(&config, Network::Bitcoin, Duration::from_secs(1)).ok()
    });
    let (Some(wallet), Ok(amount)) = (WALLET.as_ref(), Msat::from_sat(500)) else { return };
    let (status, headers) = (reqwest::StatusCode::OK, reqwest::header::HeaderMap::new());
    let answer = crate::egress::Answer { status, headers, body: bytes::Bytes::copy_from_slice(input) };
    for fault in [fault::of_address(&wallet.web, &answer), fault::of_callback(&wallet.web, &answer)] {
        assert!(fault.is_none_or(|fault| fault.to_string().len() <= 2_048), "it stands in the log");
    }
    let _ = (wallet.web.read::<Made>(&answer), wallet.web.read::<Verified>(&answer));
    let Ok(params) = Params::read(&answer, &wallet.web) else { return };
    if params.require_within(amount, &wallet.web).is_err() {
        return;
    }
    if let Ok(url) = wallet.permitted(params.callback(amount, "Refund")) {
        assert_eq!((url.scheme(), url.username(), url.password()), ("https", "", None));
        let named = |name: &str| url.query_pairs().filter(|(found, _)| found == name).last();
        assert_eq!(named("amount").map(|(_, value)| value.into_owned()), Some("500000".to_owned()));
    }
}
