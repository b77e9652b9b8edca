//! The pages, as far as HTTP goes: what they say is tested beside their templates and in a browser.

use crate::support::{Setup, TestApp};

const PAGES: [&str; 5] = ["/", "/l402", "/l402/video", "/l402/3d-model", "/errors"];

#[tokio::test]
async fn every_page_is_there_and_keeps_to_itself() {
    let app = TestApp::start().await;
    for path in PAGES {
        let page = app.send(app.get(path)).await;
        assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"), "{path}");
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        let html = page.text();
        assert!(html.starts_with("<!doctype html>") || html.starts_with("<!DOCTYPE html>"), "{path}");
        assert!(!html.contains("style=\"") && !html.contains("onclick"), "{path} needs what its policy forbids");
        assert!(html.contains(app.public_url()) || path == "/errors", "{path} is exact for this instance");
    }
    app.stop().await;
}

/// Whatever a page refers to on this instance is there.
#[tokio::test]
async fn no_link_of_ours_is_broken() {
    let app = TestApp::start().await;
    for path in PAGES {
        let html = app.send(app.get(path)).await.text();
        let links: Vec<&str> = ["href=\"", "src=\""]
            .into_iter()
            .flat_map(|attribute| html.split(attribute).skip(1))
            .filter_map(|rest| rest.split(['"', '#']).next())
            .filter(|link| link.starts_with('/'))
            .collect();
        assert!(links.len() > 5, "{path} links to nothing");
        for link in links {
            let status = app.get(link).send().await.unwrap().status();
            assert!(status.is_success(), "{link} on {path}: {status}");
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn static_files_have_their_types() {
    let app = TestApp::start().await;
    for (path, media_type) in [
        ("/static/style.css", "text/css; charset=utf-8"),
        ("/static/script.js", "text/javascript; charset=utf-8"),
        ("/static/favicon.svg", "image/svg+xml"),
        ("/static/sample.png", "image/png"),
        ("/favicon.ico", "image/svg+xml"),
    ] {
        let file = app.send(app.get(path)).await;
        assert_eq!((file.status, file.header("content-type")), (200, media_type), "{path}");
        assert!(!file.body.is_empty());
    }
    app.stop().await;
}

#[tokio::test]
async fn prices_on_pages_are_this_instances() {
    let app = Setup::new().set("SERVICES__VIDEO__PRICE__FIXED", 4_321).start().await;
    for path in ["/", "/l402/video"] {
        let html = app.send(app.get(path)).await.text();
        assert!(html.contains("4321") || html.contains("4,321"), "{path}");
    }
    app.stop().await;
}

/// A person gets a page, a program the problem document, and under `/api` everybody the latter.
#[tokio::test]
async fn a_missing_page_is_told_in_the_callers_language() {
    let app = TestApp::start().await;
    let html = |path: &str| app.get(path).header("accept", "text/html,*/*;q=0.8");
    let page = app.send(html("/nothing")).await;
    assert_eq!((page.status, page.header("content-type")), (404, "text/html; charset=utf-8"));
    assert_eq!(app.send(app.get("/nothing")).await.outcome(), (404, "NOT_FOUND"));
    assert_eq!(app.send(html("/api/nothing")).await.outcome(), (404, "NOT_FOUND"));
    app.stop().await;
}
