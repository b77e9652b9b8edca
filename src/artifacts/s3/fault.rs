//! What a failure of the storage is called: a sentence that names the key to look at, and no name of a file, which
//! answers of S3 repeat.

use std::error::Error;

use crate::egress::EgressError;

/// What to say of an error of a bucket; `None` for the errors of a disk.
pub(in crate::artifacts) fn sentence(error: &object_store::Error) -> Option<String> {
    let mut innermost: &dyn Error = error;
    loop {
        if let Some(egress) = innermost.downcast_ref::<EgressError>() {
            return Some(format!("artifacts.endpoint: it cannot be reached: {egress}"));
        }
        match innermost.source() {
            Some(source) => innermost = source,
            None => return answered(&innermost.to_string()),
        }
    }
}

/// The sentence for an answer, given the text that quotes it with its status.
fn answered(text: &str) -> Option<String> {
    if text.contains("redirect without LOCATION") {
        return Some(MOVED.into());
    }
    let (_, rest) = text.split_once("status code: ").or_else(|| text.split_once("error response: "))?;
    let status = rest.get(..3).filter(|status| status.bytes().all(|b| b.is_ascii_digit())).unwrap_or("200");
    let code = code(rest);
    if let Some(sentence) = code.and_then(named) {
        return Some(sentence.into());
    }
    Some(match (status, code) {
        ("301" | "307" | "308", _) => MOVED.into(),
        ("401" | "403", _) => DENIED.into(),
        (status, Some(code)) => format!("artifacts.url: the storage answered {status} {code}"),
        (status, None) => format!("artifacts.url: the storage answered {status}"),
    })
}

/// Whether a sentence says that the bucket is missing, and not only a file in it.
pub(in crate::artifacts) fn is_of_bucket(sentence: &str) -> bool {
    sentence == NO_BUCKET
}

const NO_BUCKET: &str = "artifacts.url: there is no such bucket";
const MOVED: &str = "artifacts.region: the bucket is in another region, or behind another artifacts.endpoint";
const DENIED: &str = "artifacts.access_key_id: this key may not do that in the bucket; it needs to list, read, write \
                      and delete";

fn named(code: &str) -> Option<&'static str> {
    Some(match code {
        "NoSuchBucket" => NO_BUCKET,
        "InvalidAccessKeyId" | "NotSignedUp" => "artifacts.access_key_id: the storage does not know this key",
        "SignatureDoesNotMatch" => "artifacts.secret_access_key: this is not the secret of artifacts.access_key_id",
        "AccessDenied" | "AllAccessDisabled" => DENIED,
        "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException" => MOVED,
        "RequestTimeTooSkewed" => "the clock of this machine is wrong: the storage refuses its signatures",
        _ => return None,
    })
}

/// What stands between `<Code>` and its end, if it is a word.
fn code(xml: &str) -> Option<&str> {
    let (_, rest) = xml.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    (code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_become_sentences_that_name_a_key_and_no_file() {
        let answer = |status: &str, code: &str| {
            format!(
                "Server returned non-2xx status code: {status}: <Error><Code>{code}</Code><Key>c0ffee.mp4</Key></Error>"
            )
        };
        for (status, code, begins) in [
            ("404 Not Found", "NoSuchBucket", "artifacts.url: there is no such bucket"),
            ("403 Forbidden", "InvalidAccessKeyId", "artifacts.access_key_id: the storage does not know"),
            ("403 Forbidden", "SignatureDoesNotMatch", "artifacts.secret_access_key: "),
            ("403 Forbidden", "SomethingElse", "artifacts.access_key_id: this key may not"),
            ("400 Bad Request", "AuthorizationHeaderMalformed", "artifacts.region: "),
            ("301 Moved Permanently", "", "artifacts.region: "),
            ("503 Service Unavailable", "SlowDown", "artifacts.url: the storage answered 503 SlowDown"),
            ("500 Internal Server Error", "c0ffee/mp4", "artifacts.url: the storage answered 500"),
        ] {
            let said = answered(&answer(status, code)).unwrap();
            assert!(said.starts_with(begins) && !said.contains("c0ffee"), "{said}");
        }
        assert_eq!(answered("No space left on device (os error 28)"), None);
    }
}
