//! How many challenges were handed out: sums by the hour, which is all that is kept of those that nobody pays.

use async_trait::async_trait;
use sqlx::{AnyConnection, query};

use crate::domain::ServiceId;

use super::writer::Write;
use super::{Store, StoreError};

/// Challenges that were handed out within an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Unix milliseconds of the hour's beginning.
    pub hour: i64,
    /// What they were for.
    pub service: ServiceId,
    /// How many.
    pub issued: i64,
    /// Over how much together.
    pub amount_msat: i64,
    /// Of those, the ones about which the backend can be asked.
    pub watched: i64,
}

impl Store {
    /// Adds to what is counted already.
    pub async fn add_tallies(&self, tallies: Vec<Tally>) -> Result<(), StoreError> {
        self.writer.write(Add(tallies)).await
    }
}

struct Add(Vec<Tally>);

#[async_trait]
impl Write for Add {
    type Output = ();

    async fn run(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        for tally in &self.0 {
            query(
                "INSERT INTO tallies (hour, service, issued, amount_msat, watched) VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT (hour, service) DO UPDATE SET issued = tallies.issued + excluded.issued, \
                 amount_msat = tallies.amount_msat + excluded.amount_msat, watched = tallies.watched + excluded.watched",
            )
            .bind(tally.hour)
            .bind(tally.service.name())
            .bind(tally.issued)
            .bind(tally.amount_msat)
            .bind(tally.watched)
            .execute(&mut *connection)
            .await?;
        }
        Ok(())
    }
}
