//! Reading a body: with a limit on its bytes, on its time and on the memory that all bodies take together, and with its
//! hash made on the way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, HttpBody as _};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use crate::domain::PaymentHash;

/// What a body may take without being counted.
const UNCOUNTED: usize = 64 * 1024;
/// Memory is counted in steps of this many bytes.
const STEP: usize = 64 * 1024;
/// How long a body waits for memory that others hold.
const MEMORY_PATIENCE: Duration = Duration::from_secs(5);
/// How long a provider's does: less than most of them wait for an answer.
const PROVIDERS_PATIENCE: Duration = Duration::from_secs(20);
/// What of a body that was refused is read and thrown away, so that a client that sends first and reads afterwards
/// gets to see the refusal.
const DRAIN_BYTES: usize = 32 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(5);
/// Whoever sends nothing for this long is not in the middle of sending.
const DRAIN_IDLE: Duration = Duration::from_millis(500);

/// Reads bodies, and counts what they take.
pub struct BodyReader {
    unpaid: Arc<Semaphore>,
    paid: Arc<Semaphore>,
    providers: Arc<Semaphore>,
    /// What each of the three has when nobody sends.
    steps: usize,
    /// Payments with a large body under way.
    uploading: Arc<Mutex<HashMap<PaymentHash, Arc<Semaphore>>>>,
    idle: Duration,
    total: Duration,
}

/// Who sends a body: those who have paid do not share memory with those who have not, and each payment has one large
/// body at a time, so that one credential cannot keep out all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// No payment was proven.
    Unpaid,
    /// This payment was proven.
    Paid(PaymentHash),
    /// A provider, at a path that nobody else knows.
    Provider,
}

/// Memory that a body takes; dropping it gives the memory back.
#[derive(Default)]
pub struct Memory {
    permits: Vec<OwnedSemaphorePermit>,
    upload: Option<Upload>,
}

/// The place of a payment's one large body.
struct Upload {
    uploading: Arc<Mutex<HashMap<PaymentHash, Arc<Semaphore>>>>,
    hash: PaymentHash,
    permit: Option<OwnedSemaphorePermit>,
}

/// A whole body.
pub struct ReadBody {
    /// The bytes.
    pub bytes: Bytes,
    /// Their SHA-256.
    pub sha256: [u8; 32],
    /// Gives the memory back when the body is no longer needed.
    pub memory: Memory,
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
    /// much again, and those of providers too; `idle` is the longest pause within a body, `total` its whole time.
    #[must_use]
    pub fn new(memory: usize, idle: Duration, total: Duration) -> Self {
        let steps = (memory / STEP).max(1);
        let pool = || Arc::new(Semaphore::new(steps));
        Self { unpaid: pool(), paid: pool(), providers: pool(), steps, uploading: Arc::default(), idle, total }
    }

    /// Reads a body of up to `limit` bytes. Of a larger one nothing is kept.
    pub async fn read(&self, body: Body, limit: usize, sender: Sender) -> Result<ReadBody, BodyRefusal> {
        let declared = body.size_hint().exact().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let mut stream = body.into_data_stream();
        let read = self.collect(&mut stream, limit, declared.min(limit), sender).await;
        if let Err(BodyRefusal::TooLarge | BodyRefusal::NoMemory) = &read {
            drain_stream(stream).await;
        }
        read
    }

