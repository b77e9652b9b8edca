//! Every page rendered for every kind of instance and held to the rules that all pages share.

use std::collections::HashSet;

use super::*;

/// What a stranger might bring in: markup, quotes of both kinds, and what a shell would expand.
const HOSTILE: &str = r#"<script>alert("it's")</script> & $HOME `id` \"#;

fn all_pages(site: &Site) -> Vec<(String, String)> {
    let mut pages = vec![
        ("home".to_owned(), render_home(site).unwrap()),
        ("guide".to_owned(), render_guide(site).unwrap()),
        ("errors".to_owned(), render_errors(site, &samples::errors()).unwrap()),
        ("not found".to_owned(), render_not_found(site).unwrap()),
    ];
    for service in &site.services {
        pages.push((service.id.to_owned(), render_service(site, service).unwrap()));
    }
    pages
}

fn every_instance() -> [Site; 4] {
    let mut silent = samples::production();
    silent.keepalive_after_seconds = None;
    let mut closed = samples::production();
    closed.services.iter_mut().for_each(|service| service.available = false);
    [samples::sandbox(), samples::production(), silent, closed]
}

/// The values of an attribute, in the order of the page.
fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let opening = format!(" {attribute}=\"");
    html.split(opening.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

fn unescape(html: &str) -> String {
    html.replace("&#60;", "<").replace("&#62;", ">").replace("&#34;", "\"").replace("&#39;", "'").replace("&#38;", "&")
}

/// The steps of one language on a page, put together as a caller would.
fn script(html: &str, language: &str) -> String {
    html.split(&format!("<code data-run=\"{language}\""))
        .skip(1)
        .filter_map(|rest| rest.split_once('>')?.1.split("</code>").next())
        .map(unescape)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn pages_stand_alone_under_a_strict_policy() {
    for site in &every_instance() {
        for (name, html) in all_pages(site) {
            for inline in ["<style", " style=", " onclick", " onload", "javascript:", "<script>"] {
                assert!(!html.contains(inline), "{name} has {inline}");
            }
            for target in values(&html, "href").into_iter().chain(values(&html, "src")) {
                let own = target.starts_with(['/', '#']) || target.starts_with(&site.public_url);
                assert!(own && !target.starts_with("//"), "{name} points to {target}");
            }
            assert!(html.len() < 40_000, "{name} weighs {} bytes", html.len());
        }
    }
}

#[test]
fn pages_are_navigable() {
    for site in &every_instance() {
        for (name, html) in all_pages(site) {
            assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">"), "{name}");
            assert!(html.contains("<a class=\"skip\" href=\"#main\">"), "{name}");
            assert_eq!(html.matches("<h1").count(), 1, "{name}");
            let ids = values(&html, "id");
            let unique: HashSet<_> = ids.iter().collect();
            assert_eq!(ids.len(), unique.len(), "{name} repeats an id");
            for link in values(&html, "href").into_iter().filter_map(|href| href.strip_prefix('#')) {
                assert!(ids.contains(&link), "{name} links to #{link}, which is not there");
            }
            let levels: Vec<u32> =
                html.split("<h").skip(1).filter_map(|rest| rest.chars().next()?.to_digit(10)).collect();
            assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{name} skips a heading level: {levels:?}");
        }
    }
}

#[test]
fn nothing_is_taken_for_markup_or_for_a_command() {
    let mut site = samples::sandbox();
    let video = &mut site.services[0];
    let PricedExample { label, body, .. } = &mut video.examples[0];
    for text in [
        label,
        body,
        &mut video.title,
        &mut video.summary,
        &mut video.price_headline,
        &mut video.price_rule,
        &mut video.params[0].rule,
        &mut video.triggers[0].text,
    ] {
        HOSTILE.clone_into(text);
    }
    for (name, html) in all_pages(&site) {
        assert!(!html.contains("<script>") && !html.contains("alert(\""), "{name}");
    }
    let html = render_service(&site, &site.services[0]).unwrap();
    let shell = format!("BODY='{}'\n", HOSTILE.replace('\'', r"'\''"));
    assert!(script(&html, "curl").starts_with(&shell));
    let literal = format!("BODY = '{}'.encode()", HOSTILE.replace('\\', r"\\").replace('\'', r"\'"));
    assert!(script(&html, "python").contains(&literal));
}

#[test]
fn error_entries_are_escaped_and_can_be_linked_to() {
    let mut errors = samples::errors();
    HOSTILE.clone_into(&mut errors[0].meaning);
    let html = render_errors(&samples::sandbox(), &errors).unwrap();
    assert!(!html.contains("<script>"));
    for error in &errors {
        assert!(html.contains(&format!("<section class=\"error\" id=\"{}\"", error.code)));
    }
}

#[test]
fn the_steps_of_a_language_are_a_whole_purchase() {
    let site = samples::sandbox();
    for service in &site.services {
        let html = render_service(&site, service).unwrap();
        for language in ["curl", "python", "javascript"] {
            let script = script(&html, language);
            assert!(script.contains(&format!("{}{}", site.public_url, service.path)), "{language}");
            assert!(script.contains(&format!("{}/sandbox/pay", site.public_url)), "{language}");
            assert!(script.contains(service.result_field) && script.contains(service.result_file), "{language}");
            assert!(!script.contains("--8<--"), "{language}");
        }
        let steps = snippets::steps(&site, service).unwrap();
        assert!(steps.iter().all(|step| step.snippets.len() == snippets::Language::ALL.len()));
        assert!(!html.contains("data-run=\"lnget\"") && html.contains("lnget -q --max-cost"));
    }
}

