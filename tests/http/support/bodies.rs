//! Bodies that can be bought.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::{DynamicImage, ImageFormat};

/// The body of a video of 5 s.
pub fn video_body(prompt: &str) -> String {
    format!(r#"{{"prompt":"{prompt}","model":"Video Generation"}}"#)
}

/// The body of a 3D model of a small picture, with `tail` behind the picture's own bytes.
pub fn image_body(tail: &[u8]) -> String {
    sized_image_body(8, 8, tail)
}

/// The body of a 3D model of a picture of that size, with `tail` behind the picture's own bytes.
pub fn sized_image_body(width: u32, height: u32, tail: &[u8]) -> String {
    let mut file = Cursor::new(Vec::new());
    DynamicImage::new_rgb8(width, height).write_to(&mut file, ImageFormat::Png).expect("a picture");
    let mut bytes = file.into_inner();
    bytes.extend_from_slice(tail);
    format!(r#"{{"image":"data:image/png;base64,{}"}}"#, STANDARD.encode(bytes))
}
