//! Payments that have arrived, for the books.

use async_trait::async_trait;
use sqlx::{AnyConnection, query};

use crate::domain::{Msat, PaymentHash};

use super::writer::Write;
use super::{Store, StoreError};

/// A payment that the Lightning backend says has arrived. Times are Unix milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The invoice's hash.
    pub payment_hash: PaymentHash,
    /// What arrived.
    pub amount: Msat,
    /// When its challenge went out.
    pub challenged_at: i64,
    /// When it arrived.
    pub settled_at: i64,
}

impl Store {
    /// Enters a payment in the books, once.
    pub async fn note_settlement(&self, settlement: Settlement) -> Result<(), StoreError> {
        self.writer.write(NoteSettlement(settlement)).await
    }
}

struct NoteSettlement(Settlement);

#[async_trait]
impl Write for NoteSettlement {
    type Output = ();

    async fn run(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        query(
            "INSERT INTO settlements (payment_hash, amount_msat, challenged_at, settled_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (payment_hash) DO NOTHING",
        )
        .bind(self.0.payment_hash.to_hex())
        .bind(i64::try_from(self.0.amount.msat()).unwrap_or(i64::MAX))
        .bind(self.0.challenged_at)
        .bind(self.0.settled_at)
        .execute(connection)
        .await?;
        Ok(())
    }
}
