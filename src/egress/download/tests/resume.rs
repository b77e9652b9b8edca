//! What comes after a connection broke.

use super::*;

const TAG: &str = "etag: \"v1\"";

/// A server that has `data` and gives at most `cut` bytes a connection.
fn server(
    data: Vec<u8>,
    cut: usize,
    validators: &'static str,
) -> impl Fn(usize, &str) -> Reply + Send + Sync + 'static {
    move |_, request| {
        let start = asked(request);
        let given = &data[start..data.len().min(start + cut)];
        let (last, total, left) = (data.len() - 1, data.len(), data.len() - start);
        let status = match header(request, "range") {
            None => "200 OK".to_owned(),
            Some(_) => format!("206 Partial Content\ncontent-range: bytes {start}-{last}/{total}"),
        };
        Reply::new(&format!("HTTP/1.1 {status}\n{validators}\ncontent-length: {left}"), given, Then::Close)
    }
}

/// From which byte on.
fn asked(request: &str) -> usize {
    let range = header(request, "range").map_or("0", |range| &range["bytes=".len()..range.len() - 1]);
    range.parse().unwrap()
}

/// Four bytes of nine, and then what `second` says.
async fn after_half(second: Reply) -> (Stub, Vec<u8>, Option<DownloadError>) {
    let first = Reply::new(&format!("HTTP/1.1 200 OK\n{TAG}\ncontent-length: 9"), b"0123", Then::Close);
    let stub = Stub::tls(move |number, _| if number == 0 { first.clone() } else { second.clone() }).await;
    let (bytes, error) = fetched(&stub, LIMITS).await;
    (stub, bytes, error)
}

#[tokio::test]
async fn it_goes_on_where_it_broke_off() {
    for (size, cut) in [(13, 1), (13, 12), (100_003, 33_333), (100_003, 50_001), (100_003, 99_999), (300_000, 16_384)] {
        let stub = Stub::tls(server(data(size), cut, TAG)).await;
        let (bytes, error) = fetched(&stub, LIMITS).await;
        assert_eq!(error, None, "{size} by {cut}");
        assert!(bytes == data(size), "{size} by {cut}");
        let requests = stub.requests();
        assert_eq!(requests.len(), (size as usize).div_ceil(cut), "nothing was fetched twice");
        for (number, request) in requests.iter().enumerate().skip(1) {
            assert_eq!(asked(request), number * cut);
            assert_eq!(header(request, "if-range"), Some("\"v1\""));
            assert_eq!(header(request, "accept-encoding"), Some("identity"));
        }
    }
}

#[tokio::test]
async fn it_goes_on_by_the_date_of_a_file_without_a_tag() {
    let dates = "last-modified: Sun, 06 Nov 1994 08:49:37 GMT\ndate: Sun, 06 Nov 1994 09:00:00 GMT";
    let stub = Stub::tls(server(data(5000), 3001, dates)).await;
    assert_eq!(fetched(&stub, LIMITS).await, (data(5000), None));
    assert_eq!(header(&stub.requests()[1], "if-range"), Some("sun, 06 nov 1994 08:49:37 gmt"));
}

#[tokio::test]
async fn it_does_not_go_on_with_what_may_be_another_file() {
    for validators in [
        "x-nothing: 0",
        "etag: W/\"v1\"",
        "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
        "last-modified: Sun, 06 Nov 1994 08:49:37 GMT\ndate: Sun, 06 Nov 1994 08:49:37 GMT",
    ] {
        let stub = Stub::tls(server(data(5000), 3001, validators)).await;
        let (bytes, error) = fetched(&stub, LIMITS).await;
        assert_eq!(bytes, data(3001));
        assert!(matches!(error, Some(DownloadError::Broken(_))), "{validators}: {error:?}");
        assert_eq!(stub.requests().len(), 1);
    }
}

#[tokio::test]
async fn another_file_is_not_joined_to_the_first() {
    for (head, reason) in [
        ("206 P\netag: \"v2\"\ncontent-range: bytes 4-8/9", "it is another file"),
        ("206 P\netag: W/\"v1\"\ncontent-range: bytes 4-8/9", "it is another file"),
        ("206 P\ncontent-range: bytes 4-8/9", "it is another file"),
        ("206 P\netag: \"v1\"\ncontent-range: bytes 3-7/9", "it goes on elsewhere"),
        ("206 P\netag: \"v1\"\ncontent-range: bytes 0-4/9", "it goes on elsewhere"),
        ("206 P\netag: \"v1\"\ncontent-range: bytes 4-8/10", "its size is another"),
        ("206 P\netag: \"v1\"\ncontent-range: bytes 4-9/*", "its size is another"),
        ("206 P\netag: \"v1\"\ncontent-range: bytes 4-6/9", "the part has another size than it says"),
        ("206 P\netag: \"v1\"\ncontent-range: bytes */9", "it does not say what it goes on with"),
        ("206 P\netag: \"v1\"", "it does not say what it goes on with"),
        ("200 OK\netag: \"v2\"", "the server begins again, or has another file"),
        ("200 OK\netag: \"v1\"", "the server begins again, or has another file"),
        ("416 No\ncontent-range: bytes */3", "it has become shorter"),
    ] {
        let (stub, bytes, error) = after_half(Reply::whole(&format!("HTTP/1.1 {head}"), b"45678")).await;
        assert_eq!(bytes, b"0123", "{head}");
        assert_eq!(error, Some(DownloadError::Changed(reason)), "{head}");
        assert_eq!(stub.requests().len(), 2);
    }
}

