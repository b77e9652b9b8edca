//! stub
/// c
pub struct Clip<'a> { /// p
pub prompt: &'a str, /// s
pub seconds: u32, /// c
pub camera_fixed: bool }
/// e
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct MediaError;
/// r
pub fn render_video(_clip: &Clip<'_>) -> Result<Vec<u8>, MediaError> { Ok(b"\0\0\0\x10ftypisomxxxx".to_vec()) }
/// r
pub fn render_relief(_image: &[u8]) -> Result<Vec<u8>, MediaError> { Ok(b"glTFxxxxxxxxxxxxxx".to_vec()) }
