//! The vendors' stubs.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use bytes::Bytes;

use crate::upstream::{Generation, Stage, Upstream};
use crate::vendor::Errand;

pub mod cog;
pub mod fal;
pub mod meshy;
pub mod openrouter;
pub mod replicate;
pub mod replicate_models;
pub mod tripo;
pub mod videos;

/// What deleting is for: what is under way is stopped by it.
pub fn deletion(upstream: &Upstream, path: &str) -> Errand {
    let all = upstream.newest_first();
    let deleted = all.iter().find(|generation| path.ends_with(&generation.id));
    match deleted.map(Generation::stage) {
        Some(Stage::Queued(_) | Stage::Running(_)) => Errand::Cancel,
        _ => Errand::Discard,
    }
}

/// A field of a form.
pub struct Part {
    /// A file's.
    pub filename: Option<String>,
    pub bytes: Vec<u8>,
}

/// A form (`multipart/form-data`), by the names of its fields.
pub fn form(headers: &HeaderMap, body: &Bytes) -> BTreeMap<String, Part> {
    let media_type = headers["content-type"].to_str().unwrap();
    let boundary = media_type.strip_prefix("multipart/form-data; boundary=").unwrap();
    // Bytes as characters, so that texts and files are taken apart alike.
    let text: String = body.iter().copied().map(char::from).collect();
    let delimiter = format!("--{boundary}");
    let parts = text.split(&delimiter).map(|part| part.trim_start_matches("\r\n"));
    let parts = parts.filter(|part| !part.is_empty() && *part != "--\r\n");
    let read = |part: &str| {
        let (head, content) = part.split_once("\r\n\r\n").unwrap();
        let content = content.strip_suffix("\r\n").unwrap();
        let quoted = |name: &str| {
            let (_, rest) = head.split_once(&format!("; {name}=\""))?;
            Some(rest.split_once('"').unwrap().0.to_owned())
        };
        let bytes = content.chars().map(|c| u8::try_from(c).unwrap()).collect();
        (quoted("name").unwrap(), Part { filename: quoted("filename"), bytes })
    };
    parts.map(read).collect()
}

impl Part {
    pub fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).unwrap()
    }
}
