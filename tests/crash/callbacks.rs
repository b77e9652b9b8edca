//! A callback is owed from the moment of the redemption, whatever stops the process.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::kit::buyer::{VIDEO, video};
use crate::kit::until;
use crate::scene::{INSTANT, Scene};

/// The next request to `listener`, whole; it is answered with `answer`, or with nothing at all.
fn receive(listener: &TcpListener, answer: &str) -> Option<String> {
    let (mut stream, _) = listener.accept().ok()?;
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let text = read(&mut stream);
    stream.write_all(answer.as_bytes()).unwrap();
    Some(text)
}

/// The head and as much of a body as it declares.
fn read(stream: &mut TcpStream) -> String {
    let (mut text, mut buffer) = (String::new(), [0; 4_096]);
    loop {
        let length = stream.read(&mut buffer).unwrap();
        assert!(length > 0, "the request was cut short: {text}");
        text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && header(head, "content-length").parse() == Ok(body.len())
        {
            return text;
        }
    }
}

fn header<'t>(head: &'t str, name: &str) -> &'t str {
    let found = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("no {name} in {head}"))
}

#[tokio::test]
async fn killed_after_the_end_of_a_job_and_before_its_callback_was_answered() {
    let scene = Scene::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut body: Value = serde_json::from_slice(&video("a lighthouse")).unwrap();
    body["callback_url"] = format!("http://{}/hook", listener.local_addr().unwrap()).into();
    body["callback_id"] = "order 7".into();

    let gateway = scene.start(INSTANT);
    scene.buy(&gateway, VIDEO, body.to_string().into_bytes()).await;
    scene.rows().await.wait_for("succeeded").await;
    // It arrives, but the process dies before any answer.
    let (first, _) = until("a callback", async || listener.accept().ok()).await;
    first.set_nonblocking(false).unwrap();
    let first = { read(&mut { first }) };
    gateway.kill();

    let _gateway = scene.start(INSTANT);
    let answer = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    let second = until("the callback again", async || receive(&listener, answer)).await;
    let ((first, _), (second, body)) = (first.split_once("\r\n\r\n").unwrap(), second.split_once("\r\n\r\n").unwrap());
    assert_eq!(header(first, "webhook-id"), header(second, "webhook-id"), "whoever got both knows it");
    let told: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&told["status"], &told["callback_id"]), (&"succeeded".into(), &"order 7".into()));
}
