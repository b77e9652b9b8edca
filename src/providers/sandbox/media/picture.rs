//! Decoding a stranger's picture within limits, and what a relief needs of it.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage, Rgba, RgbaImage, imageops,
};

use super::MediaError;
use super::numbers::real;

/// Pixels a side that are decoded at most.
const MAX_SIDE: u32 = 8_192;
/// Pixels that are decoded at most: a small file can declare an enormous flat picture.
const MAX_PIXELS: u64 = 40_000_000;
/// Bytes that decoding may allocate at most.
const MAX_ALLOC: u64 = 128 * 1024 * 1024;
/// Pixels a side of a texture at most.
const MAX_TEXTURE_SIDE: u32 = 1_024;
/// JPEG quality of the texture, of 100.
const TEXTURE_QUALITY: u8 = 90;
/// What shows through where the picture is transparent, in sRGB: the plaster that the relief's body is made of.
pub const PLASTER: [u8; 3] = [214, 209, 200];

/// A decoded picture, scaled down to a texture's size, upright and without transparency.
pub struct Picture {
    texture: RgbImage,
    opacity: Vec<u8>,
}

impl Picture {
    /// Decodes a PNG, JPEG or WebP file, whatever its colour type.
    ///
    /// # Errors
    ///
    /// [`MediaError::Picture`] and [`MediaError::TooManyPixels`], before memory is spent on the pixels.
    pub fn decode(file: &[u8]) -> Result<Self, MediaError> {
        let mut limits = Limits::no_limits();
        limits.max_image_width = Some(MAX_SIDE);
        limits.max_image_height = Some(MAX_SIDE);
        limits.max_alloc = Some(MAX_ALLOC);
        let mut reader = ImageReader::with_format(Cursor::new(file), accepted_format(file)?);
        reader.limits(limits.clone());
        let mut decoder = reader.into_decoder()?;
        let (width, height) = decoder.dimensions();
        let pixels = u64::from(width) * u64::from(height);
        if pixels > MAX_PIXELS {
            return Err(MediaError::TooManyPixels { pixels, max: MAX_PIXELS });
        }
        // `into_decoder` holds only the decoder's own buffers against the limit, not the picture's.
        limits.reserve(decoder.total_bytes())?;
        let orientation = decoder.orientation()?;
        let mut picture = scaled_down(DynamicImage::from_decoder(decoder)?);
        picture.apply_orientation(orientation);
        Ok(Self::flattened(&picture.into_rgba8()))
    }

    /// Width and height of the texture in pixels.
    pub fn size(&self) -> (u32, u32) {
        self.texture.dimensions()
    }

    /// The texture as a JPEG file.
    ///
    /// Its sides are stretched to the next powers of two: some viewers cannot scale other textures well, and the
    /// model's coordinates are shares of the sides anyway.
    ///
    /// # Errors
    ///
    /// [`MediaError::Picture`] if the encoder fails.
    pub fn to_jpeg(&self) -> Result<Vec<u8>, MediaError> {
        let (width, height) = self.size();
        let (wide, high) = (width.next_power_of_two(), height.next_power_of_two());
        let stretched = imageops::resize(&self.texture, wide, high, FilterType::Triangle);
        let mut file = Vec::new();
        JpegEncoder::new_with_quality(&mut file, TEXTURE_QUALITY).encode_image(&stretched)?;
        Ok(file)
    }

    /// The mean brightness of each cell of a grid laid over the picture, row by row, from 0 to 1.
    ///
    /// Transparent parts count as dark, so that a cut-out figure rises from its ground.
    pub fn brightness(&self, columns: u32, rows: u32) -> Vec<f32> {
        let (width, height) = self.size();
        let mut cells = Vec::new();
        for row in 0..rows {
            let lines = share(row, rows, height);
            for column in 0..columns {
                let mut sum = 0;
                let span = share(column, columns, width);
                for y in lines.clone() {
                    for x in span.clone() {
                        sum += self.luma(x, y);
                    }
                }
                let count = u64::from(span.end - span.start) * u64::from(lines.end - lines.start);
                cells.push(real(sum) / (real(count) * 255.0));
            }
        }
        cells
    }

    /// Composes the picture over plaster. Its colours are multiplied by their opacity already.
    fn flattened(picture: &RgbaImage) -> Self {
        let over = |Rgba([red, green, blue, alpha]): Rgba<u8>| {
            let through = u16::from(255 - alpha);
            let mut rgb = [red, green, blue];
            for (value, plaster) in rgb.iter_mut().zip(PLASTER) {
                let share = (u16::from(plaster) * through + 127) / 255;
                *value = value.saturating_add(u8::try_from(share).unwrap_or(u8::MAX));
            }
            image::Rgb(rgb)
        };
        Self {
            texture: RgbImage::from_fn(picture.width(), picture.height(), |x, y| over(*picture.get_pixel(x, y))),
            opacity: picture.pixels().map(|pixel| pixel.0[3]).collect(),
        }
    }

