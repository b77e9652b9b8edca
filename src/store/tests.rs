//! The database's contract.

use super::*;
use crate::domain::job::{Delivery, Failed, Job, Upstream};
use crate::domain::{Failure, JobId, JobState, Msat, PaymentHash, PublicJobId, RequestBinding, ServiceId};

mod interleavings;

pub(crate) async fn open() -> (Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Store::open(dir.path()).await.unwrap(), dir)
}

pub(crate) fn new_job(n: u8) -> NewJob {
    NewJob {
        id: JobId::new(1_000 + u64::from(n), [n; 10]),
        public_id: PublicJobId::new([n; 16]),
        payment_hash: PaymentHash::from_bytes([n; 32]),
        binding: RequestBinding { service: ServiceId::Video, body_sha256: [n; 32] },
        amount: Msat::from_sat(500).unwrap(),
        created_at: 1_000,
        deadline_at: 601_000,
        input: Ok(StoredInput { params: "{}".into(), bytes: Some(vec![0, 255]), file: None }),
        callback: None,
    }
}

async fn claim_one(store: &Store, now: i64) -> Option<Claimed> {
    store.claim_jobs(now, now + 30_000, 1).await.unwrap().pop()
}

#[tokio::test]
async fn a_payment_buys_one_job() {
    let (store, _dir) = open().await;
    let (first, second) = tokio::join!(store.insert_job(new_job(1)), async {
        let twin = NewJob { id: JobId::new(9, [9; 10]), public_id: PublicJobId::new([9; 16]), ..new_job(1) };
        store.insert_job(twin).await
    });
    let (Inserted::New(new), Inserted::Existing(old)) = (first.unwrap(), second.unwrap()) else {
        panic!("the first insert wins and the second finds it");
    };
    assert_eq!(new.id, old.id);
    assert_eq!(old.amount.msat(), 500_000);
    let input = store.job_input(new.id).await.unwrap().unwrap();
    assert_eq!(input.bytes.unwrap(), [0, 255]);
}

#[tokio::test]
async fn a_bad_write_in_a_batch_fails_alone() {
    let (store, _dir) = open().await;
    // The same internal id for another payment breaks the primary key.
    let bad = NewJob { id: new_job(1).id, ..new_job(2) };
    let (good, bad, other) =
        tokio::join!(store.insert_job(new_job(1)), store.insert_job(bad), store.insert_job(new_job(3)));
    assert!(good.is_ok() && other.is_ok());
    assert!(bad.is_err());
    assert!(store.job_by_payment(PaymentHash::from_bytes([2; 32])).await.unwrap().is_none());
    assert!(store.insert_job(new_job(4)).await.is_ok(), "the writer goes on");
}

#[tokio::test]
async fn a_lost_lease_writes_nothing() {
    let (store, _dir) = open().await;
    store.insert_job(new_job(1)).await.unwrap();
    let first = claim_one(&store, 2_000).await.unwrap().job;
    assert!(claim_one(&store, 2_000).await.is_none(), "a leased job is nobody else's");
    let second = claim_one(&store, 40_000).await.unwrap().job;
    assert_eq!(second.attempt, first.attempt + 1);

    let running = JobState::Running(Upstream { provider: "sandbox".into(), id: "u".into() });
    assert!(!store.save_state(first.id, first.attempt, running.clone()).await.unwrap());
    assert!(store.save_state(second.id, second.attempt, running.clone()).await.unwrap());
    let failed = Failed { failure: Failure::GenerationFailed, finished_at: 50_000 };
    let owed = Outcome::Owed { failed, payment_hash: first.payment_hash, amount: first.amount };
    assert!(!store.finish(first.id, first.attempt, owed).await.unwrap());
    assert_eq!(store.stats().await.unwrap().refunds_due, (0, 0));
    let job = store.job_by_payment(first.payment_hash).await.unwrap().unwrap();
    assert_eq!(job.state, running);
}

#[tokio::test]
async fn a_failed_job_and_what_is_owed_are_one_write() {
    let (store, _dir) = open().await;
    store.insert_job(new_job(1)).await.unwrap();
    let job = claim_one(&store, 2_000).await.unwrap().job;
    let failed = Failed { failure: Failure::ContentRejected, finished_at: 3_000 };
    let owed = Outcome::Owed { failed, payment_hash: job.payment_hash, amount: job.amount };
    assert!(store.finish(job.id, job.attempt, owed.clone()).await.unwrap());
    assert!(store.finish(job.id, job.attempt, owed).await.unwrap(), "the same end again changes nothing");
    let other = Failed { failure: Failure::GenerationFailed, ..failed };
    let other = Outcome::Owed { failed: other, payment_hash: job.payment_hash, amount: job.amount };
    assert!(!store.finish(job.id, job.attempt, other).await.unwrap(), "an end is an end");
    assert_eq!(store.stats().await.unwrap().refunds_due, (1, 500_000));
    assert!(store.job_input(job.id).await.unwrap().is_some(), "the operator may want it run once more");
    let read = store.job_by_public_id(&job.public_id).await.unwrap().unwrap();
    assert_eq!(read.state, JobState::Failed(failed));
}

