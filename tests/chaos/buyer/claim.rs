//! Fetching what is owed back.

use std::time::Instant;

use super::Market;
use super::notes::Notes;

impl Market {
    pub async fn claim(&self, _notes: &mut Notes, _until: Instant) {}
    pub async fn claim_what_was_delivered(&self, _notes: &mut Notes) {}
    pub async fn recover(&self, _notes: &mut Notes) {}
}
