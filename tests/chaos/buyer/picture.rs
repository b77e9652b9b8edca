//! A picture that shows the number of its purchase.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::{ImageFormat, Rgb, RgbImage};

const PREFIX: &str = "data:image/png;base64,";

/// As a data URI.
pub fn draw(job: u64) -> String {
    let bytes = job.to_be_bytes();
    let picture = RgbImage::from_fn(8, 8, |x, _| Rgb([bytes[usize::try_from(x).unwrap()], 7, 9]));
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).unwrap();
    format!("{PREFIX}{}", STANDARD.encode(png.into_inner()))
}

/// The number on it; what shows none has the highest.
pub fn read(uri: &str) -> u64 {
    let png = uri.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
    let Ok(picture) = image::load_from_memory_with_format(&png, ImageFormat::Png) else { return u64::MAX };
    let picture = picture.to_rgb8();
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(0..).for_each(|(byte, x)| *byte = picture.get_pixel(x, 0).0[0]);
    u64::from_be_bytes(bytes)
}
