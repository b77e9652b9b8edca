//! A look into, and a hand in, the database of a gateway that may be at work: from another process.

use std::path::Path;

use async_trait::async_trait;
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, ConnectOptions as _, Executor as _, Row as _, query};

use super::writer::{Write, Writer};
use super::{ACQUIRE_TIMEOUT, FILE, MIGRATIONS, Store, StoreError, connect_options, prepare};

/// One at a time is enough for a person.
const READERS: u32 = 1;

impl Store {
    /// Opens the database in `data_dir`, which must be there, whoever else has it open. Its schema stays as it is.
    ///
    /// Errors when the schema is another version's.
    pub async fn open_beside(data_dir: &Path) -> Result<Self, StoreError> {
        if !Self::exists(data_dir) {
            return Err(StoreError::Missing(data_dir.join(FILE).display().to_string()));
        }
        let options = connect_options(data_dir)?;
        let mut connection = options.connect().await?;
        prepare(&mut connection).await?;
        require_schema(&mut connection).await?;
        let readers = AnyPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_connect(|connection, _| Box::pin(prepare(connection)))
            .connect_with(options.clone())
            .await?;
        Ok(Self { readers, writer: Writer::start(connection, options) })
    }

    /// A number that changes when another process has written to the database. It says nothing about the writes of this
    /// one.
    pub async fn writes_of_others(&self) -> Result<i64, StoreError> {
        self.writer.write(DataVersion).await
    }

    /// Writes a consistent copy of the whole database to `to`, which must not exist. Nobody has to wait for it.
    pub async fn copy_to(&self, to: &Path) -> Result<(), StoreError> {
        let path = std::path::absolute(to).map_err(sqlx::Error::Io)?;
        query("VACUUM INTO $1").bind(path.to_string_lossy().into_owned()).execute(&self.readers).await?;
        Ok(())
    }
}

async fn require_schema(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let own: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
    let refused = |found: Option<i64>| StoreError::Schema { found, own: own.last().copied().unwrap_or_default() };
    let table = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'";
    if connection.fetch_optional(table).await?.is_none() {
        return Err(refused(None));
    }
    let rows = connection.fetch_all("SELECT version FROM _sqlx_migrations ORDER BY version").await?;
    let found = rows.iter().map(|row| row.try_get("version")).collect::<Result<Vec<i64>, _>>()?;
    if found == own { Ok(()) } else { Err(refused(found.last().copied())) }
}

struct DataVersion;

#[async_trait]
impl Write for DataVersion {
    type Output = i64;

    // On the connection that alone writes for this process, so that the number counts nobody's writes but others'.
    async fn run(&self, connection: &mut AnyConnection) -> Result<i64, StoreError> {
        let row = query("SELECT CAST(data_version AS BIGINT) AS version FROM pragma_data_version");
        Ok(row.fetch_one(connection).await?.try_get("version")?)
    }
}
