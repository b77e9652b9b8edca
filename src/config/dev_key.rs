//! The key that `satforge dev` keeps in its data directory.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rand::TryRng as _;
use rand::rngs::SysRng;

use super::error::Problems;
use super::keys::KeyRing;
use super::secret::read_key_file;

/// The file in the data directory.
pub(super) const FILE_NAME: &str = "gateway.key";

/// The key of the data directory `dir`; both are created where they are missing.
pub(super) fn open_or_create(dir: &Path, problems: &mut Problems) -> Option<KeyRing> {
    let path = dir.join(FILE_NAME);
    if !path.exists()
        && let Err(error) = make(dir, &path)
    {
        problems.add("data_dir", format!("the key {} cannot be created: {error}", path.display()));
        return None;
    }
    match read_key_file(&path).map(|key| KeyRing::new(vec![key])) {
        Ok(ring) => ring.ok(),
        Err(message) => {
            problems.add("data_dir", message);
            None
        }
    }
}

/// The file in the data directory `dir`, as an absolute path where that can be told.
pub(super) fn place(dir: &Path) -> PathBuf {
    let path = dir.join(FILE_NAME);
    std::path::absolute(&path).unwrap_or(path)
}

/// Puts a new key at `path`, for its owner alone, whole or not at all: a crash must not leave half a key, and of two
/// processes that start at once the second must not replace the key that the first has begun to mint with.
///
/// `false`: there is a file already, and it was left alone.
pub fn create(path: &Path) -> io::Result<bool> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut random = [0_u8; 40];
    SysRng.try_fill_bytes(&mut random).map_err(io::Error::other)?;
    let (key, name) = random.split_at(32);
    let draft = dir.join(format!(".{FILE_NAME}.{}", hex::encode(name)));
    let written = write_synced(&draft, format!("{}\n", hex::encode(key)).as_bytes());
    // Unlike a rename, a link does not replace what is there.
    let linked = written.and_then(|()| match std::fs::hard_link(&draft, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    });
    // It may not exist, and what matters more has been tried.
    let _ = std::fs::remove_file(&draft);
    let is_new = linked?;
    File::open(dir)?.sync_all()?;
    Ok(is_new)
}

fn make(dir: &Path, path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    create(path).map(|_| ())
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    fn opened(dir: &Path) -> Result<String, String> {
        let mut problems = Problems::default();
        let ring = open_or_create(dir, &mut problems);
        ring.map(|ring| ring.newest().fingerprint()).ok_or_else(|| problems.into_errors(|_| None).to_string())
    }

    #[test]
    fn the_key_is_created_once_and_for_its_owner_alone() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("a/b");
        let first = opened(&dir).unwrap();
        assert_eq!(opened(&dir).unwrap(), first);
        let path = dir.join(FILE_NAME);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.len() == 65 && text.ends_with('\n'), "{} bytes", text.len());
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn two_directories_have_two_keys() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_ne!(opened(one.path()).unwrap(), opened(other.path()).unwrap());
    }

    #[test]
    fn processes_that_start_at_once_agree_on_one_key() {
        let dir = tempfile::tempdir().unwrap();
        let barrier = std::sync::Barrier::new(8);
        let keys: Vec<String> = std::thread::scope(|scope| {
            let start = || {
                barrier.wait();
                opened(dir.path()).unwrap()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.windows(2).all(|pair| pair[0] == pair[1]), "{keys:?}");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        opened(dir.path()).unwrap();
        let path = dir.path().join(FILE_NAME);
        let before = fs::read(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(opened(dir.path()).unwrap_err().contains("chmod 600"));
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let said = opened(&file.path().join("data")).unwrap_err();
        assert!(said.starts_with("data_dir: ") && said.contains("cannot be created"), "{said}");
    }
}
