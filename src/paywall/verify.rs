//! From a presented credential to a [`VerifiedPayment`], the only thing that buys a job.
//!
//! Two steps, because the body has not been read when the first is taken: *prove* (signature, caveats of ours,
//! preimage) and *bind* (service, bytes, the holder's own time limit).

use crate::config::{GatewayKey, KeyRing};
use crate::domain::{Msat, PaymentHash, RequestBinding, ServiceId, WebhookSecret};
use crate::planted::{self, Bug};

use super::callback;
use super::caveat::{self, Terms};
use super::l402::{self, Presented};
use super::macaroon::{DecodeError, Macaroon};
use super::token::{self, Token};

/// Why a credential was refused, in the order of the checks: a later one came further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// It cannot be decoded.
    Malformed,
    /// Not signed by this gateway, or its caveats are not ours.
    Invalid,
    /// The preimage does not open the payment hash.
    PreimageMismatch,
    /// Paid for another service or other bytes.
    BodyMismatch,
    /// The time that its holder appended has passed.
    Expired,
}

/// What the `Authorization` headers of a request amount to.
#[derive(Debug)]
pub enum Proof {
    /// No header of our scheme.
    Absent,
    /// None of the credentials is good; the refusal is that of the one that came furthest.
    Refused(Refusal),
    /// At least one credential proves a payment, not necessarily for this request.
    Proven(Vec<ProvenCredential>),
}

/// A credential that proves a payment to this gateway; what the payment is for has not been held against the request.
#[derive(Debug)]
pub struct ProvenCredential {
    payment_hash: PaymentHash,
    amount: Msat,
    terms: Vec<Terms>,
    callback_secret: WebhookSecret,
}

/// A payment for exactly this request.
///
/// Architecture invariant: this module alone can make one, it cannot be copied, and redeeming consumes it.
///
/// ```compile_fail,E0451
/// fn forge(a: satforge::paywall::VerifiedPayment, b: satforge::paywall::VerifiedPayment) -> impl Sized {
///     satforge::paywall::VerifiedPayment { payment_hash: a.payment_hash(), ..b }
/// }
/// ```
///
/// ```compile_fail,E0599
/// fn twice(payment: satforge::paywall::VerifiedPayment) -> impl Sized {
///     (payment.clone(), payment)
/// }
/// ```
///
/// ```compile_fail,E0382
/// # async fn _redeem(jobs: satforge::jobs::Jobs, payment: satforge::paywall::VerifiedPayment) {
/// let _ = jobs.redeem(payment, Default::default()).await;
/// let _ = jobs.redeem(payment, Default::default()).await;
/// # }
/// ```
///
/// What the three are refused for is that alone: this compiles.
///
/// ```
/// # async fn _redeem(jobs: satforge::jobs::Jobs, payment: satforge::paywall::VerifiedPayment) {
/// let _ = (payment.payment_hash(), payment.amount(), payment.binding());
/// let _ = jobs.redeem(payment, Default::default()).await;
/// # }
/// ```
#[derive(Debug)]
pub struct VerifiedPayment {
    payment_hash: PaymentHash,
    amount: Msat,
    binding: RequestBinding,
    redeemable_until: u64,
    callback_secret: WebhookSecret,
}

/// Looks at every `Authorization` header of a request. Makes no external call and touches no state.
#[must_use]
pub fn prove<'a>(ring: &KeyRing, headers: impl Iterator<Item = &'a [u8]>) -> Proof {
    let mut proven = Vec::new();
    let mut refusal = None;
    for presented in headers.flat_map(l402::parse_authorization) {
        match presented.map_err(|_| Refusal::Malformed).and_then(|p| prove_one(ring, &p)) {
            Ok(credential) => proven.push(credential),
            Err(refused) => refusal = refusal.max(Some(refused)),
        }
    }
    match refusal {
        _ if !proven.is_empty() => Proof::Proven(proven),
        Some(refusal) => Proof::Refused(refusal),
        None => Proof::Absent,
    }
}

/// The first of `credentials` that is good for `binding` at `unix_seconds`; otherwise the refusal that came furthest.
pub fn bind(
    credentials: Vec<ProvenCredential>,
    binding: RequestBinding,
    unix_seconds: u64,
) -> Result<VerifiedPayment, Refusal> {
    let mut refusal = Refusal::Malformed;
    for credential in credentials {
        match credential.bind(binding, unix_seconds) {
            Ok(payment) => return Ok(payment),
            Err(refused) => refusal = refusal.max(refused),
        }
    }
    Err(refusal)
}

