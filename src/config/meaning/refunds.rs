//! Refunds: who pays them, and what that may cost.

use std::time::Duration;

use super::allowed::{DAY, MINUTE};
use crate::config::error::Problems;
use crate::config::raw::{RawPayouts, RawRefunds};
use crate::config::{CallbacksConfig, RefundMode, RefundsConfig};
use crate::domain::Msat;

/// Wallets answer within a second or two.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(8);

/// Lightning addresses are strangers' URLs like those of `callbacks`, so the same rule says where they may lead.
pub(super) fn refunds(
    mode: RawRefunds,
    raw: &RawPayouts,
    callbacks: CallbacksConfig,
    p: &mut Problems,
) -> RefundsConfig {
    let percent = p.number("payouts.max_fee_percent", raw.max_fee_percent, 0.0..=50.0, " %");
    // A refund of a few sats costs as much to route as one of thousands.
    let floor = p.number("payouts.max_fee_floor_sats", raw.max_fee_floor_sats, 0..=10_000, " sats");
    RefundsConfig {
        mode: match mode {
            RawRefunds::Automatic => RefundMode::Automatic,
            RawRefunds::Manual => RefundMode::Manual,
        },
        max_fee_ppm: ppm(percent),
        max_fee_floor: Msat::from_sat(floor).unwrap_or(Msat::ZERO),
        payment_timeout: p.seconds("payouts.payment_timeout_seconds", raw.payment_timeout_seconds, 5.0..=5.0 * MINUTE),
        link_for: p.seconds("payouts.link_seconds", raw.link_seconds, MINUTE..=30.0 * DAY),
        allow_private_addresses: callbacks.allow_private,
        address_timeout: ADDRESS_TIMEOUT,
    }
}

/// Percent as millionths.
fn ppm(percent: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 500,000, and whole")]
    let ppm = (percent * 10_000.0).round() as u64;
    ppm
}
