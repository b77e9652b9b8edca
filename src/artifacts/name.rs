//! What results are called, and what they are said to be.

use crate::domain::ServiceId;

/// The name of a result: 128 random bits and an ending, so that it cannot be guessed.
#[derive(Clone, PartialEq, Eq)]
pub struct ArtifactName(String);

impl ArtifactName {
    /// A name for a result of `service`.
    #[must_use]
    pub fn new(service: ServiceId, random: [u8; 16]) -> Self {
        Self(format!("{}.{}", hex::encode(random), extension(service)))
    }

    /// Reads a name out of a URL; `None` for anything that this gateway would not have made.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (stem, ending) = text.split_once('.')?;
        let hex = stem.len() == 32 && stem.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let known = ServiceId::ALL.into_iter().any(|service| extension(service) == ending);
        (hex && known).then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The service whose results are named so.
    #[must_use]
    pub fn service(&self) -> ServiceId {
        ServiceId::ALL.into_iter().find(|service| self.0.ends_with(extension(*service))).unwrap_or(ServiceId::Video)
    }

    /// What `Content-Disposition` says: to be shown, or saved under a name that gives nothing away.
    #[must_use]
    pub fn disposition(&self) -> String {
        let (service, short) = (self.service(), self.0.get(..8).unwrap_or_default());
        let file = match service {
            ServiceId::Video => "satforge-video",
            ServiceId::Model3d => "satforge-model",
        };
        format!("inline; filename=\"{file}-{short}.{}\"", extension(service))
    }
}

/// The media type of a service's results.
#[must_use]
pub const fn media_type(service: ServiceId) -> &'static str {
    match service {
        ServiceId::Video => "video/mp4",
        ServiceId::Model3d => "model/gltf-binary",
    }
}

/// The ending of a service's results.
#[must_use]
pub const fn extension(service: ServiceId) -> &'static str {
    match service {
        ServiceId::Video => "mp4",
        ServiceId::Model3d => "glb",
    }
}

// A result's name is all that is needed to read it, so it must not reach a log.
impl std::fmt::Debug for ArtifactName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ArtifactName(redacted)")
    }
}
