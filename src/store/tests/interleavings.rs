//! Whatever claims, pays, retries, settles and works on one job, in whatever order: the money goes one way, once.

use proptest::prelude::*;

use super::*;
use crate::domain::RefundState;
use crate::store::report::Period;

const ALWAYS: Period = Period { since: i64::MIN + 3_600_000, until: i64::MAX };
const BY_HAND: &str = "operator";
const JOBS: u8 = 2;

/// What somebody does, to one of a few jobs.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// A worker takes up what is due.
    TakeUp,
    /// A worker that holds a lease, the newest or an old one, writes an end.
    Finish {
        newest: bool,
        delivers: bool,
    },
    /// A holder claims, to be paid by a node or by hand, with one of a few invoices.
    Claim {
        by_hand: bool,
        invoice: u8,
    },
    /// Somebody who was told to pay the last claim, or one before it, has done so.
    Paid {
        last: bool,
    },
    /// … or says that it has failed for good.
    Failed {
        last: bool,
    },
    /// The operator.
    Retry,
    Fail,
    Settle {
        force: bool,
    },
    Release {
        force: bool,
    },
    /// The retention of inputs passes.
    Sweep,
}

fn acts() -> impl Strategy<Value = Vec<(u8, Act)>> {
    let act = prop_oneof![
        4 => Just(Act::TakeUp),
        4 => (any::<bool>(), any::<bool>()).prop_map(|(newest, delivers)| Act::Finish { newest, delivers }),
        4 => (any::<bool>(), 0..3_u8).prop_map(|(by_hand, invoice)| Act::Claim { by_hand, invoice }),
        2 => any::<bool>().prop_map(|last| Act::Paid { last }),
        2 => any::<bool>().prop_map(|last| Act::Failed { last }),
        4 => Just(Act::Retry),
        2 => Just(Act::Fail),
        2 => any::<bool>().prop_map(|force| Act::Settle { force }),
        1 => any::<bool>().prop_map(|force| Act::Release { force }),
        1 => Just(Act::Sweep),
    ];
    prop::collection::vec((1..=JOBS, act), 1..40)
}

/// What must be true of one job, kept apart from the database.
#[derive(Clone, Debug, PartialEq)]
enum Model {
    Open,
    Delivered,
    Available,
    Claiming { number: i64, by_hand: bool },
    Paid,
}

#[derive(Clone, Debug)]
struct Book {
    model: Model,
    /// Leases that were handed out.
    leases: Vec<i64>,
    claims: i64,
    has_input: bool,
    payouts: u32,
}

struct World {
    store: Store,
    books: Vec<Book>,
    now: i64,
}

fn invoice(n: u8) -> crate::domain::ClaimedInvoice {
    let payment_hash = PaymentHash::from_bytes([100 + n; 32]);
    crate::domain::ClaimedInvoice { bolt11: format!("lnbcrt{n}"), payment_hash }
}

impl World {
    async fn act(&mut self, n: u8, act: Act) {
        self.now += 1_000;
        let id = new_job(n).id;
        match act {
            Act::TakeUp => {
                for claimed in self.store.claim_jobs(self.now, self.now + 1, 9).await.unwrap() {
                    let book = self.books.iter_mut().zip(1_u8..).find(|(_, n)| new_job(*n).id == claimed.job.id);
                    let (book, _) = book.unwrap();
                    assert_eq!(book.model, Model::Open, "only what is open is worked on");
                    book.leases.push(claimed.job.attempt);
                }
            }
            Act::Finish { newest, delivers } => self.finish(n, newest, delivers).await,
            Act::Claim { by_hand, invoice } => self.claim(n, by_hand, invoice).await,
            Act::Paid { last } => self.word_of_the_payer(n, last, Model::Paid).await,
            Act::Failed { last } => self.word_of_the_payer(n, last, Model::Available).await,
            Act::Retry => {
                let done = matches!(self.store.retry_job(id, self.now, None).await.unwrap(), Retried::Queued(_));
                let book = self.book(n);
                assert_eq!(done, book.model == Model::Available && book.has_input);
                if done {
                    book.model = Model::Open;
                }
            }
            Act::Fail => {
                let failed = Failed { failure: Failure::OperatorFault, finished_at: self.now };
                let done = matches!(self.store.fail_job(id, failed).await.unwrap(), Failing::Failed(_));
                let book = self.book(n);
                assert_eq!(done, book.model == Model::Open);
                if done {
                    book.model = Model::Available;
                    // A worker that was ended so has lost its lease.
                    book.leases.push(i64::MAX);
                }
            }
            Act::Settle { force } => {
                let done = self.store.settle_refund(id, BY_HAND, self.now, "by hand", force).await.unwrap();
                self.word_of_the_operator(n, force, &done, Model::Paid);
            }
            Act::Release { force } => {
                let done = self.store.release_refund(id, BY_HAND, force).await.unwrap();
                self.word_of_the_operator(n, force, &done, Model::Available);
            }
            Act::Sweep => {
                self.store.drop_spent_inputs(self.now, 9).await.unwrap();
                for book in &mut self.books {
                    book.has_input &= book.model == Model::Open;
                }
            }
        }
    }

