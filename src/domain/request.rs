//! What a caller asks for, and the bytes that the payment is bound to.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// One of the things that are sold. Its name stands in macaroons, paths and the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ServiceId {
    /// Text to video.
    #[serde(rename = "video")]
    Video,
    /// Image to 3D model.
    #[serde(rename = "3d-model")]
    Model3d,
}

/// A service name that is not sold here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such service")]
pub struct UnknownService;

impl ServiceId {
    /// Every service, in the order in which the pages show them.
    pub const ALL: [Self; 2] = [Self::Video, Self::Model3d];

    /// The name as callers see it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Model3d => "3d-model",
        }
    }

    /// The path that a purchase is posted to.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Video => "/api/l402/video",
            Self::Model3d => "/api/l402/3d-model",
        }
    }

    /// The field of the answer that carries the result's URL.
    #[must_use]
    pub const fn result_field(self) -> &'static str {
        match self {
            Self::Video => "videoUrl",
            Self::Model3d => "modelUrl",
        }
    }

    /// The service of that name.
    pub fn from_name(name: &str) -> Result<Self, UnknownService> {
        Self::ALL.into_iter().find(|service| service.name() == name).ok_or(UnknownService)
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a payment is bound to: one service and the exact bytes of one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestBinding {
    /// The service the body was posted to.
    pub service: ServiceId,
    /// The SHA-256 of the body's bytes.
    pub body_sha256: [u8; 32],
}

/// A validated request: everything that a provider needs to know.
#[derive(Clone, PartialEq, Eq)]
pub enum JobSpec {
    /// Text to video.
    Video(VideoSpec),
    /// Image to 3D model.
    Model3d(ModelSpec),
}

/// A video to generate.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoSpec {
    /// What it should show, trimmed.
    pub prompt: String,
    /// The model's public name.
    pub model: String,
    /// Length in seconds.
    pub duration: u32,
    /// Whether the camera stands still.
    pub camera_fixed: bool,
}

/// A 3D model to generate.
#[derive(Clone, PartialEq, Eq)]
pub struct ModelSpec {
    /// The image's real format.
    pub media_type: ImageType,
    /// The image file.
    pub image: Bytes,
}

/// The image formats that are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImageType {
    /// Portable Network Graphics.
    #[serde(rename = "image/png")]
    Png,
    /// JPEG.
    #[serde(rename = "image/jpeg")]
    Jpeg,
    /// WebP.
    #[serde(rename = "image/webp")]
    WebP,
}

impl ImageType {
    /// Every accepted format.
    pub const ALL: [Self; 3] = [Self::Png, Self::Jpeg, Self::WebP];

    /// The media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
        }
    }
}

impl VideoSpec {
    /// The lengths that can be bought, in seconds; the first is the default.
    pub const DURATIONS: [u32; 2] = [5, 10];
}

impl JobSpec {
    /// The service that this is a request to.
    #[must_use]
    pub const fn service(&self) -> ServiceId {
        match self {
            Self::Video(_) => ServiceId::Video,
            Self::Model3d(_) => ServiceId::Model3d,
        }
    }
}

// A prompt or an image must not reach a log line, so `Debug` names the service alone.
impl fmt::Debug for JobSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobSpec({})", self.service())
    }
}
