//! A consistent copy of a data directory, while a gateway may be at work in it.
//!
//! A row of the copied database must find its file in the copy. A file is there before its row and goes after it, so files
//! are copied first, then the database, and then the files that came in between. One of those may be gone by then, because
//! its job has ended meanwhile; then it all begins again, with what is copied already.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::store::Store;

use super::OperatorError;
use super::said::Said;

const INPUTS: &str = "artifacts/inputs";
const RESULTS: &str = "artifacts/results";
/// What providers that forget leave with the gateway. Their files are copied as they come.
const MEMORIES: [&str; 2] = ["sandbox", "cog"];
/// Whose a bucket is.
const OWNER: &str = "bucket/owner";
const DATABASE: &str = "satforge.db";
/// How often it begins again before what is missing counts as lost.
const ROUNDS: usize = 5;

/// Copies everything in `data_dir` that a restore needs to `to`, which must not exist: the database, the inputs of jobs, what
/// providers left, and the results if `with_results` is set. No secret is copied.
pub async fn backup(data_dir: &Path, to: &Path, with_results: bool) -> Result<Said, OperatorError> {
    let refused = |path: &Path, why: &str| OperatorError::Refused(format!("{} {why}", path.display()));
    let to = std::path::absolute(to).map_err(|error| file_error(to, error))?;
    let Some(name) = to.file_name() else { return Err(refused(&to, "names no folder")) };
    if to.symlink_metadata().is_ok() {
        return Err(refused(&to, "is there already: a backup goes into a folder of its own"));
    }
    // Whole or not at all under its name: a copy that was cut short must not pass for a backup.
    let draft = to.with_file_name(format!(".{}.partial", name.to_string_lossy()));
    if draft.symlink_metadata().is_ok() {
        return Err(refused(&draft, "is left over from a backup that was cut short: delete it"));
    }
    let store = Store::open_beside(data_dir).await?;
    let copied = copy(&store, data_dir, &draft, with_results).await;
    store.close().await;
    let outcome = match copied {
        Ok(copied) => put_in_place(&draft, &to).map(|()| copied),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(copied) => Ok(copied.say(&to, with_results)),
        Err(error) => {
            // What matters is the error.
            let _ = fs::remove_dir_all(&draft);
            Err(error)
        }
    }
}

/// What a copy holds.
struct Copied {
    inputs: usize,
    results: usize,
    /// Results that are not in the copy.
    left: usize,
    /// Files that rows name and that are nowhere.
    missing: usize,
}

impl Copied {
    fn say(&self, to: &Path, with_results: bool) -> Said {
        let Self { inputs, results, left, missing } = self;
        let copied = format!("Copied the database, {inputs} inputs and {results} results to {}.", to.display());
        let not_copied = (!with_results && *left > 0)
            .then(|| format!("{left} results are not in it: copy them by their own means, or use --with-results."));
        let not_found = (*missing > 0)
            .then(|| format!("{missing} files that the database names are not here: in a bucket, or lost before."));
        let secrets = "The secrets are not in it: without them no credential is good. Keep copies of them elsewhere.";
        let lines = [Some(copied), not_copied, not_found, Some(secrets.into())];
        let text = lines.into_iter().flatten().collect::<Vec<_>>().join("\n");
        let json = json!({
            "to": to.display().to_string(), "inputs": inputs, "results": results, "results_left": left, "missing": missing,
        });
        Said { json, text }
    }
}

async fn copy(store: &Store, from: &Path, draft: &Path, with_results: bool) -> Result<Copied, OperatorError> {
    make_folder(draft)?;
    let database = draft.join(DATABASE);
    let folders: &[&str] = if with_results { &[INPUTS, RESULTS] } else { &[INPUTS] };
    let mut missed_before = None;
    for round in 1.. {
        copy_files(from, draft, folders)?;
        remove_if_there(&database)?;
        store.copy_to(&database).await?;
        let (inputs, results) = named_in(draft).await?;
        let wanted = if with_results { results.clone() } else { Vec::new() };
        let mut missing = 0;
        for (folder, names) in [(INPUTS, &inputs), (RESULTS, &wanted)] {
            for name in names.iter().filter(|name| !draft.join(folder).join(name).exists()) {
                missing += usize::from(!copy_file(from, draft, &Path::new(folder).join(name))?);
            }
        }
        // Files that are missing twice are elsewhere: in a bucket, or lost.
        if missing > 0 && round < ROUNDS && missed_before != Some(missing) {
            missed_before = Some(missing);
            continue;
        }
        keep_only(&draft.join(INPUTS), &inputs)?;
        keep_only(&draft.join(RESULTS), &wanted)?;
        // Once more: what a job in the copy waits for may have come since.
        copy_files(from, draft, &[])?;
        copy_file(from, draft, Path::new(OWNER))?;
        let (inputs, copied) = (count(&draft.join(INPUTS)), count(&draft.join(RESULTS)));
        return Ok(Copied { inputs, results: copied, left: results.len().saturating_sub(copied), missing });
    }
    Err(OperatorError::Refused("there was nothing to copy".into()))
}