#[tokio::test]
async fn inputs_of_failed_jobs_go_with_the_retention_or_the_money() {
    let (store, _dir) = open().await;
    for n in [1, 2, 3] {
        store.insert_job(new_job(n)).await.unwrap();
    }
    for (claimed, finished_at) in store.claim_jobs(2_000, 9_000, 2).await.unwrap().into_iter().zip([3_000, 5_000]) {
        let failed = Failed { failure: Failure::GenerationFailed, finished_at };
        let Job { id, attempt, payment_hash, amount, .. } = claimed.job;
        assert!(store.finish(id, attempt, Outcome::Owed { failed, payment_hash, amount }).await.unwrap());
    }
    let dropped = async |before| {
        let spent = store.drop_spent_inputs(before, 10).await.unwrap();
        spent.into_iter().map(|(job, _)| job).collect::<Vec<_>>()
    };
    assert!(dropped(2_999).await.is_empty());
    assert_eq!(dropped(3_000).await, [new_job(1).id.to_string()]);
    assert_eq!(store.settle_refund(new_job(2).id, "operator", 6_000, "x", false).await.unwrap(), Settling::Done);
    assert_eq!(dropped(3_000).await, [new_job(2).id.to_string()]);
    assert!(dropped(i64::MAX).await.is_empty(), "an open job needs its input");
}

#[tokio::test]
async fn a_job_that_runs_once_more_begins_anew() {
    let (store, _dir) = open().await;
    store.insert_job(new_job(1)).await.unwrap();
    let job = claim_one(&store, 2_000).await.unwrap().job;
    let create =
        NewDispatch { seq: 3, route: "first".into(), account: "acme".into(), sent_at: 2_000, words: "w".into() };
    store.begin_dispatch(job.id, job.attempt, create).await.unwrap();
    let failed = Failed { failure: Failure::DeadlineExceeded, finished_at: 3_000 };
    let owed = Outcome::Owed { failed, payment_hash: job.payment_hash, amount: job.amount };
    store.finish(job.id, job.attempt, owed).await.unwrap();
    let Retried::Queued(again) = store.retry_job(job.id, 10_000, None).await.unwrap() else {
        panic!("it can run again")
    };
    assert_eq!((again.state.clone(), again.deadline_at), (JobState::Queued, 610_000), "with as much time as it had");
    assert_eq!((again.dispatches, again.create_of_this_run(4)), (3, 1), "its creates count anew under new numbers");
    assert!(store.stats().await.unwrap().refunds_due.0 == 0 && store.fail_job(job.id, failed).await.is_ok());
    assert_eq!(store.stats().await.unwrap().refunds_due, (1, 500_000), "and it is owed again");
    let Retried::Queued(third) = store.retry_job(job.id, 20_000, Some(5)).await.unwrap() else { panic!("once more") };
    assert_eq!(third.deadline_at, 20_005);
}

#[tokio::test]
async fn a_late_payment_is_owed_at_once() {
    let (store, _dir) = open().await;
    let failed = Failed { failure: Failure::RedemptionExpired, finished_at: 1_000 };
    store.insert_job(NewJob { input: Err(failed), ..new_job(1) }).await.unwrap();
    assert_eq!(store.stats().await.unwrap().refunds_due, (1, 500_000));
    assert!(claim_one(&store, 2_000).await.is_none());
}

#[tokio::test]
async fn results_are_swept_and_rows_are_kept() {
    let (store, _dir) = open().await;
    store.insert_job(new_job(1)).await.unwrap();
    let job = claim_one(&store, 2_000).await.unwrap().job;
    let upstream = Upstream { provider: "sandbox".into(), id: "u".into() };
    store.save_state(job.id, job.attempt, JobState::Storing(upstream)).await.unwrap();
    let delivery = Delivery { artifact: "a.mp4".into(), finished_at: 3_000, expires_at: 4_000 };
    assert!(store.finish(job.id, job.attempt, Outcome::Delivered(delivery.clone())).await.unwrap());
    assert!(store.expired_results(3_999, 10).await.unwrap().is_empty());
    let expired = store.expired_results(4_000, 10).await.unwrap();
    assert_eq!(expired.len(), 1);
    store.mark_swept(vec![expired[0].job_id.clone()], 4_000).await.unwrap();
    assert!(store.expired_results(4_000, 10).await.unwrap().is_empty());
    let job = store.job_by_artifact("a.mp4").await.unwrap().unwrap();
    assert_eq!(job.state, JobState::Succeeded(delivery));
}

#[tokio::test]
async fn a_requeued_job_waits_for_its_time() {
    let (store, _dir) = open().await;
    store.insert_job(new_job(1)).await.unwrap();
    let job = claim_one(&store, 2_000).await.unwrap().job;
    assert!(store.requeue(&job, JobState::Queued, 9_000, true).await.unwrap());
    assert_eq!(store.next_due().await.unwrap(), Some(9_000));
    assert!(claim_one(&store, 8_999).await.is_none());
    assert_eq!(claim_one(&store, 9_000).await.unwrap().failures, 1);
}

