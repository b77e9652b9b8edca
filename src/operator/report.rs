//! The books of a period, and whether they balance.

use serde_json::{Value, json};

use crate::store::{Objection, Period, Sum, Sums, Unredeemed};

use super::said::{Said, sats, table};
use super::time::rfc3339;
use super::{Operator, OperatorError};

/// Payments that were not redeemed and are named; the oldest.
const NAMED: i64 = 100;

/// Books that do not balance. What is wrong stands in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the books do not balance: the report says where")]
pub struct NotBalanced;

/// What is known of the payments that have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Settled {
    /// All of them are known.
    All,
    /// The backend was asked about some invoices and not about others.
    Some,
    /// Nobody was asked.
    Unknown,
}

impl Settled {
    fn of(sums: &Sums) -> Self {
        let is_complete = sums.watched.count == sums.issued.count && sums.issued.count > 0;
        let is_idle = sums.issued.count == 0 && sums.redeemed.count == 0;
        match sums.settled.count {
            _ if is_complete || is_idle => Self::All,
            0 if sums.watched.count == 0 => Self::Unknown,
            _ => Self::Some,
        }
    }
}

impl Operator {
    /// The report of what was redeemed since `since` and before `until`, both Unix milliseconds; `None`: since ever, and
    /// until now. The second value says whether the books balance.
    pub async fn report(
        &self,
        since: Option<i64>,
        until: Option<i64>,
    ) -> Result<(Said, Result<(), NotBalanced>), OperatorError> {
        // What was redeemed in this very millisecond counts, too.
        let period = Period { since: since.unwrap_or(0), until: until.unwrap_or(self.now.saturating_add(1)) };
        let sums = self.store.sums(period).await?;
        let mut objections = sums.objections();
        objections.extend(self.store.objections(period).await?);
        let unredeemed = self.store.unredeemed(period, NAMED).await?;
        let balanced = if objections.is_empty() { Ok(()) } else { Err(NotBalanced) };
        let said = Said {
            json: report_json(period, &sums, &unredeemed, &objections),
            text: report_text(period, &sums, &unredeemed, &objections),
        };
        Ok((said, balanced))
    }
}

fn plus(one: Sum, other: Sum) -> Sum {
    Sum { count: one.count.saturating_add(other.count), msat: one.msat.saturating_add(other.msat) }
}

fn sum_json(sum: Sum) -> Value {
    json!({"count": sum.count, "amount_msat": sum.msat})
}

fn report_json(period: Period, sums: &Sums, unredeemed: &[Unredeemed], objections: &[Objection]) -> Value {
    let known = Settled::of(sums);
    let settled = match known {
        Settled::Unknown => Value::Null,
        _ => json!({
            "count": sums.settled.count, "amount_msat": sums.settled.msat, "complete": known == Settled::All,
            "unredeemed": sum_json(sums.unredeemed),
        }),
    };
    let waiting = unredeemed.iter().map(|payment| {
        json!({
            "payment_hash": payment.payment_hash, "amount_msat": payment.amount_msat,
            "settled_at": rfc3339(payment.settled_at),
        })
    });
    let objections = objections
        .iter()
        .map(|objection| json!({"check": objection.check, "says": objection.says, "jobs": objection.jobs}));
    let objections: Vec<_> = objections.collect();
    json!({
        "since": rfc3339(period.since), "until": rfc3339(period.until),
        "issued": sum_json(sums.issued), "settled": settled, "unredeemed": waiting.collect::<Vec<_>>(),
        "redeemed": sum_json(sums.redeemed), "delivered": sum_json(sums.delivered), "open": sum_json(sums.open),
        "owed": sum_json(sums.failed),
        "refunds": {
            "available": sum_json(sums.available), "claiming": sum_json(sums.claiming), "paid": sum_json(sums.paid),
            "cancelled": sum_json(sums.cancelled), "due": sum_json(plus(sums.available, sums.claiming)),
        },
        "earned_msat": sums.delivered.msat, "fees_msat": sums.fees.msat, "cost_msat": sums.costs.msat,
        "creates_without_cost": sums.costs_unknown.count,
        "balanced": objections.is_empty(), "objections": objections,
    })
}

