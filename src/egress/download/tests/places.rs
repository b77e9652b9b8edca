//! Where files are fetched from, and who gets to see the authorization.

use tokio::net::TcpListener;

use super::*;

fn moved(status: u16, to: &str) -> Reply {
    Reply::whole(&format!("HTTP/1.1 {status} Moved\nlocation: {to}"), b"not the file")
}

fn file() -> Reply {
    Reply::whole("HTTP/1.1 200 OK", b"the file")
}

#[tokio::test]
async fn a_file_comes_from_a_host_on_the_list() {
    let stub = Stub::tls(|_, _| file()).await;
    let (downloader, url) = public(&stub, LIMITS);
    let download = downloader.open(&url, None, LIMIT).await.unwrap();
    assert_eq!(download.length, Some(8));
    assert_eq!(format!("{download:?}"), "Download { length: Some(8), .. }");
    assert_eq!(read(download).await, (b"the file".to_vec(), None));
    let request = &stub.requests()[0];
    assert_eq!(header(request, "accept-encoding"), Some("identity"));
    for absent in ["authorization", "range", "if-range", "referer", "cookie"] {
        assert_eq!(header(request, absent), None, "{absent}");
    }
}

#[tokio::test]
async fn what_is_elsewhere_is_not_fetched() {
    let stub = Stub::tls(|_, _| file()).await;
    let port = stub.port();
    let hosts = [FILES.to_owned(), format!("{FILES}:{port}"), format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let downloader = downloader(Places::public(patterns(&hosts)), LIMITS, &[(FILES, &stub), (OTHER, &stub)]);
    for (url, reason) in [
        (format!("http://{FILES}:{port}/secret"), "it is not https"),
        (format!("ftp://{FILES}:{port}/secret"), "it is not https"),
        ("secret".to_owned(), "it is no URL"),
        ("data:video/mp4;base64,secret".to_owned(), "it is not https"),
        (format!("https://secret@{FILES}:{port}/"), "it holds a user name or a password"),
        (format!("https://:secret@{FILES}:{port}/"), "it holds a user name or a password"),
        (format!("https://{OTHER}:{port}/secret"), "its host is not on the list"),
        (format!("https://{FILES}:1/secret"), "its host is not on the list"),
        (format!("https://127.0.0.1:{port}/secret"), "its host is a private address"),
        (format!("https://localhost:{port}/secret"), "its host leads to a private address"),
    ] {
        assert_eq!(refusal(&downloader, &url).await, DownloadError::Forbidden(reason), "{url}");
    }
    assert!(stub.requests().is_empty());
}

#[tokio::test]
async fn redirects_are_followed_among_the_hosts_on_the_list() {
    for status in [301, 302, 303, 307, 308] {
        let stub = Stub::tls(move |number, _| if number < 5 { moved(status, "next?a=b") } else { file() }).await;
        assert_eq!(fetched(&stub, LIMITS).await, (b"the file".to_vec(), None), "{status}");
        assert!(stub.requests()[5].starts_with("get /next?a=b "), "{:?}", stub.requests()[5]);
    }
    for status in [300, 304, 305] {
        let stub = Stub::tls(move |_, _| Reply::new(&format!("HTTP/1.1 {status} No\nlocation: /"), b"", Then::Close));
        let stub = stub.await;
        let (downloader, url) = public(&stub, LIMITS);
        let unexpected = DownloadError::Unexpected(StatusCode::from_u16(status).unwrap());
        assert_eq!(refusal(&downloader, &url).await, unexpected);
    }
}

#[tokio::test]
async fn redirects_have_an_end() {
    let stub = Stub::tls(|_, _| moved(302, "/secret?key=c0ffee")).await;
    let (downloader, url) = public(&stub, LIMITS);
    assert_eq!(refusal(&downloader, &url).await, DownloadError::Unusable("it redirects too often"));
    assert_eq!(stub.requests().len(), REDIRECTS + 1);
}

#[tokio::test]
async fn a_redirect_leads_nowhere_that_a_url_does_not() {
    let inner = Stub::tls(|_, _| file()).await;
    let port = inner.port();
    for (target, reason) in [
        (format!("https://{OTHER}:{port}/"), "its host is not on the list"),
        (format!("//{OTHER}:{port}/"), "its host is not on the list"),
        (format!("https://127.0.0.1:{port}/"), "its host is a private address"),
        (format!("https://[::1]:{port}/"), "its host is a private address"),
        (format!("https://localhost:{port}/"), "its host leads to a private address"),
        (format!("http://{FILES}:{port}/"), "a redirect leads from https to something else"),
        ("file:///etc/passwd".to_owned(), "a redirect leads from https to something else"),
        (format!("https://user@{FILES}:{port}/"), "it holds a user name or a password"),
    ] {
        let stub = Stub::tls(move |_, _| moved(302, &target)).await;
        let listed = [FILES, "127.0.0.1", "localhost", "[::1]"].map(|host| format!("{host}:{port}"));
        let hosts = [vec![format!("{FILES}:{}", stub.port())], listed.to_vec()].concat();
        let names = [(FILES, &stub), (OTHER, &inner)];
        let downloader = downloader(Places::public(patterns(&hosts)), LIMITS, &names);
        let url = format!("https://{FILES}:{}/secret", stub.port());
        assert_eq!(refusal(&downloader, &url).await, DownloadError::Forbidden(reason));
        assert!(inner.requests().is_empty());
    }
    for head in ["HTTP/1.1 302 Found", "HTTP/1.1 302 Found\nlocation: https://", "HTTP/1.1 302 Found\nlocation: \u{e9}"]
    {
        let stub = Stub::tls(move |_, _| Reply::whole(head, b"")).await;
        let (downloader, url) = public(&stub, LIMITS);
        assert_eq!(refusal(&downloader, &url).await, DownloadError::Unusable("it redirects to nowhere"), "{head}");
    }
}

#[tokio::test]
async fn the_authorization_does_not_leave_its_server() {
    // The file is at the first server, by way of itself, the second, and itself again.
    let there = Arc::new(std::sync::OnceLock::<String>::new());
    let back = there.clone();
    let other = Stub::tls(move |_, _| moved(307, back.get().unwrap())).await;
    let to_other = format!("https://{OTHER}:{}/", other.port());
    let files = Stub::tls(move |number, _| match number {
        0 => moved(307, "/again"),
        1 => moved(307, &to_other),
        _ => file(),
    });
    let files = files.await;
    there.set(format!("https://{FILES}:{}/back", files.port())).unwrap();
    let hosts = [format!("{FILES}:{}", files.port()), format!("{OTHER}:{}", other.port())];
    let downloader = downloader(Places::public(patterns(&hosts)), LIMITS, &[(FILES, &files), (OTHER, &other)]);
    let key = HeaderValue::from_static("Bearer k");
    let url = format!("https://{FILES}:{}/", files.port());
    let download = downloader.open(&url, Some(&key), LIMIT).await.unwrap();
    assert_eq!(read(download).await, (b"the file".to_vec(), None));
    let seen = |stub: &Stub| -> Vec<bool> {
        stub.requests().iter().map(|request| header(request, "authorization") == Some("bearer k")).collect()
    };
    assert_eq!(seen(&files), [true, true, false]);
    assert_eq!(seen(&other), [false]);
}

#[tokio::test]
async fn hosts_of_ones_own_may_be_private_and_without_tls() {
    let (clear, encrypted) = (Stub::clear(|_, _| file()).await, Stub::tls(|_, _| file()).await);
    let hosts = [
        format!("127.0.0.1:{}", clear.port()),
        format!("localhost:{}", clear.port()),
        format!("localhost:{}", encrypted.port()),
        "1.1.1.1".to_owned(),
    ];
    let downloader = downloader(Places::private(patterns(&hosts)), LIMITS, &[("stub", &encrypted)]);
    for url in [
        format!("http://127.0.0.1:{}/", clear.port()),
        format!("http://localhost:{}/", clear.port()),
        format!("https://localhost:{}/", encrypted.port()),
    ] {
        let download = downloader.open(&url, None, LIMIT).await.unwrap();
        assert_eq!(read(download).await, (b"the file".to_vec(), None), "{url}");
    }
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for (url, reason) in [
        (format!("http://{}/secret", elsewhere.local_addr().unwrap()), "its host is not on the list"),
        ("http://1.1.1.1/secret".to_owned(), "it is not encrypted, and its host is a public address"),
        (format!("ws://127.0.0.1:{}/secret", clear.port()), "it is neither https nor http"),
    ] {
        assert_eq!(refusal(&downloader, &url).await, DownloadError::Forbidden(reason), "{url}");
    }
}

#[tokio::test]
async fn hosts_of_ones_own_do_not_lead_elsewhere_either() {
    let inner = Stub::clear(|_, _| file()).await;
    let (to_inner, to_clear) = (format!("http://{}/", inner.address), format!("http://localhost:{}/", inner.port()));
    let clear = Stub::clear(move |_, _| moved(302, &to_inner)).await;
    let encrypted = Stub::tls(move |_, _| moved(302, &to_clear)).await;
    let hosts = [&clear, &encrypted, &inner].map(|stub| format!("localhost:{}", stub.port()));
    let downloader = downloader(Places::private(patterns(&hosts)), LIMITS, &[("stub", &encrypted)]);
    for (url, reason) in [
        (format!("http://localhost:{}/secret", clear.port()), "its host is not on the list"),
        (format!("https://localhost:{}/secret", encrypted.port()), "a redirect leads from https to something else"),
    ] {
        assert_eq!(refusal(&downloader, &url).await, DownloadError::Forbidden(reason), "{url}");
    }
    assert!(inner.requests().is_empty());
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_given_no_authorization() {
    let (stub, trusted) = (Stub::tls(|_, _| file()).await, Stub::tls(|_, _| file()).await);
    let places = Places::private(patterns(&[format!("localhost:{}", stub.port())]));
    let downloader = downloader(places, LIMITS, &[("stub", &trusted)]);
    let error = refusal(&downloader, &format!("https://localhost:{}/secret", stub.port())).await;
    assert!(matches!(error, DownloadError::Broken(EgressError::Untrusted(_))), "{error:?}");
    assert!(stub.requests().is_empty());
}
