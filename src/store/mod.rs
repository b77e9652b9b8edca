//! The database: every SQL statement of satforge.
//!
//! One SQL text for SQLite and PostgreSQL through sqlx's `Any` driver: `$1` parameters, `RETURNING`, `ON CONFLICT`, and
//! no type but `TEXT`, `BIGINT` and bytes. Reads take a pool; writes go through one `writer`, which commits
//! what comes in at the same time together, so that concurrent redemptions share one flush to disk.
//!
//! Architecture invariants: no transaction is open across a network call, and redeemed payment hashes are never deleted.

mod beside;
mod callbacks;
mod claim;
mod dispatches;
mod finish;
mod insert;
mod keys;
mod listing;
mod operator;
mod progress;
mod read;
mod records;
mod refunds;
mod report;
mod row;
mod set_back;
mod settlements;
mod stats;
mod sweep;
mod tallies;
mod writer;

use std::path::Path;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, AnyPool, ConnectOptions as _, Executor as _};

pub use callbacks::{Delivered, DueCallback, NewCallback};
pub use claim::Claimed;
pub use dispatches::{Cost, Dispatch, NewDispatch};
pub use finish::Outcome;
pub use insert::{Inserted, NewJob, StoredInput};
pub use keys::DroppedKey;
pub use operator::{Failing, Retried, Settling};
pub use records::{CallbackRecord, CreateRecord, JobRecord, MintingKey, RefundRecord, Wanted};
pub use refunds::{Claiming, NewClaim};
pub use report::{Objection, Period, Sum, Sums, Unredeemed};
pub use settlements::Settlement;
pub use stats::Stats;
pub use sweep::ExpiredResult;
pub use tallies::Tally;

use writer::Writer;

/// The file inside the data directory.
const FILE: &str = "satforge.db";
static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
const READERS: u32 = 4;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// A handle on the database; cloning it is cheap.
#[derive(Clone, Debug)]
pub struct Store {
    readers: AnyPool,
    writer: Writer,
}

/// A database that did not do what it was asked. The text is for the log.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The driver's own error.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A row holds something that no version of satforge writes.
    #[error("unreadable row in {table}.{column}: {value}")]
    Unreadable {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// What stands there; never a secret.
        value: String,
    },
    /// A statement changed another number of rows than it must.
    #[error("{statement} changed {rows} rows")]
    RowCount {
        /// What was tried.
        statement: &'static str,
        /// How many rows it changed.
        rows: u64,
    },
    /// The disk is full, or the file is locked or gone.
    #[error("the database cannot be written to: {0}")]
    Unwritable(String),
    /// There is no database.
    #[error("there is no database {0}")]
    Missing(String),
    /// The schema is not the one that this version works with.
    #[error("{}", another_schema(*found, *own))]
    Schema {
        /// The last migration that has run, if one has.
        found: Option<i64>,
        /// The last one that there is.
        own: i64,
    },
    /// The writer has stopped.
    #[error("the database is closed")]
    Closed,
}

impl Store {
    /// Opens the database in `data_dir`, which must exist, and brings its schema up to date.
    pub async fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let options = connect_options(data_dir)?;
        let mut connection = options.connect().await?;
        prepare(&mut connection).await?;
        MIGRATIONS.run(&mut connection).await?;
        let readers = AnyPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(|connection, _| Box::pin(prepare(connection)))
            .connect_with(options.clone())
            .await?;
        Ok(Self { readers, writer: Writer::start(connection, options) })
    }

    /// Whether `data_dir` holds a database already.
    #[must_use]
    pub fn exists(data_dir: &Path) -> bool {
        data_dir.join(FILE).exists()
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.readers.execute("SELECT 1").await?;
        Ok(())
    }

    /// Whether redemptions can be written down. While they cannot, nothing must be sold.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        !self.writer.is_failing()
    }

    /// Writes something that changes nothing, to find out whether the database can be written to again.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.writer.write(keys::Probe).await
    }

    /// Opens what is there, without bringing the schema up to date: for a look while another process may be at work.
    pub async fn open_unchanged(data_dir: &Path) -> Result<Self, StoreError> {
        let options = connect_options(data_dir)?;
        let connection = options.connect().await?;
        let readers = AnyPoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        Ok(Self { readers, writer: Writer::start(connection, options) })
    }

    /// Waits for the writes under way and closes the file.
    pub async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
    }
}

fn another_schema(found: Option<i64>, own: i64) -> String {
    match found {
        Some(found) if found > own => format!(
            "the database has the schema {found} and this satforge knows no later one than {own}: use the version that serves"
        ),
        Some(found) => format!(
            "the database has the schema {found} and this satforge works with {own}: a start of `satforge serve` brings it up to date, \
             until then use the version that has served last"
        ),
        None => "this is no database of satforge".to_owned(),
    }
}

fn connect_options(data_dir: &Path) -> Result<AnyConnectOptions, StoreError> {
    sqlx::any::install_default_drivers();
    let path = std::path::absolute(data_dir.join(FILE)).map_err(sqlx::Error::Io)?;
    let url = format!("sqlite://{}?mode=rwc", percent_encode(&path.to_string_lossy()));
    let options: AnyConnectOptions = url.parse()?;
    Ok(options.disable_statement_logging())
}

/// Redemptions must survive a power cut, so every commit is flushed; readers do not wait for writers.
async fn prepare(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    for pragma in [
        "PRAGMA busy_timeout = 5000",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
        // What is deleted is overwritten: prompts, images and callbacks must not be found in the file of a backup.
        "PRAGMA secure_delete = ON",
    ] {
        connection.execute(pragma).await?;
    }
    Ok(())
}

fn percent_encode(path: &str) -> String {
    use std::fmt::Write as _;
    path.bytes().fold(String::with_capacity(path.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
pub(crate) mod tests;
