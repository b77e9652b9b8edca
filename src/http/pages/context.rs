//! What the pages need to know about this instance: plain data, filled from the catalogue and the error table.
//!
//! Prices arrive here already computed, so that no page can state one that the challenge would not ask.

use crate::domain::Network;

/// The instance as a whole.
#[derive(Clone, Debug)]
pub struct Site {
    /// Scheme and authority that callers use, without a slash at the end.
    pub public_url: String,
    /// The version of this build; it also keeps browsers from mixing style sheets of two versions.
    pub version: &'static str,
    /// Whether invoices are paid by asking `/sandbox/pay`.
    pub sandbox_payments: bool,
    /// Whether the media come from the built-in stand-ins.
    pub sandbox_models: bool,
    /// Whether callbacks may go over `http` and to private addresses.
    pub private_callbacks: bool,
    /// The chain that invoices are for.
    pub network: Network,
    /// What is sold, in the order in which the pages show it.
    pub services: Vec<ServiceDoc>,
    /// The longest time that a response waits for a result.
    pub hold_seconds: u64,
    /// How long a waiting response stays silent before it sends spaces; `None` if it never does.
    pub keepalive_after_seconds: Option<u64>,
    /// How long results can be fetched.
    pub result_retention_days: u64,
    /// How long an invoice can be paid.
    pub invoice_expiry_minutes: u64,
    /// How long after the invoice's expiry a credential can be presented for the first time.
    pub redeem_window_hours: u64,
}

/// One service: what it takes, what it costs and what it gives.
#[derive(Clone, Debug)]
pub struct ServiceDoc {
    /// The name in paths and macaroons: `video` or `3d-model`.
    pub id: &'static str,
    /// The name on the pages.
    pub title: String,
    /// One or two sentences on what is sold.
    pub summary: String,
    /// The path that a purchase is posted to.
    pub path: String,
    /// The field of the answer with the result's URL.
    pub result_field: &'static str,
    /// The name under which the snippets save the result.
    pub result_file: &'static str,
    /// Whether it is for sale at the moment.
    pub available: bool,
    /// The lowest price, in words.
    pub price_headline: String,
    /// How the price comes about, in words.
    pub price_rule: String,
    /// The price of the first example: what the steps are charged.
    pub example_sats: u64,
    /// Requests and what they cost; the steps buy the first.
    pub examples: Vec<PricedExample>,
    /// The fields of the request body.
    pub params: Vec<ParamDoc>,
    /// Inputs that make a sandbox misbehave on purpose; empty elsewhere.
    pub triggers: Vec<TriggerDoc>,
}

/// A request in words and its price.
#[derive(Clone, Debug)]
pub struct PricedExample {
    /// What is asked for.
    pub label: String,
    /// What it costs.
    pub sats: u64,
    /// The exact bytes that the snippets send, on one line. Those of the 3D model make theirs from the sample.
    pub body: String,
}

/// One field of a request body.
#[derive(Clone, Debug)]
pub struct ParamDoc {
    /// The field.
    pub name: String,
    /// Its JSON type.
    pub kind: String,
    /// Whether a body without it is refused.
    pub required: bool,
    /// What is accepted.
    pub rule: String,
    /// What stands in for it when it is absent.
    pub default: Option<String>,
}

/// A sandbox input with a purpose.
#[derive(Clone, Debug)]
pub struct TriggerDoc {
    /// The text that a prompt must contain, or the image that must be sent.
    pub text: String,
    /// What happens then.
    pub effect: String,
}

impl Site {
    /// The public URL without its scheme, for places where a person reads it.
    #[must_use]
    pub fn host(&self) -> &str {
        self.public_url.split_once("://").map_or(self.public_url.as_str(), |(_, host)| host)
    }

    /// Whether nothing here is for real.
    #[must_use]
    pub fn is_sandbox(&self) -> bool {
        self.sandbox_payments || self.sandbox_models || self.is_test_money()
    }

    /// Whether invoices are paid by a real wallet with money that is worth nothing.
    #[must_use]
    pub fn is_test_money(&self) -> bool {
        !self.sandbox_payments && self.network != Network::Bitcoin
    }

    /// What an invoice of this instance's network begins with.
    #[must_use]
    pub fn invoice_prefix(&self) -> &'static str {
        self.network.invoice_prefix()
    }

    /// How long results are kept, in words.
    #[must_use]
    pub fn retention(&self) -> String {
        counted(self.result_retention_days, "day")
    }

    /// How long an invoice can be paid, in words.
    #[must_use]
    pub fn invoice_expiry(&self) -> String {
        counted(self.invoice_expiry_minutes, "minute")
    }

    /// How long after that a payment can be redeemed, in words.
    #[must_use]
    pub fn redeem_window(&self) -> String {
        counted(self.redeem_window_hours, "hour")
    }

    /// A read timeout that outlasts the longest wait, so that no snippet gives up first.
    #[must_use]
    pub fn read_timeout_seconds(&self) -> u64 {
        self.hold_seconds.saturating_add(30)
    }
}

impl ServiceDoc {
    /// Whether the snippets send the sample image instead of an example's body.
    #[must_use]
    pub fn takes_image(&self) -> bool {
        self.id == "3d-model"
    }

    /// The price of the example, with digits in groups.
    #[must_use]
    pub fn example_price(&self) -> String {
        sats(self.example_sats)
    }
}

impl PricedExample {
    /// The price, with digits in groups.
    #[must_use]
    pub fn price(&self) -> String {
        sats(self.sats)
    }
}

fn counted(number: u64, unit: &str) -> String {
    if number == 1 { format!("1 {unit}") } else { format!("{number} {unit}s") }
}

/// An amount in words, with digits in groups.
#[must_use]
pub fn sats(amount: u64) -> String {
    let digits = amount.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let unit = if amount == 1 { "sat" } else { "sats" };
    format!("{grouped} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_grouped_and_counted() {
        assert_eq!([1, 999, 1_000, 21_000_000].map(sats), ["1 sat", "999 sats", "1,000 sats", "21,000,000 sats"]);
        assert_eq!(counted(1, "day"), "1 day");
        assert_eq!(counted(7, "day"), "7 days");
    }
}
