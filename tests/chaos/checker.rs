//! The judgement. It knows what buyers saw and what the backends did, and nothing of the gateway's own books.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::buyer::notes::Notes;
use crate::gateway::{ClockSet, DEADLINE};
use crate::plan::Fate;
use crate::world::World;
use crate::world::node::{Outgoing, Sent};
use crate::world::works::{End, Work};

/// Steps of the clock that providers' look-ups allow for.
const SKEW: i64 = 90_000;
/// Creates for one payment, at the most.
const MOST_CREATES: usize = 5;

/// What was found.
#[derive(Default)]
pub struct Verdict {
    pub wrongs: Vec<String>,
    /// Purchases by what became of them.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// What is allowed, and worth counting.
    pub allowed: BTreeMap<&'static str, u64>,
}

struct Judge<'a> {
    world: &'a World,
    clock: Vec<ClockSet>,
    works: [HashMap<u64, Vec<Work>>; 2],
    payments: HashMap<u64, Vec<Outgoing>>,
    verdict: Verdict,
}

/// Looks at everybody who paid.
pub fn judge(world: &World, clock: Vec<ClockSet>, everybody: &[Notes]) -> Verdict {
    let mut payments: HashMap<u64, Vec<Outgoing>> = HashMap::new();
    for payment in world.node.payments() {
        payments.entry(payment.purchase).or_default().push(payment);
    }
    let works = [world.films.by_job(), world.shapes.by_job()];
    let mut judge = Judge { world, clock, works, payments, verdict: Verdict::default() };
    for notes in everybody {
        judge.one(notes);
    }
    judge.sums(everybody);
    judge.verdict
}

