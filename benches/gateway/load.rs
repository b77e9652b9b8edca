//! A closed-loop load: each connection sends its next request when it has the last answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::child::Server;
use crate::setup::BODY;

const CONNECTIONS: usize = 64;
const WARM_UP: Duration = Duration::from_millis(500);

/// What a server did under load.
#[derive(Clone, Copy)]
pub struct Measured {
    /// Answers a second.
    pub rate: f64,
    /// The server's CPU time an answer, in microseconds.
    pub cpu_micros: f64,
}

/// A request with the usual body, and further header lines, each ended with CR LF.
pub fn request(path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The usual request for a video.
pub fn video(headers: &str) -> Vec<u8> {
    request("/api/l402/video", headers, BODY)
}

/// Loads `server` with `request` for `time`, and stops if an answer is not `status`.
pub fn run(server: &Server, request: &[u8], status: u16, time: Duration) -> Measured {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(async {
        let answered = Arc::new(AtomicU64::new(0));
        let request: Arc<[u8]> = request.into();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..CONNECTIONS {
            tasks.spawn(one_connection(server.address, request.clone(), status, answered.clone()));
        }
        tokio::time::sleep(WARM_UP).await;
        let (before, began, count) = (server.usage(), Instant::now(), answered.load(Ordering::Relaxed));
        tokio::time::sleep(time).await;
        let answers = (answered.load(Ordering::Relaxed) - count) as f64;
        assert!(tasks.try_join_next().is_none(), "a connection ended early");
        Measured {
            rate: answers / began.elapsed().as_secs_f64(),
            cpu_micros: (server.usage().cpu - before.cpu) / answers * 1e6,
        }
    })
}

/// One answer: its status, its head and its body.
pub async fn exchange(stream: &mut TcpStream, request: &[u8]) -> (u16, String, Vec<u8>) {
    stream.write_all(request).await.expect("the server reads");
    let mut buffer = Vec::with_capacity(4_096);
    loop {
        if let Some((head, end)) = split(&buffer) {
            return (status_of(&buffer), head.to_owned(), buffer[end..].to_vec());
        }
        assert!(stream.read_buf(&mut buffer).await.expect("the server answers") > 0, "the server hung up");
    }
}

async fn one_connection(address: SocketAddr, request: Arc<[u8]>, status: u16, answered: Arc<AtomicU64>) {
    let mut stream = TcpStream::connect(address).await.expect("the server accepts");
    stream.set_nodelay(true).expect("a socket option");
    let mut buffer = Vec::with_capacity(8_192);
    loop {
        stream.write_all(&request).await.expect("the server reads");
        buffer.clear();
        while split(&buffer).is_none() {
            assert!(stream.read_buf(&mut buffer).await.expect("the server answers") > 0, "the server hung up");
        }
        assert_eq!(status_of(&buffer), status, "{}", String::from_utf8_lossy(&buffer));
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// Head and its end, once the whole answer is there.
fn split(buffer: &[u8]) -> Option<(&str, usize)> {
    let end = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&buffer[..end]).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    (buffer.len() >= end + length.unwrap_or(0)).then_some((head, end))
}

fn status_of(buffer: &[u8]) -> u16 {
    std::str::from_utf8(&buffer[9..12]).ok().and_then(|status| status.parse().ok()).expect("a status line")
}
