//! Webhooks, and the results that they bring.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use serde_json::json;

use super::stub::{PREDICTION, SECRET, World, data_uri, input, is_empty, order, spec, succeeded, task};
use crate::config::ProviderKind;
use crate::egress::tests::stub::{Reply, Stub};
use crate::providers::cog::Cog;
use crate::providers::{Ending, NoticeError, Noticed, Poll, Provider as _, ProviderError};

const ID: &str = "019c3f6e-0000-7000-8000-0000000000ab-2@";

async fn fetch(world: &World, result: &str) -> Result<Vec<u8>, ProviderError> {
    let chunks: Vec<_> = world.cog.fetch(&task(ID, result)).await?.try_collect().await.unwrap();
    Ok(chunks.concat())
}

async fn poll(world: &World) -> Poll {
    world.cog.poll(&task(ID, "")).await.unwrap()
}

#[tokio::test]
async fn a_result_is_kept_over_a_restart_until_it_is_discarded() {
    let mut world = World::new().await;
    // Longer than what is decoded and read at once, and no multiple of three.
    let file: Vec<u8> = (0..1_000_000_u32).map(|byte| byte.to_le_bytes()[0]).collect();
    let noticed = world.notice(&succeeded(&json!(data_uri(&file)))).await.unwrap();
    assert_eq!(noticed, Noticed { id: Some(ID.into()) });
    world.restart();
    assert_eq!(poll(&world).await, Poll::Ready { charged: Some(1.5) });
    assert_eq!(fetch(&world, "").await.unwrap(), file);
    assert_eq!(fetch(&world, "").await.unwrap(), file, "it can be fetched again");
    assert_eq!(world.count(&format!("PUT /predictions/{PREDICTION}")), 0, "nobody need ask cog");
    for _ in 0..2 {
        world.cog.discard(&task(ID, "")).await.unwrap();
        assert!(is_empty(&world.inbox()));
    }
    assert!(matches!(fetch(&world, "").await, Err(ProviderError::Unknown)));
}

#[tokio::test]
async fn only_cog_is_believed() {
    let world = World::new().await;
    let body = succeeded(&json!(data_uri(b"....ftyp"))).to_string();
    let longer = format!("Bearer {SECRET}x");
    let scheme = format!("Basic {SECRET}");
    for forged in ["", "Bearer", "Bearer ", "Bearer c0ffee-tokem", SECRET, &longer, &scheme] {
        assert_eq!(world.notice_as(forged, body.as_bytes()).await, Err(NoticeError::Forged), "{forged}");
        assert_eq!(world.notice_as(forged, b"{").await, Err(NoticeError::Forged), "{forged}");
    }
    assert!(world.files().is_empty());
    assert!(world.notice_as(&format!("bearer {SECRET}"), body.as_bytes()).await.is_ok());
}

#[tokio::test]
async fn what_is_not_about_this_prediction_is_garbled() {
    let world = World::new().await;
    let mut other = succeeded(&json!(data_uri(b"....ftyp")));
    other["id"] = json!("019c3f6e-0000-7000-8000-0000000000ab-1");
    for body in ["", "{", "[]", "{}", &other.to_string()] {
        let noticed = world.notice_as(&format!("Bearer {SECRET}"), body.as_bytes()).await;
        assert_eq!(noticed, Err(NoticeError::Garbled), "{body}");
    }
    assert!(world.files().is_empty());
}

#[tokio::test]
async fn a_start_names_the_process_and_is_not_the_end() {
    let world = World::new().await;
    let start = json!({"id": PREDICTION, "logs": "", "metrics": {}, "status": "processing"});
    assert_eq!(world.notice(&start).await, Ok(Noticed { id: Some(world.id()) }));
    assert!(world.files().is_empty());
    // Webhooks overtake each other.
    world.notice(&succeeded(&json!(data_uri(b"....ftyp")))).await.unwrap();
    world.notice(&start).await.unwrap();
    assert_eq!(poll(&world).await, Poll::Ready { charged: Some(1.5) });
}

