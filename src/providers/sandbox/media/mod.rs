//! Media that the sandbox makes itself: a real video and a real 3D model, without any model behind them.
//!
//! Everything in here is a pure, synchronous function of its arguments: no I/O, no clock, no ambient randomness. The
//! same prompt gives the same film and the same picture the same relief. The work is CPU-bound (a few hundred
//! milliseconds), so callers run it off the async threads.
//!
//! Reading order: `video` → `scene` → `caption` → `film`; `relief` → `picture` → `mesh` → `glb`.

mod caption;
mod colour;
mod dice;
mod film;
mod frame;
mod glb;
mod glyphs;
mod mesh;
mod numbers;
mod palette;
mod picture;
mod relief;
mod ridge;
mod scene;
mod sky;
mod specks;
mod surface;
mod typeset;
mod video;
mod water;

pub use relief::render_relief;
pub use video::{Clip, render_video};

/// Why a video or a relief could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The length asked for is outside of what the sandbox renders.
    #[error("a sandbox video lasts 1 to {max} seconds, not {seconds}")]
    Seconds {
        /// The length asked for, in seconds.
        seconds: u32,
        /// The longest length rendered, in seconds.
        max: u32,
    },
    /// The H.264 encoder refused a frame or could not be started.
    #[error("the H.264 encoder failed")]
    Encoder(#[from] openh264::Error),
    /// The frames could not be put into an MP4 file.
    #[error("the MP4 muxer failed")]
    Muxer(#[from] muxide::api::MuxerError),
    /// The picture is not a PNG, JPEG or WebP file that decodes within the limits, or its texture did not encode.
    #[error("the picture cannot be read or written")]
    Picture(#[from] image::ImageError),
    /// The picture has too many pixels to decode.
    #[error("the picture has {pixels} pixels, more than {max}")]
    TooManyPixels {
        /// Pixels of the picture.
        pixels: u64,
        /// The most pixels decoded.
        max: u64,
    },
    /// The model does not fit a GLB file, whose lengths have 32 bits.
    #[error("the model is too large for a GLB file")]
    TooLarge,
}
