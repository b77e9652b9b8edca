//! The error table: one entry feeds the responses, the catalogue and the errors page.

mod table;

use axum::http::StatusCode;

pub use table::TABLE;

/// What a caller can branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// No credential.
    PaymentRequired,
    /// A credential that cannot be decoded.
    CredentialMalformed,
    /// A credential that this gateway did not sign, or whose caveats are not ours.
    CredentialInvalid,
    /// The preimage of another payment.
    PreimageMismatch,
    /// A payment for another service or other bytes.
    BodyMismatch,
    /// The time that the holder appended has passed.
    CredentialExpired,
    /// The body is not JSON.
    MalformedJson,
    /// JSON, but no request that can be run.
    InvalidParams,
    /// Too many bytes.
    BodyTooLarge,
    /// Not `application/json`, or encoded.
    UnsupportedMediaType,
    /// The sender was too slow.
    RequestTimeout,
    /// No such page, job or file.
    NotFound,
    /// Another method.
    MethodNotAllowed,
    /// Too many challenges.
    RateLimited,
    /// Paid, and the generation failed.
    GenerationFailed,
    /// Paid, and the model's rules refuse the content.
    ContentRejected,
    /// Delivered, and deleted after its retention.
    ResultExpired,
    /// First presented after its window.
    RedemptionExpired,
    /// Not the credential of what was asked for, where nothing is sold.
    CredentialRefused,
    /// Nothing is owed, or it is being paid, or was.
    RefundUnavailable,
    /// Paying a refund failed; it can be claimed again.
    RefundFailed,
    /// No invoice can be made.
    LightningUnavailable,
    /// The node does not confirm a payment yet.
    PaymentUnconfirmed,
    /// Nobody can do the work.
    UpstreamUnavailable,
    /// The gateway stops.
    ShuttingDown,
    /// A fault of ours.
    Internal,
    /// Not an invoice of the sandbox.
    InvoiceUnknown,
    /// An invoice of the sandbox that was not paid in time.
    InvoiceExpired,
    /// From another machine, where nothing is sold but to this one.
    LocalOnly,
}

/// What the table says about a code.
#[derive(Clone, Copy, Debug)]
pub struct ErrorEntry {
    /// The code.
    pub code: ErrorCode,
    /// The text that callers branch on.
    pub name: &'static str,
    /// The status it comes with.
    pub status: StatusCode,
    /// A few words.
    pub title: &'static str,
    /// What has happened.
    pub meaning: &'static str,
    /// What the caller should do.
    pub suggestion: &'static str,
}

impl ErrorCode {
    /// The code's entry.
    #[must_use]
    pub fn entry(self) -> &'static ErrorEntry {
        // The table is in the order of the enum, which a test keeps.
        #[expect(clippy::as_conversions, reason = "an enum without data counts from zero")]
        let index = self as usize;
        &TABLE[index]
    }
}

/// The suggestion beside a good credential when the fault is ours.
pub const YOUR_PAYMENT_STANDS: &str = "Your payment stands: repeat the same request with the same credential.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_codes() {
        for (index, entry) in TABLE.iter().enumerate() {
            #[expect(clippy::as_conversions, reason = "an enum without data counts from zero")]
            let position = entry.code as usize;
            assert_eq!(position, index, "{}", entry.name);
            assert_eq!(entry.code.entry().name, entry.name);
        }
    }

    #[test]
    fn names_are_stable_text_and_unique() {
        let mut names: Vec<_> = TABLE.iter().map(|entry| entry.name).collect();
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
    }

    #[test]
    fn every_sentence_ends_as_one() {
        for entry in &TABLE {
            assert!(entry.meaning.ends_with('.') && entry.suggestion.ends_with('.'), "{}", entry.name);
        }
    }
}
