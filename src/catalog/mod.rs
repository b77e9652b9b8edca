//! What is sold: for each service its schema, its limits and its price.
//!
//! Architecture invariant: one price function, [`price::quote`], feeds the challenge, the pages and the metadata.

pub mod body;
pub mod describe;
pub mod image_check;
pub mod price;

mod callback;
mod images;
mod list;
mod model3d;
mod video;

use bytes::Bytes;

use crate::config::{ServiceConfig, ServiceKind};
use crate::domain::{Callback, JobSpec};

use body::Fields;
pub use body::{BodyError, Problem};
pub use list::{Catalog, Unpriceable};
pub use price::Quote;

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
        ServiceKind::Model3d { max_alloc, .. } => {
            let accepted = service.image_bounds();
            let limits = image_check::Limits {
                max_side: accepted.iter().filter_map(|bounds| bounds.max_side).max().unwrap_or_default(),
                max_pixels: accepted.iter().filter_map(|bounds| bounds.max_pixels).max().unwrap_or_default(),
                max_alloc: *max_alloc,
                accepted: &accepted,
            };
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
