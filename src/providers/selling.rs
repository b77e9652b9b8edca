//! What the state of a service's routes means for who buys.

use crate::domain::{JobSpec, ServiceId};

use super::{Health, Providers};

impl Providers {
    /// What the price of `service` is multiplied by: the factor of the first route that is open. While none is, that
    /// of the first that there is.
    #[must_use]
    pub fn price_factor(&self, service: ServiceId) -> f64 {
        let open = self.for_service(service).find(|route| route.health() == Health::Open);
        open.or_else(|| self.for_service(service).next()).map_or(1.0, |route| route.settings().price_factor)
    }

    /// Whether a route that is open takes what is asked for. Reads the head of an image: call it off the async threads.
    #[must_use]
    pub fn takes_now(&self, spec: &JobSpec) -> bool {
        self.for_service(spec.service()).any(|route| route.health() == Health::Open && route.takes(spec))
    }
}
