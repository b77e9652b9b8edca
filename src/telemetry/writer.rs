//! Log lines on their way out: collected, and written a few times a second by a thread of their own.
//!
//! A system call for each line would cost more than the line itself. What is collected when the process is killed is
//! lost: the database is the record of what happened, the log is not.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// The longest time that a line waits.
const PATIENCE: Duration = Duration::from_millis(50);
/// Bytes that wake the thread early.
const PLENTY: usize = 64 * 1024;
/// Bytes that may wait when nobody reads the output; further lines are dropped and counted.
const LIMIT: usize = 4 * 1024 * 1024;

/// A place for log lines; cloning it is cheap.
#[derive(Clone)]
pub struct LogWriter(Arc<Shared>);

/// Writes out what is left when it is dropped.
pub struct LogGuard {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Shared {
    waiting: Mutex<Waiting>,
    news: Condvar,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    dropped: u64,
    closed: bool,
}

impl LogWriter {
    /// Starts the thread that writes to `output`.
    pub fn start(output: impl Write + Send + 'static) -> io::Result<(Self, LogGuard)> {
        let shared = Arc::new(Shared { waiting: Mutex::default(), news: Condvar::new() });
        let theirs = shared.clone();
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || theirs.write_out(output))?;
        Ok((Self(shared.clone()), LogGuard { shared, thread: Some(thread) }))
    }
}

impl Shared {
    fn write_out(&self, mut output: impl Write) {
        let mut lines = Vec::new();
        loop {
            let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let full = |waiting: &mut Waiting| waiting.lines.len() < PLENTY && !waiting.closed;
            let (mut waiting, _) =
                self.news.wait_timeout_while(waiting, PATIENCE, full).unwrap_or_else(PoisonError::into_inner);
            mem::swap(&mut lines, &mut waiting.lines);
            let (dropped, closed) = (mem::take(&mut waiting.dropped), waiting.closed);
            drop(waiting);
            if dropped > 0 {
                lines.extend_from_slice(
                    format!("{dropped} log lines were dropped: the output is too slow\n").as_bytes(),
                );
            }
            if !lines.is_empty() {
                // There is no place left to report that the log cannot be written.
                let _ = output.write_all(&lines).and_then(|()| output.flush());
                lines.clear();
            }
            if closed {
                return;
            }
        }
    }
}

impl Write for &LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.lines.len().saturating_add(line.len()) > LIMIT {
            waiting.dropped += 1;
            return Ok(line.len());
        }
        let before = waiting.lines.len();
        waiting.lines.extend_from_slice(line);
        if before < PLENTY && waiting.lines.len() >= PLENTY {
            self.0.news.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.shared.news.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    struct Channel(mpsc::Sender<Vec<u8>>);

    impl Write for Channel {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_come_out_in_order_and_without_being_asked_for() {
        let (sender, receiver) = mpsc::channel();
        let (writer, guard) = LogWriter::start(Channel(sender)).unwrap();
        writeln!(&writer, "one").unwrap();
        writeln!(&writer, "two").unwrap();
        let mut seen = Vec::new();
        while seen.len() < 8 {
            seen.extend(receiver.recv_timeout(Duration::from_secs(10)).unwrap());
        }
        assert_eq!(seen, b"one\ntwo\n");
        writeln!(&writer, "last").unwrap();
        drop(guard);
        assert_eq!(receiver.recv().unwrap(), b"last\n");
    }

    #[test]
    fn an_output_that_nobody_reads_costs_bounded_memory() {
        struct Stuck(mpsc::Receiver<()>);
        impl Write for Stuck {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let _ = self.0.recv();
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (release, stuck) = mpsc::channel();
        let (writer, guard) = LogWriter::start(Stuck(stuck)).unwrap();
        let line = [b'x'; 1_024];
        for _ in 0..3 * LIMIT / line.len() {
            (&writer).write_all(&line).unwrap();
        }
        let waiting = writer.0.waiting.lock().unwrap();
        assert!(waiting.lines.len() <= LIMIT && waiting.dropped > 0);
        drop(waiting);
        drop(release);
        drop(guard);
    }
}
