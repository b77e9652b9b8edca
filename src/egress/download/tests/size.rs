//! How large a file is, what a status means, and how long anybody waits.

use super::downloader as downloader_of;
use super::*;

fn chunked(chunks: &[&[u8]], end: &str) -> Reply {
    let mut body = Vec::new();
    for chunk in chunks {
        body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(end.as_bytes());
    Reply::new("HTTP/1.1 200 OK\ntransfer-encoding: chunked", &body, Then::Close)
}

fn is_interrupted(error: Option<&DownloadError>) -> bool {
    matches!(error, Some(DownloadError::Broken(EgressError::Interrupted(_))))
}

#[tokio::test]
async fn a_file_that_says_it_is_too_large_is_not_begun() {
    let stub = Stub::tls(|_, _| Reply::new("HTTP/1.1 200 OK\ncontent-length: 11", b"", Then::Stall)).await;
    let (downloader, url) = public(&stub, LIMITS);
    assert_eq!(downloader.open(&url, None, 10).await.unwrap_err(), DownloadError::TooLarge(10));
    assert_eq!(downloader.open(&url, None, 11).await.unwrap().length, Some(11));
}

#[tokio::test]
async fn a_file_that_turns_out_to_be_too_large_is_not_read_to_its_end() {
    let stub = Stub::tls(|_, _| chunked(&[b"12345", b"67890", b"1"], "0\r\n\r\n")).await;
    let (downloader, url) = public(&stub, LIMITS);
    let download = downloader.open(&url, None, 11).await.unwrap();
    assert_eq!(download.length, None);
    assert_eq!(read(download).await, (b"12345678901".to_vec(), None));
    for limit in [10, 7, 0] {
        let (bytes, error) = read(downloader.open(&url, None, limit).await.unwrap()).await;
        assert_eq!(error, Some(DownloadError::TooLarge(limit)));
        assert!(bytes.len() as u64 > limit, "whoever counts for themselves sees it too");
    }
    // It never ends by itself.
    let endless = Stub::tls(|_, _| chunked(&[&[b'x'; 4096][..]; 512], "fff")).await;
    let (downloader, url) = public(&endless, LIMITS);
    let (bytes, error) = read(downloader.open(&url, None, 10_000).await.unwrap()).await;
    assert_eq!(error, Some(DownloadError::TooLarge(10_000)));
    assert!(bytes.len() < 1024 * 1024, "{}", bytes.len());
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let stub = Stub::tls(|_, _| Reply::whole("HTTP/1.1 200 OK", b"")).await;
    assert_eq!(fetched(&stub, LIMITS).await, (Vec::new(), None));
}

#[tokio::test]
async fn a_file_that_is_cut_is_no_short_file() {
    for end in ["", "5\r\nab", "0\r\n", "zz\r\n"] {
        let stub = Stub::tls(move |_, _| chunked(&[b"12345"], end)).await;
        let (bytes, error) = fetched(&stub, LIMITS).await;
        assert!(is_interrupted(error.as_ref()), "{end:?}: {error:?}");
        assert!(b"12345ab".starts_with(&bytes), "{bytes:?}");
        assert_eq!(stub.requests().len(), 1);
    }
    let stub = Stub::tls(|_, _| Reply::new("HTTP/1.1 200 OK\ncontent-length: 9", b"half", Then::Close)).await;
    let (bytes, error) = fetched(&stub, LIMITS).await;
    assert_eq!(bytes, b"half");
    assert!(is_interrupted(error.as_ref()), "{error:?}");
}

#[tokio::test]
async fn an_answer_whose_end_or_bytes_are_uncertain_is_no_file() {
    for (head, reason) in [
        ("HTTP/1.1 200 OK", "it has neither a length nor an end"),
        ("HTTP/1.0 200 OK", "it has neither a length nor an end"),
        ("HTTP/1.1 200 OK\ntransfer-encoding: gzip", "it has neither a length nor an end"),
        ("HTTP/1.1 200 OK\ntransfer-encoding: gzip, chunked", "it has neither a length nor an end"),
        ("HTTP/1.1 200 OK\ncontent-length: 4\ncontent-encoding: gzip", "it is compressed, which was not asked for"),
        (
            "HTTP/1.1 200 OK\ncontent-length: 4\ncontent-encoding: identity, br",
            "it is compressed, which was not asked for",
        ),
    ] {
        let stub = Stub::tls(move |_, _| Reply::new(head, b"file", Then::Close)).await;
        let (downloader, url) = public(&stub, LIMITS);
        assert_eq!(refusal(&downloader, &url).await, DownloadError::Unusable(reason), "{head}");
    }
    let stub = Stub::tls(|_, _| Reply::whole("HTTP/1.1 200 OK\ncontent-encoding: Identity", b"file")).await;
    assert_eq!(fetched(&stub, LIMITS).await, (b"file".to_vec(), None));
}

#[tokio::test]
async fn statuses_say_what_is_to_be_done() {
    let unavailable = |code: u16, after: Option<u64>| DownloadError::Unavailable {
        status: StatusCode::from_u16(code).unwrap(),
        retry_after: after.map(Duration::from_secs),
    };
    let unexpected = |code: u16| DownloadError::Unexpected(StatusCode::from_u16(code).unwrap());
    for (code, headers, expected) in [
        (404, "", DownloadError::Gone),
        (410, "", DownloadError::Gone),
        (401, "", DownloadError::Refused),
        (403, "", DownloadError::Refused),
        (429, "\nretry-after: 7", unavailable(429, Some(7))),
        (500, "", unavailable(500, None)),
        (503, "\nretry-after: 30", unavailable(503, Some(30))),
        (504, "\nretry-after: soon", unavailable(504, None)),
        (201, "", unexpected(201)),
        (206, "\ncontent-range: bytes 0-3/4", unexpected(206)),
        (400, "", unexpected(400)),
        (416, "", unexpected(416)),
    ] {
        let stub = Stub::tls(move |_, _| Reply::whole(&format!("HTTP/1.1 {code} So{headers}"), b"text")).await;
        let (downloader, url) = public(&stub, LIMITS);
        let error = refusal(&downloader, &url).await;
        assert_eq!(error, expected);
        assert_eq!(stub.requests().len(), 1, "whoever calls decides whether to try again");
    }
}

#[tokio::test]
async fn nobody_waits_longer_than_the_limits() {
    let impatient = Duration::from_millis(100);
    let late = || DownloadError::Broken(EgressError::Interrupted("it took too long".into()));
    for said in ["", "HTTP/1.1 200 OK\ncontent-"] {
        let stub = Stub::tls(move |_, _| Reply::raw(said, Then::Stall)).await;
        // A handshake needs more time than nothing.
        let (downloader, url) = public(&stub, Limits { head: Duration::from_secs(1), ..LIMITS });
        assert_eq!(refusal(&downloader, &url).await, late());
    }
    let stub = Stub::tls(|_, _| Reply::new("HTTP/1.1 200 OK\ncontent-length: 9", b"half", Then::Stall)).await;
    assert_eq!(fetched(&stub, Limits { idle: impatient, ..LIMITS }).await, (b"half".to_vec(), Some(late())));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_be_unreachable() {
    let stub = Stub::tls(|_, _| Reply::raw("", Then::Close)).await;
    let (downloader, url) = public(&stub, LIMITS);
    let error = refusal(&downloader, &url).await;
    assert!(is_interrupted(Some(&error)), "{error:?}");
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let places = Places::private(patterns(&[nobody.to_string()]));
    let error = refusal(&downloader_of(places, LIMITS, &[("stub", &stub)]), &format!("http://{nobody}/secret")).await;
    assert!(matches!(error, DownloadError::Broken(EgressError::Unreachable(_))), "{error:?}");
}
