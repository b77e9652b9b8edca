//! The body of a video request.

use crate::domain::JobSpec;
use crate::domain::request::VideoSpec;

use super::body::{BodyError, Fields, Value};
use super::callback;

/// The parameters, in the order in which they are documented.
pub(super) const FIELDS: [&str; 6] =
    ["prompt", "model", "duration", "camera_fixed", callback::URL_FIELD, callback::ID_FIELD];
/// The lengths on sale, in seconds; the first is the default.
pub(super) const DURATIONS: [u32; 2] = VideoSpec::DURATIONS;

pub(super) fn parse(mut fields: Fields<'_>, models: &[String], max_prompt_chars: usize) -> Result<JobSpec, BodyError> {
    let prompt = prompt(&mut fields, max_prompt_chars);
    let model = model(&mut fields, models);
    let duration = duration(&mut fields);
    let camera_fixed = camera_fixed(&mut fields);
    fields.finish()?;
    Ok(JobSpec::Video(VideoSpec { prompt, model, duration, camera_fixed }))
}

fn prompt(fields: &mut Fields<'_>, max_chars: usize) -> String {
    let Some(text) = fields.take_required_text("prompt") else { return String::new() };
    let trimmed = text.trim();
    let chars = trimmed.chars().count();
    if chars == 0 {
        fields.refuse("prompt", "must not be empty");
    } else if chars > max_chars {
        fields.refuse("prompt", &format!("must have at most {max_chars} characters; it has {chars}"));
    }
    trimmed.to_owned()
}

fn model(fields: &mut Fields<'_>, models: &[String]) -> String {
    let Some(text) = fields.take_required_text("model") else { return String::new() };
    if !models.iter().any(|model| *model == text) {
        let accepted = models.iter().map(|model| format!("\"{model}\"")).collect::<Vec<_>>().join(" or ");
        fields.refuse("model", &format!("must be {accepted}"));
    }
    text.into_owned()
}

fn duration(fields: &mut Fields<'_>) -> u32 {
    let [default, ..] = DURATIONS;
    let wanted = match fields.take("duration") {
        None => return default,
        Some(Value::Integer(seconds)) => DURATIONS.into_iter().find(|duration| i64::from(*duration) == seconds),
        Some(_) => None,
    };
    wanted.unwrap_or_else(|| {
        fields.refuse("duration", "must be the integer 5 or 10");
        default
    })
}

fn camera_fixed(fields: &mut Fields<'_>) -> bool {
    match fields.take("camera_fixed") {
        None => false,
        Some(Value::Bool(fixed)) => fixed,
        Some(_) => {
            fields.refuse("camera_fixed", "must be true or false");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(body: &str) -> Result<VideoSpec, BodyError> {
        match parse(Fields::read(body.as_bytes(), &FIELDS)?, &["Video Generation".into()], 2_000)? {
            JobSpec::Video(video) => Ok(video),
            JobSpec::Model3d(_) => panic!("a video body gave a 3D model"),
        }
    }

    fn pointers(body: &str) -> Vec<String> {
        match read(body) {
            Err(BodyError::Invalid(problems)) => problems.into_iter().map(|p| p.pointer).collect(),
            other => panic!("{body}: {other:?}", other = other.map(|_| ())),
        }
    }

    #[test]
    fn defaults_are_filled_in_and_the_prompt_is_trimmed() {
        let video = read(r#"{"prompt":"  a cat\n","model":"Video Generation"}"#).unwrap();
        assert_eq!((video.prompt.as_str(), video.duration, video.camera_fixed), ("a cat", 5, false));
        let video = read(r#"{"prompt":"x","model":"Video Generation","duration":10,"camera_fixed":true}"#).unwrap();
        assert_eq!((video.duration, video.camera_fixed), (10, true));
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let body = r#"{"duration":7,"camera_fixed":"no","model":"x","frames":1,"a/b~c":{},"duration":5}"#;
        let mut found = pointers(body);
        found.sort_unstable();
        assert_eq!(found, ["/a~1b~0c", "/camera_fixed", "/duration", "/duration", "/frames", "/model", "/prompt"]);
    }

    #[test]
    fn a_duration_is_an_integer_and_nothing_that_looks_like_one() {
        for duration in ["5.0", "\"5\"", "5e0", "0", "-5", "true", "[]", "99999999999999999999", "null"] {
            let body = format!(r#"{{"prompt":"x","model":"Video Generation","duration":{duration}}}"#);
            assert_eq!(pointers(&body), ["/duration"], "{duration}");
        }
    }

    #[test]
    fn prompts_are_counted_in_scalars() {
        let with = |prompt: &str| format!(r#"{{"prompt":"{prompt}","model":"Video Generation"}}"#);
        assert!(read(&with(&"é".repeat(2_000))).is_ok());
        assert_eq!(pointers(&with(&"é".repeat(2_001))), ["/prompt"]);
        assert_eq!(pointers(&with(" \\n\\t ")), ["/prompt"]);
        assert_eq!(pointers(r#"{"prompt":null,"model":"Video Generation"}"#), ["/prompt"]);
    }

    #[test]
    fn what_is_not_an_object_is_not_a_request() {
        for body in ["[]", "5", "null", "\"x\"", "true", "[[1]]", "1.5"] {
            assert_eq!(pointers(body), [""], "{body}");
        }
        for body in ["", "{", "{\"a\":}", "{} {}", "\u{feff}{}", "{'a':1}"] {
            assert!(matches!(read(body), Err(BodyError::Malformed(_))), "{body}");
        }
        assert!(matches!(Fields::read(b"{\"prompt\":\"\xff\"}", &FIELDS), Err(BodyError::Malformed(_))));
    }

    proptest! {
        #[test]
        fn no_body_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Fields::read(&body, &FIELDS).and_then(|fields| parse(fields, &["m".into()], 10));
        }
    }
}
