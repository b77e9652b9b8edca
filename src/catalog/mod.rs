//! What is sold: for each service its schema, its limits and its price.
//!
//! Architecture invariant: one price function, [`price::quote`], feeds the challenge, the pages and the metadata.

pub mod body;
pub mod describe;
pub mod image_check;
pub mod price;

mod callback;
mod model3d;
mod video;

use bytes::Bytes;

use crate::config::{ServiceConfig, ServiceKind};
use crate::domain::{Callback, JobSpec, ServiceId};

use body::Fields;
pub use body::{BodyError, Problem};
pub use price::Quote;

/// The services on sale and their settings.
#[derive(Clone, Debug)]
pub struct Catalog {
    services: Vec<ServiceConfig>,
}

/// A request that can be run, and its price.
#[derive(Debug)]
pub struct Priced {
    /// What to run.
    pub spec: JobSpec,
    /// For how much.
    pub quote: Quote,
    /// Whom to tell of its end.
    pub callback: Option<Callback>,
}

impl Catalog {
    /// A catalogue of `services`.
    #[must_use]
    pub const fn new(services: Vec<ServiceConfig>) -> Self {
        Self { services }
    }

    /// Every service, in the order in which pages show them.
    #[must_use]
    pub fn services(&self) -> &[ServiceConfig] {
        &self.services
    }

    /// The settings of one service; `None` when it is not on sale.
    #[must_use]
    pub fn service(&self, id: ServiceId) -> Option<&ServiceConfig> {
        self.services.iter().find(|service| service.id == id)
    }
}

/// Whether an image's pixels are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Before money is asked for: the image is decoded.
    Full,
    /// Of what was paid for: only what is needed to run it.
    Structure,
}

/// Validates the bytes of a body and prices it. Every problem is reported at once.
///
/// With [`Depth::Full`] an image is decoded: call it off the async threads.
pub fn validate(service: &ServiceConfig, body: &Bytes, depth: Depth) -> Result<Priced, BodyError> {
    let mut fields = Fields::read(body, known_fields(service))?;
    let callback = callback::take(&mut fields, service.private_callbacks, depth);
    let spec = match &service.kind {
        ServiceKind::Video { models, max_prompt_chars } => video::parse(fields, models, *max_prompt_chars)?,
        ServiceKind::Model3d { max_side, max_pixels, max_alloc } => {
            let limits = image_check::Limits { max_side: *max_side, max_pixels: *max_pixels, max_alloc: *max_alloc };
            model3d::parse(fields, &limits, depth)?
        }
    };
    let quote = price::quote(service, &spec).map_err(|_| BodyError::unpriceable())?;
    Ok(Priced { spec, quote, callback })
}

/// Whom a body that was paid for wants to be told, even if it can no longer be run.
#[must_use]
pub fn callback_of(service: &ServiceConfig, body: &Bytes) -> Option<Callback> {
    let mut fields = Fields::read(body, known_fields(service)).ok()?;
    callback::take(&mut fields, service.private_callbacks, Depth::Structure)
}

const fn known_fields(service: &ServiceConfig) -> &'static [&'static str] {
    match service.kind {
        ServiceKind::Video { .. } => &video::FIELDS,
        ServiceKind::Model3d { .. } => &model3d::FIELDS,
    }
}
