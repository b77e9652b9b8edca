//! Whether bytes are really an image that a model can be given.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader};

use crate::config::ImageBounds;
use crate::domain::request::ImageType;

use super::images;

/// What an image may measure.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// The largest width and height in pixels.
    pub max_side: u32,
    /// The most pixels: a small file can claim a huge canvas.
    pub max_pixels: u64,
    /// The most bytes that decoding may allocate.
    pub max_alloc: u64,
    /// Alternatives of which it has to be within one.
    pub accepted: &'a [ImageBounds],
}

/// What is wrong with an image, as a sentence for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageProblem {
    /// The bytes are another format than the media type says.
    #[error("the data is not the {0} that its media type declared")]
    NotAsDeclared(&'static str),
    /// Too wide or too high.
    #[error("the image measures {width} × {height} pixels; at most {max} a side are accepted")]
    TooLarge {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// The limit.
        max: u32,
    },
    /// Too many pixels in all.
    #[error("the image has {0} pixels; at most {1} are accepted")]
    TooManyPixels(u64, u64),
    /// Nothing that somebody here could work with.
    #[error(
        "no model here takes this image of {width} × {height} pixels and {bytes} bytes; accepted are images of {accepted}"
    )]
    NotTaken {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
        /// The file's length.
        bytes: usize,
        /// The bounds in words.
        accepted: String,
    },
    /// Damaged or cut short.
    #[error("the image does not decode: it is damaged, cut short, or needs too much memory")]
    Damaged,
}

/// Decodes the whole image: takes up to seconds of CPU, so call it off the async threads and bound the callers.
pub fn check(bytes: &[u8], declared: ImageType, limits: &Limits<'_>) -> Result<(), ImageProblem> {
    let format = match declared {
        ImageType::Png => ImageFormat::Png,
        ImageType::Jpeg => ImageFormat::Jpeg,
        ImageType::WebP => ImageFormat::WebP,
    };
    if image::guess_format(bytes).ok() != Some(format) {
        return Err(ImageProblem::NotAsDeclared(declared.media_type()));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut image_limits = image::Limits::default();
    image_limits.max_alloc = Some(limits.max_alloc);
    reader.limits(image_limits);
    let mut decoder = reader.into_decoder().map_err(|_| ImageProblem::Damaged)?;
    let (width, height) = decoder.dimensions();
    if width > limits.max_side || height > limits.max_side {
        return Err(ImageProblem::TooLarge { width, height, max: limits.max_side });
    }
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limits.max_pixels {
        return Err(ImageProblem::TooManyPixels(pixels, limits.max_pixels));
    }
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let taken =
        |bounds: &ImageBounds| bounds.admits_size(width, height) && bounds.max_bytes.is_none_or(|most| length <= most);
    if !limits.accepted.iter().any(taken) {
        let accepted = images::in_words(limits.accepted);
        return Err(ImageProblem::NotTaken { width, height, bytes: bytes.len(), accepted });
    }
    // The decoder counts what it allocates itself; the pixels it is asked for come on top.
    let mut allocations = image::Limits::default();
    allocations.max_alloc = Some(limits.max_alloc);
    allocations.reserve(decoder.total_bytes()).map_err(|_| ImageProblem::Damaged)?;
    decoder.set_limits(allocations).map_err(|_| ImageProblem::Damaged)?;
    if format == ImageFormat::Jpeg && !jpeg_is_whole(bytes) {
        return Err(ImageProblem::Damaged);
    }
    DynamicImage::from_decoder(decoder).map(drop).map_err(|_| ImageProblem::Damaged)
}

/// Whether the last scan of a JPEG is followed by an end marker: decoders fill up what is missing with grey.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let last = |marker: [u8; 2]| bytes.windows(2).rposition(|window| window == marker);
    match (last([0xff, 0xda]), last([0xff, 0xd9])) {
        (Some(scan), Some(end)) => end > scan,
        _ => false,
    }
}
