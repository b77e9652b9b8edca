//! `[[services.NAME.routes]]`: what comes out, and what is refused under which path.

use bytes::Bytes;
use serde_json::json;

use super::providers::{refused, said, serve};
use super::*;
use crate::domain::JobSpec;
use crate::domain::request::{ImageType, ModelSpec, VideoSpec};
use crate::domain::template::Given;

/// An account of every kind, and invoices that buy real work.
pub(super) const ACCOUNTS: &str = "
    [lightning]
    backend = 'lnbits'
    [lightning.lnbits]
    url = 'http://127.0.0.1:5000'
    invoice_key = 'env:KEY'
    [providers.replicate]
    kind = 'replicate'
    api_key = 'env:TOKEN'
    [providers.fal]
    kind = 'fal'
    api_key = 'env:FAL_KEY'
    [providers.openrouter]
    kind = 'openrouter'
    api_key = 'env:TOKEN'
    [providers.videos]
    kind = 'videos'
    url = 'http://127.0.0.1:8091'
    [providers.cog]
    kind = 'cog'
    url = 'http://127.0.0.1:5301'
    webhook_secret = 'env:COG'
    [providers.meshy]
    kind = 'meshy'
    api_key = 'env:TOKEN'
    [providers.tripo]
    kind = 'tripo'
    api_key = 'env:TOKEN'
";
/// Where the internet reaches the gateway.
pub(super) const PUBLIC: &str = "[server]\npublic_url = 'https://gateway.example'\n";
pub(super) const VIDEO: &str =
    "[[services.video.routes]]\nprovider = 'replicate'\nmodel = 'a/b'\ninput = { prompt = '{prompt}' }\n";
pub(super) const MODEL: &str =
    "[[services.3d-model.routes]]\nprovider = 'replicate'\nmodel = 'a/b'\ninput = { image = '{image_data_uri}' }\n";

pub(super) fn with_accounts(routes: &str) -> Config {
    serve(&format!("{ACCOUNTS}{PUBLIC}{routes}")).unwrap()
}

pub(super) fn video(route: &str) -> String {
    format!("{ACCOUNTS}[[services.video.routes]]\n{route}")
}

fn model(route: &str) -> String {
    format!("{ACCOUNTS}{PUBLIC}[[services.3d-model.routes]]\n{route}")
}

pub(super) fn render(config: &Config, index: usize) -> serde_json::Value {
    let route = &config.routes[index];
    let spec = match route.service {
        ServiceId::Video => JobSpec::Video(VideoSpec {
            prompt: "a boat".into(),
            model: "Video Generation".into(),
            duration: 10,
            camera_fixed: true,
        }),
        ServiceId::Model3d => {
            JobSpec::Model3d(ModelSpec { media_type: ImageType::Png, image: Bytes::from_static(b"png") })
        }
    };
    route.input.render(&spec, Given { image_url: Some("https://i"), seed: 7 }).unwrap().into()
}

#[test]
fn a_route_has_defaults() {
    let config = with_accounts(&format!("{VIDEO}{MODEL}"));
    assert_eq!(config.unsold, []);
    let route = config.routes_of(ServiceId::Video).next().unwrap();
    assert_eq!((route.name.as_str(), route.provider.as_str(), route.model.as_str()), ("replicate", "replicate", "a/b"));
    assert_eq!((route.result.as_str(), route.image, route.deadline), ("", ImageBounds::default(), None));
    assert!((route.price_factor - 1.0).abs() < f64::EPSILON);
    assert_eq!((route.concurrency, route.ambiguous, route.cost), (20, Ambiguous::Again, CostRule::Unknown));
    let config = with_accounts("[[services.video.routes]]\nprovider = 'cog'\ninput = { prompt = '{prompt}' }");
    assert_eq!((config.routes[0].concurrency, config.routes[0].model.as_str()), (1, ""));
}

#[test]
fn everything_about_a_route_can_be_said() {
    let config = with_accounts(
        "[[services.3d-model.routes]]
         name = 'trellis'
         provider = 'fal'
         model = 'fal-ai/trellis'
         input = { image_url = '{image_url}', texture_size = 1024, steps = [1, 2.5, { deep = true }], seed = '{seed}' }
         result = '/model_mesh/url'
         image = { max_bytes = 6000000, min_side = 128, max_side = 5000, max_pixels = 20000000 }
         deadline_seconds = 300
         price_factor = 1.5
         concurrency = 2
         ambiguous = 'refund'
         cost = { fixed_sats = 12 }
         [[services.3d-model.routes]]
         provider = 'meshy'
         model = 'meshy-6'
         input = { image_url = '{image_data_uri}', target_formats = ['glb'] }
         cost = { per_unit_sats = 0.8 }",
    );
    let route = &config.routes[0];
    assert_eq!((route.name.as_str(), route.result.as_str()), ("trellis", "/model_mesh/url"));
    let image = ImageBounds {
        max_bytes: Some(6_000_000),
        min_side: Some(128),
        max_side: Some(5_000),
        max_pixels: Some(20_000_000),
    };
    assert_eq!((route.image, route.deadline), (image, Some(Duration::from_mins(5))));
    assert!((route.price_factor - 1.5).abs() < f64::EPSILON);
    assert_eq!((route.concurrency, route.ambiguous), (2, Ambiguous::Refund));
    assert_eq!(route.cost, CostRule::Fixed(Msat::from_sat(12).unwrap()));
    assert_eq!(config.routes[1].cost, CostRule::PerUnit(0.8));
    assert_eq!(
        render(&config, 0),
        json!({"image_url": "https://i", "texture_size": 1024, "steps": [1, 2.5, {"deep": true}], "seed": 7})
    );
}

