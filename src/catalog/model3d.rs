//! The body of a 3D model request.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;

use crate::domain::JobSpec;
use crate::domain::request::{ImageType, ModelSpec};

use super::Depth;
use super::body::{BodyError, Fields};
use super::callback;
use super::image_check::{self, Limits};

/// The parameters.
pub(super) const FIELDS: [&str; 3] = ["image", callback::URL_FIELD, callback::ID_FIELD];

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) fn parse(mut fields: Fields<'_>, limits: &Limits<'_>, depth: Depth) -> Result<JobSpec, BodyError> {
    let image = fields.take_required_text("image").and_then(|uri| match read_image(&uri, limits, depth) {
        Ok(image) => Some(image),
        Err(detail) => {
            fields.refuse("image", &detail);
            None
        }
    });
    fields.finish()?;
    // Without an image there was a problem, and `finish` has reported it.
    image.map(JobSpec::Model3d).ok_or_else(BodyError::unpriceable)
}

fn read_image(uri: &str, limits: &Limits<'_>, depth: Depth) -> Result<ModelSpec, String> {
    let (media_type, base64) = split_data_uri(uri)?;
    let bytes = BASE64.decode(base64).map_err(|_| "the data after `base64,` is not standard base64".to_owned())?;
    if depth == Depth::Full {
        image_check::check(&bytes, media_type, limits).map_err(|problem| problem.to_string())?;
    }
    Ok(ModelSpec { media_type, image: Bytes::from(bytes) })
}

fn split_data_uri(uri: &str) -> Result<(ImageType, &str), String> {
    const FORM: &str = "must be a data URI such as data:image/png;base64,…";
    let (head, data) = uri.split_once(',').ok_or(FORM)?;
    let head = head.to_ascii_lowercase();
    let media_type = head.strip_prefix("data:").and_then(|rest| rest.strip_suffix(";base64")).ok_or(FORM)?;
    let accepted = ImageType::ALL.into_iter().find(|image| image.media_type() == media_type);
    let accepted = accepted.ok_or("the media type must be image/png, image/jpeg or image/webp")?;
    Ok((accepted, data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ImageBounds;
    use base64::engine::general_purpose::STANDARD as ENGINE;
    use image::{DynamicImage, ImageFormat};
    use std::io::Cursor;

    const LIMITS: Limits<'_> =
        Limits { max_side: 100, max_pixels: 5_000, max_alloc: 14_000, accepted: &[BOUNDS, SMALL_FILES] };
    const BOUNDS: ImageBounds =
        ImageBounds { max_bytes: None, min_side: Some(3), max_side: Some(100), max_pixels: Some(5_000) };
    const SMALL_FILES: ImageBounds =
        ImageBounds { max_bytes: Some(100), min_side: None, max_side: Some(4), max_pixels: Some(5_000) };

    fn file(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::new_rgb8(width, height).write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn body(media_type: &str, image: &[u8]) -> String {
        format!(r#"{{"image":"data:{media_type};base64,{}"}}"#, ENGINE.encode(image))
    }

    fn judge(body: &str) -> Result<(), String> {
        match Fields::read(body.as_bytes(), &FIELDS).and_then(|fields| parse(fields, &LIMITS, Depth::Full)) {
            Ok(_) => Ok(()),
            Err(BodyError::Invalid(problems)) => {
                assert_eq!(problems.len(), 1);
                assert_eq!(problems[0].pointer, "/image");
                Err(problems[0].detail.clone())
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_three_formats_are_accepted() {
        for (media_type, format) in
            [("image/png", ImageFormat::Png), ("image/jpeg", ImageFormat::Jpeg), ("image/webp", ImageFormat::WebP)]
        {
            assert_eq!(judge(&body(media_type, &file(8, 8, format))), Ok(()), "{media_type}");
            let mut with_tail = file(8, 8, format);
            with_tail.extend_from_slice(b"sandbox:fail");
            assert_eq!(judge(&body(media_type, &with_tail)), Ok(()), "{media_type} with bytes behind it");
        }
    }

    #[test]
    fn padding_is_optional_and_slashes_may_be_escaped() {
        let body = body("image/png", &file(8, 8, ImageFormat::Png));
        assert_eq!(judge(&body.replace('=', "")), Ok(()));
        assert_eq!(judge(&body.replace('/', "\\/")), Ok(()));
    }

    #[test]
    fn what_is_not_such_an_image_is_refused() {
        let png = file(8, 8, ImageFormat::Png);
        let jpeg = file(64, 64, ImageFormat::Jpeg);
        let refused = [
            (body("image/jpeg", &png), "declared"),
            (body("image/gif", &png), "media type"),
            (body("image/png", &png[..png.len() / 2]), "decode"),
            (body("image/png", b""), "declared"),
            (body("image/jpeg", &jpeg[..jpeg.len() - 40]), "decode"),
            (body("image/png", &file(70, 70, ImageFormat::Png)), "memory"),
            (body("image/png", &file(101, 1, ImageFormat::Png)), "101"),
            (body("image/png", &file(90, 90, ImageFormat::Png)), "pixels"),
            (r#"{"image":"iVBORw0KGgo="}"#.into(), "data URI"),
            (r#"{"image":"data:image/png,abc"}"#.into(), "data URI"),
            (r#"{"image":"data:image/png;base64,a*b"}"#.into(), "base64"),
            (r#"{"image":5}"#.into(), "string"),
            ("{}".into(), "missing"),
        ];
        for (body, word) in refused {
            let detail = judge(&body).unwrap_err();
            assert!(detail.contains(word), "{detail} should say {word}");
        }
    }

    #[test]
    fn an_image_has_to_be_taken_by_one_of_the_routes() {
        let image = |width, height, tail: usize| {
            let mut bytes = file(width, height, ImageFormat::Png);
            bytes.resize(bytes.len().max(tail), 0);
            judge(&body("image/png", &bytes))
        };
        assert_eq!(image(3, 3, 1_000), Ok(()), "the first takes it");
        assert_eq!(image(2, 2, 0), Ok(()), "the second takes it");
        for (width, height, bytes) in [(2, 2, 1_000), (2, 40, 1_000), (2, 5, 0)] {
            let detail = image(width, height, bytes).unwrap_err();
            assert!(detail.contains(&format!("{width} × {height} pixels")), "{detail}");
            assert!(
                detail.contains("3 to 100 pixels a side, at most 5000 pixels in all; or at most 4 pixels"),
                "{detail}"
            );
        }
    }

    #[test]
    fn what_was_paid_for_is_not_decoded_again() {
        let body = body("image/png", b"not an image");
        let fields = Fields::read(body.as_bytes(), &FIELDS).unwrap();
        assert!(parse(fields, &LIMITS, Depth::Structure).is_ok());
    }
}