#[tokio::test]
async fn the_first_end_counts() {
    let world = World::new().await;
    world.notice(&succeeded(&json!(data_uri(b"first")))).await.unwrap();
    let before = world.files();
    for again in [succeeded(&json!(data_uri(b"second"))), json!({"id": PREDICTION, "status": "failed", "error": "x"})] {
        assert!(world.notice(&again).await.is_ok());
    }
    assert_eq!(world.files(), before);
    assert_eq!(fetch(&world, "").await.unwrap(), b"first");
}

#[tokio::test]
async fn ends_without_a_result_are_told_apart() {
    let cases = [
        (
            json!({"status": "failed", "error": "Prediction failed: Prediction failed: ValueError: boom"}),
            Ending::Failed,
        ),
        (json!({"status": "failed"}), Ending::Failed),
        (json!({"status": "failed", "error": "Worker crashed"}), Ending::Transient),
        (json!({"status": "failed", "error": "Failed to send request: Broken pipe (os error 32)"}), Ending::Transient),
        (json!({"status": "failed", "error": "Prediction failed: ValueError: CONTENT_REJECTED"}), Ending::Rejected),
        (json!({"status": "failed", "error": "Prediction failed: NSFW content detected."}), Ending::Rejected),
        (json!({"status": "canceled"}), Ending::Transient),
    ];
    for (mut body, ending) in cases {
        let world = World::new().await;
        body["id"] = json!(PREDICTION);
        // Whatever came before the failure is no result.
        body["output"] = json!(data_uri(b"half a file"));
        world.notice(&body).await.unwrap();
        assert_eq!(poll(&world).await, Poll::Failed(ending), "{body}");
        assert_eq!(world.files().len(), 1);
    }
}

#[tokio::test]
async fn a_result_stands_where_the_route_says() {
    let world = World::new().await;
    let output = json!({"files": [data_uri(b"first"), data_uri(b"second")], "seed": 7});
    world.notice(&succeeded(&output)).await.unwrap();
    assert_eq!(fetch(&world, "/files/1").await.unwrap(), b"second");
    assert_eq!(fetch(&world, "/files/0").await.unwrap(), b"first");
    for nowhere in ["", "/files", "/files/2", "/seed"] {
        assert!(matches!(fetch(&world, nowhere).await, Err(ProviderError::Unusable(_))), "{nowhere}");
    }
    world.cog.discard(&task(ID, "")).await.unwrap();
    assert!(world.files().is_empty());
}

#[tokio::test]
async fn a_file_that_cannot_be_decoded_is_no_result() {
    let world = World::new().await;
    let output = json!(["data:video/mp4;base64,QUJ", "data:video/mp4;base64,QQ==QQ==", data_uri(b"good")]);
    world.notice(&succeeded(&output)).await.unwrap();
    assert_eq!(fetch(&world, "/2").await.unwrap(), b"good");
    assert!(matches!(fetch(&world, "/0").await, Err(ProviderError::Unusable(_))));
    assert!(matches!(fetch(&world, "/1").await, Err(ProviderError::Unusable(_))));
}

#[tokio::test]
async fn a_result_may_be_a_url_of_a_host_of_the_account() {
    let mut world = World::new().await;
    let files = Stub::answering(|_| Reply::whole("HTTP/1.1 200 OK", b"from a url")).await.url("/");
    let url = files.join("a.mp4").unwrap();
    world.notice(&succeeded(&json!({"video": url}))).await.unwrap();
    assert!(matches!(fetch(&world, "/video").await, Err(ProviderError::Unusable(_))), "its host is not listed");
    world.account.result_hosts = vec![format!("127.0.0.1:{}", files.port().unwrap())];
    world.restart();
    assert_eq!(fetch(&world, "/video").await.unwrap(), b"from a url");
}

