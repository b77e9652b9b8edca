//! What the tests are written with.

mod answer;
mod app;
mod bodies;
mod bucket;
#[path = "../../kit/client.rs"]
pub mod client;
mod lightning;
mod macaroons;
pub mod owed;
mod provider;
mod purchase;
mod raw;
mod receiver;

use std::time::Duration;

pub use answer::Answer;
pub use app::{Setup, TestApp};
pub use bodies::{image_body, sized_image_body, video_body};
pub use bucket::Bucket;
pub use lightning::{FakeLightning, Lie, Paying};

pub use macaroons::Pieces;
pub use provider::{FakeProvider, Generation, SubmitStep};
pub use purchase::{Purchase, text};
pub use raw::{RawAnswer, RawConnection};
pub use receiver::Receiver;

/// Where videos are bought.
pub const VIDEO: &str = "/api/l402/video";
/// Where 3D models are bought.
pub const MODEL: &str = "/api/l402/3d-model";
/// What a video of 5 s costs by default.
pub const VIDEO_SATS: u64 = 500;
/// What a 3D model costs by default.
pub const MODEL_SATS: u64 = 350;

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_mins(1);
pub const HOUR: Duration = Duration::from_hours(1);
pub const DAY: Duration = Duration::from_hours(24);

/// The outcome of something that has to happen, but not at a known time.
pub async fn within<F: Future>(what: &str, happens: F) -> F::Output {
    let limit = Duration::from_mins(1);
    tokio::time::timeout(limit, happens).await.unwrap_or_else(|_| panic!("{what} did not happen within {limit:?}"))
}
