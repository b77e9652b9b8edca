//! Which images are sold: within the service's own limits, those that the model of at least one route takes.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};

use crate::config::{ImageBounds, ServiceConfig, ServiceKind};

/// A whole PNG of 8 × 8 pixels, so that an example can be sent as it is printed.
const TINY_PNG: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAIUlEQVR42mNQUDPGihgg1P9Z8nCEkEAWhctRWQKn5VgRAIB9RiF6GN8YAAAAAElFTkSuQmCC";
const TINY_SIDE: u32 = 8;
/// An example is never larger, whatever a route demands.
const LARGEST_EXAMPLE: u32 = 2_048;
/// The longest head of a data URI that is accepted.
const LONGEST_HEAD: &str = "data:image/jpeg;base64,";
const MIB: u64 = 1024 * 1024;

impl ServiceConfig {
    /// The images that are sold: each that is within one of these. Empty where no image is taken.
    #[must_use]
    pub fn image_bounds(&self) -> Vec<ImageBounds> {
        match &self.kind {
            ServiceKind::Video { .. } => Vec::new(),
            ServiceKind::Model3d { routes, max_side, max_pixels, .. } => loosest(routes, *max_side, *max_pixels),
        }
    }

    /// A picture that can be bought as it stands, as a data URI.
    pub(super) fn example_image(&self) -> String {
        let sides = self.image_bounds().into_iter().map(|bounds| bounds.min_side.unwrap_or_default());
        match sides.min().unwrap_or_default().min(LARGEST_EXAMPLE) {
            ..=TINY_SIDE => TINY_PNG.into(),
            side => grey_square(side).unwrap_or_else(|| TINY_PNG.into()),
        }
    }
}

/// The bounds of `routes` within the service's own limits; without those that take no image that others do not take.
fn loosest(routes: &[ImageBounds], max_side: u32, max_pixels: u64) -> Vec<ImageBounds> {
    const NO_ROUTES: &[ImageBounds] =
        &[ImageBounds { max_bytes: None, min_side: None, max_side: None, max_pixels: None }];
    let mut kept: Vec<ImageBounds> = Vec::new();
    for route in if routes.is_empty() { NO_ROUTES } else { routes } {
        let bounds = ImageBounds {
            max_side: Some(route.max_side.map_or(max_side, |side| side.min(max_side))),
            max_pixels: Some(route.max_pixels.map_or(max_pixels, |pixels| pixels.min(max_pixels))),
            ..*route
        };
        if !kept.iter().any(|looser| covers(looser, &bounds)) {
            kept.retain(|stricter| !covers(&bounds, stricter));
            kept.push(bounds);
        }
    }
    kept
}

/// Whether `looser` takes every image that `bounds` takes.
fn covers(looser: &ImageBounds, bounds: &ImageBounds) -> bool {
    fn at_least<T: PartialOrd>(looser: Option<T>, bound: Option<T>) -> bool {
        looser.is_none_or(|looser| bound.is_some_and(|bound| bound <= looser))
    }
    at_least(looser.max_bytes, bounds.max_bytes)
        && at_least(looser.max_side, bounds.max_side)
        && at_least(looser.max_pixels, bounds.max_pixels)
        && looser.min_side.unwrap_or_default() <= bounds.min_side.unwrap_or_default()
}

/// The bounds as the end of a sentence that begins with "images of".
pub(super) fn in_words(accepted: &[ImageBounds]) -> String {
    accepted.iter().map(one_in_words).collect::<Vec<_>>().join("; or ")
}

