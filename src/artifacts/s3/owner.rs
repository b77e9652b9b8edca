//! Whose a prefix is. Two gateways below one prefix would each delete what only the other knows, so the first one leaves
//! a file there that names its data directory, and nobody else works there.

use std::path::Path;

use rand::random;

use crate::artifacts::ArtifactError;

/// The name of the file below the prefix, and of the note in the data directory.
pub(super) const FILE: &str = "owner";

/// What a data directory is called in its bucket.
#[derive(Debug)]
pub(super) struct Owner {
    /// `None` for a data directory that has not been started on.
    id: Option<String>,
}

impl Owner {
    /// The owner that is noted in `folder`, if there is one.
    pub(super) fn read(folder: &Path) -> Self {
        let noted = std::fs::read_to_string(folder.join(FILE)).ok();
        Self { id: noted.map(|noted| noted.trim().to_owned()).filter(|noted| is_id(noted)) }
    }

    /// The owner that is noted in `folder`; a new one is noted where there is none.
    pub(super) fn read_or_make(folder: &Path) -> Result<Self, ArtifactError> {
        let noted = Self::read(folder);
        if noted.id.is_some() {
            return Ok(noted);
        }
        let id = hex::encode(random::<[u8; 16]>());
        let written = std::fs::write(folder.join(FILE), &id).and_then(|()| std::fs::File::open(folder)?.sync_all());
        written.map_err(|error| ArtifactError::Storage(error.to_string()))?;
        Ok(Self { id: Some(id) })
    }

    /// What is written into the bucket.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Whether the file in the bucket that says `found` is this owner's.
    pub(super) fn is(&self, found: &[u8]) -> bool {
        self.id.as_ref().is_some_and(|id| found.trim_ascii() == id.as_bytes())
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_directory_keeps_its_name_and_a_torn_note_is_none() {
        let notes = tempfile::tempdir().unwrap();
        assert!(Owner::read(notes.path()).id().is_none());
        let made = Owner::read_or_make(notes.path()).unwrap();
        let again = Owner::read_or_make(notes.path()).unwrap();
        assert!(made.id().is_some() && made.id() == again.id());
        assert!(again.is(format!("{}\n", made.id().unwrap()).as_bytes()) && !again.is(b""));
        std::fs::write(notes.path().join(FILE), &made.id().unwrap()[..7]).unwrap();
        assert!(Owner::read(notes.path()).id().is_none());
    }
}
