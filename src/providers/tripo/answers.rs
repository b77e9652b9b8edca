//! What Tripo's answers mean. All come in an envelope with a code, which is zero when all is well.

use jiff::Timestamp;
use serde_json::Value;

use crate::egress::Answer;
use crate::providers::api::{refused_create, refused_look};
use crate::providers::wire::{body, ending, id, integer, number, percentage, text};
use crate::providers::{Ending, Poll, ProviderError};

/// What an older version calls the file, after what this one does.
const FILES: [&str; 4] = ["/output/model_url", "/output/pbr_model", "/output/model", "/output/base_model"];

/// The token of an image that was uploaded.
pub(super) fn uploaded(answer: &Answer) -> Result<String, ProviderError> {
    taken(answer, "/data/file_token")
}

/// The id of what a create has started.
pub(super) fn created(answer: &Answer) -> Result<String, ProviderError> {
    taken(answer, "/data/task_id")
}

fn taken(answer: &Answer, pointer: &str) -> Result<String, ProviderError> {
    let body = body(answer);
    if let Some(fault) = fault(answer, &body) {
        return Err(fault);
    }
    let taken = id(&body, pointer).filter(|_| answer.status.is_success());
    taken.ok_or_else(|| refused_create(answer, ""))
}

/// What the envelope's code means for a create, whatever the status; `None`: nothing, the status decides.
pub(super) fn fault(answer: &Answer, body: &Value) -> Option<ProviderError> {
    let code = integer(body, "/code").filter(|code| *code != 0)?;
    let operators = |what: &str| ProviderError::OperatorFault(format!("code {code}: {what}"));
    Some(match code {
        2 | 1002 => operators("the key is refused; keys are of one region, and `url` must be of the same"),
        1005 | 2013 => operators("the account must not do this"),
        2010 => operators("the account has no credits left"),
        2002 | 2015..=2017 | 4001 => operators("there is no such model, or `url` is wrong"),
        1003 | 1004 if names_model(text(body, "/message")) => operators("there is no such model"),
        1003 | 1004 | 2003 | 2004 | 2009 | 2019 | 2021 | 2022 => ProviderError::Refused(Ending::Failed),
        2008 => ProviderError::Refused(Ending::Rejected),
        1007 | 2000 => ProviderError::Busy { retry_after: answer.retry_after() },
        // Its own moderation does not work.
        2014 => ProviderError::NotStarted { message: format!("code {code}"), retry_after: answer.retry_after() },
        1000 | 1001 => ProviderError::Ambiguous(format!("HTTP {} code {code}", answer.status.as_u16())),
        _ => refused_create(answer, &format!("code {code}")),
    })
}

/// Whether a message is about the field of that name; paths such as `image-to-model` are not.
fn names_model(message: &str) -> bool {
    let mut words = message.split(|c: char| !(c.is_ascii_alphanumeric() || "_-".contains(c)));
    words.any(|word| matches!(word, "model" | "model_version"))
}

/// What a look at something found.
pub(super) fn data(answer: &Answer) -> Result<Value, ProviderError> {
    let mut body = body(answer);
    match integer(&body, "/code") {
        Some(2001) => Err(ProviderError::Unknown),
        Some(0) if answer.status.is_success() => {
            let data = body.get_mut("data").map(Value::take).filter(|data| !data.is_null());
            data.ok_or_else(|| ProviderError::Transient("an answer without data".to_owned()))
        }
        Some(code) => Err(match refused_look(answer, &format!("code {code}")) {
            // The code says that this is not what was missed.
            ProviderError::Unknown => ProviderError::Transient(format!("HTTP {} code {code}", answer.status.as_u16())),
            error => error,
        }),
        None => Err(refused_look(answer, "")),
    }
}

/// The state of a task.
pub(super) fn state(task: &Value) -> Result<Poll, ProviderError> {
    Ok(match text(task, "/status") {
        "" => return Err(ProviderError::Transient("a task without a status".to_owned())),
        "success" => {
            let charged = number(task, "/credits_consumed").or_else(|| number(task, "/consumed_credit"));
            Poll::Ready { charged }
        }
        "failed" => Poll::Failed(failure(task)),
        "banned" => Poll::Failed(Ending::Rejected),
        "cancelled" | "expired" => Poll::Failed(Ending::Failed),
        // What is not documented is under way as long as it has time.
        _ => Poll::Pending { progress: percentage(task, "/progress"), ahead: None },
    })
}

fn failure(task: &Value) -> Ending {
    match integer(task, "/error_code") {
        Some(2008) => Ending::Rejected,
        // A server error, too many tasks, and its own moderation that does not work.
        Some(1000 | 1001 | 1007 | 2000 | 2014) => Ending::Transient,
        // It was too old, or takes no such image.
        Some(2003 | 2004 | 2009 | 2018 | 2019 | 2021 | 2022) => Ending::Failed,
        _ => ending(["/error_message", "/error_msg"].map(|pointer| text(task, pointer)).join(" ").as_str()),
    }
}

