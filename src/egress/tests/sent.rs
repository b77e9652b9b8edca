//! Whether a request that brought no answer may have reached the server. Money depends on it: what was surely not sent
//! can be sent again, and what may have been sent may have started something.

use tokio::net::{TcpSocket, TcpStream};

use super::stub::{Reply, Stub, Then};
use super::*;

fn client() -> Client {
    Client::to_own(None, Duration::from_secs(30)).unwrap()
}

/// For servers that say nothing.
fn impatient() -> Client {
    Client::to_own(None, Duration::from_millis(600)).unwrap()
}

async fn create(client: &Client, url: &str) -> Result<Answer, EgressError> {
    client.send(client.request(Method::POST, url.parse().unwrap())?.body("{\"prompt\":1}")).await
}

/// The error of a create at a server that does the same to everybody; without TLS.
async fn failure(reply: Reply) -> (EgressError, Stub) {
    let client = if matches!(reply.then, Then::Stall) { impatient() } else { client() };
    let stub = Stub::clear(move |_, _| reply.clone()).await;
    (create(&client, &format!("http://{}/", stub.address)).await.unwrap_err(), stub)
}

#[tokio::test]
async fn a_refused_connection_carried_nothing() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for scheme in ["http", "https"] {
        let error = create(&client(), &format!("{scheme}://{nobody}/")).await.unwrap_err();
        assert!(matches!(error, EgressError::Unreachable(_)) && error.is_unsent(), "{error:?}");
    }
}

#[tokio::test]
async fn a_name_that_nobody_has_carried_nothing() {
    let error = create(&client(), "http://nobody.invalid/").await.unwrap_err();
    assert!(matches!(error, EgressError::Unreachable(_)) && error.is_unsent(), "{error:?}");
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_carried_nothing() {
    // Linux drops what asks for a connection while a listener's queue is full.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        queued.push(stream.unwrap());
        assert!(queued.len() < 10, "the queue has no end");
    }
    let error = create(&impatient(), &format!("http://{address}/")).await.unwrap_err();
    assert_eq!(error, EgressError::Unreachable("it took too long".into()));
}

#[tokio::test]
async fn a_handshake_that_fails_carried_nothing() {
    // They close at once, talk something else, or say nothing.
    for (said, stays) in
        [("", false), ("SSH-2.0-OpenSSH_9.2\r\n", false), ("HTTP/1.1 400 Bad\r\n\r\n", true), ("", true)]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            stays.then_some(stream)
        };
        let client = if stays { impatient() } else { client() };
        let (error, _stream) = tokio::join!(create(&client, &url), server);
        let error = error.unwrap_err();
        assert!(matches!(error, EgressError::Unreachable(_)) && error.is_unsent(), "{said:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_was_sent_nothing() {
    let stub = Stub::tls(|_, _| Reply::whole("HTTP/1.1 201 Created", b"")).await;
    let error = create(&client(), &format!("https://{}/", stub.address)).await.unwrap_err();
    assert!(matches!(error, EgressError::Untrusted(_)) && error.is_unsent(), "{error:?}");
    assert!(stub.requests().is_empty());
}

#[tokio::test]
async fn a_connection_that_was_made_may_have_carried_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = async { drop(listener.accept().await.unwrap()) };
    let client = client();
    let (error, ()) = tokio::join!(create(&client, &url), server);
    let error = error.unwrap_err();
    assert!(matches!(error, EgressError::Interrupted(_)) && !error.is_unsent(), "{error:?}");
}

#[tokio::test]
async fn a_request_that_was_read_may_have_been_done_and_is_sent_once() {
    for then in [Then::Close, Then::Stall] {
        for said in [
            "",
            "HTTP/1.1 2",
            "HTTP/1.1 201 Created\ncontent-le",
            "HTTP/1.1 201 Created\ncontent-length: 9\n",
            "HTTP/1.1 201 Created\ncontent-length: 9\n\n",
            "HTTP/1.1 201 Created\ncontent-length: 9\n\nhalf",
            "HTTP/1.1 201 Created\ntransfer-encoding: chunked\n\n4\nhalf\n",
        ] {
            let (error, stub) = failure(Reply::raw(said, then)).await;
            assert!(matches!(error, EgressError::Interrupted(_)) && !error.is_unsent(), "{said:?}: {error:?}");
            assert_eq!(stub.requests().len(), 1, "{said:?}");
        }
    }
}

#[tokio::test]
async fn nonsense_for_an_answer_says_nothing_about_what_was_done() {
    let (error, stub) = failure(Reply::raw("SSH-2.0-OpenSSH_9.2\n", Then::Close)).await;
    assert!(matches!(error, EgressError::Interrupted(_)) && !error.is_unsent(), "{error:?}");
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn a_kept_connection_that_ends_after_the_request_may_have_carried_it() {
    let stub = Stub::clear(|number, _| match number {
        0 => Reply { then: Then::Listen, ..Reply::whole("HTTP/1.1 200 OK", b"") },
        _ => Reply::raw("", Then::Close),
    });
    let stub = stub.await;
    let (client, url) = (client(), format!("http://{}/", stub.address));
    create(&client, &url).await.unwrap();
    let error = create(&client, &url).await.unwrap_err();
    assert!(matches!(error, EgressError::Interrupted(_)) && !error.is_unsent(), "{error:?}");
    assert_eq!(stub.requests().len(), 2, "it was not sent again on another connection");
}

/// The server closes a kept connection and goes away while the second request is on its way, sooner or later. Whether it
/// was noticed in time is a matter of luck, but nobody may say "surely not sent" of what the server has seen.
#[tokio::test]
async fn a_kept_connection_that_is_being_closed_is_not_said_to_have_carried_nothing() {
    for _ in 0..40 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            drop(listener);
            let mut request = Vec::new();
            while !request.ends_with(b"{\"prompt\":1}") {
                request.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            stream.shutdown().await.unwrap();
            let mut seen = Vec::new();
            let _ = stream.read_to_end(&mut seen).await;
            seen.len()
        };
        let client = client();
        let calls = async {
            create(&client, &url).await.unwrap();
            create(&client, &url).await.unwrap_err()
        };
        let (error, seen) = tokio::join!(calls, server);
        assert!(seen == 0 || !error.is_unsent(), "{seen} bytes were seen: {error:?}");
    }
}

#[tokio::test]
async fn a_request_can_have_another_time_than_the_client() {
    let stub = Stub::clear(|_, _| Reply::raw("", Then::Stall)).await;
    let patient = Client::to_own(None, Duration::from_hours(1)).unwrap();
    let request = patient.request(Method::GET, format!("http://{}/", stub.address).parse().unwrap()).unwrap();
    let late = patient.send(request.timeout(Duration::from_millis(50))).await.unwrap_err();
    assert_eq!(late, EgressError::Interrupted("it took too long".into()));
}

#[tokio::test]
async fn an_answer_can_have_another_limit_than_most() {
    let size = ANSWER_LIMIT + 1;
    let stub = Stub::clear(move |_, _| Reply::whole("HTTP/1.1 200 OK", &vec![b'x'; size])).await;
    let client = Client::to_own(None, Duration::from_mins(1)).unwrap();
    let request = || client.request(Method::GET, format!("http://{}/", stub.address).parse().unwrap()).unwrap();
    assert_eq!(client.send(request()).await.unwrap_err(), EgressError::TooLarge(ANSWER_LIMIT));
    assert_eq!(client.send_up_to(size, request()).await.unwrap().body.len(), size);
    assert_eq!(client.send_up_to(size - 1, request()).await.unwrap_err(), EgressError::TooLarge(size - 1));
}
