//! Refunds and `/recover` as a thief sees them: money twice, somebody else's money, and what others have bought.

use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::json;

use crate::support::owed::{Owed, decoded, get, invoice, is_paid, path_of, withdraw};
use crate::support::{DAY, HOUR, Pieces, Setup, TestApp, VIDEO, VIDEO_SATS, text, video_body};

#[tokio::test]
async fn a_link_pays_its_own_refund_alone() {
    let app = Setup::new().real_time().start().await;
    let (first, second) = (Owed::at(&app).await, Owed::at(&app).await);
    let (one, other) = (first.scan(&app).await, second.scan(&app).await);
    let mut crossed = one.clone();
    crossed["k1"] = other["k1"].clone();
    let mine = invoice(&app, VIDEO_SATS).await;
    assert_eq!(withdraw(&app, &crossed, &mine).await["reason"], "k1 is not the one of this link.");
    // The name of the one with the job, or the time, or the signature of the other.
    let name = |offer: &serde_json::Value| text(&offer["callback"]).rsplit('/').nth(1).unwrap().to_owned();
    let (name, others) = (name(&one), name(&other));
    let (parts, others): (Vec<&str>, Vec<&str>) = (name.split('.').collect(), others.split('.').collect());
    let later = format!("9{}", parts[1]);
    for forged in [
        [others[0], parts[1], parts[2]],
        [parts[0], parts[1], others[2]],
        [parts[0], later.as_str(), parts[2]],
        [parts[0], parts[1], ""],
    ] {
        let forged = forged.join(".");
        let path = format!("/lnurl/{forged}/pay?k1={}&pr={mine}", text(&one["k1"]));
        assert_eq!(app.send(app.get(&path)).await.json()["reason"], "This link leads to no refund.", "{forged}");
        assert_eq!(app.send(app.get(&format!("/refunds/{forged}"))).await.status, 404, "{forged}");
    }
    // A link is no word about a job's image or its webhooks.
    assert_eq!(app.send(app.get(&format!("/inputs/{name}"))).await.status, 404);
    assert_eq!(app.send(app.post(&format!("/webhooks/{name}"), "{}")).await.status, 404);
    assert_eq!((app.lightning.payments(), &second.look(&app).await["status"]), (0, &json!("available")));
    app.stop().await;
}

#[tokio::test]
async fn of_claims_at_once_by_both_ways_one_is_paid() {
    let app = Setup::new().real_time().start().await;
    let owed = Owed::at(&app).await;
    let offer = owed.scan(&app).await;
    let invoices = join_all((0..8).map(|_| invoice(&app, VIDEO_SATS))).await;
    let (by_wallet, by_credential) = invoices.split_at(4);
    join(
        join_all(by_wallet.iter().map(|mine| withdraw(&app, &offer, mine))),
        join_all(by_credential.iter().map(|mine| owed.claim(&app, json!({"invoice": mine})))),
    )
    .await;
    let mut paid = 0;
    for mine in &invoices {
        paid += usize::from(is_paid(&app, mine).await);
    }
    assert_eq!((paid, app.lightning.payments(), &owed.look(&app).await["status"]), (1, 1, &json!("paid")));
    app.stop().await;
}

/// The generation ends well after it was given up and the money was claimed back.
#[tokio::test]
async fn a_late_success_delivers_nothing_that_is_refunded() {
    let app = Setup::new().start().await;
    app.provider.hold(0.2);
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let late = async {
        app.provider.created(1).await;
        app.advance(std::time::Duration::from_secs(601));
    };
    let (failed, ()) = join(app.redeem(&purchase), late).await;
    let owed = Owed { purchase, answer: failed.json() };
    let mine = invoice(&app, VIDEO_SATS).await;
    let claim = async {
        app.provider.let_go();
        owed.claim(&app, json!({"invoice": mine})).await
    };
    assert_eq!(claim.await.json()["status"], "paid");
    app.advance(HOUR);
    let again = app.redeem(&owed.purchase).await;
    assert_eq!((again.outcome(), &again.json()["refund"]["status"]), ((502, "GENERATION_FAILED"), &json!("paid")));
    app.stop().await;
}