    /// Whoever was told to pay the last claim, or the one before, says what became of it.
    async fn word_of_the_payer(&mut self, n: u8, last: bool, said: Model) {
        let (id, number) = (new_job(n).id, self.book(n).claims - i64::from(!last));
        let written = match said {
            Model::Paid => self.store.refund_paid(id, number, self.now, None).await.unwrap(),
            _ => self.store.release_claim(id, number).await.unwrap(),
        };
        let book = self.book(n);
        let is_open = matches!(book.model, Model::Claiming { number: open, .. } if open == number);
        assert_eq!(written, is_open, "a late word changes nothing");
        if written {
            book.payouts += u32::from(said == Model::Paid);
            book.model = said;
        }
    }

    fn word_of_the_operator(&mut self, n: u8, force: bool, done: &Settling, said: Model) {
        let book = self.book(n);
        let may = match book.model {
            Model::Available => said == Model::Paid,
            Model::Claiming { by_hand, .. } => by_hand || force,
            _ => false,
        };
        assert_eq!(*done == Settling::Done, may);
        if may {
            book.payouts += u32::from(said == Model::Paid);
            book.model = said;
        }
    }

    async fn finish(&mut self, n: u8, newest: bool, delivers: bool) {
        let job = new_job(n);
        let leases = &self.books[usize::from(n) - 1].leases;
        let Some(attempt) = (if newest { leases.last() } else { leases.iter().rev().nth(1) }).copied() else { return };
        let current = self.store.job(job.id).await.unwrap().unwrap();
        let outcome = if delivers {
            let artifact = format!("{n}.mp4");
            Outcome::Delivered(Delivery { artifact, finished_at: self.now, expires_at: self.now + 1 })
        } else {
            let failed = Failed { failure: Failure::GenerationFailed, finished_at: self.now };
            Outcome::Owed { failed, payment_hash: job.payment_hash, amount: job.amount }
        };
        let repeats = current.state.is_terminal();
        let written = self.store.finish(job.id, attempt, outcome).await.unwrap();
        let book = self.book(n);
        if repeats {
            return;
        }
        assert_eq!(written, book.model == Model::Open && attempt == current.attempt, "{attempt}");
        if written {
            book.model = if delivers { Model::Delivered } else { Model::Available };
            book.has_input &= !delivers;
        }
    }

    async fn claim(&mut self, n: u8, by_hand: bool, number: u8) {
        let payer = if by_hand { BY_HAND } else { "node" };
        let claim = NewClaim {
            job: new_job(n).id,
            invoice: Some(invoice(number)),
            destination: None,
            payer: payer.into(),
            claimed_at: self.now,
        };
        let done = self.store.claim_refund(claim).await.unwrap();
        let book = self.book(n);
        match done {
            Claiming::Begun(number) => {
                assert_eq!(book.model, Model::Available, "nothing else can be claimed");
                book.claims += 1;
                assert_eq!(number, book.claims);
                book.model = Model::Claiming { number, by_hand };
            }
            Claiming::NotAvailable => assert_ne!(book.model, Model::Available),
            Claiming::InvoiceTaken => {}
        }
    }

    fn book(&mut self, n: u8) -> &mut Book {
        &mut self.books[usize::from(n) - 1]
    }

    /// The database says what the model says, and its own report finds nothing.
    async fn compare(&self) {
        for (book, n) in self.books.iter().zip(1_u8..) {
            let job = self.store.job(new_job(n).id).await.unwrap().unwrap();
            let refund = self.store.refund(job.id).await.unwrap().map(|refund| refund.state);
            let expected = match (&job.state, refund) {
                (JobState::Succeeded(_), None | Some(RefundState::Cancelled)) => Model::Delivered,
                (JobState::Failed(_), Some(RefundState::Available)) => Model::Available,
                (JobState::Failed(_), Some(RefundState::Claiming(claim))) => {
                    Model::Claiming { number: claim.number, by_hand: claim.payer == BY_HAND }
                }
                (JobState::Failed(_), Some(RefundState::Paid(_))) => Model::Paid,
                (state, None | Some(RefundState::Cancelled)) if !state.is_terminal() => Model::Open,
                impossible => panic!("{impossible:?}"),
            };
            assert_eq!(expected, book.model);
            assert!(book.payouts <= 1, "paid back twice");
            assert_eq!(self.store.job_input(job.id).await.unwrap().is_some(), book.has_input);
        }
        let sums = self.store.sums(ALWAYS).await.unwrap();
        assert_eq!(sums.objections(), []);
        assert_eq!(self.store.objections(ALWAYS).await.unwrap(), []);
        let count = |wanted: fn(&Model) -> bool| self.books.iter().filter(|book| wanted(&book.model)).count();
        let delivered = count(|model| *model == Model::Delivered);
        let paid = count(|model| *model == Model::Paid);
        assert_eq!(usize::try_from(sums.delivered.count).unwrap(), delivered);
        assert_eq!(usize::try_from(sums.paid.count).unwrap(), paid);
        assert_eq!(sums.redeemed.msat, i64::from(JOBS) * 500_000);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nothing_is_paid_twice_and_nothing_that_runs_or_was_delivered_is_paid_back(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (store, _dir) = open().await;
            for n in 1..=JOBS {
                store.insert_job(new_job(n)).await.unwrap();
            }
            let book = Book { model: Model::Open, leases: Vec::new(), claims: 0, has_input: true, payouts: 0 };
            let mut world = World { store, books: vec![book; usize::from(JOBS)], now: 2_000 };
            for (n, act) in acts {
                world.act(n, act).await;
                world.compare().await;
            }
        });
    }
}
