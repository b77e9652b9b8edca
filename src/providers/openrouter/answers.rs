//! What `OpenRouter`'s answers mean.

use reqwest::StatusCode;
use serde_json::Value;

use crate::egress::Answer;
use crate::providers::api::{refused_create, refused_look};
use crate::providers::wire::{body, ending, id, integer, is_moderation, number, text};
use crate::providers::{Ending, Poll, ProviderError};

/// Members of an error's metadata that stand there when moderation has refused the input.
const MODERATED: [&str; 3] = ["/error/metadata/reasons", "/error/metadata/flagged_input", "/error/metadata/patterns"];

/// The id of what a create has started.
pub(super) fn created(answer: Answer) -> Result<String, ProviderError> {
    let body = body(&answer);
    let answer = meant(answer, &body);
    if answer.status.is_success()
        && let Some(id) = id(&body, "/id")
    {
        return Ok(id);
    }
    if is_refused_content(answer.status, &body) {
        return Err(ProviderError::Refused(Ending::Rejected));
    }
    Err(refused_create(&answer, code(&body)))
}

/// The state of a generation.
pub(super) fn state(answer: Answer) -> Result<Poll, ProviderError> {
    let body = body(&answer);
    let answer = meant(answer, &body);
    if !answer.status.is_success() {
        return Err(refused_look(&answer, code(&body)));
    }
    Ok(match text(&body, "/status") {
        "" => return Err(ProviderError::Transient("a generation without a status".to_owned())),
        "completed" => Poll::Ready { charged: number(&body, "/usage/cost") },
        "failed" => Poll::Failed(ending(reason(&body))),
        "cancelled" | "expired" => Poll::Failed(Ending::Failed),
        // What is not documented is under way as long as it has time.
        _ => Poll::Pending { progress: None, ahead: None },
    })
}

/// The answer with the status that it means: a success may carry an error with a status of its own.
fn meant(mut answer: Answer, body: &Value) -> Answer {
    let code = integer(body, "/error/code").and_then(|code| u16::try_from(code).ok());
    if answer.status.is_success()
        && let Some(status) = code.and_then(|code| StatusCode::from_u16(code).ok())
    {
        answer.status = status;
    }
    answer
}

/// 403 is said of keys as well, so that it takes more than a word that would fit both.
fn is_refused_content(status: StatusCode, body: &Value) -> bool {
    let said = text(body, "/error/message");
    let by_metadata = MODERATED.iter().any(|member| body.pointer(member).is_some_and(|member| !member.is_null()));
    match status {
        StatusCode::FORBIDDEN => {
            let said = said.to_lowercase();
            by_metadata || ["moderation", "flagged", "request blocked"].iter().any(|word| said.contains(word))
        }
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => by_metadata || is_moderation(said),
        _ => false,
    }
}

/// In a generation the error is a text, in the documentation of others an object.
fn reason(body: &Value) -> &str {
    match text(body, "/error") {
        "" => text(body, "/error/message"),
        said => said,
    }
}