#[test]
fn routes_are_in_order_and_named_after_their_providers() {
    let fal = VIDEO.replace("replicate", "fal");
    let config = with_accounts(&format!("{VIDEO}{fal}{VIDEO}{VIDEO}name = 'last'\n{VIDEO}{MODEL}"));
    let names: Vec<_> = config.routes.iter().map(|route| (route.service.name(), route.name.as_str())).collect();
    let expected = ["replicate", "fal", "replicate-2", "last", "replicate-4"].map(|name| ("video", name));
    assert_eq!(names[..5], expected);
    assert_eq!(names[5], ("3d-model", "replicate"));
    let twice = format!("{ACCOUNTS}{VIDEO}name = 'a'\n{fal}name = 'a'");
    assert_eq!(refused(&twice), ["services.video.routes[1].name"]);
    assert!(said(&twice).contains("services.video.routes[0] is called `a` already"), "{}", said(&twice));
    let taken = format!("{ACCOUNTS}{fal}name = 'replicate'\n{VIDEO}");
    assert_eq!(refused(&taken), ["services.video.routes[1].name"]);
}

#[test]
fn what_cannot_be_a_route_is_refused_under_its_key() {
    let good = "provider = 'replicate'\nmodel = 'a/b'\ninput = { prompt = '{prompt}' }\n";
    let from = |provider: &str| good.replace("replicate", provider);
    for (route, key) in [
        ("model = 'm'\ninput = { prompt = '{prompt}' }".to_owned(), "provider"),
        (from("replicat"), "provider"),
        (from("meshy"), "provider"),
        (from("tripo"), "provider"),
        ("provider = 'fal'\ninput = { prompt = '{prompt}' }".to_owned(), "model"),
        (format!("{}result = '/url'", good.replace("a/b", " a/b")), "model"),
        (from("cog"), "model"),
        (format!("{good}name = 'Two words'"), "name"),
        (format!("{good}name = 'sandbox'"), "name"),
        (format!("{good}result = 'video.url'"), "result"),
        (format!("{good}result = '/a~2'"), "result"),
        (format!("{}result = ''", from("openrouter")), "result"),
        (format!("{}result = ''", from("videos")), "result"),
        (format!("{good}image = {{ max_side = 5 }}"), "image"),
        (format!("{good}deadline_seconds = 0"), "deadline_seconds"),
        (format!("{good}deadline_seconds = 601"), "deadline_seconds"),
        (format!("{good}price_factor = 0.001"), "price_factor"),
        (format!("{good}price_factor = nan"), "price_factor"),
        (format!("{good}concurrency = 0"), "concurrency"),
        (format!("{good}ambiguous = 'never'"), "ambiguous"),
        (format!("{good}cost = {{ fixed_sats = 1, per_unit_sats = 1 }}"), "cost"),
        (format!("{good}cost = {{ fixed_sats = 0.5 }}"), "cost.fixed_sats"),
        (format!("{good}cost = {{ per_unit_sats = inf }}"), "cost.per_unit_sats"),
        (format!("{good}cost = {{ sats = 1 }}"), "cost.sats"),
        (format!("{good}cost = 5"), "cost"),
        (format!("{good}modell = 'a/b'"), "modell"),
    ] {
        assert_eq!(refused(&video(&route)), [format!("services.video.routes[0].{key}")], "{route}");
    }
    let good = "provider = 'fal'\nmodel = 'm'\ninput = { image = '{image_data_uri}' }\n";
    for (route, key) in [
        (good.to_owned(), "result"),
        (format!("{}result = '/model_urls/glb'", good.replace("fal", "meshy")), "result"),
        (format!("result = ''\nimage = {{ min_side = 0 }}\n{good}"), "image.min_side"),
        (format!("result = ''\nimage = {{ min_side = 6, max_side = 5 }}\n{good}"), "image.min_side"),
        (format!("result = ''\nimage = {{ max_bytes = 0 }}\n{good}"), "image.max_bytes"),
        (format!("result = ''\nimage = {{ max_pixel = 5 }}\n{good}"), "image.max_pixel"),
        (good.replace("fal", "openrouter"), "provider"),
        (good.replace("fal", "videos"), "provider"),
    ] {
        assert_eq!(refused(&model(&route)), [format!("services.3d-model.routes[0].{key}")], "{route}");
    }
}

#[test]
fn what_is_typed_in_place_of_routes_is_refused() {
    for (file, path) in [
        ("[services.video]\nroutes = 5", "services.video.routes"),
        ("[services.video.routes]\nprovider = 'fal'", "services.video.routes"),
        ("[services.video]\nroutes = ['fal']", "services.video.routes[0]"),
        ("[[services.video.route]]\nprovider = 'fal'", "services.video.route"),
    ] {
        assert_eq!(refused(file), [path], "{file}");
    }
    assert!(said("[services.video.routes]\nprovider = 'fal'").contains("begins with [[services.video.routes]]"));
    assert!(said("[[services.video.route]]\nmodel = 'x'").ends_with("did you mean `services.video.routes`?"));
}

#[test]
fn everything_is_said_at_once() {
    let file = "
        [providers.r]
        kind = 'replicate'
        url = 'http://api.example'
        [[services.video.routes]]
        provider = 'r'
        concurrency = 'many'
        input = { prompt = '{prompts}' }
        [[services.3d-model.routes]]
        provider = 'q'
    ";
    let lines: Vec<String> = said(file).lines().map(ToOwned::to_owned).collect();
    let paths: Vec<_> = lines.iter().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        paths,
        [
            "services.video.routes[0].concurrency",
            "providers.r.url",
            "providers.r.api_key",
            "services.video.routes[0].model",
            "services.video.routes[0].input.prompt",
            "services.3d-model.routes[0].provider",
            "services.video.routes[0].provider",
        ]
    );
}
