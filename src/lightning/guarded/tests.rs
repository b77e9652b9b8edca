use super::*;
use crate::lightning::tests::double::{Double, Mood, config, request};

const SECOND: Duration = Duration::from_secs(1);

fn guarded(mood: Mood) -> (Arc<Double>, Arc<Guarded>) {
    with_turns(mood, "2")
}

fn with_turns(mood: Mood, concurrency: &str) -> (Arc<Double>, Arc<Guarded>) {
    let backend = Arc::new(Double::new(mood));
    let guarded = Arc::new(Guarded::new(backend.clone(), &config(&[("CONCURRENCY", concurrency)])));
    (backend, guarded)
}

async fn make(guarded: &Guarded, request: &InvoiceRequest) -> Result<Invoice, NodeError> {
    guarded.create_invoice(request, Ok).await
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_down_is_asked_three_times_and_then_no_more() {
    let (backend, guarded) = guarded(Mood::Failing(FaultKind::Failing));
    for _ in 0..20 {
        assert!(make(&guarded, &request()).await.is_err());
    }
    assert_eq!(backend.calls(), 3);
    let refused = make(&guarded, &request()).await.unwrap_err();
    assert!(matches!(refused, NodeError::Down(_)), "{refused:?}");
    assert!(matches!(guarded.health().await, Err(NodeError::Down(_))));
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_again_when_a_probe_says_that_it_is_back() {
    let (backend, guarded) = guarded(Mood::Failing(FaultKind::Unreachable));
    while !matches!(make(&guarded, &request()).await, Err(NodeError::Down(_))) {}
    let watch = guarded.watch(std::future::pending());
    let recovery = async {
        tokio::time::advance(10 * SECOND).await;
        backend.be(Mood::Well);
        let began = Instant::now();
        while make(&guarded, &request()).await.is_err() {
            tokio::time::advance(SECOND / 10).await;
        }
        assert!(began.elapsed() <= 16 * SECOND, "{:?}", began.elapsed());
    };
    tokio::select! {
        () = watch => panic!("it watches until it is stopped"),
        () = recovery => {}
    }
    assert!(guarded.health().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_slow_node_gets_no_more_than_it_was_allowed_and_the_queue_has_an_end() {
    let (backend, guarded) = guarded(Mood::Slow(2 * SECOND));
    let began = Instant::now();
    let request = request();
    let asked: Vec<_> = (0..100).map(|_| make(&guarded, &request)).collect();
    let answers = futures_util::future::join_all(asked).await;
    assert_eq!(backend.most_at_once(), 2);
    let count = |wanted: fn(&Result<Invoice, NodeError>) -> bool| answers.iter().filter(|a| wanted(a)).count();
    let made = count(Result::is_ok);
    assert!((8..=10).contains(&made), "two at once, two seconds each, until the ten seconds are over: {made}");
    let refused = |a: &Result<Invoice, NodeError>| matches!(a, Err(NodeError::Busy | NodeError::Timeout(_)));
    assert_eq!(count(refused), 100 - made);
    assert!(began.elapsed() <= 11 * SECOND, "{:?}", began.elapsed());
    assert!(make(&guarded, &request).await.is_ok(), "a queue is no reason to open the circuit");
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_is_told_when_the_circuit_opens() {
    let (backend, guarded) = guarded(Mood::Silent);
    let request = request();
    let first: Vec<_> = (0..2).map(|_| make(&guarded, &request)).collect();
    let waiting = async {
        tokio::time::advance(SECOND).await;
        for _ in 0..3 {
            let _ = guarded.accuse("lies");
        }
        make(&guarded, &request).await
    };
    let (answers, waited) = tokio::join!(futures_util::future::join_all(first), waiting);
    assert!(answers.iter().all(|answer| matches!(answer, Err(NodeError::Timeout(_)))), "{answers:?}");
    assert!(matches!(waited, Err(NodeError::Down(_))), "{waited:?}");
    assert_eq!(backend.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_asked_for_again_where_that_is_harmless() {
    for (free, kind, calls) in [
        (true, FaultKind::Interrupted, 2),
        (false, FaultKind::Interrupted, 1),
        (false, FaultKind::Unreachable, 2),
        (true, FaultKind::Unauthorised, 1),
        (true, FaultKind::Refused, 1),
        (true, FaultKind::Limited { retry_after: None }, 1),
    ] {
        let (backend, guarded) = guarded(Mood::Failing(kind));
        backend.make_invoices_free(free);
        assert!(make(&guarded, &request()).await.is_err());
        assert_eq!(backend.calls(), calls, "{kind:?}, free: {free}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_refused_says_nothing_about_the_node() {
    let (backend, guarded) = guarded(Mood::Failing(FaultKind::Refused));
    for _ in 0..10 {
        assert!(matches!(make(&guarded, &request()).await, Err(NodeError::Backend(_))));
    }
    assert_eq!(backend.calls(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_asks_for_a_pause_gets_it() {
    let (backend, guarded) = guarded(Mood::Failing(FaultKind::Limited { retry_after: Some(30 * SECOND) }));
    assert!(matches!(make(&guarded, &request()).await, Err(NodeError::Backend(_))));
    let Err(NodeError::Down(open)) = make(&guarded, &request()).await else { panic!("it is asked again") };
    assert_eq!((backend.calls(), open.retry_after), (1, 30 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn health_is_asked_once_a_second() {
    let (backend, guarded) = guarded(Mood::Well);
    for _ in 0..100 {
        guarded.health().await.unwrap();
    }
    assert_eq!(backend.probes(), 1);
    tokio::time::advance(SECOND).await;
    guarded.health().await.unwrap();
    assert_eq!(backend.probes(), 2);
    backend.be(Mood::Silent);
    tokio::time::advance(SECOND).await;
    let began = Instant::now();
    assert!(guarded.health().await.is_err());
    assert!(began.elapsed() <= HEALTH_TIMEOUT, "a probe does not hang on what it probes");
}

/// Whoever waited for nearly all of their time leaves the node too little of it: that is no fault of the node.
#[tokio::test(start_paused = true)]
async fn a_long_queue_does_not_open_the_circuit() {
    let (_, guarded) = with_turns(Mood::Slow(3 * SECOND), "8");
    let request = request();
    let asked: Vec<_> = (0..72).map(|_| make(&guarded, &request)).collect();
    let answers = futures_util::future::join_all(asked).await;
    assert!(answers.iter().filter(|answer| answer.is_ok()).count() >= 24);
    assert!(!answers.iter().any(|answer| matches!(answer, Err(NodeError::Down(_)))), "{answers:?}");
    make(&guarded, &request).await.unwrap();
}

/// Impatient callers must not hide a node that hangs.
#[tokio::test(start_paused = true)]
async fn a_node_that_hangs_is_found_although_nobody_waits_to_the_end() {
    let (_, guarded) = guarded(Mood::Silent);
    for _ in 0..3 {
        let gone = timeout(6 * SECOND, make(&guarded, &request())).await;
        assert!(gone.is_err(), "{gone:?}");
    }
    assert!(matches!(make(&guarded, &request()).await, Err(NodeError::Down(_))));
}

#[tokio::test(start_paused = true)]
async fn callers_who_leave_at_once_say_nothing_about_the_node() {
    let (_, guarded) = guarded(Mood::Slow(2 * SECOND));
    for _ in 0..10 {
        assert!(timeout(SECOND, make(&guarded, &request())).await.is_err());
    }
    make(&guarded, &request()).await.unwrap();
}

/// A backend that cannot say what became of an invoice can still sell; and that it can say so is no proof that it sells.
#[tokio::test(start_paused = true)]
async fn look_ups_neither_open_the_circuit_nor_keep_it_closed() {
    let (backend, guarded) = guarded(Mood::Well);
    let hash = PaymentHash::from_bytes([7; 32]);
    backend.look_up_with(Mood::Failing(FaultKind::Failing));
    for _ in 0..10 {
        assert!(guarded.lookup(&hash).await.is_err());
    }
    make(&guarded, &request()).await.unwrap();
    backend.look_up_with(Mood::Well);
    backend.be(Mood::Failing(FaultKind::Failing));
    for _ in 0..3 {
        guarded.lookup(&hash).await.unwrap();
        assert!(make(&guarded, &request()).await.is_err());
    }
    assert!(matches!(guarded.lookup(&hash).await, Err(NodeError::Down(_))));
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_slow_to_say_how_it_is_comes_back() {
    let (backend, guarded) = guarded(Mood::Failing(FaultKind::Unreachable));
    while !matches!(make(&guarded, &request()).await, Err(NodeError::Down(_))) {}
    backend.be(Mood::Slow(4 * SECOND));
    let watch = guarded.watch(std::future::pending());
    let recovery = async {
        while guarded.circuit.next_probe().is_some() {
            tokio::time::advance(SECOND / 10).await;
        }
    };
    tokio::select! {
        () = watch => panic!("it watches until it is stopped"),
        done = timeout(60 * SECOND, recovery) => done.expect("the circuit closes"),
    }
}

#[tokio::test(start_paused = true)]
async fn however_many_want_to_know_the_backend_is_asked_once() {
    let (backend, guarded) = guarded(Mood::Slow(SECOND));
    let asked: Vec<_> = (0..1_000).map(|_| guarded.health()).collect();
    let answers = futures_util::future::join_all(asked).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(backend.probes(), 1);
}