/// The URL of a task's file.
pub(super) fn file(task: &Value) -> Option<&str> {
    FILES.iter().map(|pointer| text(task, pointer)).find(|url| !url.is_empty())
}

/// The ids of the tasks of a list of usage that may be creates since then, in Unix milliseconds. How the list is wrapped
/// is not documented to the last.
pub(super) fn recent(usage: &Value, since: i64) -> Vec<String> {
    let wrapped = || usage.as_object().and_then(|fields| fields.values().find_map(Value::as_array));
    let rows = usage.as_array().or_else(wrapped).map(Vec::as_slice).unwrap_or_default();
    let is_ours = |row: &&Value| {
        let is_kind = matches!(text(row, "/type"), "" | "image_to_model" | "image-to-model");
        is_kind && created_at(row).is_none_or(|at| at >= since)
    };
    rows.iter().filter(is_ours).filter_map(|row| id(row, "/task_id")).collect()
}

/// Unix milliseconds; a number may be of seconds.
fn created_at(row: &Value) -> Option<i64> {
    if let Some(number) = integer(row, "/created_at") {
        return Some(if number < 100_000_000_000 { number.saturating_mul(1000) } else { number });
    }
    text(row, "/created_at").parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// Whether a task repeats `token` anywhere in its input.
pub(super) fn is_made_from(task: &Value, token: &str) -> bool {
    fn holds(value: &Value, token: &str) -> bool {
        match value {
            Value::String(text) => text == token,
            Value::Array(values) => values.iter().any(|value| holds(value, token)),
            Value::Object(fields) => fields.values().any(|value| holds(value, token)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
    task.get("input").is_some_and(|input| holds(input, token))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::{HeaderValue, RETRY_AFTER};
    use serde_json::json;

    use super::*;
    use crate::providers::wire::answered;

    const REJECTED: ProviderError = ProviderError::Refused(Ending::Rejected);
    const FAILED: ProviderError = ProviderError::Refused(Ending::Failed);
    const BUSY: ProviderError = ProviderError::Busy { retry_after: None };

    fn refused(status: u16, code: u32, message: &str) -> ProviderError {
        let body = json!({"code": code, "status": "error", "message": message, "suggestion": ""});
        created(&answered(status, &body.to_string())).unwrap_err()
    }

    #[test]
    fn a_create_that_was_taken_names_an_id() {
        let body =
            r#"{"code":0,"status":"success","data":{"task_id":"0196-a","type":"image_to_model","status":"queued"}}"#;
        assert_eq!(created(&answered(200, body)), Ok("0196-a".to_owned()));
        assert_eq!(uploaded(&answered(200, r#"{"code":0,"data":{"file_token":"file_1"}}"#)), Ok("file_1".to_owned()));
        for body in ["", "<html>", "{}", r#"{"code":0,"data":null}"#, r#"{"code":0,"data":{"task_id":""}}"#] {
            assert!(matches!(created(&answered(200, body)), Err(ProviderError::Ambiguous(_))), "{body}");
        }
    }

    #[test]
    fn the_code_decides_whatever_the_status() {
        for status in [200, 400, 403, 404, 429] {
            assert_eq!(refused(status, 2008, "x"), REJECTED, "{status}");
            for code in [1003, 1004, 2003, 2004, 2009, 2019, 2021, 2022] {
                assert_eq!(refused(status, code, "face_limit is out of range"), FAILED, "{status} {code}");
            }
            for code in [1007, 2000] {
                assert_eq!(refused(status, code, "x"), BUSY, "{status} {code}");
            }
            for code in [2, 1002, 1005, 2002, 2010, 2013, 2015, 2016, 2017, 4001] {
                let error = refused(status, code, "x");
                assert!(matches!(error, ProviderError::OperatorFault(_)), "{status} {code}: {error:?}");
            }
            assert!(matches!(refused(status, 2014, "x"), ProviderError::NotStarted { .. }), "{status}");
            assert!(matches!(refused(status, 1000, "x"), ProviderError::Ambiguous(_)), "{status}");
        }
        let mut limited = answered(429, r#"{"code":2000}"#);
        limited.headers.insert(RETRY_AFTER, HeaderValue::from_static("9"));
        assert_eq!(created(&limited), Err(ProviderError::Busy { retry_after: Some(Duration::from_secs(9)) }));
    }

    #[test]
    fn a_parameter_that_is_the_model_is_the_operators_fault() {
        for message in ["The 'model' must be one of v3.1", "model: field required", "unknown model_version"] {
            assert!(matches!(refused(400, 1004, message), ProviderError::OperatorFault(_)), "{message}");
        }
        for message in ["image-to-model takes no data URI", "face_limit"] {
            assert_eq!(refused(400, 1004, message), FAILED, "{message}");
        }
    }

    #[test]
    fn without_a_known_code_the_status_decides() {
        assert!(matches!(refused(401, 7777, "x"), ProviderError::OperatorFault(_)));
        assert_eq!(refused(422, 7777, "x"), FAILED);
        assert!(matches!(refused(200, 7777, "x"), ProviderError::Ambiguous(_)));
        assert!(matches!(created(&answered(502, "<html>")), Err(ProviderError::Ambiguous(_))));
        assert!(matches!(created(&answered(401, "")), Err(ProviderError::OperatorFault(_))));
    }

    #[test]
    fn a_task_is_read_out_of_its_envelope() {
        assert_eq!(data(&answered(200, r#"{"code":0,"data":{"a":1}}"#)), Ok(json!({"a": 1})));
        assert_eq!(data(&answered(404, r#"{"code":2001}"#)), Err(ProviderError::Unknown));
        assert_eq!(data(&answered(404, "")), Err(ProviderError::Unknown));
        for (status, body) in [
            (200, ""),
            (200, r#"{"code":0}"#),
            (200, r#"{"code":1000}"#),
            (401, r#"{"code":2}"#),
            (404, r#"{"code":4001}"#),
            (429, r#"{"code":1007}"#),
            (500, "<html>"),
        ] {
            let error = data(&answered(status, body));
            assert!(matches!(error, Err(ProviderError::Transient(_))), "{status} {body}: {error:?}");
        }
    }

    #[test]
    fn states_are_read() {
        let running = json!({"status": "running", "progress": 42});
        assert_eq!(state(&running), Ok(Poll::Pending { progress: Some(0.42), ahead: None }));
        for (task, charged) in [
            (json!({"status": "success", "credits_consumed": 30}), Some(30.0)),
            (json!({"status": "success", "credits_consumed": "30.00"}), Some(30.0)),
            (json!({"status": "success", "consumed_credit": 20}), Some(20.0)),
            (json!({"status": "success"}), None),
        ] {
            assert_eq!(state(&task), Ok(Poll::Ready { charged }), "{task}");
        }
        for (task, ending) in [
            (json!({"status": "failed", "error_code": 2008, "error_message": "x"}), Ending::Rejected),
            (json!({"status": "failed", "error_code": 2014, "error_message": "audit error"}), Ending::Transient),
            (json!({"status": "failed", "error_code": 2018, "error_message": "timeout"}), Ending::Failed),
            (json!({"status": "failed", "error_msg": "internal error"}), Ending::Perhaps),
            (json!({"status": "failed"}), Ending::Failed),
            (json!({"status": "banned"}), Ending::Rejected),
            (json!({"status": "expired"}), Ending::Failed),
            (json!({"status": "cancelled"}), Ending::Failed),
        ] {
            assert_eq!(state(&task), Ok(Poll::Failed(ending)), "{task}");
        }
        assert!(matches!(state(&json!({})), Err(ProviderError::Transient(_))));
    }

    #[test]
    fn the_newest_files_name_wins() {
        let task = json!({"output": {"model": "b", "model_url": "a"}});
        assert_eq!(file(&task), Some("a"));
        assert_eq!(file(&json!({"output": {"pbr_model": "c"}})), Some("c"));
        assert_eq!(file(&json!({"output": {"rendered_image_url": "d"}})), None);
    }

    #[test]
    fn recent_tasks_are_those_of_the_kind_since_then() {
        let rows = json!([
            {"task_id": "a", "type": "image_to_model", "created_at": "2023-11-14T22:13:20Z"},
            {"task_id": "b", "type": "image_to_model", "created_at": 1_700_000_000},
            {"task_id": "c", "type": "image_to_model", "created_at": 1_700_000_000_000_i64},
            {"task_id": "d", "type": "image_to_model"},
            {"task_id": "text", "type": "text_to_model", "created_at": 1_700_000_000},
            {"task_id": "old", "type": "image_to_model", "created_at": "2023-11-14T22:13:19Z"},
            {"type": "image_to_model"},
        ]);
        let expected = ["a", "b", "c", "d"];
        assert_eq!(recent(&rows, 1_700_000_000_000), expected);
        assert_eq!(recent(&json!({"total": 7, "records": rows}), 1_700_000_000_000), expected);
        assert!(recent(&json!({}), 0).is_empty());
    }

    #[test]
    fn a_task_is_known_by_its_token_wherever_its_input_has_it() {
        for input in [json!("file_1"), json!({"input": "file_1"}), json!({"file": {"file_token": "file_1"}})] {
            assert!(is_made_from(&json!({"input": input}), "file_1"), "{input}");
            assert!(!is_made_from(&json!({"input": input}), "file_"), "{input}");
        }
        assert!(!is_made_from(&json!({"token": "file_1"}), "file_1"));
    }
}
