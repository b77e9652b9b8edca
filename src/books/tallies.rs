//! How many challenges were handed out, every few seconds and as sums.

use std::future::Future;
use std::time::Duration;

use crate::lightning::{Invoices, IssuedSum};
use crate::store::{Store, Tally};

/// The pause between two entries: so much is not counted when the process is killed.
const ENTER_EVERY: Duration = Duration::from_secs(10);

/// Enters what `invoices` have counted until `stopped`, and then once more.
pub async fn keep_tallies(invoices: &Invoices, store: &Store, stopped: impl Future<Output = ()>) {
    tokio::pin!(stopped);
    loop {
        let is_stopping = tokio::time::timeout(ENTER_EVERY, &mut stopped).await.is_ok();
        enter(invoices, store).await;
        if is_stopping {
            return;
        }
    }
}

async fn enter(invoices: &Invoices, store: &Store) {
    let sums = invoices.issued().take();
    if sums.is_empty() {
        return;
    }
    if let Err(error) = store.add_tallies(sums.iter().map(tally).collect()).await {
        tracing::warn!(%error, "the challenges that were handed out cannot be entered in the books; tried again");
        invoices.issued().add(sums);
    }
}

fn tally(sum: &IssuedSum) -> Tally {
    let signed = |number| i64::try_from(number).unwrap_or(i64::MAX);
    Tally {
        hour: signed(sum.hour),
        service: sum.service,
        issued: signed(sum.issued),
        amount_msat: signed(sum.amount_msat),
        watched: signed(sum.watched),
    }
}