impl Judge<'_> {
    fn wrong(&mut self, job: u64, what: &str) {
        self.verdict.wrongs.push(format!("purchase {job}: {what}"));
    }

    fn count(&mut self, outcome: &'static str) {
        *self.verdict.outcomes.entry(outcome).or_default() += 1;
    }

    fn allow(&mut self, what: &'static str) {
        *self.verdict.allowed.entry(what).or_default() += 1;
    }

    fn one(&mut self, notes: &Notes) {
        for wrong in &notes.wrongs {
            self.wrong(notes.job, wrong);
        }
        if notes.paid.is_none() {
            return;
        }
        match (notes.is_delivered(), notes.is_owed()) {
            (true, true) => self.wrong(notes.job, "got a result, and the money is owed back as well"),
            (false, false) => self.wrong(notes.job, "paid, and has neither a result nor money that is owed back"),
            (true, false) => self.delivered(notes),
            (false, true) => self.owed(notes),
        }
        for (what, seen) in [
            ("job ids", notes.job_ids.len()),
            ("results", notes.results.len()),
            ("works in them", notes.files.len()),
            ("reasons for a failure", notes.failures.len()),
        ] {
            if seen > 1 {
                self.wrong(notes.job, &format!("saw {seen} {what}"));
            }
        }
        self.creates(notes);
    }

    fn delivered(&mut self, notes: &Notes) {
        self.count("delivered");
        if notes.files.is_empty() {
            self.wrong(notes.job, "has a result that cannot be fetched");
        }
        if self.paid_out(notes.job).0 > 0 {
            self.wrong(notes.job, "got a result, and its money back as well");
        }
    }

    /// How often money went out for a purchase, and how much.
    fn paid_out(&self, job: u64) -> (usize, u64) {
        let paid = self.payments.get(&job).into_iter().flatten().filter(|payment| payment.sent() == Some(Sent::Paid));
        paid.fold((0, 0), |(times, msat), payment| (times + 1, msat + payment.msat))
    }

    fn owed(&mut self, notes: &Notes) {
        let (job, sats) = (notes.job, notes.paid.as_ref().map_or(0, |paid| paid.sats));
        let (times, msat) = self.paid_out(job);
        let status = notes.refund.as_ref().map(|refund| refund.status.as_str()).unwrap_or_default();
        if times > 1 {
            self.wrong(job, &format!("its refund was paid {times} times"));
        }
        match (status, times) {
            ("paid", 1) if msat == sats * 1_000 => self.count("refund-paid"),
            ("paid", _) => self.wrong(job, &format!("its refund is said to be paid; {msat} msat went out for it")),
            ("available", 0) => self.count("refund-available"),
            (status, times) => self.wrong(job, &format!("its refund is {status}, and was paid {times} times")),
        }
        if self.payments.get(&job).into_iter().flatten().any(|payment| payment.sent() == Some(Sent::InFlight)) {
            self.wrong(job, "a payment of its refund is still under way");
        }
        self.dropped(notes);
    }

    fn works_of(&self, notes: &Notes) -> Vec<Work> {
        let kind = usize::from(!notes.plan.is_film);
        self.works[kind].get(&notes.job).cloned().unwrap_or_default()
    }

    /// By how much the gateway's clock was moved between two moments, in milliseconds.
    fn clock_range(&self, from: Instant, to: Instant) -> i64 {
        let before = self.clock.iter().rfind(|set| set.at <= from).map_or(0, |set| set.ahead);
        let within = self.clock.iter().filter(|set| set.at > from && set.at <= to).map(|set| set.ahead);
        let (least, most) = within.fold((before, before), |(least, most), ahead| (least.min(ahead), most.max(ahead)));
        most - least
    }

    /// What was made for somebody must reach them, unless their time was over.
    fn dropped(&mut self, notes: &Notes) {
        if !Fate::of(self.world.seed, notes.job).is_good() {
            return;
        }
        let (Some(from), Some(to)) = (notes.presented, notes.ended) else { return };
        let moved = Duration::from_millis(u64::try_from(self.clock_range(from, to)).unwrap_or(0));
        if to - from + moved + Duration::from_secs(2) >= Duration::from_secs(DEADLINE) {
            return self.allow("out-of-time");
        }
        // A challenge of an hour ago may be out of its window by the gateway's clock.
        if notes.failures.contains("REDEMPTION_EXPIRED") && self.is_ever_ahead() {
            return self.allow("redeemed-too-late");
        }
        let works = self.works_of(notes);
        if works.len() >= MOST_CREATES {
            return self.allow("too-many-creates");
        }
        let failures: Vec<_> = notes.failures.iter().cloned().collect();
        let made = works.iter().filter(|work| work.end == End::Result && !work.cancelled).count();
        let text = format!(
            "{} although the provider would have delivered, after {:?} of {DEADLINE} s; {} creates, {made} results",
            failures.join(" "),
            to - from,
            works.len(),
        );
        self.wrong(notes.job, &text);
    }

    fn is_ever_ahead(&self) -> bool {
        self.clock.iter().any(|set| set.ahead > 3_600_000)
    }

    /// Nothing is asked for twice without a reason.
    fn creates(&mut self, notes: &Notes) {
        let works = self.works_of(notes);
        for (earlier, later) in works.iter().zip(works.iter().skip(1)) {
            // It was over without a result, forgotten, or told to stop.
            if earlier.lost || earlier.end == End::Interruption {
                self.allow("made-again");
            } else if self.clock_range(earlier.begun, later.begun) >= SKEW {
                self.allow("made-again-by-a-wrong-clock");
            } else {
                let after = later.begun - earlier.begun;
                self.wrong(notes.job, &format!("{} was asked for again after {after:?} without need", earlier.id));
            }
        }
    }

    fn sums(&mut self, everybody: &[Notes]) {
        let paid: HashSet<&str> =
            everybody.iter().filter_map(|notes| notes.paid.as_ref()).map(|paid| paid.payment_hash.as_str()).collect();
        let received = self.world.node.received();
        if received.len() != paid.len() || received.iter().any(|(hash, _)| !paid.contains(hex::encode(hash).as_str())) {
            let text = format!("{} payments came in for {} purchases", received.len(), paid.len());
            self.verdict.wrongs.push(text);
        }
        let refunds: u64 = everybody
            .iter()
            .filter(|notes| notes.refund.as_ref().is_some_and(|refund| refund.status == "paid"))
            .map(|notes| notes.refund.as_ref().map_or(0, |refund| refund.sats) * 1_000)
            .sum();
        let went_out = self.world.node.payments().into_iter().filter(|payment| payment.sent() == Some(Sent::Paid));
        let went_out: u64 = went_out.map(|payment| payment.msat).sum();
        if refunds != went_out {
            self.verdict.wrongs.push(format!("{went_out} msat went out, and {refunds} msat of refunds are paid"));
        }
        for job in self.world.node.blind_orders() {
            self.wrong(job, "a payment of its refund was ordered again while it was under way or done");
        }
        let known: HashSet<u64> = everybody.iter().map(|notes| notes.job).collect();
        for (job, works) in self.works.iter().flatten() {
            if !known.contains(job) {
                self.verdict
                    .wrongs
                    .push(format!("purchase {job}: {} works were made for nobody who paid", works.len()));
            }
        }
    }
}
