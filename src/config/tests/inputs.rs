//! The inputs of routes: what models are told, and what cannot be said to them.

use serde_json::json;

use super::providers::{refused, said, serve};
use super::routes::{ACCOUNTS, PUBLIC, render, video, with_accounts};

#[test]
fn inputs_keep_their_types() {
    let config = with_accounts(
        "[[services.video.routes]]
         provider = 'fal'
         model = 'm'
         [services.video.routes.input]
         prompt = '{prompt}{camera_note}'
         duration = '{duration|string}'
         frames = { from = 'duration', map = { 5 = 121, 10 = 241 } }
         camera = { from = 'camera_fixed', map = { true = 'static', false = 'free' } }
         negative = -1
         off = false",
    );
    let told = render(&config, 0);
    assert_eq!(told["duration"], json!("10"));
    assert_eq!(told["frames"], json!(241));
    assert_eq!(told["camera"], json!("static"));
    assert_eq!((&told["negative"], &told["off"]), (&json!(-1), &json!(false)));
    assert_eq!(config.routes[0].result, "/video/url");
}

#[test]
fn what_cannot_be_an_input_is_refused_under_its_field() {
    let fal = "provider = 'fal'\nmodel = 'm'\n";
    for (input, field) in [
        ("{ prompt = '{prompt}', seconds = '{durations}' }", ".seconds"),
        ("{ prompt = '{prompt}', image = '{image_url}' }", ".image"),
        ("{ prompt = '{prompt}', deep = { list = ['{'] } }", ".deep.list[0]"),
        ("{ prompt = '{prompt}', seconds = { from = 'duration', map = { 5 = 1 } } }", ".seconds"),
        ("{ prompt = '{prompt}', a = { b = { from = 'camera_fixed', map = { true = 1 } } } }", ".a"),
        ("{ prompt = '{prompt}', model = { from = 'model', map = { Other = 1 } } }", ".model"),
        ("{ prompt = '{prompt}', seed = { from = 'seed', map = { 0 = 1 } } }", ""),
        ("{ prompt = '{prompt}', since = 2026-01-01 }", ".since"),
        ("{ prompt = '{prompt}', guidance = inf }", ".guidance"),
        ("{ text = 'a boat' }", ""),
        ("{}", ""),
        ("'{prompt}'", ""),
    ] {
        let path = format!("services.video.routes[0].input{field}");
        if input.contains("'seed'") {
            // What no request has twice cannot be looked up; one value of the table is no use.
            let route = video(&format!("{fal}input = {}", input.replace("0 = 1", "1 = 1")));
            assert_eq!(refused(&route), [format!("{path}.seed")], "{input}");
            continue;
        }
        assert_eq!(refused(&video(&format!("{fal}input = {input}"))), [path], "{input}");
    }
    let route = video(&format!("{fal}input = {{ a = '{{x}}', b = '{{y}}', prompt = '{{prompt}}' }}"));
    assert_eq!(refused(&route), ["services.video.routes[0].input.a", "services.video.routes[0].input.b"]);
    let table = "{ prompt = '{prompt}', seconds = { from = 'duration', map = { 5 = 1 } } }";
    let said = said(&video(&format!("{fal}input = {table}")));
    assert!(said.contains("no value for {duration}, which is sold with duration 10"), "{said}");
}

#[test]
fn an_image_reaches_its_model() {
    let route = |provider: &str, input: &str| format!("[[services.3d-model.routes]]\nprovider = '{provider}'\n{input}");
    let url = "model = 'm'\ninput = { image = '{image_url}' }\n";
    let near = "input = { image = '{image_url}' }\n";
    let data = "model = 'm'\ninput = { image = '{image_data_uri}' }\n";
    let none = "model = 'm'\ninput = { texture = true }\n";
    let path = "services.3d-model.routes[0].input";
    for (server, routes, refusal) in [
        ("", route("replicate", url), Some(format!("{path}.image"))),
        ("[server]\npublic_url = 'http://gateway.example'\n", route("meshy", url), Some(format!("{path}.image"))),
        ("[server]\npublic_url = 'https://10.0.0.1'\n", route("replicate", url), Some(format!("{path}.image"))),
        (PUBLIC, route("replicate", url), None),
        ("", route("replicate", data), None),
        ("", route("cog", near), None),
        ("", route("replicate", none), Some(path.to_owned())),
        ("", route("cog", "input = { a = 1 }"), Some(path.to_owned())),
        ("", route("meshy", none), Some(path.to_owned())),
        ("", route("tripo", none), None),
        ("", route("tripo", data), Some(format!("{path}.image"))),
    ] {
        let loaded = serve(&format!("{ACCOUNTS}{server}{routes}"));
        let found: Vec<_> = loaded.err().into_iter().flat_map(|errors| errors.0).map(|error| error.path).collect();
        assert_eq!(found, refusal.into_iter().collect::<Vec<_>>(), "{server}{routes}");
    }
    let own = ACCOUNTS.replace("kind = 'replicate'", "kind = 'replicate'\ngateway_url = 'https://tunnel.example'");
    serve(&format!("{own}{}", route("replicate", url))).unwrap();
    let own = own.replace("https://tunnel.example", "https://localhost");
    assert_eq!(refused(&format!("{own}{PUBLIC}{}", route("replicate", url))), [format!("{path}.image")]);
}
