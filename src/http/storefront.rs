//! The pages and the metadata, rendered once for each state that what is for sale can be in.
//!
//! Whoever asks gets the state of that very moment. It changes seldom and goes back and forth between a few, so the last
//! ones are kept as they were rendered.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::domain::ServiceId;

use super::gateway::Gateway;
use super::offer::Offer;
use super::{discovery, pages, site};

/// States that are kept: some 2 MB at the most.
const KEPT: usize = 8;

/// What is rendered.
#[derive(Default)]
pub struct Storefront {
    kept: Mutex<VecDeque<Kept>>,
}

struct Kept {
    offers: Vec<Offer>,
    display: Arc<Display>,
}

/// Everything in one state.
pub struct Display {
    /// The pages by their path.
    pub pages: BTreeMap<String, Bytes>,
    /// The page for a path that leads nowhere.
    pub not_found: Bytes,
    /// The metadata of each service.
    pub metadata: Vec<(ServiceId, Bytes)>,
}

impl Storefront {
    /// What is shown now; errors where a template does.
    pub fn show(&self, gateway: &Gateway) -> Result<Arc<Display>, askama::Error> {
        let offers = gateway.offers();
        if let Some(known) = self.lock().iter().find(|kept| kept.offers == offers) {
            return Ok(known.display.clone());
        }
        let display = Arc::new(Display::render(gateway, &offers)?);
        let mut kept = self.lock();
        // Somebody else may have rendered it meanwhile.
        kept.retain(|kept| kept.offers != offers);
        kept.truncate(KEPT - 1);
        kept.push_front(Kept { offers, display: display.clone() });
        Ok(display)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Display {
    fn render(gateway: &Gateway, offers: &[Offer]) -> Result<Self, askama::Error> {
        let site = site::as_offered(&gateway.site, offers);
        let mut pages = BTreeMap::from([
            ("/".to_owned(), Bytes::from(pages::render_home(&site)?)),
            ("/l402".to_owned(), pages::render_guide(&site)?.into()),
            ("/errors".to_owned(), pages::render_errors(&site, &Gateway::error_docs())?.into()),
        ]);
        for service in &site.services {
            pages.insert(format!("/l402/{}", service.id), pages::render_service(&site, service)?.into());
        }
        let metadata = offers.iter().map(|offer| (offer.service.id, discovery::metadata(gateway, offer)));
        Ok(Self { pages, not_found: pages::render_not_found(&site)?.into(), metadata: metadata.collect() })
    }
}
