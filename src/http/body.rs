//! Reading a body: with a limit on its bytes, on its time and on the memory that all bodies take together, and with its
//! hash made on the way.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

/// What a body may take without being counted.
const UNCOUNTED: usize = 64 * 1024;
/// Memory is counted in steps of this many bytes.
const STEP: usize = 64 * 1024;
/// How long a body waits for memory that others hold.
const MEMORY_PATIENCE: Duration = Duration::from_secs(5);
/// What of a body that was refused is read and thrown away, so that a client that sends first and reads afterwards
/// gets to see the refusal.
const DRAIN_BYTES: usize = 8 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// Reads bodies, and counts what they take.
pub struct BodyReader {
    unpaid: Arc<Semaphore>,
    paid: Arc<Semaphore>,
    idle: Duration,
    total: Duration,
}

/// Who sends a body: those who have paid do not share memory with those who have not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// No payment was proven.
    Unpaid,
    /// A payment was proven.
    Paid,
}

/// A whole body.
pub struct ReadBody {
    /// The bytes.
    pub bytes: Bytes,
    /// Their SHA-256.
    pub sha256: [u8; 32],
    /// Gives the memory back when the body is no longer needed.
    pub memory: Vec<OwnedSemaphorePermit>,
}

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyRefusal {
    /// More bytes than allowed.
    TooLarge,
    /// The sender was too slow.
    TooSlow,
    /// Other bodies hold all memory there is for bodies.
    NoMemory,
    /// The sender went away.
    Broken,
}

impl BodyReader {
    /// A reader that lets bodies of unpaid requests over 64 KiB take `memory` bytes together, and those of paid ones as
    /// much again; `idle` is the longest pause within a body, `total` its whole time.
    #[must_use]
    pub fn new(memory: usize, idle: Duration, total: Duration) -> Self {
        let steps = (memory / STEP).max(1);
        Self { unpaid: Arc::new(Semaphore::new(steps)), paid: Arc::new(Semaphore::new(steps)), idle, total }
    }

    /// Reads a body of up to `limit` bytes. Of a larger one nothing is kept.
    pub async fn read(&self, body: Body, limit: usize, sender: Sender) -> Result<ReadBody, BodyRefusal> {
        let mut stream = body.into_data_stream();
        let read = self.collect(&mut stream, limit, sender).await;
        if read.as_ref().err() == Some(&BodyRefusal::TooLarge) {
            drain(stream).await;
        }
        read
    }

    async fn collect(
        &self,
        stream: &mut BodyDataStream,
        limit: usize,
        sender: Sender,
    ) -> Result<ReadBody, BodyRefusal> {
        let deadline = Instant::now() + self.total;
        let mut hasher = Sha256::new();
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
        let mut memory = Vec::new();
        let mut counted = UNCOUNTED;
        loop {
            let idle = deadline.min(Instant::now() + self.idle);
            let chunk = match timeout_at(idle, stream.next()).await {
                Err(_) => return Err(BodyRefusal::TooSlow),
                Ok(None) => break,
                Ok(Some(Err(_))) => return Err(BodyRefusal::Broken),
                Ok(Some(Ok(chunk))) => chunk,
            };
            let len = first.len() + rest.len() + chunk.len();
            if len > limit {
                return Err(BodyRefusal::TooLarge);
            }
            while counted < len {
                memory.push(self.take_memory(sender).await?);
                counted += STEP;
            }
            hasher.update(&chunk);
            // Most bodies arrive in one piece, and are not copied then.
            if first.is_empty() && rest.is_empty() {
                first = chunk;
            } else {
                if rest.is_empty() {
                    rest.extend_from_slice(&std::mem::take(&mut first));
                }
                rest.extend_from_slice(&chunk);
            }
        }
        let bytes = if rest.is_empty() { first } else { rest.freeze() };
        Ok(ReadBody { bytes, sha256: hasher.finalize().into(), memory })
    }

    async fn take_memory(&self, sender: Sender) -> Result<OwnedSemaphorePermit, BodyRefusal> {
        let pool = match sender {
            Sender::Unpaid => self.unpaid.clone(),
            Sender::Paid => self.paid.clone(),
        };
        match timeout(MEMORY_PATIENCE, pool.acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(BodyRefusal::NoMemory),
        }
    }
}

/// Reads on and throws away, within bounds.
async fn drain(mut stream: BodyDataStream) {
    let read_on = async {
        let mut left = DRAIN_BYTES;
        while let Some(Ok(chunk)) = stream.next().await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                break;
            }
        }
    };
    // However it ends, the answer goes out now.
    let _ = timeout(DRAIN_TIME, read_on).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    fn reader(memory: usize) -> BodyReader {
        BodyReader::new(memory, Duration::from_secs(1), Duration::from_secs(3))
    }

    fn chunks(count: usize, size: usize) -> Body {
        Body::from_stream(stream::iter((0..count).map(move |_| Ok::<_, std::io::Error>(vec![7; size]))))
    }

    #[tokio::test]
    async fn a_body_in_pieces_has_the_hash_of_the_whole() {
        let body = reader(1 << 20).read(chunks(5, 1_000), 5_000, Sender::Unpaid).await.ok().unwrap();
        assert_eq!(body.bytes.len(), 5_000);
        let expected: [u8; 32] = Sha256::digest(&body.bytes).into();
        assert_eq!(body.sha256, expected);
    }

    #[tokio::test]
    async fn one_byte_too_many_is_refused() {
        let read = reader(1 << 20).read(chunks(5, 1_000), 4_999, Sender::Unpaid).await;
        assert_eq!(read.err(), Some(BodyRefusal::TooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_that_stalls_or_trickles_is_refused() {
        let stalled = Body::from_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>());
        assert_eq!(reader(1).read(stalled, 10, Sender::Unpaid).await.err(), Some(BodyRefusal::TooSlow));
        let trickle = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(900)).await;
            Some((Ok::<_, std::io::Error>(vec![0]), ()))
        });
        let read = reader(1).read(Body::from_stream(trickle), 1_000, Sender::Unpaid).await;
        assert_eq!(read.err(), Some(BodyRefusal::TooSlow));
    }

    #[tokio::test(start_paused = true)]
    async fn unpaid_bodies_leave_room_for_paid_ones() {
        let reader = reader(4 * STEP);
        let size = UNCOUNTED + 4 * STEP;
        let held = reader.read(chunks(size / 1_024, 1_024), size, Sender::Unpaid).await.ok().unwrap();
        let second = reader.read(chunks(size / 1_024, 1_024), size, Sender::Unpaid).await;
        assert_eq!(second.err(), Some(BodyRefusal::NoMemory));
        assert!(reader.read(chunks(size / 1_024, 1_024), size, Sender::Paid).await.is_ok());
        drop(held);
        assert!(reader.read(chunks(size / 1_024, 1_024), size, Sender::Unpaid).await.is_ok());
    }
}
