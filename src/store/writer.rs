//! One connection that writes, and commits together what comes in at the same time.
//!
//! A commit costs one flush to disk, whether it holds one redemption or a hundred. SQLite allows one writer at a time
//! anyway, so a queue in front of it costs nothing and spares every caller the "database is locked" dance.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, ConnectOptions as _, Connection as _};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::{StoreError, prepare};

/// Writes that may wait; more callers wait to be allowed to queue.
const QUEUE: usize = 1_024;
/// Writes in one transaction: enough to share a flush, few enough that the first does not wait for long.
const BATCH: usize = 256;

/// Something to write. It runs inside a transaction that others share, and may run a second time in one of its own.
#[async_trait]
pub(super) trait Write: Send + 'static {
    /// What the caller gets once the write is on disk.
    type Output: Send;

    async fn run(&self, connection: &mut AnyConnection) -> Result<Self::Output, StoreError>;
}

type Sender = mpsc::Sender<Box<dyn Queued>>;

/// The queue in front of the writing connection.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    /// The one strong sender: taking it away ends the task.
    queue: Arc<Mutex<Option<Sender>>>,
    sender: mpsc::WeakSender<Box<dyn Queued>>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
    failing: Arc<AtomicBool>,
}

#[async_trait]
trait Queued: Send {
    async fn run(&mut self, connection: &mut AnyConnection) -> Result<(), StoreError>;
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Waiting<W: Write> {
    write: W,
    output: Option<W::Output>,
    caller: oneshot::Sender<Result<W::Output, StoreError>>,
}

impl Writer {
    pub(super) fn start(connection: AnyConnection, options: AnyConnectOptions) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let failing = Arc::new(AtomicBool::new(false));
        #[expect(clippy::disallowed_methods, reason = "`close` waits for this task; it must outlive all others")]
        let task = tokio::spawn(serve(connection, options, receiver, failing.clone()));
        Self {
            failing,
            sender: sender.downgrade(),
            queue: Arc::new(Mutex::new(Some(sender))),
            task: Arc::new(Mutex::new(Some(task))),
        }
    }

    /// Runs `write` and returns once it is on disk. A caller that goes away does not undo it.
    pub(super) async fn write<W: Write>(&self, write: W) -> Result<W::Output, StoreError> {
        let (caller, answer) = oneshot::channel();
        let waiting = Waiting { write, output: None, caller };
        let sender = self.sender.upgrade().ok_or(StoreError::Closed)?;
        sender.send(Box::new(waiting)).await.map_err(|_| StoreError::Closed)?;
        drop(sender);
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Runs `write` some time later, whether or not anybody knows: for a planted bug.
    pub(super) fn write_behind<W: Write>(&self, write: W) {
        let writer = self.clone();
        #[expect(clippy::disallowed_methods, reason = "it is a bug, and to be lost")]
        tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            let _ = writer.write(write).await;
        });
    }

    /// Whether the last write found the database unwritable.
    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Takes no more writes and waits for those under way.
    pub(super) async fn close(&self) {
        self.queue.lock().await.take();
        if let Some(task) = self.task.lock().await.take() {
            // A panic of the task has been reported already.
            let _ = task.await;
        }
    }
}

#[async_trait]
impl<W: Write> Queued for Waiting<W> {
    async fn run(&mut self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        self.output = Some(self.write.run(connection).await?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { output, caller, .. } = *self;
        // A caller that went away has nothing to be told.
        let _ = caller.send(committed.and_then(|()| output.ok_or(StoreError::Closed)));
    }
}

async fn serve(
    mut connection: AnyConnection,
    options: AnyConnectOptions,
    mut queue: mpsc::Receiver<Box<dyn Queued>>,
    failing: Arc<AtomicBool>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let committed = commit(&mut connection, &mut batch).await;
        failing.store(matches!(committed, Err(Refused::Transaction(_))), Ordering::Relaxed);
        match committed {
            Ok(()) => batch.drain(..).for_each(|write| write.answer(Ok(()))),
            // One bad write must not fail the others: each gets a transaction of its own.
            Err(Refused::Statement(_)) => one_by_one(&mut connection, &options, &mut batch).await,
            // The disk is full or the file is locked: trying each write would only make all of them wait.
            Err(Refused::Transaction(error)) => {
                tracing::error!(%error, writes = batch.len(), "the database cannot be written to");
                for write in batch.drain(..) {
                    write.answer(Err(StoreError::Unwritable(error.to_string())));
                }
                reconnect(&mut connection, &options).await;
            }
        }
    }
    // The process is about to end; SQLite recovers from a connection that was not closed.
    let _ = connection.close().await;
}

async fn one_by_one(connection: &mut AnyConnection, options: &AnyConnectOptions, batch: &mut Vec<Box<dyn Queued>>) {
    for mut write in batch.drain(..) {
        let committed = commit(connection, std::slice::from_mut(&mut write)).await.map_err(Refused::into_error);
        if let Err(error) = &committed {
            tracing::error!(%error, "a write to the database failed");
            reconnect(connection, options).await;
        }
        write.answer(committed);
    }
}

/// Why nothing of a batch is on disk.
enum Refused {
    /// It could not begin or commit.
    Transaction(sqlx::Error),
    /// One of the writes failed.
    Statement(StoreError),
}

impl Refused {
    fn into_error(self) -> StoreError {
        match self {
            Self::Transaction(error) => error.into(),
            Self::Statement(error) => error,
        }
    }
}

async fn commit(connection: &mut AnyConnection, batch: &mut [Box<dyn Queued>]) -> Result<(), Refused> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(Refused::Transaction)?;
    for write in batch {
        write.run(&mut transaction).await.map_err(Refused::Statement)?;
    }
    transaction.commit().await.map_err(Refused::Transaction)
}

/// A connection that failed may be in an unknown state. When no new one can be had, the old one is kept and the next
/// write fails in its turn.
async fn reconnect(connection: &mut AnyConnection, options: &AnyConnectOptions) {
    if let Ok(mut fresh) = options.connect().await
        && prepare(&mut fresh).await.is_ok()
    {
        let old = std::mem::replace(connection, fresh);
        drop(old);
    }
}
