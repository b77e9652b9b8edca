//! From a verified payment to its job.

use std::sync::Arc;

use axum::http::request::Parts;
use tokio::sync::oneshot;
use tracing::Instrument as _;

use crate::jobs::{JobView, RedeemError};
use crate::lightning::Unconfirmed;
use crate::paywall::VerifiedPayment;

use super::answer::Holder;
use super::body::ReadBody;
use super::gateway::Gateway;
use super::observe::RequestId;

/// Why a good credential has not bought anything yet.
pub enum NotRedeemed {
    /// It could not be redeemed.
    Refused(RedeemError),
    /// The node does not confirm it.
    Unconfirmed(Unconfirmed),
}

/// In a task of its own: a caller that goes away in the middle would otherwise leave half a redemption behind.
pub async fn redeem(
    gateway: &Arc<Gateway>,
    payment: VerifiedPayment,
    body: &ReadBody,
    parts: &Parts,
) -> Result<(JobView, Holder), NotRedeemed> {
    if let Some(known) = gateway.jobs.recall(&payment) {
        let known = known.map_err(NotRedeemed::Refused)?;
        let secret = known.job.calls_back.then(|| payment.callback_secret().reveal());
        return Ok((known, Holder::new(secret)));
    }
    confirm(gateway, &payment).await?;
    let secret = payment.callback_secret().reveal();
    let (answer, redeemed) = oneshot::channel();
    let (gateway, bytes) = (gateway.clone(), body.bytes.clone());
    let shutdown = gateway.shutdown.clone();
    let task = async move {
        let hash = payment.payment_hash();
        let redeemed = gateway.jobs.redeem(payment, bytes).await;
        if redeemed.is_ok() {
            gateway.invoices.presented(&hash);
        }
        // Nobody is left to be told if the caller has gone.
        let _ = answer.send(redeemed);
    };
    let request_id = parts.extensions.get::<RequestId>().map_or("", RequestId::as_str);
    shutdown.spawn(task.instrument(tracing::info_span!("request", request.id = request_id)));
    let view = redeemed.await.unwrap_or(Err(RedeemError::Interrupted)).map_err(NotRedeemed::Refused)?;
    let secret = view.job.calls_back.then_some(secret);
    Ok((view, Holder::new(secret)))
}

/// Has the node confirm a payment before its first redemption, where the operator wants that. What was redeemed before
/// is not asked about again: the node may be down, and the payment stands.
pub(super) async fn confirm(gateway: &Gateway, payment: &VerifiedPayment) -> Result<(), NotRedeemed> {
    if !gateway.invoices.confirms() {
        return Ok(());
    }
    let known = gateway.jobs.was_redeemed(payment).await.map_err(|error| NotRedeemed::Refused(error.into()))?;
    if known {
        return Ok(());
    }
    gateway.invoices.confirm(&payment.payment_hash(), payment.amount()).await.map_err(NotRedeemed::Unconfirmed)
}
