//! What a crash leaves behind: half-written files, inputs whose job has ended, results that no row names.

use std::future::Future;
use std::path::Path;

use crate::domain::JobId;

use super::{ArtifactError, ArtifactName, ArtifactStore, INPUTS, RESULTS};

/// Deletes the inputs that no open job needs and the results that no job has, and returns how many went.
///
/// Once in a process, at its start; what is written meanwhile may be there before its row, and stays. Files that are
/// called as this gateway would never call them are somebody else's, and stay.
pub async fn sweep_leftovers<F, E>(
    artifacts: &ArtifactStore,
    needed_inputs: impl Fn(&str) -> bool,
    is_result_known: impl Fn(String) -> F,
) -> Result<usize, ArtifactError>
where
    F: Future<Output = Result<bool, E>>,
    E: std::fmt::Display,
{
    let mut swept = 0;
    for name in artifacts.names(INPUTS).await? {
        if JobId::parse(&name).is_ok() && !needed_inputs(&name) && !artifacts.fresh.has(&name) {
            artifacts.delete_input(&name).await?;
            swept += 1;
        }
    }
    for name in artifacts.names(RESULTS).await? {
        if ArtifactName::parse(&name).is_none() || artifacts.fresh.has(&name) {
            continue;
        }
        let known = is_result_known(name.clone()).await.map_err(|error| ArtifactError::Source(error.to_string()))?;
        if !known {
            artifacts.delete_result(&name).await?;
            swept += 1;
        }
    }
    artifacts.fresh.close();
    Ok(swept)
}

/// Deletes the temporary files (`name#1`) of writes that a crash cut short, which the store itself does not list.
pub fn sweep_half_written(folder: &Path) -> std::io::Result<usize> {
    let mut swept = 0;
    for part in [INPUTS, RESULTS] {
        let Ok(entries) = std::fs::read_dir(folder.join(part)) else { continue };
        for entry in entries {
            let entry = entry?;
            if entry.file_name().to_string_lossy().contains('#') {
                std::fs::remove_file(entry.path())?;
                swept += 1;
            }
        }
    }
    Ok(swept)
}