fn report_text(period: Period, sums: &Sums, unredeemed: &[Unredeemed], objections: &[Objection]) -> String {
    let line = |name: &str, sum: Sum, remark: &str| {
        vec![name.to_owned(), sum.count.to_string(), sats(sum.msat), remark.to_owned()]
    };
    let settled = match Settled::of(sums) {
        Settled::All => line("settled", sums.settled, "the backend's word"),
        Settled::Some => line("settled", sums.settled, "at least: the backend was not asked about all invoices"),
        Settled::Unknown => {
            let remark = "the backend was asked about no invoice";
            vec!["settled".into(), "unknown".into(), "unknown".into(), remark.into()]
        }
    };
    let amount = |name: &str, msat: i64, remark: String| vec![name.to_owned(), String::new(), sats(msat), remark];
    let unpriced = match sums.costs_unknown.count {
        0 => String::new(),
        count => format!("without {count} creates whose cost is not known"),
    };
    let rows = [
        line("issued", sums.issued, "challenges handed out, by whole hours"),
        settled,
        line("  not redeemed", sums.unredeemed, ""),
        line("redeemed", sums.redeemed, ""),
        line("  delivered", sums.delivered, "earned"),
        line("  open", sums.open, ""),
        line("  owed back", sums.failed, ""),
        line("    due", plus(sums.available, sums.claiming), "available, or being paid"),
        line("    paid", sums.paid, ""),
        line("cancelled refunds", sums.cancelled, "their jobs were run once more"),
        amount("routing fees", sums.fees.msat, "of refunds, where they are known".into()),
        amount("cost", sums.costs.msat, unpriced),
    ];
    let mut text = format!(
        "Payments redeemed from {} until {}, and what became of them\n\n{}",
        rfc3339(period.since),
        rfc3339(period.until),
        table(&["", "COUNT", "SATS", ""], &rows)
    );
    if !unredeemed.is_empty() {
        let row = |payment: &Unredeemed| {
            vec![payment.payment_hash.clone(), rfc3339(payment.settled_at), sats(payment.amount_msat)]
        };
        let rows: Vec<_> = unredeemed.iter().map(row).collect();
        let named = table(&["PAYMENT", "SETTLED", "SATS"], &rows);
        text = format!("{text}\n\nPaid and not redeemed, the oldest first\n\n{named}");
    }
    if objections.is_empty() {
        return format!("{text}\n\nThe books balance.");
    }
    let said = objections.iter().map(|objection| match objection.jobs.as_slice() {
        [] => format!("- {}", objection.says),
        jobs => format!("- {}: {}", objection.says, jobs.join(", ")),
    });
    format!("{text}\n\nTHE BOOKS DO NOT BALANCE\n{}", said.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(count: i64) -> Sum {
        Sum { count, msat: count * 500_000 }
    }

    #[test]
    fn what_is_not_known_is_not_called_nothing() {
        let sums = Sums { issued: sum(9), redeemed: sum(2), delivered: sum(2), ..Sums::default() };
        assert_eq!(Settled::of(&sums), Settled::Unknown);
        let period = Period { since: 0, until: 1 };
        assert_eq!(report_json(period, &sums, &[], &[])["settled"], Value::Null);
        assert!(report_text(period, &sums, &[], &[]).contains("unknown"));
        let partly = Sums { watched: sum(4), settled: sum(1), ..sums };
        assert_eq!(Settled::of(&partly), Settled::Some);
        assert_eq!(Settled::of(&Sums { watched: sum(9), ..sums }), Settled::All);
    }

    #[test]
    fn sums_that_do_not_add_up_are_named() {
        let even =
            Sums { redeemed: sum(3), delivered: sum(1), open: sum(1), failed: sum(1), paid: sum(1), ..Sums::default() };
        assert_eq!(even.objections(), []);
        let lost = Sums { redeemed: sum(4), ..even };
        let twice = Sums { available: sum(1), ..even };
        let short = Sums { paid: Sum { count: 1, msat: 1 }, ..even };
        for (uneven, check) in [(lost, "redeemed"), (twice, "owed"), (short, "owed")] {
            assert_eq!(uneven.objections().iter().map(|said| said.check).collect::<Vec<_>>(), [check]);
        }
    }
}
