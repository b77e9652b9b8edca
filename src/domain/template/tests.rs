use serde_json::json;

use super::*;
use crate::domain::request::{ImageType, ModelSpec, VideoSpec};

fn video(camera_fixed: bool) -> JobSpec {
    let (prompt, model) = ("a {quiet} lake".to_owned(), "Video Generation".to_owned());
    JobSpec::Video(VideoSpec { prompt, model, duration: 5, camera_fixed })
}

fn image() -> JobSpec {
    JobSpec::Model3d(ModelSpec { media_type: ImageType::Png, image: b"\x89PNG".to_vec().into() })
}

fn template(value: &Value, service: ServiceId) -> Result<InputTemplate, TemplateError> {
    InputTemplate::parse(value.as_object().unwrap(), service)
}

fn rendered(value: &Value, spec: &JobSpec) -> Value {
    let given = Given { image_url: Some("https://a.example/i"), seed: 7 };
    template(value, spec.service()).unwrap().render(spec, given).unwrap().into()
}

#[test]
fn a_placeholder_alone_keeps_its_type_and_text_around_it_makes_text() {
    let input = json!({
        "prompt": "{prompt}", "duration": "{duration}", "seconds": "{duration|string}", "fixed": "{camera_fixed}",
        "said": "<{duration} s of {prompt}>", "seed": "{seed}", "model": "{model}",
    });
    let expected = json!({
        "prompt": "a {quiet} lake", "duration": 5, "seconds": "5", "fixed": true,
        "said": "<5 s of a {quiet} lake>", "seed": 7, "model": "Video Generation",
    });
    assert_eq!(rendered(&input, &video(true)), expected);
}

#[test]
fn a_table_looks_a_value_up() {
    let input = json!({
        "length": { "from": "duration", "map": { "5": "short", "10": "long" } },
        "camera": { "from": "camera_fixed", "map": { "true": { "type": "static" }, "false": null } },
    });
    assert_eq!(rendered(&input, &video(true)), json!({ "length": "short", "camera": { "type": "static" } }));
    assert_eq!(rendered(&input, &video(false))["camera"], Value::Null);
    let parsed = template(&json!({ "a": { "from": "duration", "map": { "10": 1 } } }), ServiceId::Video).unwrap();
    assert_eq!(parsed.render(&video(true), Given::default()), Err(NoValue("duration")));
    assert_eq!(parsed.known_values(Parameter::Duration), Some(vec!["10"]));
    assert_eq!(parsed.known_values(Parameter::CameraFixed), None);
}

#[test]
fn constants_are_sent_as_they_stand() {
    let input = json!({ "a": 1.5, "b": [true, "{duration}", { "c": null }], "d": { "from": "x" }, "e": "{{x}}" });
    let expected = json!({ "a": 1.5, "b": [true, 5, { "c": null }], "d": { "from": "x" }, "e": "{x}" });
    assert_eq!(rendered(&input, &video(true)), expected);
}

#[test]
fn the_camera_is_spoken_of_only_when_it_stands_still() {
    let input = json!({ "prompt": "{prompt}.{camera_note}" });
    let said = rendered(&input, &video(true));
    assert!(said["prompt"].as_str().unwrap().ends_with("lake. The camera is locked off and does not move."), "{said}");
    assert_eq!(rendered(&input, &video(false)), json!({ "prompt": "a {quiet} lake." }));
}

#[test]
fn an_image_goes_as_a_url_or_as_itself() {
    let input = json!({ "url": "{image_url}", "images": ["{image_data_uri}"] });
    let expected = json!({ "url": "https://a.example/i", "images": ["data:image/png;base64,iVBORw=="] });
    assert_eq!(rendered(&input, &image()), expected);
    let parsed = template(&input, ServiceId::Model3d).unwrap();
    assert!(parsed.uses(Parameter::ImageUrl) && parsed.uses(Parameter::ImageDataUri) && !parsed.uses(Parameter::Seed));
    assert_eq!(parsed.render(&image(), Given::default()), Err(NoValue("image_url")));
}

#[test]
fn what_cannot_be_is_refused_where_it_stands() {
    let refused = |value: Value, service| template(&value, service).unwrap_err();
    let unknown = refused(json!({ "a": { "b": ["x", "{promt}"] } }), ServiceId::Video);
    assert_eq!(unknown.path, "a.b[1]");
    assert!(unknown.message.contains("{promt}") && unknown.message.contains("{prompt}"), "{unknown}");
    assert_eq!(refused(json!({ "a": "{prompt}" }), ServiceId::Model3d).path, "a");
    assert!(refused(json!({ "a": { "from": "x", "map": {} } }), ServiceId::Video).message.contains("{x}"));
    for alone in ["{", "a } b", "{prompt"] {
        assert!(refused(json!({ "a": alone }), ServiceId::Video).message.contains("alone"), "{alone}");
    }
}