#[tokio::test]
async fn links_and_credentials_outlive_the_rotation_of_secrets() {
    let keys = Setup::new().set("KEY_OLD", "3a".repeat(32));
    let app = keys.set("KEYS__SECRETS", r#"["env:SATFORGE_KEY_OLD"]"#).start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    app.advance(2 * DAY);
    let owed = Owed { answer: app.redeem(&purchase).await.json(), purchase };
    let offer = owed.scan(&app).await;
    let both = r#"["env:SATFORGE_KEY_NEW", "env:SATFORGE_KEY_OLD"]"#;
    let app = app.shut_down().await.set("KEY_NEW", "5b".repeat(32)).set("KEYS__SECRETS", both).start().await;
    // The port is another one after a restart; the names are not.
    let path = |url: &str| format!("/lnurl/{}", url.split("/lnurl/").nth(1).unwrap());
    let scanned = app.send(app.get(&path(&decoded(owed.refund())))).await.json();
    assert_eq!(scanned["tag"], "withdrawRequest", "{scanned}");
    assert_ne!(scanned["k1"], offer["k1"], "it is made with the newest key");
    let mine = invoice(&app, VIDEO_SATS).await;
    let call = format!("{}?k1={}&pr={mine}", path(&text(&offer["callback"])), text(&offer["k1"]));
    assert_eq!(app.send(app.get(&call)).await.json(), json!({"status": "OK"}));
    let found = app.send(app.get("/api/l402/recover").header("authorization", owed.purchase.credential())).await;
    assert_eq!((found.status, &found.json()["refund"]["status"]), (200, &json!("paid")));
    app.stop().await;
}

#[tokio::test]
async fn looking_at_a_link_pays_nothing() {
    let app = Setup::new().real_time().start().await;
    let owed = Owed::at(&app).await;
    let offer = owed.scan(&app).await;
    let call = format!("{}?k1={}&pr={}", text(&offer["callback"]), text(&offer["k1"]), invoice(&app, VIDEO_SATS).await);
    let call = path_of(&app, &call);
    for method in [Method::HEAD, Method::OPTIONS, Method::POST, Method::PUT, Method::DELETE] {
        app.send(app.request(method.clone(), &call)).await;
        assert_eq!(
            (app.lightning.payments(), owed.look(&app).await["status"].as_str()),
            (0, Some("available")),
            "{method}"
        );
    }
    assert_eq!(app.send(app.get(&call)).await.json(), json!({"status": "OK"}), "the same call by a wallet");
    app.stop().await;
}

/// Whoever hands a credential on can take away from it, and what was taken away is gone here as well.
#[tokio::test]
async fn a_narrowed_credential_is_narrow_everywhere() {
    let app = Setup::new().real_time().start().await;
    let owed = Owed::at(&app).await;
    let pieces = Pieces::of(&owed.purchase.macaroon);
    let claim_path = path_of(&app, &text(&owed.refund()["claim_url"]));
    for (caveat, status) in [
        ("video_valid_until=1", 403),
        ("services=3d-model:0", 403),
        ("body_sha256=00", 403),
        ("a condition of somebody else's", 200),
    ] {
        let credential = format!("L402 {}:{}", pieces.with(&[caveat]), owed.purchase.preimage);
        for path in ["/recover", "/api/l402/recover", claim_path.as_str()] {
            let answer = app.send(app.get(path).header("authorization", &credential)).await;
            assert_eq!(answer.status, status, "{caveat} at {path}: {}", answer.text());
        }
        let body = json!({"invoice": "lnbc1"}).to_string();
        let claim = app.send(app.post(&claim_path, body).header("authorization", &credential)).await;
        assert_eq!(claim.status, if status == 200 { 422 } else { status }, "{caveat}: {}", claim.text());
    }
    app.stop().await;
}

#[tokio::test]
async fn of_several_headers_the_first_good_one_counts() {
    let app = Setup::new().real_time().start().await;
    let (mine, others) = (Owed::at(&app).await, Owed::at(&app).await);
    let claim_path = path_of(&app, &text(&mine.refund()["claim_url"]));
    let (good, other) = (mine.purchase.credential(), others.purchase.credential());
    let forged = format!("L402 {}:{}", Pieces::of(&mine.purchase.macaroon).forged(), mine.purchase.preimage);
    // A forged copy of mine beside a good one of another's makes nothing of mine visible.
    for (headers, status) in [
        (vec![forged.as_str(), &good], 200),
        (vec!["Basic dTpw", "L402 garbage", &good], 200),
        (vec![&other, &good], 404),
        (vec![&forged, &other], 404),
        (vec![&forged], 403),
    ] {
        let request = headers.iter().fold(app.get(&claim_path), |request, one| request.header("authorization", *one));
        let answer = app.send(request).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text());
    }
    app.stop().await;
}

