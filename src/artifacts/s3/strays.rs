//! What did not become a result: uploads in parts that were begun, and files that nobody was told of.
//!
//! A bucket keeps, and charges for, every part of an upload until somebody gives the upload up. So the upload is noted
//! in the data directory before its first part is sent, and the note goes when the upload is whole or given up: what a
//! crash leaves is given up by the next process.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use object_store::multipart::MultipartStore as _;
use object_store::{MultipartId, ObjectStoreExt as _};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use super::Bucket;
use crate::artifacts::{ArtifactError, RESULTS};

/// The folder of the notes.
const FOLDER: &str = "uploads";
/// What the name of a note ends with while it is being written.
const DRAFT: char = '~';
/// What is remembered at the most. Beyond that, the next start finds the notes and the files.
const MOST: usize = 1_000;
/// What could not be cleared away so often is left to the next start, or to a rule of the bucket.
const TRIES: u32 = 5;

/// What is to be cleared away.
#[derive(Debug)]
pub(super) struct Strays {
    /// Where uploads are noted; `None` for a bucket that is only tried out.
    folder: Option<PathBuf>,
    waiting: Mutex<Vec<Stray>>,
}

/// An upload that is given up.
#[derive(Debug)]
pub(super) struct Stray {
    /// The name of the result that it was to be.
    pub(super) name: String,
    /// What the bucket calls the upload, if it was one in parts.
    pub(super) upload: Option<MultipartId>,
    /// Whether it may be there as a file, which no row names.
    pub(super) may_be_whole: bool,
    tries: u32,
}

impl Stray {
    pub(super) const fn new(name: String, upload: Option<MultipartId>, may_be_whole: bool) -> Self {
        Self { name, upload, may_be_whole, tries: 0 }
    }
}

impl Strays {
    /// What an earlier process has noted in the folder `notes`. Whether a file came of it is not known here: a row may
    /// name it, so only the upload is given up.
    pub(super) fn open(notes: &Path) -> Result<Self, ArtifactError> {
        let folder = notes.join(FOLDER);
        let waiting = read(&folder).map_err(|error| ArtifactError::Storage(error.to_string()))?;
        Ok(Self { folder: Some(folder), waiting: Mutex::new(waiting) })
    }

    /// No strays, and no notes: the data directory is somebody else's.
    pub(super) fn unnoted() -> Self {
        Self { folder: None, waiting: Mutex::default() }
    }

    /// Notes an upload before its first part; afterwards the note is whole, and on disk.
    pub(super) async fn note(&self, name: &str, upload: &MultipartId) -> Result<(), ArtifactError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        write(folder, name, upload).await.map_err(|error| ArtifactError::Storage(error.to_string()))
    }

    /// Forgets an upload that is whole or given up.
    pub(super) fn forget(&self, name: &str) {
        if let Some(folder) = &self.folder {
            // A note that stays costs one request of the next process, which finds nothing.
            let _ = std::fs::remove_file(folder.join(name));
        }
    }

    fn add(&self, stray: Stray) {
        let mut waiting = self.waiting();
        if waiting.len() < MOST {
            waiting.push(stray);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Stray>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(folder: &Path) -> std::io::Result<Vec<Stray>> {
    std::fs::create_dir_all(folder)?;
    let mut noted = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        if noted.len() == MOST {
            break;
        }
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(DRAFT) {
            // Nothing of that upload was sent.
            let _ = std::fs::remove_file(entry.path());
            continue;
        }
        match std::fs::read_to_string(entry.path()) {
            Ok(upload) if !upload.is_empty() => noted.push(Stray::new(name, Some(upload), false)),
            // One upload that stays is no reason to sell nothing.
            unread => {
                let error = unread.err().map_or_else(|| "it is empty".to_owned(), |error| error.to_string());
                tracing::warn!(
                    folder = FOLDER,
                    error,
                    "the note of an upload cannot be read; what was begun stays in \
                    the storage until a rule of the bucket ends it"
                );
            }
        }
    }
    Ok(noted)
}

async fn write(folder: &Path, name: &str, upload: &MultipartId) -> std::io::Result<()> {
    let draft = folder.join(format!("{name}{DRAFT}"));
    let mut file = File::create(&draft).await?;
    file.write_all(upload.as_bytes()).await?;
    // `sync_all` alone forgets how the last write ended.
    file.flush().await?;
    file.sync_all().await?;
    tokio::fs::rename(&draft, folder.join(name)).await?;
    File::open(folder).await?.sync_all().await
}

impl Bucket {
    /// Has it cleared away soon.
    pub(super) fn give_up(&self, stray: Stray) {
        self.strays.add(stray);
        self.look_now.notify_one();
    }

    /// Clears away what can be; errors with what came of the last that could not be.
    pub(in crate::artifacts) async fn clear_strays(&self) -> Result<(), ArtifactError> {
        let mut cleared = Ok(());
        let strays = std::mem::take(&mut *self.strays.waiting());
        for mut stray in strays {
            match self.clear(&stray).await {
                Ok(()) => self.strays.forget(&stray.name),
                Err(error) => {
                    stray.tries += 1;
                    if stray.tries < TRIES {
                        self.strays.add(stray);
                    } else {
                        tracing::warn!(%error, "an upload that is not needed stays in the storage");
                    }
                    cleared = Err(error);
                }
            }
        }
        cleared
    }

    async fn clear(&self, stray: &Stray) -> Result<(), ArtifactError> {
        let key = self.key(&[RESULTS, &stray.name]);
        let mut steps = Vec::with_capacity(2);
        if let Some(upload) = &stray.upload {
            steps.push(self.client.abort_multipart(&key, upload).await);
        }
        if stray.may_be_whole {
            steps.push(self.client.delete(&key).await);
        }
        for step in steps {
            match step.map_err(ArtifactError::from) {
                Ok(()) | Err(ArtifactError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(folder: &Path) -> Vec<(String, Option<String>)> {
        let strays = Strays::open(folder).unwrap();
        let mut noted: Vec<_> = strays.waiting().drain(..).map(|stray| (stray.name, stray.upload)).collect();
        noted.sort();
        noted
    }

    #[tokio::test]
    async fn a_note_is_read_back_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let strays = Strays::open(folder.path()).unwrap();
        strays.note("a.mp4", &"one".to_owned()).await.unwrap();
        strays.note("b.mp4", &"two".to_owned()).await.unwrap();
        let files = std::fs::read_dir(folder.path().join(FOLDER)).unwrap().count();
        assert_eq!(files, 2, "no draft is left");
        strays.forget("a.mp4");
        assert_eq!(noted(folder.path()), [("b.mp4".to_owned(), Some("two".to_owned()))]);
    }

    #[tokio::test]
    async fn a_note_that_cannot_be_read_is_no_reason_not_to_start() {
        let folder = tempfile::tempdir().unwrap();
        let notes = folder.path().join(FOLDER);
        Strays::open(folder.path()).unwrap().note("good.mp4", &"one".to_owned()).await.unwrap();
        std::fs::write(notes.join("bytes.mp4"), b"\xff\xfe").unwrap();
        std::fs::write(notes.join("empty.mp4"), b"").unwrap();
        std::fs::create_dir(notes.join("folder.mp4")).unwrap();
        std::fs::write(notes.join("half.mp4~"), b"on").unwrap();
        assert_eq!(noted(folder.path()), [("good.mp4".to_owned(), Some("one".to_owned()))]);
        assert!(!notes.join("half.mp4~").exists());
    }
}
