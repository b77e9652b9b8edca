//! Names of files that this process has written and that may have no row yet: the sweep of leftovers passes them over.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The names, until the sweep is over.
#[derive(Debug)]
pub(super) struct Fresh {
    names: Mutex<Option<HashSet<String>>>,
}

/// A name that is forgotten unless it is kept: no row will ever have what was not written.
pub(super) struct Claim<'a> {
    fresh: &'a Fresh,
    name: &'a str,
}

impl Default for Fresh {
    fn default() -> Self {
        Self { names: Mutex::new(Some(HashSet::new())) }
    }
}

impl Fresh {
    /// Before anything is written under `name`.
    pub(super) fn claim<'a>(&'a self, name: &'a str) -> Claim<'a> {
        if let Some(names) = &mut *self.names() {
            names.insert(name.to_owned());
        }
        Claim { fresh: self, name }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.names().as_ref().is_some_and(|names| names.contains(name))
    }

    /// The sweep is over; from now on nothing is remembered.
    pub(super) fn close(&self) {
        *self.names() = None;
    }

    fn names(&self) -> MutexGuard<'_, Option<HashSet<String>>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim<'_> {
    /// The file is there.
    pub(super) fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if let Some(names) = &mut *self.fresh.names() {
            names.remove(self.name);
        }
    }
}
