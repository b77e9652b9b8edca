//! Floods: of challenges, of unpaid invoices, of guesses; and what they must not do to those who pay.

use futures_util::future::{join, join_all};
use tokio::time::Instant;

use crate::support::{MINUTE, RawAnswer, SECOND, Setup, TestApp, VIDEO, video_body, within};

/// Invoices of which none are kept ready, so that each one is counted when it is asked for.
fn without_shelves() -> Setup {
    Setup::new().set("LIGHTNING__POOL__SIZE", 0)
}

/// A request without a credential.
fn challenge() -> String {
    let body = video_body("a cat");
    format!(
        "POST {VIDEO} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn ask_from(app: &TestApp, address: [u8; 4]) -> RawAnswer {
    app.raw_from(address, challenge()).await
}

async fn get_from(app: &TestApp, address: [u8; 4], path: &str) -> RawAnswer {
    app.raw_from(address, format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")).await
}

#[tokio::test]
async fn a_network_has_one_budget_for_all_of_its_addresses() {
    let setup = without_shelves().set("LIMITS__NETWORK_CHALLENGES_PER_MINUTE", 1);
    let app = setup.set("LIMITS__NETWORK_CHALLENGE_BURST", 3).start().await;
    let mut statuses = Vec::new();
    for host in 1..=5 {
        statuses.push(ask_from(&app, [127, 1, 1, host]).await.outcome().0);
    }
    assert_eq!(statuses, [402, 402, 402, 429, 429]);
    assert_eq!(ask_from(&app, [127, 1, 2, 1]).await.outcome().0, 402);
    assert_eq!(app.lightning.calls(), 4, "before any invoice");
    app.stop().await;
}

#[tokio::test]
async fn unpaid_invoices_have_a_ceiling_that_nobody_reaches_alone() {
    let app = without_shelves().set("LIMITS__OPEN_INVOICES", 40).start().await;
    let bought = app.buy(VIDEO, &video_body("a dog")).await;
    let mut open = 1;
    let refused = loop {
        let answer = ask_from(&app, [127, 0, 0, 1]).await;
        if answer.outcome().0 != 402 {
            break answer;
        }
        open += 1;
    };
    assert_eq!(refused.outcome(), (429, "RATE_LIMITED"));
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!((open, app.lightning.calls()), (6, 6), "a seventh of the places, and no invoice for the refusal");
    assert_eq!(ask_from(&app, [127, 0, 1, 1]).await.outcome().0, 402, "others are served");
    // What is paid makes room, and does not need any.
    assert_eq!(app.redeem(&bought).await.status, 200);
    assert_eq!(ask_from(&app, [127, 0, 0, 1]).await.outcome().0, 402);
    assert_eq!(ask_from(&app, [127, 0, 0, 1]).await.outcome().0, 429);
    assert_eq!(app.redeem(&bought).await.status, 200);
    app.advance(10 * MINUTE);
    assert_eq!(ask_from(&app, [127, 0, 0, 1]).await.outcome().0, 402, "and so does what expires");
    app.stop().await;
}

#[tokio::test]
async fn the_ceiling_holds_when_everybody_comes_at_once() {
    let app = without_shelves().set("LIMITS__OPEN_INVOICES", 16).start().await;
    let asked = (0..240u8).map(|n| ask_from(&app, [127, 0, n / 4, 1 + n % 4]));
    let answers = join_all(asked).await;
    let sold = answers.iter().filter(|answer| answer.outcome().0 == 402).count();
    assert!(answers.iter().all(|answer| [402, 429].contains(&answer.outcome().0)));
    assert!((8..=16).contains(&sold), "{sold}");
    assert_eq!(app.lightning.calls(), sold);
    app.stop().await;
}

#[tokio::test]
async fn what_is_kept_ready_counts_and_is_not_asked_for_beyond_the_ceiling() {
    let setup = Setup::new().set("LIGHTNING__POOL__SIZE", 100).set("LIGHTNING__POOL__REFILL_PER_SECOND", 1_000);
    let app = setup.set("LIMITS__OPEN_INVOICES", 40).start().await;
    within("shelves that are filled", async {
        while app.lightning.calls() < 10 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for network in 0..60 {
        ask_from(&app, [127, 0, network, 1]).await;
    }
    assert!((20..=40).contains(&app.lightning.calls()), "{}", app.lightning.calls());
    app.stop().await;
}

/// An invoice that could not be made is none.
#[tokio::test]
async fn a_node_that_fails_takes_no_places() {
    let app = without_shelves().set("LIMITS__OPEN_INVOICES", 16).start().await;
    app.lightning.tell(crate::support::Lie::Garbage);
    for network in 0..30 {
        assert_eq!(ask_from(&app, [127, 0, network, 1]).await.outcome().0, 503);
    }
    app.lightning.tell(crate::support::Lie::None);
    let sells = async || ask_from(&app, [127, 1, 1, 1]).await.outcome().0 == 402;
    within("the gateway sells again", async { while !sells().await {} }).await;
    app.stop().await;
}

#[tokio::test]
async fn guesses_are_counted_and_what_is_there_is_not() {
    let app = Setup::new().set("LIMITS__MISSES_PER_MINUTE", 1).set("LIMITS__MISS_BURST", 4).start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let result = app.redeem(&purchase).await;
    let file = app.path_of(result.json()["videoUrl"].as_str().unwrap());
    let job = format!("/api/l402/jobs/{}", result.header("x-job-id"));
    let guesser = [127, 0, 0, 1];
    for _ in 0..10 {
        assert_eq!(get_from(&app, guesser, &job).await.outcome().0, 200);
        assert_eq!(get_from(&app, guesser, &file).await.outcome().0, 200);
    }
    // Of the form of the real ones, so that they must be looked for, and of none.
    let like = |real: &str| {
        let (folder, name) = real.rsplit_once('/').unwrap();
        format!("{folder}/{}", name.replace(|c: char| c.is_ascii_digit(), "7"))
    };
    let paths = [like(&job), like(&file), "/webhooks/x.y".into(), "/inputs/x.y".into()];
    for path in &paths[..2] {
        assert_eq!(get_from(&app, guesser, path).await.outcome(), (404, "NOT_FOUND"), "{path}");
    }
    let webhook = format!("POST {} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", paths[2]);
    assert_eq!(app.raw_from(guesser, &webhook).await.outcome(), (404, "NOT_FOUND"));
    assert_eq!(get_from(&app, guesser, &paths[3]).await.outcome(), (404, "NOT_FOUND"));
    for path in [&paths[0], &paths[1], &paths[3], "/api/l402/jobs/none", "/artifacts/none.mp4"] {
        let refused = get_from(&app, guesser, path).await;
        assert_eq!(refused.outcome(), (429, "RATE_LIMITED"), "{path}");
        assert!(!refused.header("retry-after").is_empty());
    }
    assert_eq!(app.raw_from(guesser, &webhook).await.outcome(), (429, "RATE_LIMITED"));
    assert_eq!(get_from(&app, guesser, &job).await.outcome().0, 200, "who polls is let through");
    assert_eq!(get_from(&app, guesser, &file).await.outcome().0, 200);
    assert_eq!(get_from(&app, [127, 0, 0, 2], &paths[0]).await.outcome().0, 404, "others have a budget of their own");
    app.stop().await;
}

/// Many buyers may share one address with a guesser: what they are told of is theirs to fetch.
#[tokio::test]
async fn who_has_paid_is_let_through_to_what_nobody_has_looked_at_yet() {
    let app = Setup::new().set("LIMITS__MISSES_PER_MINUTE", 1).set("LIMITS__MISS_BURST", 1).start().await;
    let shared = [127, 0, 0, 1];
    let guess = format!("/api/l402/jobs/{}", "7".repeat(32));
    assert_eq!(get_from(&app, shared, &guess).await.outcome().0, 404);
    assert_eq!(get_from(&app, shared, &guess).await.outcome().0, 429);
    let (first, second) = (app.buy(VIDEO, &video_body("a cat")).await, app.buy(VIDEO, &video_body("a dog")).await);
    let result = app.redeem(&first).await;
    let file = app.path_of(result.json()["videoUrl"].as_str().unwrap());
    assert_eq!(get_from(&app, shared, &file).await.outcome().0, 200, "the result");
    let accepted = app.redeem_async(&second).await;
    let poll = app.path_of(accepted.json()["poll_url"].as_str().unwrap());
    assert_eq!(get_from(&app, shared, &poll).await.outcome().0, 200, "the job");
    app.stop().await;
}

/// A flood waits for its refusals; a good credential from the same address does not.
#[tokio::test]
async fn refusals_without_end_are_delayed_and_payments_are_not() {
    let setup = Setup::new().set("LIMITS__CHALLENGES_PER_MINUTE", 1).set("LIMITS__CHALLENGE_BURST", 1);
    let app = setup.start().await;
    let purchase = app.buy(VIDEO, &video_body("a dog")).await;
    app.redeem(&purchase).await;
    let began = Instant::now();
    let flood = async {
        let answers = join_all((0..60).map(|_| ask_from(&app, [127, 0, 0, 1]))).await;
        (answers, began.elapsed())
    };
    let paid = async { (app.redeem(&purchase).await.status, began.elapsed()) };
    let ((answers, flooded), (status, redeemed)) = join(flood, paid).await;
    assert!(answers.iter().all(|answer| answer.outcome() == (429, "RATE_LIMITED")));
    assert_eq!(status, 200);
    assert!(flooded >= SECOND && redeemed < flooded, "{flooded:?} {redeemed:?}");
    app.stop().await;
}

#[tokio::test]
async fn credentials_that_are_refused_are_counted_and_good_ones_are_not() {
    let app = Setup::new().set("LIMITS__MISSES_PER_MINUTE", 1).set("LIMITS__MISS_BURST", 2).start().await;
    let purchase = app.buy(VIDEO, &video_body("a cat")).await;
    let present = async |credential: &str| {
        let request = app.post("/api/l402/recover", "").header("authorization", credential);
        app.send(request).await.status
    };
    let stolen = format!("L402 {}:{}", purchase.macaroon, "00".repeat(32));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push((present(&stolen).await, present(&purchase.credential()).await));
    }
    assert_eq!(statuses, [(403, 200), (403, 200), (429, 200), (429, 200)]);
    let id = app.redeem(&purchase).await.header("x-job-id").to_owned();
    let probe = app.get(&format!("/api/l402/refunds/{id}")).header("authorization", &stolen);
    assert_eq!(app.send(probe).await.outcome(), (429, "RATE_LIMITED"));
    app.stop().await;
}
