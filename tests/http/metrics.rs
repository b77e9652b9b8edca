//! The metrics listener: every documented name, on an address of its own.

use crate::support::{Generation, Lie, Setup, SubmitStep, VIDEO, client, video_body};

#[tokio::test]
async fn the_documented_names_are_there() {
    let app = Setup::new()
        .set("METRICS__LISTEN", "127.0.0.1:0")
        .set("LIMITS__CHALLENGES_PER_MINUTE", 1)
        .set("LIMITS__CHALLENGE_BURST", 4)
        .real_time()
        .start()
        .await;
    let metrics = app.metrics_address().expect("a metrics listener");
    assert_ne!(metrics, app.address());
    let transient = Generation::Ends(satforge::providers::Ending::Transient);
    app.provider.script([SubmitStep::Take(transient)]);
    let delivered = app.buy(VIDEO, &video_body("a cat")).await;
    assert_eq!(app.redeem(&delivered).await.status, 200);
    app.provider.script([SubmitStep::Take(Generation::Ends(satforge::providers::Ending::Failed))]);
    let owed = app.buy(VIDEO, &video_body("a cat")).await;
    assert_eq!(app.redeem(&owed).await.status, 502);
    app.lightning.tell(Lie::Down);
    assert_eq!(app.ask(VIDEO, &owed.body).await.status, 503);
    app.ask(VIDEO, &owed.body).await;
    assert_eq!(app.ask(VIDEO, &owed.body).await.status, 429);

    let response = client::builder().build().unwrap().get(format!("http://{metrics}/metrics"));
    let response = response.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let page = response.text().await.unwrap();
    for line in [
        r#"satforge_challenges_total{service="video",code="PAYMENT_REQUIRED"} "#,
        "satforge_challenges_failed_total ",
        "satforge_refused_total{limit=",
        "satforge_invoice_seconds_bucket{le=",
        r#"satforge_redemptions_total{service="video"} "#,
        r#"satforge_jobs_open{state="running",provider="fake"} 0"#,
        "satforge_queue_age_seconds 0",
        r#"satforge_jobs_ended_total{service="video",outcome="succeeded"} "#,
        r#"satforge_jobs_ended_total{service="video",outcome="generation_failed"} "#,
        r#"satforge_job_seconds_count{service="video"} "#,
        r#"satforge_job_retries_total{service="video"} "#,
        r#"satforge_dispatches_total{provider="fake"} "#,
        r#"satforge_provider_seconds_count{provider="fake",operation="submit"} "#,
        "satforge_refunds_due 1",
        "satforge_refunds_due_sats 500",
        r#"satforge_http_seconds_count{route="/api/l402/video",status="402"} "#,
    ] {
        assert!(page.lines().any(|found| found.starts_with(line)), "{line} is missing in\n{page}");
    }
    assert_eq!(app.send(app.get("/metrics")).await.status, 404, "callers do not see it");
    app.stop().await;
}