#[tokio::test]
async fn what_is_sent_to_the_new_paths_is_bounded() {
    let app = Setup::new().real_time().start().await;
    let owed = Owed::at(&app).await;
    let claim_path = path_of(&app, &text(&owed.refund()["claim_url"]));
    let large = json!({"invoice": "l".repeat(17 * 1024)}).to_string();
    assert_eq!(app.send(app.post("/recover", large.clone())).await.outcome(), (413, "BODY_TOO_LARGE"));
    let claim = app.post(&claim_path, large).header("authorization", owed.purchase.credential());
    assert_eq!(app.send(claim).await.outcome(), (413, "BODY_TOO_LARGE"));
    let long = "a".repeat(4_000);
    assert_eq!(app.send(app.get(&format!("/lnurl/{long}"))).await.json()["status"], "ERROR");
    assert_eq!(app.send(app.get(&format!("/refunds/{long}"))).await.status, 404);
    for path in
        ["/refunds/%ff", "/lnurl/%ff", "/lnurl/%ff/pay", "/api/l402/refunds/%ff", "/refunds/%2e%2e", "/lnurl/%00"]
    {
        let answer = app.send(app.get(path).header("authorization", owed.purchase.credential())).await;
        assert!(answer.status < 500, "{path}: {}", answer.status);
        assert!(!answer.text().contains("withdrawRequest"), "{path}");
    }
    let head = format!("GET /recover HTTP/1.1\r\nhost: x\r\nauthorization: L402 {}\r\n\r\n", "A".repeat(200_000));
    let refused = app.raw(head).await;
    assert!(refused.status_line.contains("431"), "{}", refused.status_line);
    app.stop().await;
}

/// A page that repeated what is typed would hand it to whoever made somebody type it.
#[tokio::test]
async fn nothing_that_is_typed_is_shown_again() {
    let app = Setup::new().real_time().start().await;
    let owed = Owed::at(&app).await;
    let form = |macaroon: &str, preimage: &str| {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("macaroon", macaroon).append_pair("preimage", preimage);
        let request = app.request(Method::POST, "/recover").body(form.finish());
        request.header("content-type", "application/x-www-form-urlencoded")
    };
    let script = "<script>alert(7)</script>";
    for request in [
        form(script, script),
        form(&format!("\"><img onerror='alert(7)'>{}", owed.purchase.macaroon), &owed.purchase.preimage),
        form(&owed.purchase.macaroon, &owed.purchase.preimage),
        app.post("/recover", json!({"credential": script}).to_string()),
        app.get("/refunds/%3Cscript%3Ealert(7)%3C%2Fscript%3E").header("accept", "text/html"),
        app.get("/lnurl/%3Cscript%3Ealert(7)%3C%2Fscript%3E"),
    ] {
        let answer = app.send(request).await;
        for shown in ["alert(7)", &owed.purchase.macaroon, &owed.purchase.preimage] {
            assert!(!answer.text().contains(shown), "{shown} in {}", answer.text());
        }
        let policy = answer.header("content-security-policy");
        assert!(
            !answer.header("content-type").starts_with("text/html") || policy.contains("default-src 'none'"),
            "{policy}"
        );
    }
    app.stop().await;
}

/// What gives money, or tells of it, is kept by nobody on the way.
#[tokio::test]
async fn nothing_about_refunds_is_cached() {
    let app = Setup::new().real_time().start().await;
    let owed = Owed::at(&app).await;
    let offer = owed.scan(&app).await;
    let link = decoded(owed.refund());
    let page = text(&owed.refund()["url"]);
    let claim = text(&owed.refund()["claim_url"]);
    for url in [link.as_str(), &page, &claim, &text(&offer["callback"])] {
        let answer = get(&app, url).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{url}");
    }
    let paths = [path_of(&app, &page), path_of(&app, &claim), "/recover".to_owned(), "/api/l402/recover".to_owned()];
    for path in paths {
        let request = app.get(&path).header("authorization", owed.purchase.credential());
        assert_eq!(app.send(request).await.header("cache-control"), "no-store", "{path}");
    }
    assert_eq!(TestApp::send(&app, app.get("/recover")).await.header("cache-control"), "no-store");
    app.stop().await;
}
