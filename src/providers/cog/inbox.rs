//! What came by webhook and is nowhere else: cog tells a result once and forgets it.
//!
//! A folder with one small file for each prediction that has ended, and beside it the files that its output held. They
//! are flushed to disk, the small one last and under its name in one step: it stands for all of them. Until then cog is
//! told to come again.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Mutex;

use crate::artifacts::ByteStream;
use crate::clock::Clock;

use super::output::Embedded;

/// No job is open for as long, so nobody asks for what is older.
const KEPT: Duration = Duration::from_hours(48);
/// The pause between two looks for what is too old.
const SWEEP_EVERY: Duration = Duration::from_hours(1);
/// Characters of base64 that are decoded at once; a multiple of four.
const DECODED_AT_ONCE: usize = 256 * 1024;
/// A chunk of what is read, in bytes.
const CHUNK: usize = 64 * 1024;

/// The folder. One process has it at a time.
pub(super) struct Inbox {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    /// One writes at a time. Inside: when the folder was last swept; `None`: it was not looked at yet.
    turn: Mutex<Option<Duration>>,
}

/// How a prediction ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Unix milliseconds of its arrival.
    pub at: u64,
    pub ended: Ended,
    /// Seconds that the model worked.
    pub seconds: Option<f64>,
    /// The output, without its files.
    pub output: Value,
    /// Where files stood in it, as JSON pointers, in the order of their numbers.
    pub files: Vec<String>,
}

/// With a result, or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ended {
    Succeeded,
    Transient,
    Failed,
    Rejected,
}

impl Inbox {
    /// The inbox in `folder`, which is made when it is missing. What a crash has left half-written goes, and so does
    /// what is too old.
    pub(super) fn open(folder: &Path, clock: Arc<dyn Clock>) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        sweep(folder, clock.unix_millis())?;
        Ok(Self { folder: folder.to_owned(), turn: Mutex::new(Some(clock.monotonic())), clock })
    }

    /// The inbox in `folder`, which is not touched before something is kept: somebody else may have it.
    pub(super) fn untouched(folder: &Path, clock: Arc<dyn Clock>) -> Self {
        Self { folder: folder.to_owned(), turn: Mutex::new(None), clock }
    }

    /// Keeps how the prediction `id` ended. The first word counts: with another one of the same prediction, this does
    /// nothing. A file whose base64 is broken is left out.
    pub(super) async fn put(&self, id: &str, mut entry: Entry, files: Vec<Embedded<'_>>) -> io::Result<()> {
        let mut swept = self.turn.lock().await;
        self.tidy(&mut swept).await?;
        let path = self.path(id, "json")?;
        if fs::try_exists(&path).await? {
            return Ok(());
        }
        for file in files {
            let number = entry.files.len();
            if self.write_file(&self.path(id, &number.to_string())?, &file.base64).await? {
                entry.files.push(file.pointer);
            }
        }
        let aside = self.path(id, "new")?;
        let mut file = File::create(&aside).await?;
        file.write_all(&serde_json::to_vec(&entry)?).await?;
        flush(&mut file).await?;
        fs::rename(&aside, &path).await?;
        // The names are kept by the folder, which is flushed for itself.
        File::open(&self.folder).await?.sync_all().await
    }

    /// Sweeps, unless that was done lately.
    async fn tidy(&self, swept: &mut Option<Duration>) -> io::Result<()> {
        let now = self.clock.monotonic();
        if swept.is_some_and(|swept| now.saturating_sub(swept) < SWEEP_EVERY) {
            return Ok(());
        }
        fs::create_dir_all(&self.folder).await?;
        let (folder, unix_millis) = (self.folder.clone(), self.clock.unix_millis());
        tokio::task::spawn_blocking(move || sweep(&folder, unix_millis)).await.map_err(io::Error::other)??;
        *swept = Some(now);
        Ok(())
    }

    /// How the prediction `id` ended; `None`: nobody has said so yet.
    pub(super) async fn get(&self, id: &str) -> io::Result<Option<Entry>> {
        match fs::read(self.path(id, "json")?).await {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The content of a file of a prediction.
    pub(super) async fn file(&self, id: &str, number: usize) -> io::Result<ByteStream> {
        let file = File::open(self.path(id, &number.to_string())?).await?;
        let chunks = stream::try_unfold(file, |mut file| async move {
            let mut chunk = BytesMut::with_capacity(CHUNK);
            let more = file.read_buf(&mut chunk).await?;
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>((more > 0).then(|| (Bytes::from(chunk), file)))
        });
        Ok(chunks.boxed())
    }

    /// Deletes all that there is of the prediction `id`.
    pub(super) async fn forget(&self, id: &str) -> io::Result<()> {
        let _turn = self.turn.lock().await;
        let Some(entry) = self.get(id).await? else { return Ok(()) };
        // The entry goes first: what is left of the rest after a crash is swept.
        fs::remove_file(self.path(id, "json")?).await?;
        for number in 0..entry.files.len() {
            fs::remove_file(self.path(id, &number.to_string())?).await?;
        }
        Ok(())
    }

    /// False when the base64 is broken.
    async fn write_file(&self, path: &Path, base64: &str) -> io::Result<bool> {
        let mut file = File::create(path).await?;
        let mut decoded = Vec::with_capacity(DECODED_AT_ONCE / 4 * 3);
        for part in base64.as_bytes().chunks(DECODED_AT_ONCE) {
            decoded.clear();
            if BASE64.decode_vec(part, &mut decoded).is_err() {
                return Ok(false);
            }
            file.write_all(&decoded).await?;
        }
        flush(&mut file).await?;
        Ok(true)
    }

    fn path(&self, id: &str, ending: &str) -> io::Result<PathBuf> {
        let plain = !id.is_empty() && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !plain {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not an id of a prediction"));
        }
        Ok(self.folder.join(format!("{id}.{ending}")))
    }
}

async fn flush(file: &mut File) -> io::Result<()> {
    // `sync_all` alone forgets how the last write ended.
    file.flush().await?;
    file.sync_all().await
}

/// Deletes the entries that are too old or cannot be read, and then the files that belong to no entry.
fn sweep(folder: &Path, now: u64) -> io::Result<()> {
    let oldest = now.saturating_sub(u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX));
    let (mut entries, mut others) = (HashSet::new(), Vec::new());
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        let (Some(name), ending) = (path.file_stem().map(std::ffi::OsStr::to_owned), path.extension()) else {
            continue;
        };
        if ending.is_none_or(|ending| ending != "json") {
            others.push((name, path));
            continue;
        }
        let entry = serde_json::from_slice::<Entry>(&std::fs::read(&path)?);
        if entry.is_ok_and(|entry| entry.at >= oldest) {
            entries.insert(name);
        } else {
            std::fs::remove_file(path)?;
        }
    }
    for (_, path) in
        others.iter().filter(|(name, path)| !entries.contains(name) || path.extension().is_some_and(|it| it == "new"))
    {
        std::fs::remove_file(path)?;
    }
    Ok(())
}