#[tokio::test]
async fn a_part_that_is_longer_than_it_says_is_not_taken() {
    let head = format!("HTTP/1.1 206 P\n{TAG}\ncontent-range: bytes 4-8/9\ntransfer-encoding: chunked");
    let (_, bytes, error) = after_half(Reply::new(&head, b"6\r\n456789\r\n0\r\n\r\n", Then::Close)).await;
    assert_eq!((bytes, error), (b"0123".to_vec(), Some(DownloadError::Unusable("it is longer than it says"))));
}

#[tokio::test]
async fn a_part_that_cannot_be_used_is_not_taken() {
    let part = format!("HTTP/1.1 206 P\n{TAG}\ncontent-range: bytes 4-8/9");
    for (head, reason) in [
        (format!("{part}\ncontent-length: 5\ncontent-encoding: gzip"), "it is compressed, which was not asked for"),
        (part, "it has neither a length nor an end"),
    ] {
        let (_, bytes, error) = after_half(Reply::new(&head, b"45678", Then::Close)).await;
        assert_eq!((bytes, error), (b"0123".to_vec(), Some(DownloadError::Unusable(reason))));
    }
}

#[tokio::test]
async fn what_a_server_says_on_the_way_counts() {
    for (head, expected) in [
        ("HTTP/1.1 404 No", DownloadError::Gone),
        ("HTTP/1.1 403 No", DownloadError::Refused),
        ("HTTP/1.1 400 No", DownloadError::Unexpected(StatusCode::BAD_REQUEST)),
        (
            "HTTP/1.1 302 Found\nlocation: https://other.example/",
            DownloadError::Forbidden("its host is not on the list"),
        ),
    ] {
        let (stub, bytes, error) = after_half(Reply::whole(head, b"")).await;
        assert_eq!((bytes, error), (b"0123".to_vec(), Some(expected)));
        assert_eq!(stub.requests().len(), 2);
    }
}

#[tokio::test]
async fn a_server_that_recovers_goes_on() {
    let file = server(data(5000), 3001, TAG);
    let stub = Stub::tls(move |number, request| match number {
        1 => Reply::whole("HTTP/1.1 503 Busy", b""),
        2 => Reply::raw("", Then::Close),
        3 => Reply::whole("HTTP/1.1 429 Busy\nretry-after: 0", b""),
        4 => Reply::raw("HTTP/1.1 206 P", Then::Close),
        _ => file(number, request),
    });
    let stub = stub.await;
    assert_eq!(fetched(&stub, LIMITS).await, (data(5000), None));
    assert_eq!(stub.requests().len(), 6);
}

#[tokio::test]
async fn a_stalled_connection_is_given_up_for_another() {
    let file = server(data(5000), 3001, TAG);
    let stub = Stub::tls(move |number, request| Reply { then: Then::Stall, ..file(number, request) }).await;
    let impatient = Limits { idle: Duration::from_millis(200), ..LIMITS };
    assert_eq!(fetched(&stub, impatient).await, (data(5000), None));
    assert_eq!(stub.requests().len(), 2);
}

#[tokio::test]
async fn a_server_that_does_not_recover_is_left() {
    for (second, expected) in [
        (Reply::raw("", Then::Close), None),
        (
            Reply::whole("HTTP/1.1 500 No", b""),
            Some(DownloadError::Unavailable { status: StatusCode::INTERNAL_SERVER_ERROR, retry_after: None }),
        ),
        (
            Reply::new(
                &format!("HTTP/1.1 206 P\n{TAG}\ncontent-range: bytes 4-8/9\ncontent-length: 5"),
                b"",
                Then::Close,
            ),
            None,
        ),
    ] {
        let (stub, bytes, error) = after_half(second).await;
        assert_eq!(bytes, b"0123");
        let error = error.unwrap();
        assert!(error.is_break(), "{error:?}");
        assert!(expected.is_none_or(|expected| expected == error));
        assert_eq!(stub.requests().len(), 6, "five times after the first");
    }
}