#[tokio::test]
async fn one_unreadable_row_does_not_stop_the_others() {
    let (store, _dir) = open().await;
    store.insert_job(new_job(1)).await.unwrap();
    store.insert_job(new_job(2)).await.unwrap();
    let first = hex::encode([1; 32]);
    let spoil = sqlx::query("UPDATE jobs SET service = 'music' WHERE payment_hash = $1").bind(first);
    assert_eq!(spoil.execute(&store.readers).await.unwrap().rows_affected(), 1);
    let claimed = store.claim_jobs(2_000, 32_000, 10).await.unwrap();
    assert_eq!(claimed.iter().map(|claimed| claimed.job.id).collect::<Vec<_>>(), [new_job(2).id]);
}

#[tokio::test]
async fn a_key_is_kept_while_refunds_are_due() {
    let (store, _dir) = open().await;
    store.note_minting_key("old".into(), 500).await.unwrap();
    let failed = Failed { failure: Failure::RedemptionExpired, finished_at: 1_000 };
    store.insert_job(NewJob { input: Err(failed), ..new_job(1) }).await.unwrap();
    store.note_minting_key("new".into(), 5_000).await.unwrap();
    assert_eq!(store.dropped_keys(&["new".into()], 9_000).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_predecessors_leases_end_and_its_rows_stay() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    store.insert_job(new_job(1)).await.unwrap();
    claim_one(&store, 2_000).await.unwrap();
    store.close().await;
    assert!(matches!(store.insert_job(new_job(2)).await, Err(StoreError::Closed)));

    let store = Store::open(dir.path()).await.unwrap();
    assert!(claim_one(&store, 2_001).await.is_none());
    assert_eq!(store.release_all_leases().await.unwrap(), 1);
    assert_eq!(claim_one(&store, 2_001).await.unwrap().job.attempt, 2);
}

#[tokio::test]
async fn a_key_is_dropped_only_after_its_time() {
    let (store, _dir) = open().await;
    store.note_minting_key("old".into(), 1_000).await.unwrap();
    let dropped = |since| {
        let store = store.clone();
        async move { store.dropped_keys(&["new".into()], since).await.unwrap() }
    };
    assert_eq!(dropped(0).await, [DroppedKey { fingerprint: "old".into(), last_used: None }]);
    store.note_minting_key("new".into(), 5_000).await.unwrap();
    assert_eq!(dropped(4_999).await.len(), 1);
    assert!(dropped(5_000).await.is_empty());
    store.note_minting_key("old".into(), 6_000).await.unwrap();
    assert_eq!(dropped(9_000).await.len(), 1, "a key that mints again counts again");
}

#[tokio::test]
async fn unusual_folder_names_work() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("a b?c#d%e ü");
    std::fs::create_dir(&odd).unwrap();
    Store::open(&odd).await.unwrap().insert_job(new_job(1)).await.unwrap();
    assert!(Store::exists(&odd));
}

#[tokio::test]
async fn a_settlement_is_entered_once_and_the_first_entry_counts() {
    let (store, _dir) = open().await;
    let settlement = Settlement {
        payment_hash: PaymentHash::from_bytes([1; 32]),
        amount: Msat::from_sat(500).unwrap(),
        challenged_at: 1_000,
        settled_at: 2_000,
    };
    store.note_settlement(settlement).await.unwrap();
    store.note_settlement(Settlement { settled_at: 9_000, ..settlement }).await.unwrap();
    let rows: Vec<(String, i64, i64)> = sqlx::query_as("SELECT payment_hash, amount_msat, settled_at FROM settlements")
        .fetch_all(&store.readers)
        .await
        .unwrap();
    assert_eq!(rows, [(settlement.payment_hash.to_hex(), 500_000, 2_000)]);
}

/// An operator upgrades with jobs and refunds in the database.
#[tokio::test]
async fn a_database_of_the_first_schema_is_brought_up_to_date() {
    let (old, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = "0001_jobs.sql";
    let migrations = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    std::fs::copy(migrations.join(first), old.path().join(first)).unwrap();
    let mut connection = connect_options(dir.path()).unwrap().connect().await.unwrap();
    sqlx::migrate::Migrator::new(old.path()).await.unwrap().run(&mut connection).await.unwrap();
    let columns =
        "id, public_id, payment_hash, service, body_sha256, amount_msat, state, run_after, deadline_at, created_at";
    let hash = PaymentHash::from_bytes([1; 32]);
    let insert = format!(
        "INSERT INTO jobs ({columns}) VALUES ('{}', '{}', '{hash}', 'video', '{}', 500000, 'queued', 1000, 9000, 1000)",
        new_job(1).id,
        new_job(1).public_id.as_str(),
        hex::encode([1; 32]),
    );
    connection.execute(sqlx::AssertSqlSafe(insert)).await.unwrap();
    drop(connection);

    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(store.job_by_payment(hash).await.unwrap().unwrap().amount.msat(), 500_000);
    let Inserted::Existing(_) = store.insert_job(new_job(1)).await.unwrap() else { panic!("it was redeemed before") };
    store.ping().await.unwrap();
}
