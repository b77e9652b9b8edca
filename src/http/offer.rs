//! What is for sale at the moment, and for how much.

use std::sync::Arc;

use crate::config::ServiceConfig;
use crate::domain::ServiceId;

use super::gateway::Gateway;

/// A service as it is sold now.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Its settings, with the price that a challenge would ask.
    pub service: Arc<ServiceConfig>,
    /// Whether a challenge would be made at all.
    pub available: bool,
}

/// Two offers are the same when nobody can tell them apart: the catalogue keeps each service once for each price.
impl PartialEq for Offer {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.service, &other.service) && self.available == other.available
    }
}

impl Gateway {
    /// `service` as it is sold now; `None` where it never is.
    #[must_use]
    pub fn offer(&self, service: ServiceId) -> Option<Offer> {
        let priced = self.catalog.priced(service, self.providers.price_factor(service))?;
        // Nothing is invoiced that nobody could deliver, or that could not be written down.
        let available = self.sells(service) && self.store.is_writable() && self.artifacts.is_reachable();
        Some(Offer { service: priced.clone(), available })
    }

    /// Everything as it is sold now, in the order in which pages show it.
    #[must_use]
    pub fn offers(&self) -> Vec<Offer> {
        self.catalog.services().iter().filter_map(|service| self.offer(service.id)).collect()
    }
}