#[tokio::test]
async fn a_server_that_gives_a_byte_at_a_time_is_left_too() {
    let stub = Stub::tls(server(data(100), 1, TAG)).await;
    let (bytes, error) = fetched(&stub, LIMITS).await;
    assert_eq!(bytes, data(31));
    assert!(matches!(error, Some(DownloadError::Broken(EgressError::Interrupted(_)))), "{error:?}");
    assert_eq!(stub.requests().len(), 31);
}

#[tokio::test]
async fn parts_that_are_smaller_than_asked_for_make_a_whole() {
    let file = data(1000);
    let stub = Stub::tls(move |number, request| {
        if number == 0 {
            return Reply::new(&format!("HTTP/1.1 200 OK\n{TAG}\ncontent-length: 1000"), &file[..100], Then::Close);
        }
        let start = asked(request);
        let end = 1000.min(start + 333);
        let head = format!("HTTP/1.1 206 P\n{TAG}\ncontent-range: bytes {start}-{}/1000", end - 1);
        Reply::whole(&head, &file[start..end])
    });
    let stub = stub.await;
    assert_eq!(fetched(&stub, LIMITS).await, (data(1000), None));
    assert_eq!(stub.requests().len(), 4);
}

#[tokio::test]
async fn a_file_whose_size_is_learned_on_the_way_is_held_to_it() {
    let first =
        Reply::new(&format!("HTTP/1.1 200 OK\n{TAG}\ntransfer-encoding: chunked"), b"4\r\n0123\r\n", Then::Close);
    for (range, expected) in [
        ("4-8/9".to_owned(), None),
        ("4-8/*".to_owned(), Some(DownloadError::Changed("it does not say how large it is"))),
        (format!("4-8/{}", LIMIT + 1), Some(DownloadError::TooLarge(LIMIT))),
    ] {
        let (first, range) = (first.clone(), format!("HTTP/1.1 206 P\n{TAG}\ncontent-range: bytes {range}"));
        let second = Reply::whole(&range, b"45678");
        let stub = Stub::tls(move |number, _| if number == 0 { first.clone() } else { second.clone() }).await;
        let whole: &[u8] = if expected.is_none() { b"012345678" } else { b"0123" };
        assert_eq!(fetched(&stub, LIMITS).await, (whole.to_vec(), expected), "{range}");
    }
}

#[tokio::test]
async fn it_goes_on_over_the_same_redirect_with_the_same_authorization() {
    let files = Stub::tls(server(data(5000), 3001, TAG)).await;
    let target = format!("https://{OTHER}:{}/file", files.port());
    let door = Stub::tls(move |_, _| Reply::whole(&format!("HTTP/1.1 302 Found\nlocation: {target}"), b"")).await;
    let hosts = [format!("{FILES}:{}", door.port()), format!("{OTHER}:{}", files.port())];
    let downloader = downloader(Places::public(patterns(&hosts)), LIMITS, &[(FILES, &door), (OTHER, &files)]);
    let key = HeaderValue::from_static("Key k");
    let url = format!("https://{FILES}:{}/", door.port());
    let download = downloader.open(&url, Some(&key), LIMIT).await.unwrap();
    assert_eq!(read(download).await, (data(5000), None));
    assert!(door.requests().iter().all(|request| header(request, "authorization") == Some("key k")));
    assert!(files.requests().iter().all(|request| header(request, "authorization").is_none()));
    assert_eq!((door.requests().len(), files.requests().len()), (2, 2));
}

#[tokio::test]
async fn a_server_is_not_asked_earlier_than_it_wants() {
    let first = Reply::new(&format!("HTTP/1.1 200 OK\n{TAG}\ncontent-length: 9"), b"0123", Then::Close);
    let last = format!("HTTP/1.1 206 P\n{TAG}\ncontent-range: bytes 4-8/9");
    let stub = Stub::tls(move |number, _| match number {
        0 => first.clone(),
        1 => Reply::whole("HTTP/1.1 503 Busy\nretry-after: 1", b""),
        _ => Reply::whole(&last, b"45678"),
    });
    let stub = stub.await;
    let begun = tokio::time::Instant::now();
    assert_eq!(fetched(&stub, LIMITS).await, (b"012345678".to_vec(), None));
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_server_that_wants_long_pauses_is_left() {
    let asked = Duration::from_secs(31);
    let (stub, bytes, error) = after_half(Reply::whole("HTTP/1.1 503 Busy\nretry-after: 31", b"")).await;
    let status = StatusCode::SERVICE_UNAVAILABLE;
    assert_eq!(error, Some(DownloadError::Unavailable { status, retry_after: Some(asked) }));
    assert_eq!((bytes, stub.requests().len()), (b"0123".to_vec(), 2));
}
