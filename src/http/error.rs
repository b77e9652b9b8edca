//! The error table: one entry feeds the responses, the catalogue and the errors page.

use axum::http::StatusCode;

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
    /// No invoice can be made.
    LightningUnavailable,
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

const fn entry(
    code: ErrorCode,
    name: &'static str,
    status: StatusCode,
    title: &'static str,
    meaning: &'static str,
    suggestion: &'static str,
) -> ErrorEntry {
    ErrorEntry { code, name, status, title, meaning, suggestion }
}

/// Every code, in the order of [`ErrorCode`].
pub static TABLE: [ErrorEntry; 24] = [
    entry(
        ErrorCode::PaymentRequired,
        "PAYMENT_REQUIRED",
        StatusCode::PAYMENT_REQUIRED,
        "Payment required",
        "The request is valid and has a price. The response carries an invoice and the macaroon that paying it activates.",
        "Pay the invoice and send the same bytes again with `Authorization: L402 <macaroon>:<preimage>`.",
    ),
    entry(
        ErrorCode::CredentialMalformed,
        "CREDENTIAL_MALFORMED",
        StatusCode::PAYMENT_REQUIRED,
        "The credential cannot be read",
        "The Authorization header is not of the form `L402 <macaroon>:<preimage>`: the macaroon must be base64, the preimage 64 hexadecimal characters. Nothing was consumed.",
        "Check that header for a cut or re-encoded macaroon and for the preimage behind the colon, then repeat the request.",
    ),
    entry(
        ErrorCode::CredentialInvalid,
        "CREDENTIAL_INVALID",
        StatusCode::PAYMENT_REQUIRED,
        "The credential is not valid here",
        "The macaroon was not signed by this gateway, was changed, or carries a condition that widens what was paid for. Nothing was consumed.",
        "Send the macaroon exactly as this gateway gave it to you. Otherwise pay this response's invoice.",
    ),
    entry(
        ErrorCode::PreimageMismatch,
        "PREIMAGE_MISMATCH",
        StatusCode::PAYMENT_REQUIRED,
        "The preimage belongs to another payment",
        "The macaroon is good, but the preimage does not open its payment hash. Nothing was consumed.",
        "Send the preimage that your wallet shows for the invoice that came with this macaroon.",
    ),
    entry(
        ErrorCode::BodyMismatch,
        "BODY_MISMATCH",
        StatusCode::PAYMENT_REQUIRED,
        "The payment is for another request",
        "The credential proves a payment, but for other bytes or for the other service. Nothing was consumed.",
        "Send exactly the bytes that you sent when you got the invoice, to the same path: white space and field order count. To buy this request instead, pay this response's invoice.",
    ),
    entry(
        ErrorCode::CredentialExpired,
        "CREDENTIAL_EXPIRED",
        StatusCode::PAYMENT_REQUIRED,
        "The credential's own time limit has passed",
        "Whoever held the macaroon appended a time limit to it, and that time has passed. Nothing was consumed.",
        "Present the macaroon without the appended limit. Otherwise pay this response's invoice.",
    ),
    entry(
        ErrorCode::MalformedJson,
        "MALFORMED_JSON",
        StatusCode::BAD_REQUEST,
        "The body is not JSON",
        "The body must be one JSON object in UTF-8. No invoice was made.",
        "Repair the body; the detail tells where reading stopped.",
    ),
    entry(
        ErrorCode::InvalidParams,
        "INVALID_PARAMS",
        StatusCode::UNPROCESSABLE_ENTITY,
        "The request cannot be run",
        "The body is JSON, but not a request that can be run. `errors` lists every problem with a pointer to it. No invoice was made.",
        "Repair every field that `errors` lists. GET on the same path describes the parameters.",
    ),
    entry(
        ErrorCode::BodyTooLarge,
        "BODY_TOO_LARGE",
        StatusCode::PAYLOAD_TOO_LARGE,
        "The body is too large",
        "The body has more bytes than this service takes. No invoice was made.",
        "Send a smaller body; for a 3D model, shrink the image or choose a better compressed format.",
    ),
    entry(
        ErrorCode::UnsupportedMediaType,
        "UNSUPPORTED_MEDIA_TYPE",
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "The body is not plain JSON",
        "The request needs `Content-Type: application/json` and no Content-Encoding. No invoice was made.",
        "Set the header, and send the body uncompressed.",
    ),
    entry(
        ErrorCode::RequestTimeout,
        "REQUEST_TIMEOUT",
        StatusCode::REQUEST_TIMEOUT,
        "The body arrived too slowly",
        "The gateway waited for the rest of the body in vain. Nothing was charged or consumed.",
        "Repeat the request.",
    ),
    entry(
        ErrorCode::NotFound,
        "NOT_FOUND",
        StatusCode::NOT_FOUND,
        "Not found",
        "There is nothing under this address.",
        "Check the address. A purchase is found again by presenting its credential.",
    ),
    entry(
        ErrorCode::MethodNotAllowed,
        "METHOD_NOT_ALLOWED",
        StatusCode::METHOD_NOT_ALLOWED,
        "Method not allowed",
        "This address does not answer that method.",
        "Use one of the methods in the Allow header.",
    ),
    entry(
        ErrorCode::RateLimited,
        "RATE_LIMITED",
        StatusCode::TOO_MANY_REQUESTS,
        "Too many requests for a price",
        "Your network address has asked for more challenges than its budget, or the gateway is busy with uploads. Requests with a good credential are never limited. No invoice was made.",
        "Wait for the seconds in Retry-After, then repeat the request.",
    ),
    entry(
        ErrorCode::GenerationFailed,
        "GENERATION_FAILED",
        StatusCode::BAD_GATEWAY,
        "Paid, but not delivered",
        "The generation failed for good. What you paid is owed back to you, and the gateway has recorded that.",
        "Keep the credential: it is the claim to the amount in `refund`. To try again, make a new purchase.",
    ),
    entry(
        ErrorCode::ContentRejected,
        "CONTENT_REJECTED",
        StatusCode::BAD_GATEWAY,
        "Paid, but the content was refused",
        "The model's rules refuse this content. What you paid is owed back to you, and the gateway has recorded that.",
        "Keep the credential: it is the claim to the amount in `refund`. Change the prompt or the image before you buy again.",
    ),
    entry(
        ErrorCode::ResultExpired,
        "RESULT_EXPIRED",
        StatusCode::GONE,
        "The result has been deleted",
        "The result was delivered and kept for its time, which is over.",
        "Make a new purchase, and download the result while it is kept.",
    ),
    entry(
        ErrorCode::RedemptionExpired,
        "REDEMPTION_EXPIRED",
        StatusCode::GONE,
        "Paid, but presented too late",
        "The payment is good, but it was first presented after its window. What you paid is owed back to you, and the gateway has recorded that.",
        "Keep the credential: it is the claim to the amount in `refund`.",
    ),
    entry(
        ErrorCode::LightningUnavailable,
        "LIGHTNING_UNAVAILABLE",
        StatusCode::SERVICE_UNAVAILABLE,
        "No invoice can be made at the moment",
        "The Lightning node does not answer. You were not charged.",
        "Wait for the seconds in Retry-After, then repeat the request.",
    ),
    entry(
        ErrorCode::UpstreamUnavailable,
        "UPSTREAM_UNAVAILABLE",
        StatusCode::SERVICE_UNAVAILABLE,
        "This service is not on sale at the moment",
        "Nobody can do the work at the moment, so no invoice was made. You were not charged.",
        "Wait for the seconds in Retry-After, then repeat the request.",
    ),
    entry(
        ErrorCode::ShuttingDown,
        "SHUTTING_DOWN",
        StatusCode::SERVICE_UNAVAILABLE,
        "The gateway is restarting",
        "The gateway is about to stop and takes no new requests. You were not charged.",
        "Wait for the seconds in Retry-After, then repeat the request.",
    ),
    entry(
        ErrorCode::Internal,
        "INTERNAL",
        StatusCode::INTERNAL_SERVER_ERROR,
        "Something broke on our side",
        "The gateway failed. The cause is in its log, under the request id of this response.",
        "Repeat the same request; if it fails again, tell the operator the request id.",
    ),
    entry(
        ErrorCode::InvoiceUnknown,
        "INVOICE_UNKNOWN",
        StatusCode::NOT_FOUND,
        "Not an invoice of this sandbox",
        "The sandbox's wallet pays invoices of this sandbox alone.",
        "Send the invoice exactly as the 402 response gave it.",
    ),
    entry(
        ErrorCode::InvoiceExpired,
        "INVOICE_EXPIRED",
        StatusCode::GONE,
        "The invoice has expired",
        "The invoice was not paid in time, as a real wallet would tell you.",
        "Ask for a new challenge and pay that.",
    ),
];

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