    /// Brightness of one pixel (Rec. 709 weights), 0 to 255, times its opacity.
    fn luma(&self, x: u32, y: u32) -> u64 {
        let image::Rgb([red, green, blue]) = *self.texture.get_pixel(x, y);
        let index = u64::from(y) * u64::from(self.texture.width()) + u64::from(x);
        let opacity = usize::try_from(index).ok().and_then(|index| self.opacity.get(index)).copied();
        let luma = (54 * u64::from(red) + 183 * u64::from(green) + 19 * u64::from(blue)) / 256;
        luma * u64::from(opacity.unwrap_or(u8::MAX)) / 255
    }
}

/// The pixels, of `length`, that the cell `index` of `count` covers; there are at least as many pixels as cells.
fn share(index: u32, count: u32, length: u32) -> std::ops::Range<u32> {
    let start = index * length / count;
    start..((index + 1) * length / count).max(start + 1)
}

/// The format by the file's first bytes, as names and content types lie.
fn accepted_format(file: &[u8]) -> Result<ImageFormat, ImageError> {
    use image::error::{ImageFormatHint, UnsupportedError};

    match image::guess_format(file)? {
        format @ (ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP) => Ok(format),
        other => Err(ImageError::Unsupported(UnsupportedError::from(ImageFormatHint::Exact(other)))),
    }
}

/// Brings a picture to a texture's size, its colours multiplied by their opacity.
///
/// Multiplying comes first: else the colour of invisible pixels would bleed into visible ones.
fn scaled_down(picture: DynamicImage) -> DynamicImage {
    let picture = if picture.color().has_alpha() {
        let mut picture = picture.into_rgba8();
        for Rgba([red, green, blue, alpha]) in picture.pixels_mut() {
            for value in [red, green, blue] {
                let product = u16::from(*value) * u16::from(*alpha) + 127;
                *value = u8::try_from(product / 255).unwrap_or(u8::MAX);
            }
        }
        DynamicImage::ImageRgba8(picture)
    } else {
        picture
    };
    let (width, height) = (picture.width(), picture.height());
    let longest = width.max(height);
    if longest <= MAX_TEXTURE_SIDE {
        return picture;
    }
    let scaled = |side: u32| ((side * MAX_TEXTURE_SIDE + longest / 2) / longest).max(1);
    match picture {
        DynamicImage::ImageRgb8(rgb) => imageops::thumbnail(&rgb, scaled(width), scaled(height)).into(),
        DynamicImage::ImageRgba8(rgba) => imageops::thumbnail(&rgba, scaled(width), scaled(height)).into(),
        other => other.thumbnail_exact(scaled(width), scaled(height)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        picture.into().write_to(&mut file, format).unwrap();
        file.into_inner()
    }

    fn decoded(picture: impl Into<DynamicImage>) -> Picture {
        Picture::decode(&encoded(picture, ImageFormat::Png)).unwrap()
    }

    #[test]
    fn transparent_parts_are_plaster_and_lie_low() {
        let picture = decoded(RgbaImage::from_fn(4, 2, |x, _| Rgba([255, 255, 255, if x < 2 { 0 } else { 255 }])));
        assert_eq!(picture.texture.get_pixel(0, 0).0, PLASTER);
        assert_eq!(picture.texture.get_pixel(3, 0).0, [255, 255, 255]);
        let heights = picture.brightness(2, 1);
        assert!(heights[0] < 0.01 && heights[1] > 0.99, "{heights:?}");
    }

    #[test]
    fn deep_and_grey_pictures_keep_their_shades() {
        let deep = image::ImageBuffer::from_pixel(3, 3, image::Luma([0x8080_u16]));
        assert_eq!(decoded(deep).texture.get_pixel(1, 1).0, [128, 128, 128]);
        let grey = image::GrayAlphaImage::from_pixel(3, 3, image::LumaA([90, 255]));
        assert_eq!(decoded(grey).texture.get_pixel(1, 1).0, [90, 90, 90]);
    }

    #[test]
    fn large_pictures_shrink_and_keep_their_shape() {
        assert_eq!(decoded(RgbImage::new(3_000, 1_500)).size(), (1_024, 512));
        assert_eq!(decoded(RgbImage::new(5_000, 1)).size(), (1_024, 1));
        assert_eq!(decoded(RgbImage::new(30, 15)).size(), (30, 15));
    }

    #[test]
    fn a_camera_held_upright_gives_an_upright_picture() {
        let mut file = encoded(RgbImage::new(40, 20), ImageFormat::Jpeg);
        // Exif with one entry: orientation 6, the camera was turned by a quarter.
        let exif = b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        file.splice(2..2, exif.iter().copied());
        assert_eq!(Picture::decode(&file).unwrap().size(), (20, 40));
    }

    #[test]
    fn pictures_beyond_the_limits_are_refused_before_they_are_decoded() {
        let wide = encoded(image::GrayImage::new(8_193, 1), ImageFormat::Png);
        assert!(matches!(Picture::decode(&wide), Err(MediaError::Picture(ImageError::Limits(_)))));
        // Only the declared size counts: the pixels that would follow are missing.
        let mut many = encoded(image::GrayImage::new(1, 1), ImageFormat::Png);
        many[16..24].copy_from_slice(&[0, 0, 0x1f, 0x40, 0, 0, 0x1f, 0x40]);
        let crc = crc32(&many[12..29]);
        many[29..33].copy_from_slice(&crc.to_be_bytes());
        assert!(matches!(Picture::decode(&many), Err(MediaError::TooManyPixels { pixels: 64_000_000, .. })));
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
        })
    }
}
