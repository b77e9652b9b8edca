//! What callbacks are signed with: derived, so that a challenge tells it and still stores nothing.

use crate::config::GatewayKey;
use crate::domain::{PaymentHash, WebhookSecret};

/// The secret of the purchase with that payment hash, whose macaroon `key` has minted.
#[must_use]
pub fn secret(key: &GatewayKey, payment_hash: &PaymentHash) -> WebhookSecret {
    WebhookSecret::from_key(key.derive("satforge callback secret", payment_hash.as_bytes()))
}
