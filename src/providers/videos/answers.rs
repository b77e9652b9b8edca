//! What the answers of `vLLM-Omni` and `LiteLLM` mean.

use serde_json::Value;

use crate::egress::Answer;
use crate::providers::api::{refused_create, refused_look};
use crate::providers::wire::{body, ending, id, integer, is_moderation, percentage, text};
use crate::providers::{Ending, Poll, ProviderError};

/// The id of what a create has started.
pub(super) fn created(answer: &Answer) -> Result<String, ProviderError> {
    let body = body(answer);
    // A generation that has failed at once is told with the status of its failure.
    if let Some(id) = id(&body, "/id").filter(|_| answer.status.is_success() || !text(&body, "/status").is_empty()) {
        return Ok(id);
    }
    let (status, said) = (answer.status.as_u16(), complaint(&body).to_lowercase());
    let code = code(&body);
    Err(match status {
        // `LiteLLM` says it with different statuses.
        400..=429 if code == "budget_exceeded" || said.contains("budget has been exceeded") => {
            ProviderError::OperatorFault(format!("HTTP {status}: the key's budget is used up"))
        }
        400 if said.contains("model mismatch") || said.contains("invalid model name") => {
            ProviderError::OperatorFault(format!("HTTP {status}: the model is not served"))
        }
        400 | 403 | 422 if is_moderation(code) || status != 403 && is_moderation(&said) => {
            ProviderError::Refused(Ending::Rejected)
        }
        // Said before anything is kept.
        503 if said.contains("not initialized") => ProviderError::NotStarted {
            message: format!("HTTP {status}: the model is not loaded"),
            retry_after: answer.retry_after(),
        },
        _ => refused_create(answer, code),
    })
}

/// The state of a generation.
pub(super) fn state(answer: &Answer) -> Result<Poll, ProviderError> {
    let body = body(answer);
    // A generation that has failed is told with the status of its failure, so that the body comes first.
    match text(&body, "/status") {
        "completed" | "succeeded" => Ok(Poll::Ready { charged: None }),
        "failed" => Ok(Poll::Failed(failure(&body))),
        "cancelled" | "canceled" | "expired" => Ok(Poll::Failed(Ending::Failed)),
        // What is not documented is under way as long as it has time.
        status if !status.is_empty() && answer.status.is_success() => {
            Ok(Poll::Pending { progress: percentage(&body, "/progress"), ahead: None })
        }
        _ if answer.status.is_success() => Err(ProviderError::Transient("a generation without a status".to_owned())),
        _ => Err(refused_look(answer, code(&body))),
    }
}

/// What a failed generation says of itself: its code is a status, or a word.
fn failure(body: &Value) -> Ending {
    let said = text(body, "/error/message");
    if is_moderation(code(body)) || is_moderation(said) {
        return Ending::Rejected;
    }
    match integer(body, "/error/code") {
        Some(408 | 409 | 425 | 429 | 500..) => Ending::Transient,
        Some(_) => Ending::Failed,
        None => ending(said),
    }
}

/// The text of an error: `OpenAI`'s way, or `FastAPI`'s.
fn complaint(body: &Value) -> &str {
    let texts = ["/error/message", "/detail", "/detail/error", "/error"].map(|pointer| text(body, pointer));
    texts.into_iter().find(|said| !said.is_empty()).unwrap_or_default()
}

