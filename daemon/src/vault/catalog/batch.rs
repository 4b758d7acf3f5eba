//! A set of changes that happen together or not at all.

use std::fmt;

use serde::Serialize;

use super::{CatalogError, Kind, Versioned, value};
use crate::limits::{
    MAX_CATALOG_BATCH_BYTES, MAX_CATALOG_BATCH_CHANGES, MAX_CATALOG_KEY_BYTES, MAX_CATALOG_VALUE_BYTES,
};

/// Changes over any kinds, made atomic and durable by [`super::Catalog::commit`]. Later changes of a key win over earlier ones.
#[derive(Clone, Default)]
pub struct Batch {
    pub(super) changes: Vec<Change>,
}

#[derive(Clone)]
pub(super) struct Change {
    pub(super) kind: Kind,
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
}

impl Batch {
    /// No changes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a record. `key` is stored as it is, so it must be a random id, a keyed tag or a number: never a name, a path or a plain hash (D3).
    pub fn put(&mut self, kind: Kind, key: impl AsRef<[u8]>, value: impl Into<Vec<u8>>) -> &mut Self {
        self.changes.push(Change { kind, key: key.as_ref().to_vec(), value: Some(value.into()) });
        self
    }

    /// Sets a record to a typed value: postcard behind a version byte, read by [`super::Catalog::get_as`].
    ///
    /// # Errors
    /// [`CatalogError::Encode`] if the value has no postcard form.
    pub fn put_as<T: Serialize + ?Sized>(
        &mut self,
        kind: Kind,
        key: impl AsRef<[u8]>,
        value: &T,
    ) -> Result<&mut Self, CatalogError> {
        let bytes = value::encode(kind, value)?;
        Ok(self.put(kind, key, bytes))
    }

    /// Sets a record to a value of a type that has older forms, read by [`super::Catalog::get_versioned`].
    ///
    /// # Errors
    /// As for [`Batch::put_as`].
    pub fn put_versioned<T: Versioned>(
        &mut self,
        kind: Kind,
        key: impl AsRef<[u8]>,
        value: &T,
    ) -> Result<&mut Self, CatalogError> {
        let bytes = value::encode_versioned(kind, value)?;
        Ok(self.put(kind, key, bytes))
    }

    /// Removes a record, if it is there.
    pub fn remove(&mut self, kind: Kind, key: impl AsRef<[u8]>) -> &mut Self {
        self.changes.push(Change { kind, key: key.as_ref().to_vec(), value: None });
        self
    }

    /// Adds all changes of `other` after those of this one.
    pub fn extend(&mut self, other: Self) -> &mut Self {
        self.changes.extend(other.changes);
        self
    }

    /// Number of changes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Holds the changes against the limits (D7).
    pub(super) fn check(&self) -> Result<(), CatalogError> {
        let too_large = |what, given, limit| Err(CatalogError::TooLarge { what, given, limit });
        if self.changes.len() > MAX_CATALOG_BATCH_CHANGES {
            return too_large("changes in a batch", self.changes.len(), MAX_CATALOG_BATCH_CHANGES);
        }
        let mut total = 0;
        for Change { key, value, .. } in &self.changes {
            let value = value.as_ref().map_or(0, Vec::len);
            if key.len() > MAX_CATALOG_KEY_BYTES {
                return too_large("bytes of a key", key.len(), MAX_CATALOG_KEY_BYTES);
            }
            if value > MAX_CATALOG_VALUE_BYTES {
                return too_large("bytes of a value", value, MAX_CATALOG_VALUE_BYTES);
            }
            total += key.len() + value;
        }
        if total > MAX_CATALOG_BATCH_BYTES {
            return too_large("bytes of a batch", total, MAX_CATALOG_BATCH_BYTES);
        }
        Ok(())
    }
}

impl fmt::Debug for Batch {
    /// Shows how many changes there are and nothing of what is in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("changes", &self.changes.len()).finish_non_exhaustive()
    }
}