    async fn collect(
        &self,
        stream: &mut BodyDataStream,
        limit: usize,
        expected: usize,
        sender: Sender,
    ) -> Result<ReadBody, BodyRefusal> {
        let deadline = Instant::now() + self.total;
        let mut hasher = Sha256::new();
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
        let mut memory = Memory::default();
        let mut counted = UNCOUNTED + self.take_whole(sender, expected, &mut memory).await? * STEP;
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
                self.take_memory(sender, &mut memory, deadline).await?;
                counted += STEP;
            }
            hasher.update(&chunk);
            // Most bodies arrive in one piece, and are not copied then.
            if first.is_empty() && rest.is_empty() {
                first = chunk;
            } else {
                if rest.is_empty() {
                    // Grown step by step, a large body would be copied several times over.
                    rest.reserve(expected.max(len));
                    rest.extend_from_slice(&std::mem::take(&mut first));
                }
                rest.extend_from_slice(&chunk);
            }
        }
        let bytes = if rest.is_empty() { first } else { rest.freeze() };
        Ok(ReadBody { bytes, sha256: hasher.finalize().into(), memory })
    }

    /// A provider tells a result once, and has little patience: two that each had half of the memory would both lose. So
    /// what is declared is taken in one piece. Returns its steps.
    async fn take_whole(&self, sender: Sender, expected: usize, memory: &mut Memory) -> Result<usize, BodyRefusal> {
        let steps = expected.saturating_sub(UNCOUNTED).div_ceil(STEP);
        if sender != Sender::Provider || steps == 0 {
            return Ok(0);
        }
        let count = u32::try_from(steps).ok().filter(|_| steps <= self.steps).ok_or(BodyRefusal::TooLarge)?;
        match timeout(PROVIDERS_PATIENCE, self.providers.clone().acquire_many_owned(count)).await {
            Ok(Ok(permits)) => memory.permits.push(permits),
            Ok(Err(_)) | Err(_) => return Err(BodyRefusal::NoMemory),
        }
        Ok(steps)
    }

    async fn take_memory(&self, sender: Sender, memory: &mut Memory, deadline: Instant) -> Result<(), BodyRefusal> {
        let (pool, patience) = match sender {
            Sender::Unpaid => (&self.unpaid, deadline.min(Instant::now() + MEMORY_PATIENCE)),
            Sender::Provider => (&self.providers, deadline.min(Instant::now() + MEMORY_PATIENCE)),
            Sender::Paid(hash) => {
                if memory.upload.is_none() {
                    memory.upload = Some(self.place(hash, deadline).await?);
                }
                // Whoever has paid waits for as long as it takes rather than be sent away.
                (&self.paid, deadline)
            }
        };
        match timeout_at(patience, pool.clone().acquire_owned()).await {
            Ok(Ok(permit)) => memory.permits.push(permit),
            Ok(Err(_)) | Err(_) => return Err(BodyRefusal::NoMemory),
        }
        Ok(())
    }

    /// Waits until no other large body of this payment is under way.
    async fn place(&self, hash: PaymentHash, deadline: Instant) -> Result<Upload, BodyRefusal> {
        let place = {
            let mut uploading = self.uploading.lock().unwrap_or_else(PoisonError::into_inner);
            uploading.entry(hash).or_insert_with(|| Arc::new(Semaphore::new(1))).clone()
        };
        // Made first, so that its drop tidies up however the wait ends.
        let mut upload = Upload { uploading: self.uploading.clone(), hash, permit: None };
        match timeout_at(deadline, place.acquire_owned()).await {
            Ok(Ok(permit)) => upload.permit = Some(permit),
            Ok(Err(_)) | Err(_) => return Err(BodyRefusal::NoMemory),
        }
        Ok(upload)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let mut uploading = self.uploading.lock().unwrap_or_else(PoisonError::into_inner);
        self.permit.take();
        // Only the map itself holds it: nobody waits.
        if uploading.get(&self.hash).is_some_and(|place| Arc::strong_count(place) == 1) {
            uploading.remove(&self.hash);
        }
    }
}

/// Reads and throws away what is left of a body that is refused, within bounds: many clients and proxies send first and
/// read afterwards, and would see a broken connection instead of the refusal.
pub async fn drain(body: Body) {
    drain_stream(body.into_data_stream()).await;
}

/// Reads on and throws away, within bounds.
async fn drain_stream(mut stream: BodyDataStream) {
    let read_on = async {
        let mut left = DRAIN_BYTES;
        while let Ok(Some(Ok(chunk))) = timeout(DRAIN_IDLE, stream.next()).await {
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
        let paid = Sender::Paid(PaymentHash::from_bytes([1; 32]));
        assert!(reader.read(chunks(size / 1_024, 1_024), size, paid).await.is_ok());
        drop(held);
        assert!(reader.read(chunks(size / 1_024, 1_024), size, Sender::Unpaid).await.is_ok());
    }
    #[tokio::test(start_paused = true)]
    async fn one_payment_cannot_keep_out_another() {
        let reader = reader(4 * STEP);
        let size = UNCOUNTED + 2 * STEP;
        let [mine, yours] = [1, 2].map(|n| Sender::Paid(PaymentHash::from_bytes([n; 32])));
        let held = reader.read(chunks(size / 1_024, 1_024), size, mine).await.ok().unwrap();
        let again = reader.read(chunks(size / 1_024, 1_024), size, mine).await;
        assert_eq!(again.err(), Some(BodyRefusal::NoMemory), "one large body of a payment at a time");
        assert!(reader.read(chunks(size / 1_024, 1_024), size, yours).await.is_ok());
        drop(held);
        assert!(reader.read(chunks(size / 1_024, 1_024), size, mine).await.is_ok());
        assert!(reader.uploading.lock().unwrap().is_empty(), "nothing is left behind");
    }

    #[tokio::test(start_paused = true)]
    async fn a_providers_body_has_its_memory_at_once_or_waits_for_all_of_it() {
        let reader = reader(4 * STEP);
        let size = UNCOUNTED + 3 * STEP;
        let whole = || Body::from(vec![7; size]);
        let (first, second) = tokio::join!(
            async {
                let held = reader.read(whole(), size, Sender::Provider).await.ok().unwrap();
                tokio::time::sleep(Duration::from_secs(10)).await;
                drop(held);
            },
            reader.read(whole(), size, Sender::Provider)
        );
        assert_eq!(((), second.ok().unwrap().bytes.len()), (first, size));
        let larger = Body::from(vec![7; UNCOUNTED + 4 * STEP + 1]);
        assert_eq!(reader.read(larger, usize::MAX, Sender::Provider).await.err(), Some(BodyRefusal::TooLarge));
    }
}
