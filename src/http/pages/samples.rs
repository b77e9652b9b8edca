//! An instance to render the pages with.

use crate::domain::Network;

use super::{ErrorDoc, ParamDoc, PricedExample, ServiceDoc, Site, TriggerDoc};

/// The gateway as `satforge dev` starts it.
pub fn sandbox() -> Site {
    Site {
        public_url: "http://localhost:8402".to_owned(),
        version: "0.1.0",
        sandbox_payments: true,
        sandbox_models: true,
        private_callbacks: true,
        network: Network::Regtest,
        services: vec![video(), model()],
        hold_seconds: 290,
        keepalive_after_seconds: Some(4),
        result_retention_days: 7,
        invoice_expiry_minutes: 10,
        redeem_window_hours: 24,
    }
}

/// A gateway that takes real money.
pub fn production() -> Site {
    let mut site = sandbox();
    site.public_url = "https://forge.example".to_owned();
    site.sandbox_payments = false;
    site.sandbox_models = false;
    site.private_callbacks = false;
    site.network = Network::Bitcoin;
    for service in &mut site.services {
        service.triggers.clear();
    }
    site
}

/// A few entries of the error table.
pub fn errors() -> Vec<ErrorDoc> {
    [
        ("MALFORMED_JSON", 400, "The body is not JSON"),
        ("INVALID_PARAMS", 422, "The request cannot be run"),
        ("PAYMENT_REQUIRED", 402, "Payment required"),
        ("BODY_MISMATCH", 402, "The credential is for another body"),
        ("GENERATION_FAILED", 502, "The generation failed"),
        ("UPSTREAM_UNAVAILABLE", 503, "No provider is available"),
        ("INVOICE_UNKNOWN", 404, "Not an invoice of this sandbox"),
    ]
    .map(|(code, status, title)| ErrorDoc {
        code: code.to_owned(),
        status,
        title: title.to_owned(),
        meaning: "What was sent cannot be used as it is.".to_owned(),
        suggestion: "Send it again with the change that the detail names.".to_owned(),
    })
    .into()
}

fn video() -> ServiceDoc {
    ServiceDoc {
        id: "video",
        title: "Video".to_owned(),
        summary: "A clip of five or ten seconds from a text prompt, as an MP4 file.".to_owned(),
        path: "/api/l402/video".to_owned(),
        result_field: "videoUrl",
        result_file: "video.mp4",
        available: true,
        price_headline: "from 500 sats".to_owned(),
        price_rule: "100 sats per second".to_owned(),
        example_sats: 500,
        examples: vec![priced("5 s video", 500, &video_body(5)), priced("10 s video", 1_000, &video_body(10))],
        params: vec![
            param("prompt", "string", "1 to 2,000 Unicode characters after trimming.", None),
            param("model", "string", "Exactly \"Video Generation\".", None),
            param("duration", "integer", "5 or 10, in seconds; not 5.0, not \"5\".", Some("5")),
            param("camera_fixed", "boolean", "Whether the camera stands still.", Some("false")),
            optional("callback_url", "string", "Where the job’s document is posted once the job has ended."),
        ],
        triggers: vec![
            trigger("sandbox:fail", "The generation fails after payment, and the amount is owed back."),
            trigger("sandbox:slow=SECONDS", "The job takes that long: watch the spaces arrive."),
        ],
    }
}

fn model() -> ServiceDoc {
    ServiceDoc {
        id: "3d-model",
        title: "3D model".to_owned(),
        summary: "A textured model from one picture of an object, as a binary glTF file.".to_owned(),
        path: "/api/l402/3d-model".to_owned(),
        result_field: "modelUrl",
        result_file: "model.glb",
        available: true,
        price_headline: "1,200 sats".to_owned(),
        price_rule: "1,200 sats per model".to_owned(),
        example_sats: 1_200,
        examples: vec![priced("3D model", 1_200, r#"{"image":"data:image/png;base64,iVBORw0KGgo="}"#)],
        params: vec![param(
            "image",
            "string",
            "A base64 data URI with its prefix: image/png, image/jpeg or image/webp. The bytes must be that format.",
            None,
        )],
        triggers: vec![trigger("sandbox:fail", "The generation fails after payment, and the amount is owed back.")],
    }
}

fn param(name: &str, kind: &str, rule: &str, default: Option<&str>) -> ParamDoc {
    ParamDoc {
        name: name.to_owned(),
        kind: kind.to_owned(),
        required: default.is_none(),
        rule: rule.to_owned(),
        default: default.map(str::to_owned),
    }
}

fn optional(name: &str, kind: &str, rule: &str) -> ParamDoc {
    ParamDoc { required: false, ..param(name, kind, rule, None) }
}

fn trigger(text: &str, effect: &str) -> TriggerDoc {
    TriggerDoc { text: text.to_owned(), effect: effect.to_owned() }
}

fn priced(label: &str, sats: u64, body: &str) -> PricedExample {
    PricedExample { label: label.to_owned(), sats, body: body.to_owned() }
}

fn video_body(duration: u32) -> String {
    format!(r#"{{"prompt":"A boat at dusk","model":"Video Generation","duration":{duration}}}"#)
}