#[test]
fn other_examples_are_sold_in_one_piece_at_their_own_price() {
    let site = samples::sandbox();
    let (video, model) = (&site.services[0], &site.services[1]);
    let variations = snippets::variations(&site, video).unwrap();
    let [longer] = variations.as_slice() else { panic!("one for each example but the first") };
    assert_eq!((longer.number, longer.example.sats, longer.file.as_str()), (2, 1_000, "video-2.mp4"));
    for snippet in &longer.snippets {
        let code = &snippet.code;
        assert!(code.contains(r#""duration":10"#) && code.contains("video-2.mp4"), "{code}");
        assert!(!code.contains(r#""duration":5"#) && !code.contains("--8<--"), "{code}");
    }
    let html = render_service(&site, video).unwrap();
    assert!(html.contains("This one costs 1,000 sats") && html.contains("data-flow=\"video-variation-2\""));
    assert!(snippets::variations(&site, model).unwrap().is_empty());
}

#[test]
fn a_terminal_goes_no_further_than_a_real_invoice_and_a_program_does() {
    let site = samples::production();
    let variations = snippets::variations(&site, &site.services[0]).unwrap();
    for snippet in &variations[0].snippets {
        let pays = snippet.code.contains("video-2.mp4");
        assert_eq!(pays, snippet.language != snippets::Language::Curl, "{}", snippet.code);
    }
}

#[test]
fn every_service_shows_a_receiver_of_callbacks() {
    for (site, here) in [(samples::sandbox(), "http://localhost:8000/done"), (samples::production(), "a certificate")] {
        for service in &site.services {
            let html = render_service(&site, service).unwrap();
            let (_, section) = html.split_once("<h2 id=\"callbacks\">").unwrap();
            let (told, program) = section.split_once("<code data-receiver=\"python\">").unwrap();
            assert!(told.contains(here) && told.contains(service.result_field), "{}", service.id);
            assert_eq!(unescape(program.split("</code>").next().unwrap()), snippets::RECEIVER);
            assert_eq!(told.contains("localhost"), site.private_callbacks);
        }
    }
}

#[test]
fn backticks_of_the_error_table_become_code() {
    let mut errors = samples::errors();
    "Look at `errors`, then `<b>`.".clone_into(&mut errors[0].suggestion);
    let html = render_errors(&samples::sandbox(), &errors).unwrap();
    assert!(html.contains("Look at <code>errors</code>, then <code>&#60;b&#62;</code>."));
}

#[test]
fn the_home_page_sells_the_whole_purchase_only_where_a_paste_can_pay() {
    let sandbox = script(&render_home(&samples::sandbox()).unwrap(), "curl");
    assert!(sandbox.contains("/sandbox/pay") && sandbox.contains("-o video.mp4"));
    let production = script(&render_home(&samples::production()).unwrap(), "curl");
    assert!(production.contains("https://forge.example/api/l402/video") && !production.contains("Authorization"));
}

#[test]
fn only_a_sandbox_says_so() {
    for (name, html) in all_pages(&samples::sandbox()) {
        assert!(html.contains("nothing here costs money"), "{name}");
    }
    for (name, html) in all_pages(&samples::production()) {
        assert!(!html.contains("/sandbox/") && !html.contains("andbox") && !html.contains("lnbcrt"), "{name}");
    }
}

#[test]
fn what_is_not_for_sale_says_so_and_hides_no_price() {
    let mut site = samples::production();
    site.services[0].available = false;
    for (name, html) in all_pages(&site) {
        let told = html.to_lowercase().contains("not for sale at the moment");
        assert_eq!(told, !matches!(name.as_str(), "errors" | "3d-model"), "{name}");
        assert!(html.contains("from 500 sats") || matches!(name.as_str(), "errors" | "3d-model"), "{name}");
    }
    let html = render_home(&site).unwrap();
    assert!(script(&html, "curl").contains("/api/l402/3d-model"), "the home page buys what can be bought");
    site.services[1].available = false;
    let html = render_home(&site).unwrap();
    assert!(script(&html, "curl").contains("/api/l402/video"));
    assert_eq!(html.matches("<b>Not for sale at the moment.</b>").count(), 3, "two cards, and the example");
}

#[test]
fn facts_come_from_the_instance() {
    let mut site = samples::production();
    site.hold_seconds = 123;
    site.result_retention_days = 1;
    site.redeem_window_hours = 48;
    let html = render_service(&site, &site.services[0]).unwrap();
    for fact in ["after 4 seconds", "after 123 seconds", "for 1 day", "48 hours", "500 sats", "1,000 sats", "videoUrl"]
    {
        assert!(html.contains(fact), "{fact}");
    }
    site.keepalive_after_seconds = None;
    let html = render_service(&site, &site.services[0]).unwrap();
    assert!(html.contains("for at most 123 seconds") && !html.contains("sends a space"));
}