#[tokio::test]
async fn what_cannot_be_kept_is_asked_for_again() {
    let world = World::new().await;
    let body = succeeded(&json!(data_uri(b"....ftyp")));
    std::fs::remove_dir(world.inbox()).unwrap();
    assert!(matches!(world.notice(&body).await, Err(NoticeError::Later(_))));
    std::fs::create_dir(world.inbox()).unwrap();
    world.notice(&body).await.unwrap();
    assert_eq!(poll(&world).await, Poll::Ready { charged: Some(1.5) });
}

#[tokio::test]
async fn what_nobody_fetches_is_swept_after_two_days_and_what_a_crash_left_at_once() {
    let mut world = World::new().await;
    world.notice(&succeeded(&json!(data_uri(b"....ftyp")))).await.unwrap();
    let whole = world.files();
    for left in ["other-1.0", "other-1.new", &format!("{PREDICTION}.new"), "unreadable.json"] {
        std::fs::write(world.inbox().join(left), "half").unwrap();
    }
    world.clock.advance(Duration::from_hours(48));
    world.restart();
    assert_eq!(world.files(), whole);
    world.clock.advance(Duration::from_millis(1));
    world.restart();
    assert!(world.files().is_empty());
}

#[tokio::test]
async fn a_gateway_that_runs_for_long_sweeps_as_well() {
    let world = World::new().await;
    std::fs::write(world.inbox().join("other-1.0"), "half").unwrap();
    world.clock.advance(Duration::from_mins(61));
    world.notice(&succeeded(&json!(null))).await.unwrap();
    assert_eq!(world.files(), [format!("{PREDICTION}.json")]);
}

#[tokio::test]
async fn an_account_of_another_kind_or_without_a_folder_is_refused() {
    let mut world = World::new().await;
    std::fs::write(world.folder.path().join("file"), "").unwrap();
    let build =
        |world: &World, name: &str| Cog::new(&world.account, &world.folder.path().join(name), world.clock.clone());
    let refused = build(&world, "file").err().unwrap();
    assert!(refused.to_string().starts_with("providers.gpu.kind: cannot keep results in "), "{refused}");
    world.account.kind = ProviderKind::Meshy { api_key: "k".into() };
    assert!(build(&world, "cog").is_err());
}

#[tokio::test]
async fn a_trial_leaves_the_folder_to_the_gateway_that_has_it() {
    let world = World::new().await;
    std::fs::write(world.inbox().join("other-1.new"), "half").unwrap();
    let trial = Cog::on_trial(&world.account, &world.inbox(), world.clock.clone()).unwrap();
    assert_eq!(trial.probe("").await, Ok(()));
    let elsewhere = world.folder.path().join("elsewhere");
    let trial = Cog::on_trial(&world.account, &elsewhere, world.clock.clone()).unwrap();
    assert_eq!(trial.probe("").await, Ok(()));
    assert_eq!(world.files(), ["other-1.new"]);
    assert!(!elsewhere.exists());
}

#[tokio::test]
async fn ids_that_are_none_of_cogs_lead_nowhere() {
    let world = World::new().await;
    for id in ["", "plain", "../../etc/passwd@x", "a.b@x"] {
        let answer = world.cog.fetch(&task(id, "")).await.err().unwrap();
        assert!(matches!(answer, ProviderError::Unknown | ProviderError::Transient(_)), "{id}: {answer}");
    }
    assert_eq!(world.cog.name(), "gpu");
    let key = world.cog.submit(&order(&spec(), &input(), Duration::ZERO)).await.unwrap();
    assert!(key.split('@').next().unwrap().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
}

#[tokio::test]
async fn a_webhook_may_be_as_large_as_the_largest_result_makes_it() {
    let world = World::new().await;
    let body = succeeded(&json!(data_uri(&vec![0; 10_000_000])));
    assert!(world.cog.takes_webhooks());
    assert!(world.cog.webhook_limit(10_000_000) > body.to_string().len());
    assert!(world.cog.webhook_limit(u64::MAX) > 1 << 40);
}
