//! What Meshy's answers mean.

use serde_json::Value;

use crate::egress::Answer;
use crate::providers::api::refused_create;
use crate::providers::wire::{body, ending, id, integer, is_moderation, number, percentage, text};
use crate::providers::{Ending, Poll, ProviderError};

/// Words of a message that are its code.
const CODES: [&str; 4] = ["RateLimitExceeded", "NoMoreConcurrentTasks", "NoMorePendingTasks", "NoMatchingRoute"];

/// The id of what a create has started.
pub(super) fn created(answer: &Answer) -> Result<String, ProviderError> {
    let body = body(answer);
    if answer.status.is_success()
        && let Some(id) = id(&body, "/result")
    {
        return Ok(id);
    }
    let said = text(&body, "/message");
    Err(match answer.status.as_u16() {
        status @ (400 | 422) if said.contains("ai_model") => {
            ProviderError::OperatorFault(format!("HTTP {status}: there is no such model for this account"))
        }
        400 | 422 if is_moderation(said) => ProviderError::Refused(Ending::Rejected),
        // Too many requests and too many tasks: both are want of room, and only the first says for how long.
        _ => refused_create(answer, CODES.into_iter().find(|code| said.contains(code)).unwrap_or_default()),
    })
}

/// The state of a task.
pub(super) fn state(task: &Value) -> Result<Poll, ProviderError> {
    let status = text(task, "/status");
    Ok(match status {
        "" => return Err(ProviderError::Transient("a task without a status".to_owned())),
        "SUCCEEDED" => Poll::Ready { charged: number(task, "/consumed_credits") },
        "FAILED" => Poll::Failed(failure(task)),
        "CANCELED" | "CANCELLED" | "EXPIRED" => Poll::Failed(Ending::Failed),
        // What is not documented is under way as long as it has time.
        _ => {
            let ahead = integer(task, "/preceding_tasks").and_then(|ahead| u32::try_from(ahead).ok());
            Poll::Pending { progress: percentage(task, "/progress"), ahead: ahead.filter(|_| status == "PENDING") }
        }
    })
}

fn failure(task: &Value) -> Ending {
    let said = |name| text(task, &format!("/task_error/{name}"));
    match ending(&format!("{} {}", said("type"), said("code"))) {
        Ending::Rejected => Ending::Rejected,
        _ if is_moderation(said("message")) => Ending::Rejected,
        // A code repeats nobody's words.
        Ending::Perhaps => Ending::Transient,
        Ending::Transient | Ending::Failed => ending(said("message")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::{HeaderValue, RETRY_AFTER};
    use serde_json::json;

    use super::*;
    use crate::providers::wire::answered;

    fn create(status: u16, body: &str) -> Result<String, ProviderError> {
        created(&answered(status, body))
    }

    #[test]
    fn a_create_that_was_taken_names_an_id() {
        for status in [200, 202] {
            let taken = create(status, r#"{"result":"018a210d-8ba4-705c-b111-1f1776f7f578"}"#);
            assert_eq!(taken, Ok("018a210d-8ba4-705c-b111-1f1776f7f578".to_owned()), "{status}");
        }
        for body in ["", "{}", r#"{"result":null}"#, "<html>"] {
            assert!(matches!(create(202, body), Err(ProviderError::Ambiguous(_))), "{body}");
        }
    }

    #[test]
    fn both_kinds_of_429_are_want_of_room() {
        let mut limited = answered(429, r#"{"message":"RateLimitExceeded: slow down"}"#);
        limited.headers.insert(RETRY_AFTER, HeaderValue::from_static("3"));
        assert_eq!(created(&limited), Err(ProviderError::Busy { retry_after: Some(Duration::from_secs(3)) }));
        for word in ["NoMoreConcurrentTasks", "NoMorePendingTasks"] {
            let full = create(429, &format!(r#"{{"message":"{word}"}}"#));
            assert_eq!(full, Err(ProviderError::Busy { retry_after: None }), "{word}");
        }
    }

    #[test]
    fn a_bad_request_is_the_contents_the_models_or_the_callers() {
        let refused = |said: &str| create(400, &json!({"message": said}).to_string());
        assert_eq!(refused("Image rejected by moderation"), Err(ProviderError::Refused(Ending::Rejected)));
        assert_eq!(refused("image_url: too small"), Err(ProviderError::Refused(Ending::Failed)));
        assert!(matches!(refused("ai_model must be one of …"), Err(ProviderError::OperatorFault(_))));
    }

    #[test]
    fn the_operators_faults_say_which() {
        for (status, body, expected) in [
            (401, r#"{"message":"Invalid API key"}"#, "HTTP 401"),
            (402, r#"{"message":"Insufficient funds"}"#, "HTTP 402"),
            (404, r#"{"message":"NoMatchingRoute"}"#, "HTTP 404 NoMatchingRoute"),
        ] {
            let error = create(status, body);
            assert!(
                matches!(&error, Err(ProviderError::OperatorFault(said)) if said.starts_with(expected)),
                "{error:?}"
            );
        }
    }

    #[test]
    fn a_position_counts_only_while_a_task_waits() {
        let waiting = json!({"status": "PENDING", "progress": 0, "preceding_tasks": 4});
        assert_eq!(state(&waiting), Ok(Poll::Pending { progress: Some(0.0), ahead: Some(4) }));
        let running = json!({"status": "IN_PROGRESS", "progress": 60, "preceding_tasks": 4});
        assert_eq!(state(&running), Ok(Poll::Pending { progress: Some(0.6), ahead: None }));
        let unknown = json!({"status": "DREAMING"});
        assert_eq!(state(&unknown), Ok(Poll::Pending { progress: None, ahead: None }));
    }

    #[test]
    fn ends_are_read() {
        let done = json!({"status": "SUCCEEDED", "progress": 100, "consumed_credits": 30});
        assert_eq!(state(&done), Ok(Poll::Ready { charged: Some(30.0) }));
        for (error, expected) in [
            (json!({"message": "The server is busy. Please try again later."}), Ending::Perhaps),
            (json!({"message": "x", "type": "server_busy"}), Ending::Transient),
            (json!({"message": "x", "type": "moderation"}), Ending::Rejected),
            (json!({"message": "flagged", "code": "internal"}), Ending::Rejected),
            (json!({"message": "No object found in the image"}), Ending::Failed),
            (json!(null), Ending::Failed),
        ] {
            let failed = json!({"status": "FAILED", "task_error": error});
            assert_eq!(state(&failed), Ok(Poll::Failed(expected)), "{failed}");
        }
        for status in ["CANCELED", "EXPIRED"] {
            assert_eq!(state(&json!({"status": status})), Ok(Poll::Failed(Ending::Failed)), "{status}");
        }
        for garbage in [json!({}), json!([]), json!(null), json!({"status": 7})] {
            assert!(matches!(state(&garbage), Err(ProviderError::Transient(_))), "{garbage}");
        }
    }
}