fn code(body: &Value) -> &str {
    match text(body, "/error/code") {
        // A status as text says less than the type.
        code if !code.is_empty() && !code.bytes().all(|byte| byte.is_ascii_digit()) => code,
        _ => text(body, "/error/type"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::wire::answered;

    fn create(status: u16, body: &str) -> Result<String, ProviderError> {
        created(&answered(status, body))
    }

    fn look(status: u16, body: &str) -> Result<Poll, ProviderError> {
        state(&answered(status, body))
    }

    #[test]
    fn a_create_that_was_taken_names_an_id() {
        let body = r#"{"id":"video_gen_0123","object":"video","status":"queued","progress":0}"#;
        assert_eq!(create(200, body), Ok("video_gen_0123".to_owned()));
        let long = format!("video_{}", "QUJD".repeat(200));
        assert_eq!(create(200, &format!(r#"{{"id":"{long}","status":"queued"}}"#)), Ok(long));
        let failed = r#"{"id":"video_gen_1","status":"failed","error":{"code":500,"message":"x"}}"#;
        assert_eq!(create(500, failed), Ok("video_gen_1".to_owned()));
    }

    #[test]
    fn the_operators_faults_are_told_from_the_callers() {
        for (status, body) in [
            (400, r#"{"error":{"message":"Model mismatch: request specifies x","type":"BadRequestError","code":400}}"#),
            (400, r#"{"detail":{"error":"/videos: Invalid model name passed in model=x"}}"#),
            (
                400,
                r#"{"error":{"message":"Budget has been exceeded! Current cost: 2","type":"budget_exceeded","code":"400"}}"#,
            ),
            (429, r#"{"error":{"message":"x","type":"budget_exceeded"}}"#),
            (401, "{}"),
            (404, r#"{"detail":"Not Found"}"#),
        ] {
            assert!(matches!(create(status, body), Err(ProviderError::OperatorFault(_))), "{body}");
        }
        let failed = Err(ProviderError::Refused(Ending::Failed));
        assert_eq!(create(400, r#"{"error":{"message":"size must be WxH","code":400}}"#), failed);
        assert_eq!(create(422, r#"{"detail":[{"loc":["body","prompt"],"msg":"Field required"}]}"#), failed);
    }

    #[test]
    fn content_is_refused_by_code_or_word() {
        let rejected = Err(ProviderError::Refused(Ending::Rejected));
        for (status, body) in [
            (400, r#"{"error":{"message":"x","code":"content_policy_violation"}}"#),
            (400, r#"{"error":{"message":"x","type":"ContentPolicyViolationError","code":"400"}}"#),
            (403, r#"{"error":{"message":"x","code":"moderation_blocked"}}"#),
            (400, r#"{"error":{"message":"The safety checker has refused the prompt"}}"#),
        ] {
            assert_eq!(create(status, body), rejected, "{body}");
        }
        let key = create(403, r#"{"error":{"message":"This key is blocked","type":"auth_error","code":"403"}}"#);
        assert!(matches!(key, Err(ProviderError::OperatorFault(_))), "{key:?}");
    }

    #[test]
    fn a_model_that_is_not_loaded_has_started_nothing_and_any_other_503_may_have() {
        let unloaded = create(503, r#"{"detail":"Video handler not initialized"}"#);
        assert!(matches!(unloaded, Err(ProviderError::NotStarted { .. })), "{unloaded:?}");
        let unknown = create(503, r#"{"detail":"x"}"#);
        assert!(matches!(unknown, Err(ProviderError::Ambiguous(_))), "{unknown:?}");
    }

    #[test]
    fn states_are_read() {
        let pending = |progress| Ok(Poll::Pending { progress, ahead: None });
        assert_eq!(look(200, r#"{"id":"a","status":"queued","progress":0}"#), pending(Some(0.0)));
        assert_eq!(look(200, r#"{"id":"a","status":"in_progress","progress":40}"#), pending(Some(0.4)));
        assert_eq!(look(200, r#"{"id":"a","status":"processing"}"#), pending(None));
        for status in ["completed", "succeeded"] {
            let ready = Ok(Poll::Ready { charged: None });
            assert_eq!(look(200, &format!(r#"{{"status":"{status}","progress":100}}"#)), ready);
        }
        assert_eq!(look(200, r#"{"status":"canceled"}"#), Ok(Poll::Failed(Ending::Failed)));
    }

    #[test]
    fn a_failed_generation_is_told_with_the_status_of_its_failure() {
        for (status, error, expected) in [
            (500, r#"{"code":500,"message":"CUDA out of memory"}"#, Ending::Transient),
            (400, r#"{"code":400,"message":"height must be divisible by 16"}"#, Ending::Failed),
            (400, r#"{"code":400,"message":"refused by the safety checker"}"#, Ending::Rejected),
            (200, r#"{"code":"content_policy_violation","message":"x"}"#, Ending::Rejected),
            (200, r#"{"code":"429","message":"x"}"#, Ending::Transient),
            (200, r#"{"message":"the server is overloaded"}"#, Ending::Perhaps),
            (200, "null", Ending::Failed),
        ] {
            let body = format!(r#"{{"id":"a","status":"failed","error":{error}}}"#);
            assert_eq!(look(status, &body), Ok(Poll::Failed(expected)), "{body}");
        }
    }

    #[test]
    fn what_is_no_generation_passes_but_for_an_id_that_is_not_known() {
        for body in [r#"{"detail":"Video not found"}"#, r#"{"error":{"message":"Video not found"}}"#, ""] {
            assert_eq!(look(404, body), Err(ProviderError::Unknown), "{body}");
        }
        for (status, body) in [(200, ""), (200, "{}"), (500, "{}"), (503, r#"{"status":"starting"}"#), (401, "{}")] {
            assert!(matches!(look(status, body), Err(ProviderError::Transient(_))), "{status} {body}");
        }
    }
}
