//! A picture as a relief: bright is high, and the picture itself is the texture.

use super::MediaError;
use super::glb;
use super::mesh::Relief;
use super::picture::Picture;

/// Makes a closed, textured relief of a picture.
///
/// `image` is a whole PNG, JPEG or WebP file. The answer is a binary glTF 2.0 file (GLB) whose longest side measures
/// one metre and which faces +Z. Its texture is encoded anew from the decoded pixels, so that neither metadata nor
/// trailing bytes of the input reach the output.
///
/// # Errors
///
/// [`MediaError::Picture`] if the file does not decode within 8,192 pixels a side and 128 MiB,
/// [`MediaError::TooManyPixels`] above 40 million pixels.
pub fn render_relief(image: &[u8]) -> Result<Vec<u8>, MediaError> {
    let picture = Picture::decode(image)?;
    let relief = Relief::of(&picture);
    glb::write(&relief, &picture.to_jpeg()?)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

    use super::*;

    /// The chunks of a GLB file, after its header and lengths were checked.
    fn chunks(file: &[u8]) -> (gltf_json::Root, Vec<u8>) {
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!(&file[..4], b"glTF");
        assert_eq!(word(4), 2);
        assert_eq!(word(8), file.len());
        let json = word(12);
        assert_eq!(&file[16..20], b"JSON");
        assert_eq!(json % 4, 0);
        let binary = word(20 + json);
        assert_eq!(&file[24 + json..28 + json], b"BIN\0");
        assert_eq!(28 + json + binary, file.len());
        let root = gltf_json::Root::from_slice(&file[20..20 + json]).unwrap();
        (root, file[28 + json..].to_vec())
    }

    fn floats(root: &gltf_json::Root, binary: &[u8], accessor: usize) -> Vec<f32> {
        let accessor = &root.accessors[accessor];
        let view = &root.buffer_views[accessor.buffer_view.unwrap().value()];
        let start = usize::try_from(view.byte_offset.unwrap().0).unwrap();
        let end = start + usize::try_from(view.byte_length.0).unwrap();
        binary[start..end].chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    }

    fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        image.into().write_to(&mut file, format).unwrap();
        file.into_inner()
    }

    /// Left half red and dark, right half yellow and bright.
    fn two_halves(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, _| if x < width / 2 { Rgb([180, 20, 20]) } else { Rgb([250, 230, 40]) })
    }

    #[test]
    fn the_file_is_consistent_and_typed_readers_accept_it() {
        use gltf_json::validation::Validate as _;

        let file = render_relief(&encoded(two_halves(60, 40), ImageFormat::Png)).unwrap();
        let (root, binary) = chunks(&file);
        let mut faults = Vec::new();
        root.validate(&root, gltf_json::Path::new, &mut |path, error| {
            faults.push(format!("{}: {error}", path()));
        });
        assert_eq!(faults, Vec::<String>::new());
        assert_eq!(root.asset.generator.as_deref(), Some("satforge sandbox"));
        for view in &root.buffer_views {
            let end = view.byte_offset.unwrap().0 + view.byte_length.0;
            assert!(end <= binary.len() as u64);
            assert_eq!(view.byte_offset.unwrap().0 % 4, 0);
        }
    }

    #[test]
    fn declared_bounds_are_the_bounds_of_the_positions() {
        let file = render_relief(&encoded(two_halves(60, 40), ImageFormat::Png)).unwrap();
        let (root, binary) = chunks(&file);
        let mut checked = 0;
        for (index, accessor) in root.accessors.iter().enumerate() {
            let (Some(min), Some(max)) = (&accessor.min, &accessor.max) else {
                continue;
            };
            let values = floats(&root, &binary, index);
            assert_eq!(values.len() as u64, accessor.count.0 * 3);
            for axis in 0..3 {
                let of_axis = || values.iter().skip(axis).step_by(3).copied();
                let bound = |value: &serde_json::Value| value[axis].as_f64().unwrap();
                assert!((f64::from(of_axis().fold(f32::MAX, f32::min)) - bound(min)).abs() < 1e-9);
                assert!((f64::from(of_axis().fold(f32::MIN, f32::max)) - bound(max)).abs() < 1e-9);
            }
            checked += 1;
        }
        assert_eq!(checked, 2);
    }

    #[test]
    fn the_texture_is_the_picture() {
        let file = render_relief(&encoded(two_halves(60, 40), ImageFormat::Png)).unwrap();
        let (root, binary) = chunks(&file);
        let view = &root.buffer_views[root.images[0].buffer_view.unwrap().value()];
        let start = usize::try_from(view.byte_offset.unwrap().0).unwrap();
        let end = start + usize::try_from(view.byte_length.0).unwrap();
        let texture = image::load_from_memory(&binary[start..end]).unwrap().into_rgb8();
        assert_eq!(texture.dimensions(), (64, 64));
        for (x, expected) in [(5, [180, 20, 20]), (58, [250, 230, 40])] {
            for (found, expected) in texture.get_pixel(x, 20).0.iter().zip(expected) {
                assert!(found.abs_diff(expected) <= 6, "{found} is not {expected}");
            }
        }
    }

    #[test]
    fn nothing_of_the_file_but_its_pixels_gets_through() {
        let mut file = encoded(two_halves(60, 40), ImageFormat::Jpeg);
        let clean = render_relief(&file).unwrap();
        let comment = b"\xff\xfe\x00\x0fGPS 52.5,13.4";
        file.splice(2..2, comment.iter().copied());
        file.extend_from_slice(b"trailing bytes");
        assert_eq!(render_relief(&file).unwrap(), clean);
    }

    #[test]
    fn files_that_are_no_pictures_are_errors() {
        for file in [&b""[..], b"GIF89a", b"\x89PNG\r\n\x1a\n", b"hello, world"] {
            assert!(matches!(render_relief(file), Err(MediaError::Picture(_))));
        }
    }
}