fn one_in_words(bounds: &ImageBounds) -> String {
    let sides = match (bounds.min_side, bounds.max_side) {
        (Some(min), Some(max)) => Some(format!("{min} to {max} pixels a side")),
        (None, Some(max)) => Some(format!("at most {max} pixels a side")),
        (Some(min), None) => Some(format!("at least {min} pixels a side")),
        (None, None) => None,
    };
    let pixels = bounds.max_pixels.map(|max| format!("at most {}", pixels_in_words(max)));
    let bytes = bounds.max_bytes.map(|max| format!("at most {}", bytes_in_words(max)));
    [sides, pixels, bytes].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn pixels_in_words(pixels: u64) -> String {
    if pixels.is_multiple_of(1_000_000) {
        format!("{} megapixels", pixels / 1_000_000)
    } else {
        format!("{pixels} pixels in all")
    }
}

pub(super) fn bytes_in_words(bytes: u64) -> String {
    if bytes.is_multiple_of(MIB) {
        format!("{} MiB", bytes / MIB)
    } else if bytes.is_multiple_of(1_000_000) {
        format!("{} MB", bytes / 1_000_000)
    } else {
        format!("{bytes} bytes")
    }
}

/// The most characters that a data URI within `accepted` has; `None`: nobody limits its bytes.
pub(super) fn longest_data_uri(accepted: &[ImageBounds]) -> Option<u64> {
    let longest = accepted.iter().map(|bounds| bounds.max_bytes).reduce(|one, other| Some(one?.max(other?)))??;
    let head = u64::try_from(LONGEST_HEAD.len()).ok()?;
    longest.div_ceil(3).checked_mul(4)?.checked_add(head)
}

fn grey_square(side: u32) -> Option<String> {
    let mut file = Cursor::new(Vec::new());
    let pixels = vec![0x80; usize::try_from(side).ok()?.checked_pow(2)?];
    let encoder = PngEncoder::new_with_quality(&mut file, CompressionType::Best, FilterType::NoFilter);
    encoder.write_image(&pixels, side, side, ExtendedColorType::L8).ok()?;
    Some(format!("data:image/png;base64,{}", STANDARD.encode(file.into_inner())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(max_bytes: u64, min_side: u32, max_side: u32, max_pixels: u64) -> ImageBounds {
        let some = |number| (number > 0).then_some(number);
        let side = |number| (number > 0).then_some(number);
        ImageBounds {
            max_bytes: some(max_bytes),
            min_side: side(min_side),
            max_side: side(max_side),
            max_pixels: some(max_pixels),
        }
    }

    #[test]
    fn only_what_adds_something_is_listed() {
        let listed = |routes: &[ImageBounds]| loosest(routes, 8_192, 40_000_000);
        let limits = bounds(0, 0, 8_192, 40_000_000);
        assert_eq!(listed(&[]), [limits]);
        let (strict, loose) = (bounds(1_000, 256, 1_024, 0), bounds(5_000, 128, 4_096, 0));
        let loose_here = bounds(5_000, 128, 4_096, 40_000_000);
        assert_eq!(listed(&[strict, loose]), [loose_here]);
        assert_eq!(listed(&[loose, strict, loose]), [loose_here]);
        assert_eq!(listed(&[strict, loose, ImageBounds::default()]), [limits]);
        let (large_files, small_sides) = (bounds(9_000, 512, 0, 0), bounds(100, 16, 0, 0));
        assert_eq!(listed(&[large_files, small_sides]).len(), 2);
        assert_eq!(listed(&[bounds(0, 0, 60_000, 0)]), [limits], "the service's own limits hold for all");
    }

    #[test]
    fn bounds_are_told_in_words() {
        let one = bounds(20 * MIB, 128, 8_192, 40_000_000);
        assert_eq!(in_words(&[one]), "128 to 8192 pixels a side, at most 40 megapixels, at most 20 MiB");
        let other = bounds(999, 0, 512, 100);
        assert_eq!(
            in_words(&[one, other]),
            "128 to 8192 pixels a side, at most 40 megapixels, at most 20 MiB; or at most 512 pixels a side, at most \
             100 pixels in all, at most 999 bytes"
        );
        assert_eq!(in_words(&[bounds(8_000_000, 64, 0, 0)]), "at least 64 pixels a side, at most 8 MB");
    }

    #[test]
    fn a_data_uri_has_room_for_the_largest_file() {
        assert_eq!(longest_data_uri(&[bounds(4, 0, 0, 0), bounds(1, 0, 0, 0)]), Some(23 + 8));
        assert_eq!(longest_data_uri(&[bounds(4, 0, 0, 0), bounds(0, 0, 0, 0)]), None);
        assert_eq!(longest_data_uri(&[]), None);
    }
}
