//! A connection whose peer has to take what it asked for: one that takes nothing for too long while there is something
//! to send is cut off. A response that has nothing to send yet may take as long as it likes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// A connection that can be ended at once.
pub trait Abort {
    /// Throws away what was not taken when the connection is closed.
    fn abort(&self);
}

/// A stream with a limit on the time in which its peer takes nothing.
pub struct Unread<S> {
    stream: S,
    limit: Duration,
    /// Runs while something waits to be taken.
    patience: Option<Pin<Box<Sleep>>>,
}

impl Abort for TcpStream {
    /// The kernel would keep it otherwise, and go on offering it. A socket that refuses is closed the usual way.
    fn abort(&self) {
        let _ = self.set_zero_linger();
    }
}

impl<S: Abort> Unread<S> {
    /// `stream`, cut off when its peer takes nothing for `limit`.
    #[must_use]
    pub const fn new(stream: S, limit: Duration) -> Self {
        Self { stream, limit, patience: None }
    }

    fn judge<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.patience = None;
            return written;
        }
        let limit = self.limit;
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(limit)));
        if patience.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.stream.abort();
        metrics::counter!("satforge_refused_total", "limit" => "unread").increment(1);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Unread<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Abort + Unpin> AsyncWrite for Unread<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::Instant;

    const LIMIT: Duration = Duration::from_secs(30);

    impl Abort for DuplexStream {
        fn abort(&self) {}
    }

    fn pair() -> (Unread<DuplexStream>, DuplexStream) {
        let (stream, peer) = duplex(1_000);
        (Unread::new(stream, LIMIT), peer)
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_cut_off() {
        let (mut stream, _peer) = pair();
        let began = Instant::now();
        stream.write_all(&[0; 1_000]).await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
        let error = stream.write_all(&[0; 1]).await.unwrap_err();
        assert_eq!((error.kind(), began.elapsed()), (io::ErrorKind::TimedOut, LIMIT));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_a_little_now_and_then_is_not() {
        let (mut stream, mut peer) = pair();
        let began = Instant::now();
        let reading = async {
            let mut taken = [0; 1_000];
            for _ in 0..10 {
                sleep(LIMIT * 9 / 10).await;
                peer.read_exact(&mut taken).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(stream.write_all(&[0; 10_000]), reading);
        written.unwrap();
        assert!(began.elapsed() >= LIMIT * 9);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_without_anything_to_send_does_not_count() {
        let (mut stream, mut peer) = pair();
        let mut taken = [0; 1_000];
        for _ in 0..5 {
            stream.write_all(&[0; 1_000]).await.unwrap();
            peer.read_exact(&mut taken).await.unwrap();
            sleep(LIMIT * 10).await;
        }
        let refilled = async {
            stream.write_all(&[0; 1_500]).await?;
            stream.flush().await
        };
        let late = async {
            sleep(LIMIT / 2).await;
            peer.read_exact(&mut taken).await
        };
        let (written, read) = tokio::join!(refilled, late);
        written.and(read.map(drop)).unwrap();
    }
}
