//! Credentials that are good: what holders and proxies make of them (`wire.md`, sections 3 and 4).

use crate::support::{MINUTE, Pieces, SECOND, TestApp, VIDEO, video_body};

const START: u64 = 1_800_000_000;

/// A client of Aperture's sends two headers, the first of them stale.
#[tokio::test]
async fn among_several_headers_the_first_good_one_wins() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let other = app.buy(VIDEO, &video_body("a dog")).await;
    let forged = format!("L402 {}:{}", Pieces::of(&purchase.macaroon).forged(), purchase.preimage);
    let good = purchase.credential();
    let orders: [&[&str]; 7] = [
        &[&good, "L402 garbage"],
        &["L402 garbage", &good],
        &["Basic dTpw", &good],
        &["Bearer abc", &forged, &good],
        &[&other.credential(), &good],
        &[&format!("{forged}, {good}")],
        &[&format!("Basic dTpw, {good},")],
    ];
    for headers in orders {
        let request = app.post(VIDEO, purchase.body.clone());
        let request = headers.iter().fold(request, |request, header| request.header("authorization", *header));
        let answer = app.send(request).await;
        assert_eq!(answer.status, 200, "{headers:?}: {}", answer.text());
    }
    assert_eq!(app.provider.creates(), 1, "the other purchase was not touched");
    app.stop().await;
}

/// Wallets append what they like; a condition that nobody here knows is skipped.
#[tokio::test]
async fn caveats_of_others_are_skipped_and_stricter_ones_of_ours_hold() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let pieces = Pieces::of(&purchase.macaroon);
    let preimage = format!("preimage={}", purchase.preimage);
    let (hash, minted) = (pieces.caveat("body_sha256").to_owned(), pieces.caveat("video_valid_until").to_owned());
    let narrowed: [&[&str]; 6] = [
        &[&preimage],
        &["no equals sign", "", "=", "3d-model_valid_until=1"],
        &["services=video:0"],
        &[&format!("body_sha256={hash}")],
        &[&format!("video_valid_until={minted}")],
        &[&format!("video_valid_until={}", START + 9), &format!("video_valid_until={}", START + 5)],
    ];
    for caveats in narrowed {
        let credential = format!("L402 {}:{}", pieces.with(caveats), purchase.preimage);
        let answer = app.redeem_as(&purchase, &credential).await;
        assert_eq!(answer.status, 200, "{caveats:?}: {}", answer.text());
    }
    assert_eq!(app.provider.creates(), 1);
    app.stop().await;
}

/// A time that a holder appended limits the copy that carries it, and no other.
#[tokio::test]
async fn a_holders_time_limit_ends_with_its_second() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let limited = Pieces::of(&purchase.macaroon).with(&[&format!("video_valid_until={}", START + 60)]);
    let limited = format!("L402 {limited}:{}", purchase.preimage);
    app.advance(MINUTE);
    assert_eq!(app.redeem_as(&purchase, &limited).await.status, 200);
    app.advance(SECOND);
    let answer = app.redeem_as(&purchase, &limited).await;
    assert_eq!(answer.outcome(), (402, "CREDENTIAL_EXPIRED"));
    assert_eq!(app.redeem(&purchase).await.status, 200, "the holder's own copy has no such limit");
    app.stop().await;
}

/// The macaroon of another purchase cannot be added to a good one, nor lend it anything.
#[tokio::test]
async fn all_macaroons_of_one_line_have_to_pass() {
    let app = TestApp::start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let other = app.buy(VIDEO, &video_body("a dog")).await;
    let forged = Pieces::of(&purchase.macaroon).forged();
    for (macaroons, code) in [
        (format!("{},{}", purchase.macaroon, other.macaroon), "CREDENTIAL_INVALID"),
        (format!("{},{forged}", purchase.macaroon), "CREDENTIAL_INVALID"),
        (format!("{},???", purchase.macaroon), "CREDENTIAL_MALFORMED"),
    ] {
        let answer = app.redeem_as(&purchase, &format!("L402 {macaroons}:{}", purchase.preimage)).await;
        assert_eq!(answer.outcome(), (402, code), "{macaroons}");
    }
    assert_eq!(app.provider.submits(), 0);
    assert_eq!(app.redeem(&purchase).await.status, 200);
    app.stop().await;
}