/// The first of `credentials` that is good at `unix_seconds` for whatever it was paid for: where no body is presented,
/// what the macaroon says of it stands in for it.
pub fn bind_unseen(credentials: Vec<ProvenCredential>, unix_seconds: u64) -> Result<VerifiedPayment, Refusal> {
    let mut refusal = Refusal::Malformed;
    for credential in credentials {
        let bound = credential.own_binding().map_or(Err(Refusal::Invalid), |own| credential.bind(own, unix_seconds));
        match bound {
            Ok(payment) => return Ok(payment),
            Err(refused) => refusal = refusal.max(refused),
        }
    }
    Err(refusal)
}

fn prove_one(ring: &KeyRing, presented: &Presented) -> Result<ProvenCredential, Refusal> {
    let decoded: Vec<Macaroon<'_>> = presented
        .macaroons
        .iter()
        .map(|bytes| Macaroon::decode(bytes).map_err(Refusal::from))
        .collect::<Result<_, _>>()?;
    let mut tokens: Vec<(Token, &GatewayKey)> = Vec::with_capacity(1);
    let mut terms = Vec::with_capacity(1);
    for macaroon in &decoded {
        tokens.push(token::authenticate(ring, macaroon).ok_or(Refusal::Invalid)?);
        terms.push(caveat::read(macaroon.caveats()).map_err(|_| Refusal::Invalid)?);
    }
    let ((first, key), others) = tokens.split_first().ok_or(Refusal::Malformed)?;
    if others.iter().any(|(token, _)| token.payment_hash != first.payment_hash) {
        return Err(Refusal::Invalid);
    }
    if !presented.preimage.opens(&first.payment_hash) && !planted::is(Bug::FreeResult) {
        return Err(Refusal::PreimageMismatch);
    }
    let callback_secret = callback::secret(key, &first.payment_hash);
    Ok(ProvenCredential { payment_hash: first.payment_hash, amount: first.amount, terms, callback_secret })
}

impl ProvenCredential {
    /// The identity of the purchase.
    #[must_use]
    pub const fn payment_hash(&self) -> PaymentHash {
        self.payment_hash
    }

    /// Whether the payment was for `service`, whatever the body: known before the body is read.
    #[must_use]
    pub fn is_for(&self, service: ServiceId) -> bool {
        self.terms.iter().all(|terms| terms.service == Some(service))
    }

    /// What it was paid for; `None`: a service that is not sold here any more.
    fn own_binding(&self) -> Option<RequestBinding> {
        let first = self.terms.first()?;
        Some(RequestBinding { service: first.service?, body_sha256: first.body_sha256 })
    }

    fn bind(self, binding: RequestBinding, unix_seconds: u64) -> Result<VerifiedPayment, Refusal> {
        let fits = |terms: &Terms| terms.service == Some(binding.service) && terms.body_sha256 == binding.body_sha256;
        if !self.terms.iter().all(fits) {
            return Err(Refusal::BodyMismatch);
        }
        if self.terms.iter().filter_map(|terms| terms.holder_until).any(|until| unix_seconds > until) {
            return Err(Refusal::Expired);
        }
        let redeemable_until = self.terms.iter().map(|terms| terms.redeemable_until).min().unwrap_or(0);
        Ok(VerifiedPayment {
            payment_hash: self.payment_hash,
            amount: self.amount,
            binding,
            redeemable_until,
            callback_secret: self.callback_secret,
        })
    }
}

impl VerifiedPayment {
    /// The identity of the purchase.
    #[must_use]
    pub const fn payment_hash(&self) -> PaymentHash {
        self.payment_hash
    }

    /// What was paid.
    #[must_use]
    pub const fn amount(&self) -> Msat {
        self.amount
    }

    /// What was paid for.
    #[must_use]
    pub const fn binding(&self) -> RequestBinding {
        self.binding
    }

    /// What a callback about what it bought is signed with.
    #[must_use]
    pub const fn callback_secret(&self) -> &WebhookSecret {
        &self.callback_secret
    }

    /// What a callback about what it bought is signed with, for whoever signs; the payment is spent.
    #[must_use]
    pub fn into_callback_secret(self) -> WebhookSecret {
        self.callback_secret
    }

    /// Unix seconds: until then a first redemption is in time.
    #[must_use]
    pub const fn redeemable_until(&self) -> u64 {
        self.redeemable_until
    }

    /// Whether a *first* redemption at `unix_seconds` is too late; later ones are always in time.
    #[must_use]
    pub const fn is_late(&self, unix_seconds: u64) -> bool {
        unix_seconds > self.redeemable_until
    }
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::TooLong | DecodeError::Malformed => Self::Malformed,
            // It is a macaroon all right, but none that this gateway signs.
            DecodeError::ThirdParty => Self::Invalid,
        }
    }
}