fn code(body: &Value) -> &str {
    text(body, "/error/metadata/error_type")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::wire::answered;

    fn create(status: u16, body: &str) -> Result<String, ProviderError> {
        created(answered(status, body))
    }

    fn look(status: u16, body: &str) -> Result<Poll, ProviderError> {
        state(answered(status, body))
    }

    #[test]
    fn a_create_that_was_taken_names_an_id() {
        let body = r#"{"id":"job-abc123","polling_url":"/api/v1/videos/job-abc123","status":"pending"}"#;
        for status in [200, 202] {
            assert_eq!(create(status, body), Ok("job-abc123".to_owned()), "{status}");
        }
    }

    #[test]
    fn a_success_that_cannot_be_read_is_ambiguous() {
        for body in ["", "<html></html>", "{}", r#"{"id":""}"#, r#"{"id":7}"#] {
            assert!(matches!(create(202, body), Err(ProviderError::Ambiguous(_))), "{body}");
        }
    }

    #[test]
    fn an_error_in_a_success_has_its_own_status() {
        let with = |code: &str| create(200, &format!(r#"{{"error":{{"code":{code},"message":"x"}}}}"#));
        assert_eq!(with("400"), Err(ProviderError::Refused(Ending::Failed)));
        assert_eq!(with("\"429\""), Err(ProviderError::Busy { retry_after: None }));
        assert!(matches!(with("402"), Err(ProviderError::OperatorFault(_))));
        assert!(matches!(with("502"), Err(ProviderError::Ambiguous(_))));
        assert!(matches!(with("70000"), Err(ProviderError::Ambiguous(_))));
        assert_eq!(look(200, r#"{"error":{"code":404,"message":"x"}}"#), Err(ProviderError::Unknown));
    }

    #[test]
    fn a_403_is_the_contents_or_the_keys() {
        let rejected = Err(ProviderError::Refused(Ending::Rejected));
        for body in [
            r#"{"error":{"code":403,"message":"x","metadata":{"reasons":["violence"],"flagged_input":"…"}}}"#,
            r#"{"error":{"code":403,"message":"Your chosen model requires moderation and your input was flagged"}}"#,
            r#"{"error":{"code":403,"message":"Request blocked"}}"#,
        ] {
            assert_eq!(create(403, body), rejected, "{body}");
        }
        for body in [
            r#"{"error":{"code":403,"message":"The account is blocked by our policy"}}"#,
            r#"{"error":{"code":403,"message":"Key disabled","metadata":{"reasons":null}}}"#,
            "",
        ] {
            assert!(matches!(create(403, body), Err(ProviderError::OperatorFault(_))), "{body}");
        }
    }

    #[test]
    fn a_400_may_be_about_the_content() {
        let rejected = Err(ProviderError::Refused(Ending::Rejected));
        assert_eq!(create(400, r#"{"error":{"code":400,"message":"Prompt failed moderation"}}"#), rejected);
        let failed = Err(ProviderError::Refused(Ending::Failed));
        assert_eq!(create(400, r#"{"error":{"code":400,"message":"duration must be one of 4, 6, 8"}}"#), failed);
    }

    #[test]
    fn states_are_read() {
        let pending = Poll::Pending { progress: None, ahead: None };
        for status in ["pending", "in_progress", "dreaming"] {
            assert_eq!(look(200, &format!(r#"{{"id":"a","status":"{status}"}}"#)), Ok(pending.clone()), "{status}");
        }
        let done =
            r#"{"id":"a","status":"completed","unsigned_urls":["https://x"],"usage":{"cost":0.5,"is_byok":false}}"#;
        assert_eq!(look(200, done), Ok(Poll::Ready { charged: Some(0.5) }));
        let unpriced = r#"{"status":"completed","usage":{"cost":null}}"#;
        assert_eq!(look(200, unpriced), Ok(Poll::Ready { charged: None }));
        for (body, expected) in [
            (r#"{"status":"failed","error":"Content policy violation"}"#, Ending::Rejected),
            (r#"{"status":"failed","error":"The provider is overloaded"}"#, Ending::Perhaps),
            (r#"{"status":"failed","error":{"message":"Provider timed out"}}"#, Ending::Perhaps),
            (r#"{"status":"failed","error":null}"#, Ending::Failed),
            (r#"{"status":"cancelled"}"#, Ending::Failed),
            (r#"{"status":"expired","error":"Job exceeded maximum time to live"}"#, Ending::Failed),
        ] {
            assert_eq!(look(200, body), Ok(Poll::Failed(expected)), "{body}");
        }
    }

    #[test]
    fn what_is_no_state_passes_but_for_an_id_that_is_not_known() {
        assert_eq!(look(404, "{}"), Err(ProviderError::Unknown));
        for (status, body) in [(200, ""), (200, "<html>"), (200, "[]"), (401, "{}"), (429, "{}"), (502, "<html>")] {
            assert!(matches!(look(status, body), Err(ProviderError::Transient(_))), "{status} {body}");
        }
    }
}