/// The files that the rows of the copy name.
async fn named_in(draft: &Path) -> Result<(Vec<String>, Vec<String>), OperatorError> {
    let store = Store::open_beside(draft).await?;
    let named = store.named_files().await;
    store.close().await;
    Ok(named?)
}

/// Copies what is in `folders` and not in the copy yet, and all of what providers left.
fn copy_files(from: &Path, draft: &Path, folders: &[&str]) -> Result<(), OperatorError> {
    for folder in folders {
        for name in names(&from.join(folder)).map_err(|error| file_error(&from.join(folder), error))? {
            let path = Path::new(folder).join(name);
            if !draft.join(&path).exists() {
                copy_file(from, draft, &path)?;
            }
        }
    }
    for folder in MEMORIES {
        copy_tree(from, draft, Path::new(folder))?;
    }
    Ok(())
}

fn copy_tree(from: &Path, draft: &Path, folder: &Path) -> Result<(), OperatorError> {
    let here = from.join(folder);
    for name in names(&here).map_err(|error| file_error(&here, error))? {
        let path = folder.join(name);
        if from.join(&path).is_dir() {
            copy_tree(from, draft, &path)?;
        } else {
            copy_file(from, draft, &path)?;
        }
    }
    Ok(())
}

/// The names in a folder; a folder that is not there has none.
fn names(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let names: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.file_name().into())).collect();
    // What is being written bears a mark behind its name.
    Ok(names?.into_iter().filter(|name| !name.to_string_lossy().contains('#')).collect())
}

/// Copies one file and flushes it; `false`: it is not there any more.
fn copy_file(from: &Path, draft: &Path, path: &Path) -> Result<bool, OperatorError> {
    let (source, target) = (from.join(path), draft.join(path));
    if let Some(folder) = target.parent() {
        make_folder(folder)?;
    }
    match fs::copy(&source, &target) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(file_error(&source, error)),
    }
    sync(&target)?;
    Ok(true)
}

/// Deletes what no row of the copy names: it belongs to jobs that have ended.
fn keep_only(folder: &Path, wanted: &[String]) -> Result<(), OperatorError> {
    let wanted: HashSet<&str> = wanted.iter().map(String::as_str).collect();
    for name in names(folder).map_err(|error| file_error(folder, error))? {
        if !wanted.contains(name.to_string_lossy().as_ref()) {
            remove_if_there(&folder.join(name))?;
        }
    }
    Ok(())
}

fn count(folder: &Path) -> usize {
    names(folder).map_or(0, |names| names.len())
}

/// Flushes the folders of the copy, and gives it its name.
fn put_in_place(draft: &Path, to: &Path) -> Result<(), OperatorError> {
    sync(&draft.join(DATABASE))?;
    sync_folders(draft)?;
    fs::rename(draft, to).map_err(|error| file_error(to, error))?;
    to.parent().map_or(Ok(()), sync)
}

fn sync_folders(folder: &Path) -> Result<(), OperatorError> {
    for name in names(folder).map_err(|error| file_error(folder, error))? {
        let path = folder.join(name);
        if path.is_dir() {
            sync_folders(&path)?;
        }
    }
    sync(folder)
}

fn sync(path: &Path) -> Result<(), OperatorError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| file_error(path, error))
}

fn make_folder(folder: &Path) -> Result<(), OperatorError> {
    // Prompts, and the names of results, stand in it.
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| file_error(folder, error))
}

fn remove_if_there(path: &Path) -> Result<(), OperatorError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file_error(path, error)),
        _ => Ok(()),
    }
}

fn file_error(path: &Path, error: io::Error) -> OperatorError {
    OperatorError::File(path.display().to_string(), error)
}
